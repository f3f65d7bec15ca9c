//! Restores into a running cache.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, Result};
use larder_backup::{
    BackupId, LiveOutcome, LivePlan, LiveRestore, LiveSource, LiveTarget, LiveVerified, Manifest,
    OthersOutcome, ReadingOptions, RecoveryReport,
};
use larder_cache_client::{CacheUrl, ConnectOptions, open};
use larder_metrics_model::Role;
use serde::Serialize;

use super::{
    RestoreArgs,
    before::{Before, ended, safety_backup, way_back},
    key_options::key_options,
    people, report,
};
use crate::{
    command_error::{FAILED, PARTIAL},
    config::{RepositoryPlace, Settings},
    context::now,
    global::OutputForm,
    output::{message, stdout, work},
    pace::{Paced, Rate},
    stop,
};

/// What is printed as JSON.
#[derive(Serialize)]
struct Printed<'a> {
    id: &'a BackupId,
    repository: &'a str,
    applied: bool,
    plan: &'a LivePlan,
    safety_backup: Option<&'a BackupId>,
    way_back: Option<String>,
    outcome: Option<&'a LiveOutcome>,
    others: Option<&'a OthersOutcome>,
    verified: Option<&'a LiveVerified>,
}

/// What was done.
#[derive(Default)]
struct Done {
    before: Before,
    outcome: Option<LiveOutcome>,
    others: Option<OthersOutcome>,
    verified: Option<LiveVerified>,
}

pub(super) async fn run(
    args: &RestoreArgs,
    url: &CacheUrl,
    place: &RepositoryPlace,
    manifest: &Manifest,
    settings: &Settings,
) -> Result<ExitCode> {
    let client = open(url, &patient(settings)).await?;
    let rate = args.rate.unwrap_or(if url.is_embedded() { Rate::Max } else { Rate::Governed });
    let paced = Paced::of(&client, rate, Role::Primary).await;
    let mut options = key_options(&args.keys, url, settings)?;
    options.force = args.force;
    options.pace = paced.pace.clone();
    options.stop = stop::on_ctrl_c();
    let mut reading = ReadingOptions::default();
    reading.keyring = settings.keyring(args.unlock.identity_file.as_ref())?;
    reading.stop = options.stop.clone();
    let progress = reading.progress.clone();
    let source = LiveSource::of_backup(&place.repository, manifest, &reading);
    let restore = LiveRestore::new(source, target(url, settings), options);

    let shown = work::show(progress.clone(), settings, "plan");
    progress.begin_with(manifest);
    let planned = restore.plan().await;
    shown.end();
    let plan = planned?;
    let mut done = Done::default();
    if args.apply && plan.may_go() {
        if !args.no_safety_backup && plan.changes_something() {
            done.before =
                safety_backup(&client, place, manifest, settings, (rate, &paced, args.force)).await?;
        }
        let shown = work::show(progress.clone(), settings, "restore");
        progress.begin_with(manifest);
        let applied = restore.apply(&plan).await;
        shown.end();
        let outcome = applied.with_context(|| ended(&done.before))?;
        if args.keys.exact && outcome.is_whole() {
            let removed = remove_others(&restore, &done.before, place, &reading).await;
            done.others = Some(removed.with_context(|| ended(&done.before))?);
        }
        if outcome.is_whole() && done.others.as_ref().is_none_or(OthersOutcome::is_whole) {
            let shown = work::show(progress.clone(), settings, "compare");
            progress.begin_with(manifest);
            let verified = restore.verify().await;
            shown.end();
            done.verified = Some(verified?);
        }
        done.outcome = Some(outcome);
    }
    print(args, place, manifest, &plan, &done, settings)?;
    Ok(exit_code(&plan, &done))
}

/// Removes what the backup does not have. A cache that was empty held nothing else.
async fn remove_others(
    restore: &LiveRestore,
    before: &Before,
    place: &RepositoryPlace,
    reading: &ReadingOptions,
) -> Result<OthersOutcome> {
    let Some(id) = before.id() else { return Ok(OthersOutcome::default()) };
    let manifest = place.repository.manifest(id).await?;
    let before = LiveSource::of_backup(&place.repository, &manifest, reading);
    Ok(restore.remove_others(&before).await?)
}

/// A value may be large, and its answer takes as long as its bytes do.
fn patient(settings: &Settings) -> ConnectOptions {
    let mut connect = settings.connect.clone();
    connect.response_timeout = connect.response_timeout.max(PATIENCE);
    connect
}

const PATIENCE: Duration = Duration::from_secs(30);

/// A client for each database that keys go into.
fn target(url: &CacheUrl, settings: &Settings) -> LiveTarget {
    let (of, connect) = (url.clone(), patient(settings));
    let target = LiveTarget::new(move |database| {
        let (url, connect) = (of.clone(), connect.clone());
        async move {
            let database = u32::try_from(database).unwrap_or(u32::MAX);
            Ok(open(&url.with_database(database), &connect).await?)
        }
    });
    // A URL that names a database means that one.
    match url.database() {
        0 => target,
        database => target.with_only_database(u64::from(database)),
    }
}

