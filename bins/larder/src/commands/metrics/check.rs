//! `larder metrics check`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use larder_metrics_store::{Damage, MetricsStore, Query, SqliteStore};

use crate::{
    command_error::PARTIAL,
    config::Settings,
    output::{message, stdout},
};

#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// Keep what can still be read of a damaged database: the damaged file stays beside the new one
    #[arg(long)]
    apply: bool,
}

pub(super) async fn run(args: &CheckArgs, settings: &Settings) -> Result<ExitCode> {
    let metrics = &settings.file.metrics;
    let mut damaged: Vec<String> = Vec::new();
    if metrics.daily_files && metrics.folder.exists() {
        let (files, all) = (settings.daily_files(), Query::default());
        let (history, keyspaces) = (files.read(&all).await?, files.read_keyspaces(&all).await?);
        stdout::text(&format!(
            "{}: {} snapshots and {} keyspace snapshots in daily files",
            metrics.folder.display(),
            history.snapshots.len(),
            keyspaces.snapshots.len()
        ))?;
        damaged.extend(history.damaged.iter().chain(&keyspaces.damaged).map(ToString::to_string));
    }
    let path = metrics.series_path();
    if metrics.series && path.exists() {
        let found = database(settings);
        if found.is_empty() {
            stdout::text(&format!("{}: the database is whole", path.display()))?;
        } else if args.apply {
            salvage(settings)?;
        } else {
            damaged.extend(found);
            message::hint("`larder metrics check --apply` keeps what can still be read of the database");
        }
    }
    for words in &damaged {
        message::warning(words);
    }
    Ok(if damaged.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(PARTIAL) })
}

fn database(settings: &Settings) -> Vec<String> {
    match SqliteStore::open_to_read(settings.file.metrics.series_path()).and_then(|series| series.check()) {
        Ok(damaged) => damaged.iter().map(Damage::to_string).collect(),
        Err(error) => vec![format!("{:#}", anyhow::Error::new(error))],
    }
}

fn salvage(settings: &Settings) -> Result<()> {
    let path = settings.file.metrics.series_path();
    let salvaged = SqliteStore::salvage(&path)?;
    stdout::text(&format!(
        "{}: {} snapshots, {} keyspace snapshots, {} samples, {} hours and {} days kept; the damaged file is {}",
        path.display(),
        salvaged.snapshots,
        salvaged.keyspaces,
        salvaged.samples,
        salvaged.hours,
        salvaged.days,
        salvaged.moved_to.display()
    ))?;
    for lost in &salvaged.lost {
        message::warning(&lost.to_string());
    }
    Ok(())
}
