//! `larder optimize`.

use std::{process::ExitCode, time::Duration};

use anyhow::Result;
use clap::Args;
use larder_cache_client::TrafficOptions;
use larder_maintenance::{Job, JobReport, OptimizeError, OptimizeJob, OptimizeOptions, OptimizeSources};

use crate::{
    command_error::UsageError,
    commands::collect::end,
    config::Settings,
    context::{Opened, now},
    global::OutputForm,
    output::{message, optimization, stdout},
};

/// Judge the last days by the metrics history, and say what would make the cache better
///
/// Changes nothing in the cache. Writes optimization_report_YYYY-MM-DD.json into the metrics folder. Exit code: 0 done, 1 failed,
/// 4 done in part; findings are no failure. What could not be looked at is listed, with the reason.
#[derive(Args, Debug)]
pub(crate) struct OptimizeArgs {
    /// How many days are judged
    #[arg(long, default_value_t = 7, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
    /// Write no report
    #[arg(long)]
    no_report: bool,
    /// Look at a sample of the commands of clients as well (MONITOR, for ten seconds), to tell hot keys
    #[arg(long)]
    sample_traffic: bool,
}

pub(crate) async fn run(args: &OptimizeArgs, settings: &Settings) -> Result<ExitCode> {
    let history = settings.series_to_read().await?;
    let mut options = settings.optimize();
    options.window = Duration::from_hours(24 * u64::from(args.days));
    if args.sample_traffic {
        options.traffic = Some(TrafficOptions::default());
    }
    let sources = sources(settings, &history).await?;
    let mut job = OptimizeJob::new(sources, options);
    if !args.no_report {
        job = job.with_report(settings.daily_files());
    }
    let outcome = job.run(now()).await;
    if let JobReport::Optimize(Some(found)) = &outcome.report {
        match settings.output {
            OutputForm::Json => stdout::json(found)?,
            OutputForm::Table | OutputForm::Nagios => stdout::text(&optimization::for_people(found))?,
        }
    }
    for path in &outcome.written_to {
        message::note(&format!("written to {}", path.display()));
    }
    Ok(end(&outcome, history.closed.as_deref()))
}

/// The job of the week, with its report.
pub(super) async fn job(settings: &Settings, history: &Opened) -> Result<OptimizeJob> {
    let sources = sources(settings, history).await?;
    Ok(OptimizeJob::new(sources, settings.optimize()).with_report(settings.daily_files()))
}

async fn sources(settings: &Settings, history: &Opened) -> Result<OptimizeSources> {
    let client = settings.client().await?;
    let store = history.store.clone();
    let found = if settings.names_cache {
        OptimizeSources::of(store, client).await
    } else {
        OptimizeSources::found(store, client).await
    };
    found.map_err(|error| match error {
        OptimizeError::UnknownCache { .. } => UsageError(error.to_string()).into(),
        OptimizeError::SeveralCaches { .. } => UsageError(format!("{error} with --cache")).into(),
        error => error.into(),
    })
}

impl Settings {
    pub(crate) fn optimize(&self) -> OptimizeOptions {
        let mut options = OptimizeOptions::default();
        options.thresholds = self.file.optimize.thresholds;
        options.timeout = self.timeout;
        options.traffic = self.file.optimize.sample_traffic.then(TrafficOptions::default);
        options
    }
}
