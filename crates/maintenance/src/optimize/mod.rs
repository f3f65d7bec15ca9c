//! What would make a cache better, from its history and from what its servers say now.

mod failover;
mod history;
mod job;
mod live;
mod page;
mod sources;
mod traffic;

use std::time::Duration;

use chrono::{DateTime, Utc};
use larder_analysis::{Optimization, OptimizeFacts, OptimizeThresholds, optimize};
use larder_cache_client::TrafficOptions;

pub use job::OptimizeJob;
pub use page::optimization_page;
pub use sources::{OptimizeError, OptimizeSources};

use crate::JobStatus;

/// What is looked at, and from where on something is recommended.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct OptimizeOptions {
    /// How much of the past; 7 days.
    pub window: Duration,
    /// From where on something is recommended.
    pub thresholds: OptimizeThresholds,
    /// How long the live servers are waited for; 2 seconds.
    pub timeout: Duration,
    /// How much of the traffic of the live servers is looked at (MONITOR), to tell hot keys; none where it is `None`, as is usual.
    pub traffic: Option<TrafficOptions>,
}

/// What would make a cache better, and what went wrong when that was looked for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OptimizeOutcome {
    /// What was found.
    pub optimization: Optimization,
    /// How much of it could be looked at: failed where there was nothing to judge, in part where a part of the history is damaged
    /// or missing, or a server does not answer.
    pub status: JobStatus,
    /// Why it is not all of it. What a server does not let this user ask is no fault, and is among what was skipped.
    pub problems: Vec<String>,
}

impl Default for OptimizeOptions {
    fn default() -> Self {
        Self {
            window: Duration::from_hours(7 * 24),
            thresholds: OptimizeThresholds::default(),
            timeout: Duration::from_secs(2),
            traffic: None,
        }
    }
}

/// Looks for what would make a cache better, in the time up to `now`. Changes nothing.
///
/// # Errors
/// The history cannot be read at all.
pub async fn check_optimize(
    sources: &OptimizeSources,
    options: &OptimizeOptions,
    now: DateTime<Utc>,
) -> Result<OptimizeOutcome, OptimizeError> {
    let window = chrono::TimeDelta::from_std(options.window).unwrap_or(chrono::TimeDelta::MAX);
    let from = now.checked_sub_signed(window).unwrap_or(DateTime::UNIX_EPOCH);
    // What is measured at this very moment counts.
    let read = history::read(&sources.history, from, now + chrono::TimeDelta::seconds(1)).await?;
    let (mut facts, mut problems) = (read.facts, read.damaged);
    facts.cache = sources.name().map(ToOwned::to_owned);
    facts.until = now;
    let is_empty = facts.nodes.is_empty() && read.first.is_none();
    if is_empty {
        problems.push(
            "the history has no measurement of this time, so there is nothing to judge; `larder collect` measures"
                .to_owned(),
        );
    }
    problems.extend(live::look(&mut facts, &sources.live, options.timeout).await);
    problems.extend(traffic::look(&mut facts, &sources.live, options.traffic, options.timeout).await);
    let status = status(&facts, is_empty, &problems);
    Ok(OptimizeOutcome { optimization: optimize(&facts, &options.thresholds), status, problems })
}

fn status(facts: &OptimizeFacts, is_empty: bool, problems: &[String]) -> JobStatus {
    let server_answered = facts.nodes.iter().any(|node| node.slow_log.known().is_some());
    match (is_empty, problems) {
        (true, _) if !server_answered => JobStatus::Failed,
        (_, []) => JobStatus::Done,
        _ => JobStatus::Partial,
    }
}
