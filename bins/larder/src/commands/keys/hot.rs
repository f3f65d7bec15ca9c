//! `larder keys hot`.

use std::{process::ExitCode, time::Duration};

use anyhow::{Result, bail};
use clap::Args;
use comfy_table::Table;
use larder_cache_client::{KeyUses, TrafficOptions, TrafficSample, UsedKey};
use larder_keyspace::KeyName;
use larder_metrics_model::{NodeAddress, Skipped};
use serde::Serialize;
use serde_json::json;

use super::{
    target::{Named, Target, form},
    top::shortened,
};
use crate::{
    command_error::{PARTIAL, UsageError},
    global::{Global, OutputForm},
    output::{format, message, stdout, table},
};

/// The keys that clients ask for most, in a sample of the commands that each primary runs now
///
/// A server writes each command that it runs, values included, to whoever looks (MONITOR), whichever its policy is. So it is looked at in
/// ten short rounds, spread over a time, and each ends with its share of the commands; the first command of more than 1 MiB ends them
/// all, because telling it keeps the server from its work. What commands say beside the names of keys is read and forgotten. The user
/// needs the rights +monitor and +command. What replicas are asked is not seen.
#[derive(Args, Debug)]
pub(crate) struct HotArgs {
    /// A cache [default: the cache that is configured]
    #[arg(value_name = "URL")]
    target: Option<Named>,
    /// How many keys of each primary
    #[arg(short = 'n', long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    /// How many commands of each primary are looked at, at the most
    #[arg(long, default_value_t = TrafficOptions::default().commands, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    commands: u64,
    /// Over how long the rounds are spread
    #[arg(long = "for", default_value = "10s", value_parser = time, value_name = "TIME")]
    time: Duration,
}

const LONGEST: Duration = Duration::from_mins(10);

fn time(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if time < Duration::from_secs(1) || time > LONGEST {
        return Err("from 1s to 10m".to_owned());
    }
    Ok(time)
}

/// What was seen of one primary.
#[derive(Serialize)]
struct Seen {
    node: NodeAddress,
    commands: u64,
    seconds: f64,
    commands_per_second: f64,
    rounds: u32,
    keys: Vec<HotKey>,
    /// Uses of keys beyond the first 100,000.
    uncounted: u64,
    /// Commands of which not every key could be told.
    half_read: u64,
    /// Why it is not all of it.
    ended: Option<String>,
}

#[derive(Serialize)]
struct HotKey {
    key: KeyName,
    database: u32,
    commands: u64,
    writes: u64,
    rounds: u32,
    /// Of all commands.
    share: f64,
    per_second: f64,
}

pub(super) async fn run(args: &HotArgs, global: &Global) -> Result<ExitCode> {
    let (output, _) = form(global)?;
    let Target::Cache(settings) = Target::of(args.target.as_deref(), global)? else {
        return Err(UsageError("a file is asked for nothing; name a cache by its URL".to_owned()).into());
    };
    let client = settings.client().await?;
    let mut options = TrafficOptions::default();
    (options.commands, options.time, options.patience) = (args.commands, args.time, settings.timeout);
    message::note(&format!(
        "looking at up to {} commands of each primary for {}",
        args.commands,
        humantime::format_duration(args.time)
    ));
    let (mut seen, mut skipped) = (Vec::new(), Vec::new());
    for (node, sample) in client.sample_traffic(&options).await? {
        match sample {
            Ok(sample) => seen.push(Seen::of(node, &sample, args.count as usize)),
            Err(error) => skipped.push(Skipped::new(format!("commands of {node}"), error.with_causes())),
        }
    }
    if seen.is_empty() {
        let reasons: Vec<String> = skipped.iter().map(ToString::to_string).collect();
        bail!("which keys are hot cannot be told: {}", reasons.join("; "));
    }
    match output {
        OutputForm::Json => {
            stdout::json(&json!({ "source": client.name(), "nodes": seen, "skipped": skipped }))?;
        }
        OutputForm::Table | OutputForm::Nagios => stdout::text(&for_people(&seen))?,
    }
    for skipped in &skipped {
        message::warning(&skipped.to_string());
    }
    let is_whole = skipped.is_empty() && seen.iter().all(|seen| seen.ended.is_none());
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(PARTIAL) })
}

impl Seen {
    fn of(node: NodeAddress, sample: &TrafficSample, most: usize) -> Self {
        Self {
            node,
            commands: sample.commands,
            seconds: sample.time.as_secs_f64(),
            commands_per_second: sample.per_second(),
            rounds: sample.rounds,
            keys: sample.hottest(most).iter().map(|(key, uses)| HotKey::of(key, uses, sample)).collect(),
            uncounted: sample.uncounted,
            half_read: sample.half_read,
            ended: sample.ended.as_ref().map(ToString::to_string),
        }
    }

    /// What is to be known about these figures.
    fn notes(&self) -> Vec<String> {
        let half_read = (self.half_read > 0).then(|| {
            format!(
                "of {} commands not every key could be told: they are longer than 64 KiB, or the server does not mark where words end",
                self.half_read
            )
        });
        let uncounted =
            (self.uncounted > 0).then(|| format!("{} uses of other keys are not counted", self.uncounted));
        let ended = self
            .ended
            .as_ref()
            .map(|why| format!("it was looked at for a shorter time than it should be: {why}"));
        [half_read, uncounted, ended].into_iter().flatten().collect()
    }
}

impl HotKey {
    fn of(key: &UsedKey, uses: &KeyUses, sample: &TrafficSample) -> Self {
        Self {
            key: KeyName::new(&key.name),
            database: key.database,
            commands: uses.commands,
            writes: uses.writes,
            rounds: uses.rounds,
            share: sample.share_of(uses),
            per_second: sample.per_second_of(uses),
        }
    }
}

fn for_people(seen: &[Seen]) -> String {
    let nodes: Vec<String> = seen.iter().map(node).collect();
    nodes.join("\n")
}

fn node(seen: &Seen) -> String {
    let mut text = format!(
        "{}: about {:.0} commands a second, {} seen in {} rounds\n",
        seen.node, seen.commands_per_second, seen.commands, seen.rounds,
    );
    if seen.keys.is_empty() {
        text.push_str("no key was named\n");
    } else {
        text.push_str(&table::written(&keys(seen)));
    }
    for note in seen.notes() {
        text.extend(["note: ", &note, "\n"]);
    }
    text
}

fn keys(seen: &Seen) -> Table {
    let mut table = table::table(&["share", "a second", "writes", "rounds", "db", "key"]);
    for key in &seen.keys {
        table.add_row([
            format::percent(key.share),
            format!("{:.1}", key.per_second),
            format!("{} of {}", key.writes, key.commands),
            format!("{} of {}", key.rounds, seen.rounds),
            key.database.to_string(),
            shortened(&key.key),
        ]);
    }
    table
}
