//! Units of maintenance.

use std::{fmt::Debug, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, FixedOffset};
use larder_analysis::{AuditVerdict, Capacity, HealthVerdict, Optimization};
use larder_backup::{DrillReport, Manifest, PrunePlan, Verification};
use larder_cache_client::CacheClient;
use larder_metrics_model::{Skipped, Snapshot};
use larder_metrics_store::MetricsStore;
use serde::{Serialize, Serializer};

use crate::{CleanReport, CollectOptions, HealthOptions, check_health, collect, wording::with_causes};

/// One unit of maintenance.
///
/// # Contract
///
/// - It never panics and never fails as a whole cycle: what went wrong is in the outcome.
/// - It ends within the times that it was configured with.
/// - What it changes, it says.
#[async_trait]
pub trait Job: Debug + Send + Sync {
    /// Returns the job's name, one word.
    fn name(&self) -> &'static str;

    /// Does the job, at the moment `at`.
    async fn run(&self, at: DateTime<FixedOffset>) -> JobOutcome;
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// It was done.
    Done,
    /// A part of it could not be done.
    Partial,
    /// It could not be done.
    Failed,
}

/// What a job did.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct JobOutcome {
    /// Which job.
    pub job: &'static str,
    /// How it ended.
    pub status: JobStatus,
    /// One line for people.
    pub summary: String,
    /// How long it took, in milliseconds.
    pub elapsed_ms: f64,
    /// What went wrong.
    pub problems: Vec<String>,
    /// What whoever relies on it should know, and what is no fault of the job.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Files that hold what it made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub written_to: Vec<PathBuf>,
    /// What it found or made.
    pub report: JobReport,
}

/// What a job found or made.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JobReport {
    /// A health verdict.
    Health(HealthVerdict),
    /// An audit.
    Audit(Box<AuditVerdict>),
    /// When the cache is full; `None` where the history could not be read.
    Capacity(Option<Box<Capacity>>),
    /// A snapshot, which was stored.
    Collect(Box<Snapshot>),
    /// A clean-up, planned or done.
    Clean(Box<CleanReport>),
    /// A backup that was made; `None` where it could not be.
    Backup(Option<Box<Manifest>>),
    /// Backups that were removed, or would be; `None` where that could not be found out.
    Prune(Option<PrunePlan>),
    /// What verifying the newest backup has shown; `None` where it could not be looked at.
    Verify(Option<Verification>),
    /// What would make the cache better; `None` where that could not be looked for.
    Optimize(Option<Box<Optimization>>),
    /// What a rehearsal of recovery has shown; `None` where there was none.
    Drill(Option<DrillReport>),
    /// Nothing, of a job that could not even be put together; it has that job's name.
    #[serde(untagged)]
    Unready(Unready),
}

/// What a job would have reported, had it been put together: nothing, under its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unready {
    /// The job's name.
    pub job: &'static str,
}

impl Serialize for Unready {
    /// As a report of that job that has none: `{"optimize": null}`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(self.job, None::<()>)])
    }
}

impl JobOutcome {
    pub(crate) fn done(job: &'static str, summary: String, elapsed: Duration, report: JobReport) -> Self {
        let elapsed_ms = elapsed.as_secs_f64() * 1e3;
        Self {
            job,
            status: JobStatus::Done,
            summary,
            elapsed_ms,
            problems: Vec::new(),
            notes: Vec::new(),
            written_to: Vec::new(),
            report,
        }
    }

    pub(crate) fn but(mut self, status: JobStatus, problem: impl Into<String>) -> Self {
        self.status = self.status.max(status);
        self.problems.push(problem.into());
        self
    }
}

/// Judges the health of the cache.
///
/// A verdict is what this job is for, so it is done whatever the verdict says.
#[derive(Clone, Debug)]
pub struct HealthJob {
    client: CacheClient,
    options: HealthOptions,
}

impl HealthJob {
    /// Makes the job.
    #[must_use]
    pub fn new(client: CacheClient, options: HealthOptions) -> Self {
        Self { client, options }
    }
}

