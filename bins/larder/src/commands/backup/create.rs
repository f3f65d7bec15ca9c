//! `larder backup create`.
#![expect(clippy::doc_markdown, reason = "help is no Markdown")]

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Result;
use chrono::Utc;
use clap::{Args, ValueEnum};
use larder_backup::{
    BackupOptions, BackupOutcome, Compression, Effort, FileSet, Layout, Repository, Wanted, create_backup,
};
use larder_cache_client::{DumpMethod, ReadFrom};
use larder_metrics_model::Role;
use serde::Serialize;

use super::{RepositoryArgs, families, show::missing_lines};
use crate::{
    config::{Backup, Settings},
    global::OutputForm,
    output::{format, message, stdout, work},
    pace::{Paced, Rate},
    stop,
};

/// Make a backup: every shard, configuration, metrics, in one pass, checked to the last element on the way
///
/// Nothing is listed before all of it is stored. Exit code: 0 done, 1 failed, 2 usage.
#[derive(Args, Debug)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    pub(crate) repository: RepositoryArgs,
    /// How images are taken [default: the first that the server allows]
    #[arg(long, value_enum)]
    source: Option<SourceName>,
    /// Takes the images from replicas, which spares the primaries
    #[arg(long)]
    replica: bool,
    /// How hard it is compressed (zstd 1 to 19) [default: 2]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=19), value_name = "LEVEL")]
    level: Option<u32>,
    /// Encrypts it to this public key (age1…); may be given several times
    #[arg(long = "recipient", value_name = "KEY")]
    recipients: Vec<String>,
    /// Stores it as the guide's script does: redis_DATE.rdb.gz and its companions
    #[arg(long)]
    guide_layout: bool,
    /// The server's RDB file as this machine sees it, for `--source save`
    #[arg(long, value_name = "FILE")]
    rdb_file: Option<PathBuf>,
    /// `max` for as fast as it goes; `governed`: so that other clients do not feel it; keys a second with `--source keys`
    #[arg(long, value_name = "N|max")]
    rate: Option<Rate>,
    /// Goes on although something stands against it, such as too little memory for a fork
    #[arg(long)]
    force: bool,
}

/// How an image is taken.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum SourceName {
    /// Over the replication stream, as a replica takes it
    Replication,
    /// The server saves it (BGSAVE), and its file is read
    Save,
    /// Key by key (SCAN and DUMP): not one moment in time
    Keys,
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Printed<'a> {
    id: &'a str,
    repository: &'a str,
    elapsed_ms: u128,
    stored_bytes: u64,
    notes: &'a [String],
    manifest: &'a larder_backup::Manifest,
}

impl From<SourceName> for DumpMethod {
    fn from(name: SourceName) -> Self {
        match name {
            SourceName::Replication => Self::Replication,
            SourceName::Save => Self::Save,
            SourceName::Keys => Self::Keys,
        }
    }
}

/// How a backup is made that nothing else is said of.
pub(crate) fn backup_options(settings: &Settings, rate: Rate) -> Result<BackupOptions> {
    let configured = &settings.file.backup;
    let mut options = BackupOptions::default();
    options.method = configured.source;
    options.layout = settings.layout(false);
    options.packing.level = configured.compression_level;
    options.packing.effort = if rate == Rate::Max { Effort::Full } else { Effort::Yielding };
    options.packing.recipients = settings.recipients(&[])?;
    options.dump.rdb_file.clone_from(&configured.rdb_file);
    options.families = Some(families(settings)?);
    let defaults = Backup::default();
    let files = |paths: &Vec<PathBuf>, default: &Vec<PathBuf>| {
        if paths == default { FileSet::by_default(paths.clone()) } else { FileSet::of(paths.clone()) }
    };
    options.configuration = files(&configured.configuration, &defaults.configuration);
    options.metrics = files(&configured.metrics, &defaults.metrics);
    fit_layout(&mut options);
    Ok(options)
}

/// The guide's script compresses with gzip.
fn fit_layout(options: &mut BackupOptions) {
    if options.layout == Layout::Guide {
        options.packing.compression = Compression::Gzip;
        options.packing.level = options.packing.level.min(9);
    }
}

pub(crate) async fn run(args: &CreateArgs, settings: &Settings) -> Result<ExitCode> {
    let place = args.repository.open(settings)?;
    let client = settings.client().await?;
    let rate = settings.rate(args.rate);
    let mut options = backup_options(settings, rate)?;
    options.method = args.source.map(Into::into).or(options.method);
    options.layout = settings.layout(args.guide_layout);
    options.packing.level = args.level.unwrap_or(options.packing.level);
    options.packing.recipients = settings.recipients(&args.recipients)?;
    fit_layout(&mut options);
    options.dump.rdb_file = args.rdb_file.clone().or(options.dump.rdb_file);
    options.force = args.force;
    options.stop = stop::on_ctrl_c();
    let role = if args.replica { Role::Replica } else { Role::Primary };
    options.dump.read_from = if args.replica { ReadFrom::Replica } else { ReadFrom::Primary };
    let paced = Paced::of(&client, rate, role).await;
    options.dump.pace = paced.pace.clone();

    options.expected_bytes = size_of_last(&place.repository, client.name()).await;
    let shown = work::show(options.progress.clone(), settings, "backup");
    let made = create_backup(&client, &place.repository, &options, Utc::now()).await;
    shown.end();
    let outcome = made?;
    print(&outcome, &place.name, settings)?;
    Ok(ExitCode::SUCCESS)
}

/// A server does not say how much it will send; what the last backup had is a fair guess, if it can be had soon.
async fn size_of_last(repository: &Repository, cache: &str) -> Option<u64> {
    let last = tokio::time::timeout(GUESS_PATIENCE, repository.find_of(&Wanted::Latest, Some(cache)))
        .await
        .ok()?
        .ok()?;
    let bytes = last.shards.iter().filter_map(|shard| shard.rdb_bytes).sum();
    (last.cache == cache && bytes > 0).then_some(bytes)
}

const GUESS_PATIENCE: Duration = Duration::from_secs(1);

fn print(outcome: &BackupOutcome, repository: &str, settings: &Settings) -> Result<()> {
    let manifest = &outcome.manifest;
    if settings.output == OutputForm::Json {
        stdout::json(&Printed {
            id: manifest.id.as_str(),
            repository,
            elapsed_ms: outcome.elapsed.as_millis(),
            stored_bytes: manifest.stored_bytes(),
            notes: &outcome.notes,
            manifest,
        })?;
    } else {
        let keys = manifest.counts.as_ref().map_or(0, |counts| counts.keys);
        let rdb: u64 = manifest.shards.iter().filter_map(|shard| shard.rdb_bytes).sum();
        let shards = manifest.shards.len();
        stdout::text(&format!(
            "{}\n{keys} keys of {} {}, {} of RDB stored as {} in {:.1?}, in {repository}",
            manifest.id,
            if shards == 1 { "one".to_owned() } else { shards.to_string() },
            if shards == 1 { "shard" } else { "shards" },
            format::bytes(rdb),
            format::bytes(manifest.stored_bytes()),
            outcome.elapsed,
        ))?;
    }
    for missing in missing_lines(manifest) {
        message::note(&missing);
    }
    for note in &outcome.notes {
        message::warning(note);
    }
    Ok(())
}
