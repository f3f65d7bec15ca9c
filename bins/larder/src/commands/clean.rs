//! `larder clean`.
#![expect(clippy::doc_markdown, reason = "help is no Markdown")]

pub(crate) mod people;

use std::{
    collections::BTreeSet,
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, Result};
use clap::Args;
use larder_cache_client::{CacheClient, Capped, ReadFrom};
use larder_keyspace::{AuditLog, CleanOptions, CleanPlan, CleanTask, Policy, UndoFile};
use larder_maintenance::{CleanJob, CleanReport, Cleaner};
use larder_metrics_model::Role;
use larder_metrics_store::MetricsStore;
use tokio_util::sync::CancellationToken;

use crate::{
    command_error::{FAILED, PARTIAL, UsageError},
    config::Settings,
    context::now,
    global::OutputForm,
    output::{message, stdout},
    pace::{Paced, Rate},
    stop,
};

/// Clean up by policy: plan, and with --apply do it
///
/// Five tasks, each failing alone: keys that must have a TTL get one (ttl), keys of no family are removed (orphans), memory
/// is reclaimed (memory), metrics and reports past their retention are removed (history), and what else breaks the policy is
/// found (integrity). What is removed or altered goes to an undo file first; `larder undo` gives it back.
///
/// Exit code: 0 done, 1 failed or refused, 2 usage, 4 done in part.
#[derive(Args, Debug)]
pub(crate) struct CleanArgs {
    /// The policy file, or `guide` for the built-in one [default: `clean.policy`, then policy.toml where there is one]
    #[arg(long, value_name = "FILE|guide")]
    pub(crate) policy: Option<String>,
    /// Do what is planned; without it nothing is changed
    #[arg(long)]
    apply: bool,
    /// Where what is removed or altered is kept; must not be there yet [default: undo/undo_DATE.rdb]
    #[arg(long, value_name = "FILE", requires = "apply")]
    undo_file: Option<PathBuf>,
    /// Keys a second on every node, `max` for as fast as it goes, or `governed`: so that other clients do not feel it
    #[arg(long, value_name = "N|max")]
    rate: Option<Rate>,
    /// Only these tasks
    #[arg(long, visible_alias = "tasks", value_delimiter = ',', value_name = "TASK", value_parser = task)]
    task: Vec<CleanTask>,
    /// Plan from a replica of each shard; what is changed is looked at again on the primary
    #[arg(long)]
    replica: bool,
    /// Go past the limits of the policy
    #[arg(long)]
    over_limits: bool,
    /// Write the name of every planned key with the reason to this file, a JSON line each; `-` for stdout, in place of the plan
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// How many keys of each line are named in the plan
    #[arg(long, default_value_t = 3, value_name = "N")]
    examples: usize,
    /// How many of the values that must decode are read and decoded, such as 1% or 100%
    #[arg(long, default_value = "1%", value_name = "SHARE", value_parser = share)]
    values: f64,
}

fn task(name: &str) -> Result<CleanTask, String> {
    CleanTask::ALL.into_iter().find(|task| task.as_str() == name).ok_or_else(|| {
        let names = CleanTask::ALL.map(CleanTask::as_str).join(", ");
        format!("the tasks are {names}")
    })
}

fn share(text: &str) -> Result<f64, String> {
    let percent = text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>();
    let share = percent.map(|percent| percent / 100.0).ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "it is a share from 0% to 100%".to_owned())
}

