//! The weekly job.

use std::{path::PathBuf, time::Instant};

use async_trait::async_trait;
use chrono::{DateTime, FixedOffset};
use larder_analysis::Optimization;
use larder_metrics_store::{DailyFiles, ReportFile};

use super::{OptimizeOptions, OptimizeSources, check_optimize};
use crate::{Job, JobOutcome, JobReport, JobStatus, wording::with_causes};

/// Looks for what would make the cache better, and writes the report of it.
#[derive(Clone, Debug)]
pub struct OptimizeJob {
    sources: OptimizeSources,
    options: OptimizeOptions,
    reports: Option<DailyFiles>,
}

impl OptimizeJob {
    /// Makes the job, which writes no report.
    #[must_use]
    pub fn new(sources: OptimizeSources, options: OptimizeOptions) -> Self {
        Self { sources, options, reports: None }
    }

    /// Makes the same job write `optimization_report_YYYY-MM-DD.json` into the folder of these files.
    #[must_use]
    pub fn with_report(mut self, files: DailyFiles) -> Self {
        self.reports = Some(files);
        self
    }

    /// Returns where the report was written; `None` where none is wanted.
    async fn write(
        &self,
        optimization: &Optimization,
        at: DateTime<FixedOffset>,
    ) -> Result<Option<PathBuf>, String> {
        let Some(files) = self.reports.clone() else { return Ok(None) };
        let text = serde_json::to_string_pretty(optimization).map_err(|error| with_causes(&error))?;
        let report = ReportFile::Optimization(at.date_naive());
        let written =
            tokio::task::spawn_blocking(move || files.write_report_blocking(report, &(text + "\n"))).await;
        match written {
            Ok(Ok(path)) => Ok(Some(path)),
            Ok(Err(error)) => Err(format!("the report is not written: {}", with_causes(&error))),
            Err(error) => Err(format!("the report is not written: {error}")),
        }
    }
}

#[async_trait]
impl Job for OptimizeJob {
    fn name(&self) -> &'static str {
        "optimize"
    }

    /// Findings are what this job is for, so it is done whatever they say. Where there was nothing to judge there is no report.
    async fn run(&self, at: DateTime<FixedOffset>) -> JobOutcome {
        let begun = Instant::now();
        let checked = match check_optimize(&self.sources, &self.options, at.to_utc()).await {
            Ok(checked) => checked,
            Err(error) => {
                let words = with_causes(&error);
                let report = JobReport::Optimize(None);
                let outcome = JobOutcome::done(self.name(), words.clone(), begun.elapsed(), report);
                return outcome.but(JobStatus::Failed, words);
            }
        };
        let mut problems: Vec<_> =
            checked.problems.into_iter().map(|problem| (checked.status, problem)).collect();
        let mut written_to = Vec::new();
        if checked.status != JobStatus::Failed {
            match self.write(&checked.optimization, at).await {
                Ok(path) => written_to.extend(path),
                Err(problem) => problems.push((JobStatus::Partial, problem)),
            }
        }
        let summary = checked.optimization.summary();
        let report = JobReport::Optimize(Some(Box::new(checked.optimization)));
        let mut outcome = JobOutcome::done(self.name(), summary, begun.elapsed(), report);
        outcome.written_to = written_to;
        problems.into_iter().fold(outcome, |outcome, (status, problem)| outcome.but(status, problem))
    }
}
