//! Lists of jobs.

use std::sync::Arc;

use chrono::{DateTime, FixedOffset};
use serde::Serialize;

use crate::{Job, JobOutcome, JobStatus};

/// The jobs of a day, a week or a month, in their order.
#[derive(Clone, Debug)]
pub struct Cycle {
    name: &'static str,
    jobs: Vec<Arc<dyn Job>>,
}

/// What became of a cycle.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct CycleOutcome {
    /// Which cycle.
    pub cycle: &'static str,
    /// When it began, ISO 8601.
    pub began: String,
    /// How it ended: failed where every job did, in part where one did not come to its end.
    pub status: JobStatus,
    /// What each job did, in their order.
    pub jobs: Vec<JobOutcome>,
}

impl Cycle {
    /// Makes a cycle.
    #[must_use]
    pub fn new(name: &'static str, jobs: Vec<Arc<dyn Job>>) -> Self {
        Self { name, jobs }
    }

    /// Does one job after another; each fails for itself alone. `done` is told of each as it ends.
    pub async fn run(&self, at: DateTime<FixedOffset>, mut done: impl FnMut(&JobOutcome)) -> CycleOutcome {
        let mut jobs = Vec::with_capacity(self.jobs.len());
        for job in &self.jobs {
            tracing::debug!(job = job.name(), "begins");
            let outcome = job.run(at).await;
            done(&outcome);
            jobs.push(outcome);
        }
        CycleOutcome { cycle: self.name, began: at.to_rfc3339(), status: overall(&jobs), jobs }
    }
}

fn overall(jobs: &[JobOutcome]) -> JobStatus {
    let all_failed = !jobs.is_empty() && jobs.iter().all(|job| job.status == JobStatus::Failed);
    match jobs.iter().map(|job| job.status).max() {
        Some(JobStatus::Failed) if all_failed => JobStatus::Failed,
        Some(JobStatus::Failed | JobStatus::Partial) => JobStatus::Partial,
        Some(JobStatus::Done) | None => JobStatus::Done,
    }
}
