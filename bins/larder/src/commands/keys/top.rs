//! `larder keys top`.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::{Result, bail};
use bytes::Bytes;
use clap::Args;
use larder_cache_client::{CacheClient, KeyBatch, KeyFields, KeyRecord, Ttl};
use larder_keyspace::{BigKey, Biggest, BytesSource, KeyName, NotSeen, TopKeys, Wanted};
use larder_metrics_model::Skipped;
use serde_json::json;

use super::{
    images::{Images, Via},
    live::{Live, PaceArgs},
    report_table::moment,
    sweep::{Consumer, through_cache, through_dump, through_images},
    target::{Named, Target, form, path_of},
};
use crate::{
    command_error::{PARTIAL, UsageError},
    config::Settings,
    context::now,
    global::{Global, OutputForm},
    output::{format, message, progress, stdout, table},
};

/// The biggest keys, by bytes and by elements
#[derive(Args, Debug)]
pub(crate) struct TopArgs {
    /// A cache, or an RDB file [default: the cache that is configured]
    #[arg(value_name = "URL|FILE.rdb")]
    target: Option<Named>,
    /// How many keys in each order
    #[arg(short = 'n', long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    /// Only keys of this type, as TYPE answers
    #[arg(long = "type", value_name = "TYPE", value_parser = ["string", "list", "set", "zset", "hash", "stream", "array", "module"])]
    kind: Option<String>,
    /// Every type for itself as well, not only all together; JSON always has them
    #[arg(long, conflicts_with = "kind")]
    each_type: bool,
    /// By elements as well, which takes a server one more question a key; a file or image always has them
    #[arg(long)]
    elements: bool,
    #[command(flatten)]
    pace: PaceArgs,
    /// How the keys of a cache are read
    #[arg(long, value_enum, default_value_t, value_name = "WAY")]
    via: Via,
}

/// What was found, and what was not seen.
struct Found {
    source: String,
    format: Option<String>,
    bytes_source: BytesSource,
    keys: u64,
    all: Biggest,
    types: BTreeMap<String, Biggest>,
    skipped: Vec<Skipped>,
    not_seen: Vec<NotSeen>,
    complete: bool,
}

impl Consumer for TopKeys {
    fn take(&mut self, batch: &KeyBatch, counted_from_ms: i64) {
        self.add(batch, counted_from_ms);
    }
}

pub(super) async fn run(args: &TopArgs, global: &Global) -> Result<ExitCode> {
    let (output, quiet) = form(global)?;
    let mut found = match Target::of(args.target.as_deref(), global)? {
        Target::Dump(source) => {
            args.via.refuse_for_files()?;
            of_dump(&source, args, quiet).await?
        }
        Target::Cache(settings) if args.via == Via::Dump => of_images(&settings, args).await?,
        Target::Cache(settings) => of_cache(&settings, args).await?,
        Target::Report(_) => return Err(UsageError("a report does not hold keys".to_owned()).into()),
    };
    if let Some(kind) = &args.kind {
        found.all = found.types.remove(kind.as_str()).unwrap_or_default();
        found.types.clear();
    }
    if !found.complete {
        message::warning("a part of the keyspace was not seen");
    }
    print(args, output, &found)?;
    Ok(if found.complete { ExitCode::SUCCESS } else { ExitCode::from(PARTIAL) })
}

async fn of_dump(source: &larder_keyspace::DumpSource, args: &TopArgs, quiet: bool) -> Result<Found> {
    let name = path_of(args.target.as_deref());
    let mut top = TopKeys::new(args.count as usize);
    let read = through_dump(source, Wanted::new(KeyFields::all()), &name, quiet, &mut top).await?;
    let keys = top.keys();
    let (all, types) = top.finish();
    Ok(Found {
        source: name,
        format: read.map(|read| read.format.to_string()),
        bytes_source: BytesSource::Estimated,
        keys,
        all,
        types,
        skipped: Vec::new(),
        not_seen: Vec::new(),
        complete: read.is_some(),
    })
}

async fn of_images(settings: &Settings, args: &TopArgs) -> Result<Found> {
    let images = Images::of(settings, &args.pace).await?;
    let mut top = TopKeys::new(args.count as usize);
    let wanted = Wanted::new(KeyFields::all());
    let ended = through_images(&images.source, wanted, settings.quiet, &mut top).await?;
    let keys = top.keys();
    let (all, types) = top.finish();
    Ok(Found {
        source: images.client.name().to_owned(),
        format: images.read().map(|read| read.format.to_string()),
        bytes_source: BytesSource::Estimated,
        keys,
        all,
        types,
        complete: ended.is_complete(),
        skipped: images.survey.skipped,
        not_seen: ended.not_seen,
    })
}

