//! `larder maintain`.

use std::{process::ExitCode, sync::Arc};

use anyhow::Result;
use clap::{Args, Subcommand};
use larder_maintenance::{CollectJob, Cycle, CycleOutcome, HealthJob, Job, JobOutcome, JobReport, JobStatus};

use crate::{
    command_error::{FAILED, PARTIAL},
    commands::clean,
    config::Settings,
    context::{SALVAGE, now},
    global::OutputForm,
    output::{message, stdout, verdict},
};

/// Run a cycle of maintenance
///
/// Every job fails for itself alone. Exit code: 0 done, 1 failed, 4 done in part; a health verdict that is not ok is a
/// job that was done.
#[derive(Args, Debug)]
pub(crate) struct MaintainArgs {
    #[command(subcommand)]
    cycle: CycleName,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum CycleName {
    /// What is due every day: health, collect, and clean where a policy is configured
    Daily,
}

pub(crate) async fn run(args: &MaintainArgs, settings: &Settings) -> Result<ExitCode> {
    let CycleName::Daily = args.cycle;
    let client = settings.client().await?;
    let history = settings.history()?;
    let mut jobs: Vec<Arc<dyn Job>> = vec![
        Arc::new(HealthJob::new(client.clone(), settings.health())),
        Arc::new(CollectJob::new(client.clone(), settings.collect(), Arc::clone(&history.store))),
    ];
    // The sweep is watched as long as this lives.
    let mut paced = None;
    if clean::has_policy(settings) {
        let (job, watching) = clean::job(settings, client, history.store).await?;
        jobs.push(Arc::new(job));
        paced = Some(watching);
    }
    let mut printed = Ok(());
    let outcome = Cycle::new("daily", jobs)
        .run(now(), |job| {
            if settings.output == OutputForm::Table && printed.is_ok() {
                printed = print(job);
            }
        })
        .await;
    drop(paced);
    printed?;
    if settings.output == OutputForm::Json {
        stdout::json(&outcome)?;
    }
    if let Some(words) = &history.closed {
        message::error(words);
        message::hint(SALVAGE);
    }
    Ok(exit_code(&outcome, history.closed.is_some()))
}

fn exit_code(outcome: &CycleOutcome, history_damaged: bool) -> ExitCode {
    match outcome.status {
        JobStatus::Failed => ExitCode::from(FAILED),
        JobStatus::Partial => ExitCode::from(PARTIAL),
        JobStatus::Done if history_damaged => ExitCode::from(PARTIAL),
        JobStatus::Done => ExitCode::SUCCESS,
    }
}

fn print(job: &JobOutcome) -> Result<()> {
    let state = match job.status {
        JobStatus::Done => "done",
        JobStatus::Partial => "done in part",
        JobStatus::Failed => "failed",
    };
    stdout::text(&format!("== {}: {state} in {:.0} ms", job.job, job.elapsed_ms))?;
    match &job.report {
        JobReport::Health(judged) => stdout::text(&verdict::for_people(judged))?,
        JobReport::Clean(report) => clean::print(report)?,
        _ => stdout::text(&job.summary)?,
    }
    for path in &job.written_to {
        stdout::text(&format!("written to {}", path.display()))?;
    }
    for problem in &job.problems {
        message::error(&format!("{}: {problem}", job.job));
    }
    stdout::text("")
}
