//! Planning capacity from the history of a cache.

mod gather;
mod nodes;
mod page;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, FixedOffset};
use larder_analysis::{Capacity, CapacityFacts, CapacityOptions, plan_capacity};
use larder_cache_client::CacheClient;
use larder_metrics_store::{DailyFiles, MetricsStore, ReportFile};

pub use gather::{GatheredCapacity, gather_capacity};
pub use page::capacity_page;

use crate::{Job, JobOutcome, JobReport, JobStatus, report_files::write_reports, wording::with_causes};

/// How capacity is planned.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CapacityPlanOptions {
    /// How far is foretold, and from when on it matters.
    pub judged: CapacityOptions,
    /// How long the servers are waited for, which are asked for their limits.
    pub timeout: Duration,
    /// The folder in which `capacity_report_YYYY-MM.json` is written, and the same as a page for people (`.html`); `None` for
    /// nowhere.
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

    /// Writes the report for programs, and the page for people.
    async fn write(
        &self,
        facts: &CapacityFacts,
        capacity: &Capacity,
        at: DateTime<FixedOffset>,
        outcome: JobOutcome,
    ) -> JobOutcome {
        let Some(files) = &self.options.report else { return outcome };
        let json = serde_json::to_string_pretty(capacity).map(|text| text + "\n");
        let page = capacity_page(facts, capacity).to_html();
        let day = at.date_naive();
        let reports = [
            (ReportFile::Capacity(day), json.map_err(|error| with_causes(&error))),
            (ReportFile::CapacityPage(day), page.map_err(|error| with_causes(&error))),
        ];
        write_reports(files, reports, outcome).await
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
        let GatheredCapacity { facts, problems, nothing } =
            match gather_capacity(&self.client, &self.store, &self.options, now).await {
                Ok(gathered) => gathered,
                Err(error) => return failed(with_causes(&error)),
            };
        let judged = self.options.judged.clone();
        let planning = move || {
            let capacity = plan_capacity(&facts, &judged, now);
            (facts, capacity)
        };
        let (facts, capacity) = match tokio::task::spawn_blocking(planning).await {
            Ok(planned) => planned,
            Err(error) => return failed(error.to_string()),
        };
        let report = JobReport::Capacity(Some(Box::new(capacity.clone())));
        let outcome = JobOutcome::done(self.name(), capacity.summary(), begun.elapsed(), report);
        let outcome =
            problems.into_iter().fold(outcome, |outcome, problem| outcome.but(JobStatus::Partial, problem));
        match nothing {
            // A report of nothing takes no place of one that says something.
            Some(why) => outcome.but(JobStatus::Failed, why),
            None => self.write(&facts, &capacity, at, outcome).await,
        }
    }
}
