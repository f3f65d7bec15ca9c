//! Planning capacity from the history of a cache.

mod gather;
mod nodes;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, FixedOffset};
use larder_analysis::{Capacity, CapacityOptions, plan_capacity};
use larder_cache_client::CacheClient;
use larder_metrics_store::{DailyFiles, MetricsStore, ReportFile};

pub use gather::{GatheredCapacity, gather_capacity};

use crate::{Job, JobOutcome, JobReport, JobStatus, wording::with_causes};

/// How capacity is planned.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CapacityPlanOptions {
    /// How far is foretold, and from when on it matters.
    pub judged: CapacityOptions,
    /// How long the servers are waited for, which are asked for their limits.
    pub timeout: Duration,
    /// The folder in which `capacity_report_YYYY-MM.json` is written; `None` for nowhere.
    pub report: Option<DailyFiles>,
}

impl Default for CapacityPlanOptions {
    fn default() -> Self {
        Self { judged: CapacityOptions::default(), timeout: Duration::from_secs(2), report: None }
    }
}

/// Plans the capacity of a cache, and writes the report of the month.
///
/// Changes nothing in the cache. What is found is what this job is for, so it is done whatever that is.
#[derive(Clone, Debug)]
pub struct CapacityJob {
    client: CacheClient,
    store: Arc<dyn MetricsStore>,
    options: CapacityPlanOptions,
}

impl CapacityJob {
    /// Makes the job.
    #[must_use]
    pub fn new(client: CacheClient, store: Arc<dyn MetricsStore>, options: CapacityPlanOptions) -> Self {
        Self { client, store, options }
    }

    /// Writes the report; what goes wrong with that is in the outcome.
    async fn write(&self, json: String, at: DateTime<FixedOffset>, outcome: JobOutcome) -> JobOutcome {
        let Some(files) = self.options.report.clone() else { return outcome };
        let day = at.date_naive();
        let written = tokio::task::spawn_blocking(move || {
            files.write_report_blocking(ReportFile::Capacity(day), &json)
        });
        let mut outcome = outcome;
        match written.await {
            Ok(Ok(path)) => outcome.written_to.push(path),
            Ok(Err(error)) => outcome = outcome.but(JobStatus::Partial, with_causes(&error)),
            Err(error) => outcome = outcome.but(JobStatus::Partial, error.to_string()),
        }
        outcome
    }
}

#[async_trait]
impl Job for CapacityJob {
    fn name(&self) -> &'static str {
        "capacity"
    }

    async fn run(&self, at: DateTime<FixedOffset>) -> JobOutcome {
        let begun = std::time::Instant::now();
        let now = at.to_utc();
        let failed = |words: String| {
            JobOutcome::done(self.name(), words.clone(), begun.elapsed(), JobReport::Capacity(None))
                .but(JobStatus::Failed, words)
        };
        let GatheredCapacity { facts, problems } =
            match gather_capacity(&self.client, &self.store, &self.options, now).await {
                Ok(gathered) => gathered,
                Err(error) => return failed(with_causes(&error)),
            };
        let judged = self.options.judged.clone();
        let planned = tokio::task::spawn_blocking(move || plan_capacity(&facts, &judged, now)).await;
        let capacity: Capacity = match planned {
            Ok(capacity) => capacity,
            Err(error) => return failed(error.to_string()),
        };
        let json = serde_json::to_string_pretty(&capacity);
        let summary = capacity.summary();
        let report = JobReport::Capacity(Some(Box::new(capacity)));
        let mut outcome = JobOutcome::done(self.name(), summary, begun.elapsed(), report);
        for problem in problems {
            outcome = outcome.but(JobStatus::Partial, problem);
        }
        match json {
            Ok(json) => self.write(json, at, outcome).await,
            Err(error) => outcome.but(JobStatus::Partial, error.to_string()),
        }
    }
}
