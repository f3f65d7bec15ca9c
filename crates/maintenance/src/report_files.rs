//! Reports that jobs leave in the metrics folder.

use larder_metrics_store::{DailyFiles, ReportFile};

use crate::{JobOutcome, JobStatus, wording::with_causes};

/// Writes reports beside the daily files. What goes wrong with one of them, its making included, is part of the outcome.
pub(crate) async fn write_reports<const N: usize>(
    files: &DailyFiles,
    reports: [(ReportFile, Result<String, String>); N],
    mut outcome: JobOutcome,
) -> JobOutcome {
    for (report, text) in reports {
        let written = match text {
            Ok(text) => write(files.clone(), report, text).await,
            Err(words) => Err(words),
        };
        match written {
            Ok(path) => outcome.written_to.push(path),
            Err(words) => {
                outcome = outcome.but(JobStatus::Partial, format!("the report is not written: {words}"));
            }
        }
    }
    outcome
}

async fn write(files: DailyFiles, report: ReportFile, text: String) -> Result<std::path::PathBuf, String> {
    let written = tokio::task::spawn_blocking(move || files.write_report_blocking(report, &text)).await;
    match written {
        Ok(written) => written.map_err(|error| with_causes(&error)),
        Err(error) => Err(error.to_string()),
    }
}
