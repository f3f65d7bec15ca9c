//! `larder collect`.

use std::{fmt::Write, process::ExitCode};

use anyhow::Result;
use clap::Args;
use larder_maintenance::{CollectJob, Job, JobOutcome, JobReport, JobStatus};
use larder_metrics_model::{Skipped, Snapshot};

use crate::{
    command_error::{FAILED, PARTIAL},
    config::Settings,
    context::{SALVAGE, now},
    global::OutputForm,
    output::{format, message, skipped, stdout, table},
};

/// Measure the cache once, into the metrics history
///
/// Exit code: 0 done, 1 failed, 4 done in part. What could not be measured is null, with the reason under `absent`.
#[derive(Args, Debug)]
pub(crate) struct CollectArgs {}

pub(crate) async fn run(settings: &Settings) -> Result<ExitCode> {
    let client = settings.client().await?;
    let history = settings.history()?;
    let outcome = CollectJob::new(client, settings.collect(), history.store).run(now()).await;
    if let JobReport::Collect(snapshot) = &outcome.report {
        match settings.output {
            OutputForm::Json => stdout::json(snapshot)?,
            OutputForm::Table | OutputForm::Nagios => stdout::text(&for_people(snapshot))?,
        }
    }
    for path in &outcome.written_to {
        message::note(&format!("written to {}", path.display()));
    }
    Ok(end(&outcome, history.closed.as_deref()))
}

/// Says what went wrong, and what that comes to.
pub(crate) fn end(outcome: &JobOutcome, closed: Option<&str>) -> ExitCode {
    for problem in outcome.problems.iter().map(String::as_str).chain(closed) {
        message::error(problem);
    }
    if closed.is_some() {
        message::hint(SALVAGE);
    }
    match (outcome.status, closed) {
        (JobStatus::Failed, _) => ExitCode::from(FAILED),
        (JobStatus::Partial, _) | (JobStatus::Done, Some(_)) => ExitCode::from(PARTIAL),
        (JobStatus::Done, None) => ExitCode::SUCCESS,
    }
}

fn absent(absent: &[Skipped]) -> String {
    skipped::by_reason(absent).fold(String::new(), |mut text, (figures, reason)| {
        let _ = writeln!(text, "absent, because {reason}: {figures}");
        text
    })
}

fn for_people(snapshot: &Snapshot) -> String {
    let stats = &snapshot.cache_stats;
    let health = &snapshot.health_info;
    let performance = &snapshot.performance_metrics;
    let count = |value: Option<u64>| format::or_dash(value, |value| value.to_string());
    let milliseconds = |value: Option<f64>| format::or_dash(value, |value| format!("{value:.3} ms"));
    let memory = health.memory_usage.as_ref().and_then(|memory| memory.used_memory);
    let mut table = table::table(&["figure", "value"]);
    for (figure, value) in [
        ("cache", snapshot.cache.clone().unwrap_or_default()),
        ("status", health.status.clone().unwrap_or_default()),
        ("hit rate", format::or_dash(stats.hit_rate, format::percent)),
        ("operations", count(stats.total_operations)),
        ("hits", count(stats.hit_count)),
        ("misses", count(stats.miss_count)),
        ("sets", count(stats.set_count)),
        ("deletes", count(stats.delete_count)),
        ("errors", count(stats.error_count)),
        ("memory", format::or_dash(memory, format::bytes)),
        ("ping", milliseconds(health.redis_ping_time)),
        ("latency mean", milliseconds(performance.avg_latency_ms)),
        ("latency p99", milliseconds(performance.p99_latency_ms)),
        ("nodes", snapshot.nodes.len().to_string()),
    ] {
        table.add_row([figure.to_owned(), value]);
    }
    table::written(&table) + &absent(&snapshot.absent)
}