#[async_trait]
impl Job for HealthJob {
    fn name(&self) -> &'static str {
        "health"
    }

    async fn run(&self, _at: DateTime<FixedOffset>) -> JobOutcome {
        let begun = std::time::Instant::now();
        let verdict = check_health(&self.client, &self.options).await;
        let summary = verdict.summary();
        JobOutcome::done(self.name(), summary, begun.elapsed(), JobReport::Health(verdict))
    }
}

/// Measures the cache once, into the metrics history.
#[derive(Clone, Debug)]
pub struct CollectJob {
    client: CacheClient,
    options: CollectOptions,
    store: Arc<dyn MetricsStore>,
}

impl CollectJob {
    /// Makes the job.
    #[must_use]
    pub fn new(client: CacheClient, options: CollectOptions, store: Arc<dyn MetricsStore>) -> Self {
        Self { client, options, store }
    }
}

impl CollectJob {
    /// Lets the history forget what is past its retention, and returns what went wrong with that.
    async fn retain(&self, at: DateTime<FixedOffset>) -> Vec<String> {
        match self.store.apply_retention(at.to_utc()).await {
            Ok(outcome) => outcome.failed.iter().map(|error| with_causes(error)).collect(),
            Err(error) => vec![with_causes(&error)],
        }
    }
}

#[async_trait]
impl Job for CollectJob {
    fn name(&self) -> &'static str {
        "collect"
    }

    /// A cache that cannot be reached is measured as such, which is worth storing, but the job has failed.
    async fn run(&self, at: DateTime<FixedOffset>) -> JobOutcome {
        let begun = std::time::Instant::now();
        let snapshot = collect(&self.client, &self.options, at).await.snapshot;
        let stored = self.store.append(&snapshot).await;
        let summary = summary(&snapshot);
        let connected = snapshot.health_info.redis_connected;
        let unreachable = reason(&snapshot, "health_info.redis_ping_time");
        let report = JobReport::Collect(Box::new(snapshot));
        let mut outcome = JobOutcome::done(self.name(), summary, begun.elapsed(), report);
        match stored {
            Ok(appended) => {
                outcome.written_to = appended.written_to;
                for damage in &appended.damaged {
                    outcome = outcome.but(JobStatus::Partial, damage.to_string());
                }
                for error in &appended.failed {
                    outcome = outcome.but(JobStatus::Partial, with_causes(error));
                }
            }
            Err(error) => outcome = outcome.but(JobStatus::Failed, with_causes(&error)),
        }
        // What cannot be written cannot be thinned out either, and would say the same again.
        if outcome.status == JobStatus::Done {
            for problem in self.retain(at).await {
                outcome = outcome.but(JobStatus::Partial, problem);
            }
        }
        match connected {
            Some(true) => outcome,
            Some(false) => {
                let answering = outcome_has_figures(&outcome);
                let status = if answering { JobStatus::Partial } else { JobStatus::Failed };
                outcome.but(status, unreachable.unwrap_or_else(|| "not every node answers".to_owned()))
            }
            None => {
                outcome.but(JobStatus::Partial, unreachable.unwrap_or_else(|| "no node was found".to_owned()))
            }
        }
    }
}

fn outcome_has_figures(outcome: &JobOutcome) -> bool {
    matches!(&outcome.report, JobReport::Collect(snapshot) if snapshot.nodes.iter().any(|node| node.error.is_none()))
}

fn reason(snapshot: &Snapshot, field: &str) -> Option<String> {
    let down =
        snapshot.nodes.iter().find_map(|node| Some(format!("{}: {}", node.node, node.error.as_ref()?)));
    let absent = snapshot.absent.iter().find(|absent: &&Skipped| absent.what == field);
    down.or_else(|| absent.map(|absent| absent.reason.clone()))
}

fn summary(snapshot: &Snapshot) -> String {
    let stats = &snapshot.cache_stats;
    let rate = stats
        .hit_rate
        .map_or_else(|| "hit rate unknown".to_owned(), |rate| format!("hit rate {:.1} %", rate * 100.0));
    let operations =
        stats.total_operations.map_or_else(String::new, |operations| format!(", {operations} operations"));
    let absent = match snapshot.absent.len() {
        0 => String::new(),
        count => format!(", {count} figures absent"),
    };
    format!("{rate}{operations} from {} nodes{absent}", snapshot.nodes.len())
}