async fn of_cache(settings: &Settings, args: &TopArgs) -> Result<Found> {
    let mut fields = KeyFields::TYPE | KeyFields::BYTES;
    fields.set(KeyFields::ELEMENTS, args.elements);
    let live = Live::of(settings, &args.pace, fields | KeyFields::TTL | KeyFields::ENCODING).await?;
    let sweep = live.survey.fields & fields;
    if !sweep.intersects(KeyFields::BYTES | KeyFields::ELEMENTS) {
        let reasons: Vec<String> = live.survey.skipped.iter().map(ToString::to_string).collect();
        bail!("which keys are the biggest cannot be told: {}", reasons.join("; "));
    }
    let mut top = TopKeys::new(args.count as usize);
    let bar = progress::of_keys(live.survey.keys, settings.quiet);
    let source = live.source(None);
    let ended = through_cache(&source, Wanted::new(sweep), bar, &mut top).await?;
    let keys = top.keys();
    let (mut all, mut types) = top.finish();
    let lists = types.values_mut().chain([&mut all]);
    let listed = lists.flat_map(|biggest| biggest.by_bytes.iter_mut().chain(&mut biggest.by_elements));
    complete(&live.client, listed.collect(), live.survey.fields - sweep).await;
    Ok(Found {
        source: live.client.name().to_owned(),
        format: None,
        bytes_source: larder_keyspace::KeySource::bytes_source(&source),
        keys,
        all,
        types,
        complete: ended.is_complete(),
        skipped: live.survey.skipped,
        not_seen: ended.not_seen,
    })
}

const LOOKED_AT_ONCE: usize = 500;

/// Fetches what was not fetched of all keys, for those that are listed. What fails leaves a dash.
async fn complete(client: &CacheClient, mut listed: Vec<&mut BigKey>, fields: KeyFields) {
    // Of a long name only the beginning is kept.
    listed.retain(|key| key.key.as_bytes().len() as u64 == key.key_bytes);
    for some in listed.chunks_mut(LOOKED_AT_ONCE) {
        let names: Vec<Bytes> = some.iter().map(|key| Bytes::copy_from_slice(key.key.as_bytes())).collect();
        let records = client.keys().look(&names, fields).await;
        for (key, record) in some.iter_mut().zip(records) {
            if let Ok(Some(record)) = record {
                fill(key, &record);
            }
        }
    }
}

fn fill(key: &mut BigKey, record: &KeyRecord) {
    if let Some(Ttl::In(left)) = record.ttl {
        let left = i64::try_from(left.as_millis()).unwrap_or(i64::MAX);
        key.expires_at_ms = Some(now().timestamp_millis().saturating_add(left));
    }
    if let Some(encoding) = &record.encoding {
        key.layout = Some(encoding.to_string());
    }
}

fn print(args: &TopArgs, output: OutputForm, found: &Found) -> Result<()> {
    if output == OutputForm::Json {
        return stdout::json(&json!({
            "source": found.source, "format": found.format, "total_keys": found.keys,
            "bytes_source": found.bytes_source, "complete": found.complete,
            "by_bytes": found.all.by_bytes, "by_elements": found.all.by_elements, "types": found.types,
            "skipped": found.skipped, "not_seen": found.not_seen,
        }));
    }
    stdout::text(&for_people(args.kind.as_deref().unwrap_or("all types"), &found.all))?;
    if args.each_type {
        for (kind, biggest) in &found.types {
            stdout::text(&for_people(kind, biggest))?;
        }
    }
    for skipped in &found.skipped {
        message::warning(&skipped.to_string());
    }
    Ok(())
}

fn for_people(of: &str, biggest: &Biggest) -> String {
    let by_bytes = keys("by bytes", &biggest.by_bytes);
    // Strings have one element each, which says nothing of their order.
    let counted = biggest.by_elements.iter().any(|key| key.elements > Some(1));
    let by_elements = if counted { keys("by elements", &biggest.by_elements) } else { String::new() };
    format!("biggest keys of {of}\n\n{by_bytes}\n{by_elements}")
}

fn keys(order: &str, keys: &[BigKey]) -> String {
    let mut table = table::table(&["bytes", "elements", "type", "layout", "db", "expires", order]);
    for key in keys {
        table.add_row([
            format::or_dash(key.bytes, format::bytes),
            format::or_dash(key.elements, |elements| elements.to_string()),
            format::or_dash(key.kind.clone(), |kind| kind),
            format::or_dash(key.layout.clone(), |layout| layout),
            key.database.to_string(),
            format::or_dash(key.expires_at_ms, moment),
            name(key),
        ]);
    }
    table::written(&table)
}

/// A long name is cut, and its length is said; `--output json` has more of it.
fn name(key: &BigKey) -> String {
    let shown = shortened(&key.key);
    let is_cut = key.key.to_string().chars().nth(MOST_SHOWN).is_some();
    if is_cut { format!("{shown} ({} bytes)", key.key_bytes) } else { shown }
}

/// A name as far as a table has room for it.
pub(super) fn shortened(name: &KeyName) -> String {
    if name.as_bytes().is_empty() { "(empty)".to_owned() } else { name.shortened(MOST_SHOWN) }
}

const MOST_SHOWN: usize = 200;