fn print(
    args: &RestoreArgs,
    place: &RepositoryPlace,
    manifest: &Manifest,
    plan: &LivePlan,
    done: &Done,
    settings: &Settings,
) -> Result<()> {
    if settings.output == OutputForm::Json {
        stdout::json(&Printed {
            id: &manifest.id,
            repository: &place.name,
            applied: args.apply,
            plan,
            safety_backup: done.before.id(),
            way_back: way_back(args, place, &done.before),
            outcome: done.outcome.as_ref(),
            others: done.others.as_ref(),
            verified: done.verified.as_ref(),
        })?;
    } else {
        stdout::text(&people::plan(manifest, plan))?;
        if let Some(outcome) = &done.outcome {
            stdout::text(&people::outcome(outcome, done.others.as_ref(), done.verified.as_ref()))?;
        }
    }
    for note in &plan.notes {
        message::warning(note);
    }
    for refusal in &plan.refusals {
        message::error(refusal);
    }
    let Some(outcome) = &done.outcome else {
        if plan.may_go() {
            message::note("nothing was changed; --apply does it");
        } else {
            message::note("nothing was changed");
        }
        if args.apply {
            let mut written = written(args, place, manifest, plan, done);
            written.lines = plan.refusals.iter().map(|refusal| format!("Refused: {refusal}")).collect();
            report::write(&written, settings);
        }
        return Ok(());
    };
    for failure in outcome.failures.iter().chain(&outcome.ended_by) {
        message::error(failure);
    }
    for failure in done.others.iter().flat_map(|others| others.failures.iter().chain(&others.ended_by)) {
        message::error(&format!("not removed: {failure}"));
    }
    let changed = outcome.restored + outcome.overwritten + outcome.functions;
    if changed + done.others.as_ref().map_or(0, |others| others.removed) > 0
        && let Some(words) = way_back(args, place, &done.before)
    {
        message::hint(&format!("the way back: {words}"));
    }
    if !outcome.is_whole() || done.others.as_ref().is_some_and(|others| !others.is_whole()) {
        message::hint("the same command goes on: what is there already is left alone");
    }
    let verified = done.verified.as_ref();
    let is_whole = is_whole(done);
    for failure in verified.iter().flat_map(|verified| &verified.failures) {
        message::error(&format!("not compared: {failure}"));
    }
    for key in
        verified.iter().flat_map(|verified| verified.differing_keys.iter().chain(&verified.missing_keys))
    {
        let words = format!("not as it is in the backup: {key}");
        if is_whole { message::note(&words) } else { message::error(&words) }
    }
    for words in verified.iter().flat_map(|verified| &verified.function_notes) {
        if is_whole { message::warning(words) } else { message::error(words) }
    }
    let overwrites = args.keys.overwrite || args.keys.exact;
    if verified.is_some_and(|verified| verified.functions_differing > 0) && !overwrites {
        message::hint("--overwrite puts the function libraries of the backup in the place of others");
    }
    report::write(&written(args, place, manifest, plan, done), settings);
    Ok(())
}

fn written(
    args: &RestoreArgs,
    place: &RepositoryPlace,
    manifest: &Manifest,
    plan: &LivePlan,
    done: &Done,
) -> RecoveryReport {
    let backup = format!("{} in {}", manifest.id, place.name);
    let mut written =
        RecoveryReport::new(now(), backup, args.which.text().to_owned(), plan.target.name.clone());
    written.ok = is_whole(done);
    written.way_back = way_back(args, place, &done.before);
    if let Some(outcome) = &done.outcome {
        let text = people::outcome(outcome, done.others.as_ref(), done.verified.as_ref());
        written.lines = text.lines().map(str::to_owned).collect();
    }
    let server = plan.target.server.as_deref().unwrap_or("embedded");
    written.services = vec![format!("{}: {} primaries, {server}", plan.target.name, plan.target.primaries)];
    written
}

/// What was there and differs was left alone on purpose, and is no failure.
fn is_whole(done: &Done) -> bool {
    done.outcome.as_ref().zip(done.verified.as_ref()).is_some_and(|(outcome, verified)| {
        outcome.is_whole()
            && done.others.as_ref().is_none_or(OthersOutcome::is_whole)
            && people::is_as_asked(outcome, verified)
    })
}

fn exit_code(plan: &LivePlan, done: &Done) -> ExitCode {
    if !plan.may_go() {
        return ExitCode::from(FAILED);
    }
    match &done.outcome {
        None => ExitCode::SUCCESS,
        Some(_) if is_whole(done) => ExitCode::SUCCESS,
        Some(outcome) if outcome.restored + outcome.overwritten + outcome.functions == 0 => {
            let removed = done.others.as_ref().map_or(0, |others| others.removed);
            ExitCode::from(if removed > 0 { PARTIAL } else { FAILED })
        }
        Some(_) => ExitCode::from(PARTIAL),
    }
}
