//! `larder capacity`.

use std::{process::ExitCode, time::Duration};

use anyhow::Result;
use chrono::TimeDelta;
use clap::Args;
use larder_maintenance::{CapacityJob, CapacityPlanOptions, Job, JobReport};

use crate::{
    commands::collect::end,
    config::Settings,
    context::now,
    global::OutputForm,
    output::{capacity, message, stdout},
};

/// Foretell when memory, connections and the rest pass their limits
///
/// Reads the metrics history, asks the servers for their limits, and writes capacity_report_YYYY-MM.json into the metrics folder. Changes
/// nothing in the cache. Days are of UTC. Exit code: 0 done, 1 failed or nothing to plan from, 2 usage, 4 done in part, such as where
/// a server does not answer; findings are no failure.
#[derive(Args, Debug)]
pub(crate) struct CapacityArgs {
    /// How far is foretold, such as 90d or 1y [default: 180d, or as configured]
    #[arg(long, value_name = "TIME", value_parser = horizon)]
    horizon: Option<Duration>,
    /// Say how each resource was foretold, and how well that would have done on its own past
    #[arg(long)]
    explain: bool,
    /// Write no capacity_report_YYYY-MM.json and no page beside it
    #[arg(long)]
    no_report: bool,
}

/// Further away than this nothing can be told.
const FURTHEST: Duration = Duration::from_hours(10 * 366 * 24);

pub(crate) async fn run(args: &CapacityArgs, settings: &Settings) -> Result<ExitCode> {
    let opened = settings.series_to_read().await?;
    let mut options = options(settings)?;
    if let Some(horizon) = args.horizon {
        options.judged.horizon = TimeDelta::from_std(horizon)?;
    }
    if args.no_report {
        options.report = None;
    }
    let job = CapacityJob::new(settings.client().await?, opened.store, options);
    let outcome = job.run(now()).await;
    if let JobReport::Capacity(Some(planned)) = &outcome.report {
        match settings.output {
            OutputForm::Json => stdout::json(planned)?,
            _ => stdout::text(&capacity::for_people(planned, args.explain))?,
        }
    }
    for path in &outcome.written_to {
        message::note(&format!("written to {}", path.display()));
    }
    Ok(end(&outcome, opened.closed.as_deref()))
}

/// What is configured, with the report in the metrics folder.
pub(crate) fn options(settings: &Settings) -> Result<CapacityPlanOptions> {
    let mut options = CapacityPlanOptions::default();
    options.judged = settings.file.capacity.options()?;
    options.timeout = settings.timeout;
    options.report = Some(settings.daily_files());
    Ok(options)
}

/// Reads a time of a day or more.
pub(crate) fn horizon(text: &str) -> Result<Duration, String> {
    let horizon = humantime::parse_duration(text)
        .map_err(|error| format!("it is no time such as 90d or 1y: {error}"))?;
    if horizon < Duration::from_hours(24) || horizon > FURTHEST {
        return Err("it has to be a day or more, and ten years at most".to_owned());
    }
    Ok(horizon)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_horizon_is_a_day_or_more_and_no_more_than_ten_years() {
        for (text, days) in [("1d", 1), ("180d", 180), ("180days", 180)] {
            assert_eq!(horizon(text), Ok(Duration::from_hours(24 * days)), "{text}");
        }
        for text in ["", "0s", "23h", "11y", "-1d", "180"] {
            assert!(horizon(text).is_err(), "{text}");
        }
    }
}
