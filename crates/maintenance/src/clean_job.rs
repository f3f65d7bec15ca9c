//! Clean-up as a job of a cycle.

use std::{path::PathBuf, time::Instant};

use async_trait::async_trait;
use chrono::{DateTime, FixedOffset};

use crate::{CleanReport, Cleaner, Job, JobOutcome, JobReport, JobStatus};

/// Plans a clean-up, and does it where it was configured to.
#[derive(Clone, Debug)]
pub struct CleanJob {
    cleaner: Cleaner,
    /// Where undo files are kept; `None` to plan only.
    apply_with: Option<PathBuf>,
}

impl CleanJob {
    /// Makes a job that plans only.
    #[must_use]
    pub fn new(cleaner: Cleaner) -> Self {
        Self { cleaner: cleaner.that_only_plans(), apply_with: None }
    }

    /// Makes a job that does what it planned, with an undo file in this folder.
    #[must_use]
    pub fn that_applies(cleaner: Cleaner, undo_folder: impl Into<PathBuf>) -> Self {
        Self { cleaner, apply_with: Some(undo_folder.into()) }
    }
}

#[async_trait]
impl Job for CleanJob {
    fn name(&self) -> &'static str {
        "clean"
    }

    async fn run(&self, at: DateTime<FixedOffset>) -> JobOutcome {
        let begun = Instant::now();
        let mut report = self.cleaner.plan(at).await;
        if let Some(folder) = &self.apply_with {
            match tokio::fs::create_dir_all(folder).await {
                Ok(()) => self.cleaner.apply(&mut report, &folder.join(undo_name(at)), at).await,
                Err(error) => {
                    report.refused = Some(format!("the folder {} cannot be made: {error}", folder.display()));
                }
            }
        }
        outcome(report, begun)
    }
}

/// Returns the name of the undo file of a clean-up that began at this moment.
#[must_use]
pub fn undo_name(at: DateTime<FixedOffset>) -> String {
    format!("undo_{}.rdb", at.format("%Y%m%d_%H%M%S_%3f"))
}

fn outcome(report: CleanReport, begun: Instant) -> JobOutcome {
    let (failed, whole) = (report.is_failed(), report.is_whole());
    let problems: Vec<String> = report
        .tasks
        .iter()
        .flat_map(|task| task.problems.iter().map(|problem| format!("{}: {problem}", task.task.as_str())))
        .chain(report.not_seen.iter().cloned())
        .chain(report.refused.iter().cloned())
        .collect();
    let written_to = report.undo_file.clone().into_iter().collect();
    let summary = report.summary();
    let mut outcome = JobOutcome::done("clean", summary, begun.elapsed(), JobReport::Clean(Box::new(report)));
    outcome.written_to = written_to;
    let status = match (failed, whole) {
        (true, _) => JobStatus::Failed,
        (false, false) => JobStatus::Partial,
        (false, true) => JobStatus::Done,
    };
    for problem in problems {
        outcome = outcome.but(status, problem);
    }
    outcome.status = status;
    outcome
}
