//! The weekly job.

use std::time::Instant;

use async_trait::async_trait;
use chrono::{DateTime, FixedOffset};
use larder_analysis::Optimization;
use larder_metrics_store::{DailyFiles, ReportFile};

use super::{OptimizeOptions, OptimizeOutcome, OptimizeSources, check_optimize, page::optimization_page};
use crate::{Job, JobOutcome, JobReport, JobStatus, report_files::write_reports, wording::with_causes};

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

    /// Makes the same job write `optimization_report_YYYY-MM-DD.json`, and the same as a page for people (`.html`), into the
    /// folder of these files.
    #[must_use]
    pub fn with_report(mut self, files: DailyFiles) -> Self {
        self.reports = Some(files);
        self
    }

    /// Writes the report for programs, and the page for people.
    async fn write(
        &self,
        optimization: &Optimization,
        at: DateTime<FixedOffset>,
        outcome: JobOutcome,
    ) -> JobOutcome {
        let Some(files) = &self.reports else { return outcome };
        let json = serde_json::to_string_pretty(optimization).map(|text| text + "\n");
        let page = optimization_page(optimization).to_html();
        let day = at.date_naive();
        let reports = [
            (ReportFile::Optimization(day), json.map_err(|error| with_causes(&error))),
            (ReportFile::OptimizationPage(day), page.map_err(|error| with_causes(&error))),
        ];
        write_reports(files, reports, outcome).await
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
        let OptimizeOutcome { optimization, status, problems } = checked;
        let report = JobReport::Optimize(Some(Box::new(optimization.clone())));
        let outcome = JobOutcome::done(self.name(), optimization.summary(), begun.elapsed(), report);
        let outcome = problems.into_iter().fold(outcome, |outcome, problem| outcome.but(status, problem));
        if status == JobStatus::Failed { outcome } else { self.write(&optimization, at, outcome).await }
    }
}