pub(crate) async fn run(args: &CleanArgs, settings: &Settings) -> Result<ExitCode> {
    let policy = policy(args.policy.as_deref(), settings)?;
    let client = settings.client().await?;
    let rate = settings.rate(args.rate.or(settings.file.clean.rate()?));
    keeps_to_limit(rate, &policy, args.over_limits)?;
    let undo_file = args.apply.then(|| undo_file(args, settings)).transpose()?;
    let paced = Paced::of(&client, rate, if args.replica { Role::Replica } else { Role::Primary }).await;
    let stop = stop::on_ctrl_c();
    let options = options(args, settings, &policy, &paced, stop.clone());
    let mut cleaner = Cleaner::new(client, policy, options);
    if settings.file.clean.audit {
        cleaner = cleaner.with_audit(AuditLog::new(settings.file.clean.audit_path()));
    }
    // A folder of the history that is not there yet has nothing to be removed.
    if settings.file.metrics.folder.exists() {
        let history = if args.apply { settings.history()?.store } else { settings.history_to_read()? };
        cleaner = cleaner.with_history(history);
    }
    let at = now();
    let mut report = cleaner.plan(at).await;
    let listed = args.list.as_deref();
    if let (Some(path), Some(plan)) = (listed, report.key_plan()) {
        list(path, plan)?;
    }
    let to_stdout = listed == Some(Path::new("-"));
    if settings.output == OutputForm::Table && !to_stdout {
        stdout::text(&people::plan(&report))?;
    }
    if let Some(undo_file) = undo_file {
        if settings.file.clean.audit {
            settings.file.clean.make_folder()?;
        }
        cleaner.apply(&mut report, &undo_file, at).await;
    }
    finish(&report, settings, to_stdout)
}

fn finish(report: &CleanReport, settings: &Settings, listed_to_stdout: bool) -> Result<ExitCode> {
    if !listed_to_stdout {
        match settings.output {
            OutputForm::Json => stdout::json(report)?,
            OutputForm::Table | OutputForm::Nagios if report.applied => {
                stdout::text(&people::outcome(report))?;
            }
            OutputForm::Table | OutputForm::Nagios => {}
        }
    }
    complain(report);
    if !report.applied && report.planned_keys > 0 {
        message::note("nothing was changed; --apply does it");
    }
    Ok(match (report.is_failed(), report.is_whole()) {
        (true, _) => ExitCode::from(FAILED),
        (false, false) => ExitCode::from(PARTIAL),
        (false, true) => ExitCode::SUCCESS,
    })
}

fn complain(report: &CleanReport) {
    if let Some(words) = &report.refused {
        message::error(words);
        if !report.limits_exceeded.is_empty() {
            message::hint("look at the plan; --over-limits lets it go past the limits of the policy");
        }
    }
    let mut said = BTreeSet::new();
    for task in &report.tasks {
        for problem in task.problems.iter().filter(|problem| said.insert((*problem).clone())) {
            message::error(&format!("{}: {problem}", task.task.as_str()));
        }
    }
    for words in &report.not_seen {
        message::error(&format!("not seen: {words}"));
    }
    if report.stopped {
        message::warning("stopped before the last key");
    }
}

/// Prints what a job planned or did.
pub(crate) fn print(report: &CleanReport) -> Result<()> {
    stdout::text(&people::plan(report))?;
    if report.applied { stdout::text(&people::outcome(report)) } else { Ok(()) }
}

/// The job of a cycle: plans, and does it where `clean.apply` says so.
pub(crate) async fn job(
    settings: &Settings,
    client: CacheClient,
    history: Arc<dyn MetricsStore>,
) -> Result<(CleanJob, Paced)> {
    let clean = &settings.file.clean;
    let policy = policy(None, settings)?;
    let rate = settings.rate(clean.rate()?);
    keeps_to_limit(rate, &policy, false)?;
    let paced = Paced::of(&client, rate, Role::Primary).await;
    let mut options = CleanOptions::default().with_tasks(clean.tasks.iter().copied());
    options.stop = stop::on_ctrl_c();
    configure(&mut options, settings, &policy, &paced, false);
    let mut cleaner = Cleaner::new(client, policy, options).with_history(history);
    if !clean.apply {
        return Ok((CleanJob::new(cleaner), paced));
    }
    clean.make_folder()?;
    if clean.audit {
        cleaner = cleaner.with_audit(AuditLog::new(clean.audit_path()));
    }
    Ok((CleanJob::that_applies(cleaner, &clean.undo_folder), paced))
}

const HERE: &str = "policy.toml";

/// Tells whether a policy is configured, or lies here.
pub(crate) fn has_policy(settings: &Settings) -> bool {
    settings.file.clean.policy.is_some() || Path::new(HERE).exists()
}

