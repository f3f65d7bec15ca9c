//! `larder drill`.

use std::process::ExitCode;

use anyhow::Result;
use chrono::Utc;
use clap::Args;
use larder_backup::{DrillReport, VerificationLevel, drill};

use crate::{
    command_error::FAILED,
    commands::backup::{RepositoryArgs, ServerArgs, UnlockArgs, WhichArgs, verify_options},
    config::Settings,
    global::OutputForm,
    output::{format, message, stdout, work},
    pace::Rate,
};

/// Rehearse recovery: bring a backup back to servers of its own, time it, and compare every key
///
/// The cache itself is not touched. The result is kept beside the backup, and in the metrics history. Exit code: 0 every key
/// came back, 1 it did not, or could not be rehearsed, 2 usage.
#[derive(Args, Debug)]
pub(crate) struct DrillArgs {
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    repository: RepositoryArgs,
    #[command(flatten)]
    unlock: UnlockArgs,
    #[command(flatten)]
    servers: ServerArgs,
    /// `max`: as in an emergency; `governed` for what nobody else on this machine wants, which takes longer
    #[arg(long, value_name = "max|governed", default_value = "max")]
    rate: Rate,
}

pub(crate) async fn run(args: &DrillArgs, settings: &Settings) -> Result<ExitCode> {
    let place = args.repository.open_existing(settings)?;
    let manifest = args.which.find(&place, settings).await?;
    let options =
        verify_options(settings, VerificationLevel::Drill, &args.unlock, &args.servers, args.rate).await?;
    let shown = work::show(options.progress.clone(), settings, "drill");
    let drilled = drill(&place.repository, &manifest, &options, Utc::now()).await;
    shown.end();
    let report = drilled?;
    if settings.output == OutputForm::Json {
        stdout::json(&report)?;
    } else {
        stdout::text(&for_people(&report))?;
    }
    for problem in &report.problems {
        message::error(problem);
    }
    remember(&report, settings).await;
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// What is kept in the history makes "the last proven restore" a number; where there is none, the drill is one all the same.
async fn remember(report: &DrillReport, settings: &Settings) {
    let kept = match settings.history() {
        Ok(history) => larder_maintenance::record_drill(&history.store, report)
            .await
            .map_err(|error| format!("{error:#}")),
        Err(error) => Err(format!("{error:#}")),
    };
    if let Err(words) = kept {
        message::warning(&format!("the drill is not in the metrics history: {words}"));
    }
}

#[expect(clippy::cast_precision_loss, reason = "times for people")]
pub(crate) fn for_people(report: &DrillReport) -> String {
    let seconds = |milliseconds: u64| format!("{:.1} s", milliseconds as f64 / 1e3);
    format!(
        "{}: {}\nrecovery takes {} ({} to fetch and check, {} to start and load), with {}\n{} keys, {}; the data was {} old\n",
        report.id,
        if report.ok { "every key came back" } else { "the recovery failed" },
        seconds(report.recovery_ms),
        seconds(report.fetch_ms),
        seconds(report.load_ms),
        report.server.as_deref().unwrap_or("no server"),
        format::or_dash(report.keys, |keys| keys.to_string()),
        format::bytes(report.stored_bytes),
        format::or_dash(report.data_age_s, |age| format::time(age as f64)),
    )
}
