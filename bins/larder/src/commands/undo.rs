//! `larder undo`.

use std::{fmt::Write, path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;
use larder_keyspace::{
    AuditEntry, AuditLog, Error, UndoCount, UndoFile, UndoOptions, UndoOutcome, plan_undo, undo,
};
use larder_metrics_model::Role;
use serde::Serialize;

use crate::{
    command_error::{FAILED, PARTIAL, UsageError},
    config::Settings,
    context::now,
    global::OutputForm,
    output::{message, stdout},
    pace::{Paced, Rate},
    stop,
};

/// Give back what a clean-up removed or altered
///
/// Keys come back with the TTL that they have left of the old one; what was written since is never overwritten. It can be
/// stopped, and done again. Exit code: 0 done, 1 failed, 2 usage, 4 done in part.
#[derive(Args, Debug)]
pub(crate) struct UndoArgs {
    /// The undo file that `larder clean --apply` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Do it; without it nothing is changed
    #[arg(long)]
    apply: bool,
    /// Keys a second, `max` for as fast as it goes, or `governed`: so that other clients do not feel it
    #[arg(long, value_name = "N|max")]
    rate: Option<Rate>,
    /// Give the keys to this cache although the file is of another one
    #[arg(long)]
    any_cache: bool,
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Printed<'a> {
    file: &'a PathBuf,
    cache: &'a str,
    policy: &'a str,
    whole: bool,
    applied: bool,
    keys: u64,
    #[serde(flatten)]
    count: &'a UndoCount,
    failed: u64,
    failures: &'a [String],
    stopped: bool,
}

pub(crate) async fn run(args: &UndoArgs, settings: &Settings) -> Result<ExitCode> {
    let file = match UndoFile::open(&args.file) {
        Err(error @ Error::Open { .. }) => {
            return Err(anyhow::Error::new(error).context(UsageError("no undo".to_owned())));
        }
        file => file?,
    };
    let client = settings.client().await?;
    let of = &file.header().cache;
    if of != client.name() && !args.any_cache {
        let words = format!(
            "{} is of {of}, not of {}; --any-cache gives its keys to this one",
            args.file.display(),
            client.name()
        );
        return Err(UsageError(words).into());
    }
    if !file.is_whole() {
        message::warning(&format!(
            "{} has no end: whoever wrote it was ended, or it was cut short; the {} keys up to there are sound",
            args.file.display(),
            file.keys()
        ));
    }
    let paced = Paced::of(&client, settings.rate(args.rate), Role::Primary).await;
    let mut options = UndoOptions::default();
    options.pace = paced.pace.clone();
    options.database = u64::from(settings.url.database());
    options.stop = stop::on_ctrl_c();
    let mut outcome = UndoOutcome::default();
    if args.apply {
        outcome = undo(&client, &file, &options).await?;
        record(args, settings, &outcome, client.name())?;
    } else {
        let plan = plan_undo(&client, &file, &options).await?;
        outcome.keys = plan.keys;
        outcome.count = plan.count;
        (outcome.failed, outcome.failures, outcome.stopped) = (plan.failed, plan.failures, plan.stopped);
    }
    print(args, settings, &file, &outcome)?;
    let elsewhere = outcome.count.of_other_databases();
    if elsewhere > 0 {
        message::warning(&format!("{elsewhere} keys are of another database than {} names", client.name()));
        message::hint("the number of the database is the path of the URL, as in redis://HOST:PORT/3");
    }
    Ok(
        match (
            outcome.failed > 0 || outcome.stopped || elsewhere > 0,
            outcome.count.restored + outcome.count.ttl_given_back,
        ) {
            (false, _) => ExitCode::SUCCESS,
            (true, 0) => ExitCode::from(FAILED),
            (true, _) => ExitCode::from(PARTIAL),
        },
    )
}

fn record(args: &UndoArgs, settings: &Settings, outcome: &UndoOutcome, cache: &str) -> Result<()> {
    if !settings.file.clean.audit {
        return Ok(());
    }
    settings.file.clean.make_folder()?;
    let by = args.file.display().to_string();
    let mut entry = AuditEntry::new(now().to_rfc3339(), cache, "undo", by);
    entry.keys = outcome.count.restored + outcome.count.ttl_given_back;
    entry.failed = outcome.failed;
    entry.left_alone =
        outcome.count.left_alone.iter().map(|(reason, keys)| ((*reason).to_owned(), *keys)).collect();
    entry.user = std::env::var("USER").ok().filter(|user| !user.is_empty());
    Ok(AuditLog::new(settings.file.clean.audit_path()).add(&[entry])?)
}

fn print(args: &UndoArgs, settings: &Settings, file: &UndoFile, outcome: &UndoOutcome) -> Result<()> {
    if settings.output == OutputForm::Json {
        stdout::json(&Printed {
            file: &args.file,
            cache: &file.header().cache,
            policy: &file.header().policy,
            whole: file.is_whole(),
            applied: args.apply,
            keys: outcome.keys,
            count: &outcome.count,
            failed: outcome.failed,
            failures: &outcome.failures,
            stopped: outcome.stopped,
        })?;
    } else {
        stdout::text(&for_people(args.apply, file, outcome))?;
    }
    for words in &outcome.failures {
        message::error(words);
    }
    if outcome.stopped {
        message::warning("stopped before the last key; the same command goes on");
    }
    if !args.apply {
        message::note("nothing was changed; --apply does it");
    }
    Ok(())
}

fn for_people(applied: bool, file: &UndoFile, outcome: &UndoOutcome) -> String {
    let verb = if applied { "were" } else { "would be" };
    let mut text =
        format!("{} keys of {}, changed by {}\n", outcome.keys, file.header().cache, file.header().policy);
    let _ = writeln!(text, "{} {verb} given back with their values", outcome.count.restored);
    let _ = writeln!(text, "{} {verb} given back the TTL that they had", outcome.count.ttl_given_back);
    for (reason, keys) in &outcome.count.left_alone {
        let _ = writeln!(text, "{keys} {verb} left alone: {reason}");
    }
    if outcome.failed > 0 {
        let _ = writeln!(text, "{} could not be given back", outcome.failed);
    }
    text
}