/// The policy that is named, or configured, or lies here.
pub(crate) fn policy(named: Option<&str>, settings: &Settings) -> Result<Policy> {
    let configured = settings.file.clean.policy.as_deref();
    let here = Path::new(HERE).exists().then_some(HERE);
    let Some(name) = named.or(configured).or(here) else {
        let words = "no policy: name a file or `guide` with --policy; `larder policy init` writes one from what is in the cache";
        return Err(UsageError(words.to_owned()).into());
    };
    if name == "guide" {
        return Ok(Policy::guide());
    }
    let text = std::fs::read_to_string(name)
        .with_context(|| UsageError(format!("the policy {name} cannot be read")))?;
    Policy::parse(&text, name).map_err(|error| UsageError(error.to_string()).into())
}

fn keeps_to_limit(rate: Rate, policy: &Policy, over_limits: bool) -> Result<()> {
    let Some(most) = policy.limits().max_rate.filter(|_| !over_limits) else { return Ok(()) };
    let exceeds = match rate {
        Rate::Governed => false,
        Rate::Max => true,
        Rate::KeysPerSecond(rate) => u64::from(rate) > most,
    };
    if exceeds {
        let words =
            format!("limits.max_rate of the policy allows {most} keys a second; --over-limits goes past it");
        return Err(UsageError(words).into());
    }
    Ok(())
}

fn options(
    args: &CleanArgs,
    settings: &Settings,
    policy: &Policy,
    paced: &Paced,
    stop: CancellationToken,
) -> CleanOptions {
    let mut options = CleanOptions::default();
    if !args.task.is_empty() {
        options = options.with_tasks(args.task.iter().copied());
    }
    options.read_from = if args.replica { ReadFrom::Replica } else { ReadFrom::Primary };
    options.over_limits = args.over_limits;
    options.only_plan = !args.apply;
    options.examples = args.examples;
    options.values_share = args.values;
    options.stop = stop;
    configure(&mut options, settings, policy, paced, args.over_limits);
    options
}

fn configure(
    options: &mut CleanOptions,
    settings: &Settings,
    policy: &Policy,
    paced: &Paced,
    over_limits: bool,
) {
    options.pace = Arc::clone(&paced.pace);
    if let Some(most) = policy.limits().max_rate.filter(|_| !over_limits) {
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        options.pace = Arc::new(Capped::new(Arc::clone(&options.pace), most));
    }
    if policy.orphans().is_some_and(|rule| rule.grace.is_some()) {
        options.marks = Some(settings.file.clean.marks_path(&settings.url.name()));
    }
}

/// Where everything goes before it is changed; it can be written, and is not there yet.
fn undo_file(args: &CleanArgs, settings: &Settings) -> Result<PathBuf> {
    let path = match &args.undo_file {
        Some(path) if path.exists() => {
            return Err(UsageError(format!("the undo file {} is there already", path.display())).into());
        }
        Some(path) => path.clone(),
        None => {
            settings.file.clean.make_folder()?;
            settings.file.clean.undo_folder.join(larder_maintenance::undo_name(now()))
        }
    };
    // Where it cannot be written is known before the first key is looked at.
    UndoFile::try_place(&path).context(UsageError("nothing was changed".to_owned()))?;
    Ok(path)
}

fn list(path: &Path, plan: &mut CleanPlan) -> Result<()> {
    let write = |out: &mut dyn Write| -> larder_keyspace::Result<()> {
        plan.each_key(|key| {
            serde_json::to_writer(&mut *out, &key)?;
            out.write_all(b"\n")
        })
    };
    if path == Path::new("-") {
        let mut out = BufWriter::new(std::io::stdout().lock());
        let mut write = write;
        write(&mut out)?;
        out.flush()?;
        return Ok(());
    }
    let file =
        File::create(path).with_context(|| format!("the list {} cannot be written", path.display()))?;
    let mut out = BufWriter::new(file);
    let mut write = write;
    write(&mut out)?;
    out.flush().with_context(|| format!("the list {} cannot be written", path.display()))
}
