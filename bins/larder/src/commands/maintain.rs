//! `larder maintain`.

use std::{process::ExitCode, sync::Arc};

use anyhow::Result;
use clap::{Args, Subcommand};
use larder_backup::{Effort, VerificationLevel};
use larder_cache_client::CacheClient;
use larder_maintenance::{
    AuditJob, BackupJob, CapacityJob, CollectJob, Cycle, CycleOutcome, DrillJob, HealthJob, Job, JobOutcome,
    JobReport, JobStatus, PruneJob, UnreadyJob, VerifyJob,
};
use larder_metrics_model::Role;

use crate::{
    command_error::{FAILED, PARTIAL},
    commands::{backup, capacity, clean, drill, optimize},
    config::Settings,
    context::{SALVAGE, now},
    global::OutputForm,
    output::{capacity as capacity_output, message, optimization, stdout, verdict},
    pace::Paced,
    stop,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
enum CycleName {
    /// What is due every day: health, collect, clean where a policy is configured, backup and prune where a repository is
    Daily,
    /// What is due every week: the last days are judged, and the newest backup is verified where a repository is configured
    Weekly,
    /// What is due every month: the cache is audited, its capacity planned, and recovery from the newest backup rehearsed
    Monthly,
}

/// What is put together before a cycle begins.
struct Prepared {
    jobs: Vec<Arc<dyn Job>>,
    /// Servers are watched as long as these live.
    watched: Vec<Paced>,
    /// Why a part of the history could not be opened.
    closed: Option<String>,
}

pub(crate) async fn run(args: &MaintainArgs, settings: &Settings) -> Result<ExitCode> {
    let (name, prepared) = match args.cycle {
        CycleName::Daily => ("daily", daily(settings).await?),
        CycleName::Weekly => ("weekly", weekly(settings).await?),
        CycleName::Monthly => ("monthly", monthly(settings).await?),
    };
    let mut printed = Ok(());
    let outcome = Cycle::new(name, prepared.jobs)
        .run(now(), |job| {
            if settings.output == OutputForm::Table && printed.is_ok() {
                printed = print(job);
            }
        })
        .await;
    drop(prepared.watched);
    printed?;
    if settings.output == OutputForm::Json {
        stdout::json(&outcome)?;
    }
    if let Some(words) = &prepared.closed {
        message::error(words);
        message::hint(SALVAGE);
    }
    Ok(exit_code(&outcome, prepared.closed.is_some()))
}

async fn daily(settings: &Settings) -> Result<Prepared> {
    let client = settings.client().await?;
    let history = settings.history()?;
    let mut jobs: Vec<Arc<dyn Job>> = vec![
        Arc::new(HealthJob::new(client.clone(), settings.health())),
        Arc::new(CollectJob::new(client.clone(), settings.collect(), Arc::clone(&history.store))),
    ];
    let mut paced = None;
    if clean::has_policy(settings) {
        let (job, watching) = clean::job(settings, client.clone(), history.store).await?;
        jobs.push(Arc::new(job));
        paced = Some(watching);
    }
    let mut watched = paced.into_iter().collect::<Vec<_>>();
    if settings.file.backup.repository.is_some() {
        match backup_jobs(settings, client).await {
            Ok((made, watching)) => {
                jobs.extend(made);
                watched.push(watching);
            }
            Err(error) => jobs.push(Arc::new(UnreadyJob::new("backup", format!("{error:#}")))),
        }
    }
    Ok(Prepared { jobs, watched, closed: history.closed })
}

/// A backup, and then what is past its time.
async fn backup_jobs(settings: &Settings, client: CacheClient) -> Result<(Vec<Arc<dyn Job>>, Paced)> {
    let place = settings.repository(None)?;
    let paced = Paced::of(&client, settings.rate(None), Role::Primary).await;
    let mut options = backup::backup_options(settings, settings.rate(None))?;
    options.dump.pace = paced.pace.clone();
    options.stop = stop::on_ctrl_c();
    let backup = BackupJob::new(client, place.repository.clone(), options);
    let keep = &settings.file.backup.keep;
    let prune = if keep.apply {
        PruneJob::that_applies(place.repository, keep.policy())
    } else {
        PruneJob::new(place.repository, keep.policy())
    };
    Ok((vec![Arc::new(backup), Arc::new(prune)], paced))
}

async fn weekly(settings: &Settings) -> Result<Prepared> {
    let history = settings.series_to_read().await?;
    let mut jobs: Vec<Arc<dyn Job>> = Vec::new();
    match optimize::job(settings, &history).await {
        Ok(job) => jobs.push(Arc::new(job)),
        Err(error) => jobs.push(Arc::new(UnreadyJob::new("optimize", format!("{error:#}")))),
    }
    if settings.file.backup.repository.is_some() {
        jobs.push(Arc::new(verify_job(settings).await?));
    }
    Ok(Prepared { jobs, watched: Vec::new(), closed: history.closed })
}

async fn verify_job(settings: &Settings) -> Result<VerifyJob> {
    let place = settings.repository(None)?;
    let level = VerificationLevel::Structure;
    let options = backup::job_options(settings, level, Effort::Yielding).await?;
    Ok(VerifyJob::new(place.repository, options).of_cache(settings.url.name()))
}

async fn monthly(settings: &Settings) -> Result<Prepared> {
    let history = settings.series_to_read().await?;
    let client = settings.client().await?;
    let audit = AuditJob::new(client.clone(), settings.audit(), settings.timeout);
    let capacity = CapacityJob::new(client, history.store, capacity::options(settings)?);
    let mut jobs: Vec<Arc<dyn Job>> = vec![Arc::new(audit), Arc::new(capacity)];
    if settings.file.backup.repository.is_some() {
        jobs.push(Arc::new(drill_job(settings).await?));
    }
    Ok(Prepared { jobs, watched: Vec::new(), closed: history.closed })
}

async fn drill_job(settings: &Settings) -> Result<DrillJob> {
    let place = settings.repository(None)?;
    let options = backup::job_options(settings, VerificationLevel::Drill, Effort::Full).await?;
    let history = settings.history()?.store;
    Ok(DrillJob::new(place.repository, options).of_cache(settings.url.name()).with_history(history))
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
        JobReport::Audit(judged) => stdout::text(&verdict::audit_for_people(judged))?,
        JobReport::Optimize(Some(found)) => stdout::text(&optimization::for_people(found))?,
        JobReport::Capacity(Some(planned)) => stdout::text(&capacity_output::for_people(planned, false))?,
        JobReport::Clean(report) => clean::print(report)?,
        JobReport::Drill(Some(report)) => stdout::text(&drill::for_people(report))?,
        _ => stdout::text(&job.summary)?,
    }
    for path in &job.written_to {
        stdout::text(&format!("written to {}", path.display()))?;
    }
    for note in &job.notes {
        message::warning(&format!("{}: {note}", job.job));
    }
    for problem in &job.problems {
        message::error(&format!("{}: {problem}", job.job));
    }
    stdout::text("")
}
