//! Restores into a running cache.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use chrono::Utc;
use larder_backup::{
    BackupId, Existing, Kind, LiveOutcome, LivePlan, LiveRestore, LiveRestoreOptions, LiveSource, LiveTarget,
    LiveVerified, Manifest, OthersOutcome, ReadingOptions, RecoveryReport, Rename, TtlChoice, create_backup,
};
use larder_cache_client::{CacheClient, CacheUrl, ConnectOptions, open};
use larder_metrics_model::Role;
use larder_rdb::Kind as KeyKind;
use serde::Serialize;

use super::{KeyArgs, RestoreArgs, TtlName, TypeName, people, report};
use crate::{
    command_error::{FAILED, PARTIAL, UsageError},
    commands::backup::{backup_options, family_of},
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

/// What is known of the cache as it was before.
#[derive(Default)]
enum Before {
    /// Nothing was kept of it.
    #[default]
    NotKept,
    /// It held no key.
    Empty,
    /// It is in a backup.
    Kept(BackupId),
}

impl Before {
    fn id(&self) -> Option<&BackupId> {
        match self {
            Self::Kept(id) => Some(id),
            _ => None,
        }
    }
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
        if !args.no_safety_backup {
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

fn key_options(args: &KeyArgs, url: &CacheUrl, settings: &Settings) -> Result<LiveRestoreOptions> {
    if args.exact {
        check_exact(args, url)?;
    }
    let mut options = LiveRestoreOptions::default();
    if !args.databases.is_empty() {
        options.filter.databases = Some(args.databases.iter().copied().collect());
    }
    if !args.types.is_empty() {
        options.filter.types = Some(args.types.iter().map(|name| KeyKind::from(*name)).collect());
    }
    options.filter.keys = name_filter(args, settings)?;
    options.rename = args.rename.as_deref().map(rename).transpose()?;
    options.ttl = match args.ttl {
        TtlName::Keep => TtlChoice::Keep,
        TtlName::Rebase => TtlChoice::Rebase,
        TtlName::Drop => TtlChoice::Drop,
    };
    options.exact = args.exact;
    options.existing = if args.overwrite || args.exact { Existing::Overwrite } else { Existing::Leave };
    options.databases.into_database = args.into_database;
    options.functions = !args.no_functions;
    Ok(options)
}

/// With a part of the backup, or other TTLs, it is not defined what the backup does not have.
fn check_exact(args: &KeyArgs, url: &CacheUrl) -> Result<()> {
    if !matches!(args.ttl, TtlName::Keep) {
        return Err(
            UsageError("--exact keeps TTLs as they are in the backup: leave --ttl out".to_owned()).into()
        );
    }
    let named = u64::from(url.database());
    let is_the_named_one = named > 0 && args.databases.iter().all(|database| *database == named);
    if args.databases.is_empty() || is_the_named_one {
        return Ok(());
    }
    let words = "--exact goes with --database only where the URL of the cache names the same database, as in \
                 `--to redis://HOST/3 --database 3`";
    Err(UsageError(words.to_owned()).into())
}

type Holds = dyn Fn(&[u8]) -> bool + Send + Sync;

fn name_filter(args: &KeyArgs, settings: &Settings) -> Result<Option<Arc<Holds>>> {
    if args.families.is_empty() && args.prefixes.is_empty() {
        return Ok(None);
    }
    let family_of = family_of(settings)?;
    let (families, prefixes) = (args.families.clone(), args.prefixes.clone());
    Ok(Some(Arc::new(move |key: &[u8]| {
        let of_family = families.is_empty() || families.iter().any(|family| *family == family_of(key));
        let begins_so =
            prefixes.is_empty() || prefixes.iter().any(|prefix| key.starts_with(prefix.as_bytes()));
        of_family && begins_so
    })))
}

fn rename(text: &str) -> Result<Rename> {
    let Some((from, to)) = text.split_once('=') else {
        return Err(UsageError(format!("--rename takes FROM=TO, and `{text}` has no `=`")).into());
    };
    Ok(Rename { from_prefix: from.into(), to_prefix: to.into() })
}

impl From<TypeName> for KeyKind {
    fn from(name: TypeName) -> Self {
        match name {
            TypeName::String => Self::String,
            TypeName::List => Self::List,
            TypeName::Set => Self::Set,
            TypeName::Zset => Self::SortedSet,
            TypeName::Hash => Self::Hash,
            TypeName::Stream => Self::Stream,
        }
    }
}

/// A cache that holds keys is backed up before it is changed; one that is empty needs no way back.
async fn safety_backup(
    client: &CacheClient,
    place: &RepositoryPlace,
    manifest: &Manifest,
    settings: &Settings,
    (rate, paced, force): (Rate, &Paced, bool),
) -> Result<Before> {
    let mut options = backup_options(settings, rate)?;
    options.dump.pace = paced.pace.clone();
    options.force = force;
    options.method = None;
    options.kind = Some(Kind::Safety { before_restore_of: manifest.id.clone() });
    options.layout = larder_backup::Layout::Ours;
    options.packing.compression = larder_backup::Compression::Zstd;
    options.configuration = larder_backup::FileSet::default();
    options.metrics = larder_backup::FileSet::default();
    options.stop = stop::on_ctrl_c();
    if is_empty(client).await {
        return Ok(Before::Empty);
    }
    let shown = work::show(options.progress.clone(), settings, "safety backup");
    let made = create_backup(client, &place.repository, &options, Utc::now()).await;
    shown.end();
    let made = made.map_err(|error| match error {
        stopped @ larder_backup::Error::Stopped => anyhow::Error::new(stopped).context("nothing was changed"),
        error => anyhow::Error::new(error).context(
            "the cache could not be backed up first, so nothing was changed; --no-safety-backup goes on",
        ),
    })?;
    message::note(&format!("backed up first: {}", made.manifest.id));
    Ok(Before::Kept(made.manifest.id))
}

async fn is_empty(client: &CacheClient) -> bool {
    let Ok(topology) = client.nodes().discover().await else { return false };
    for node in topology.nodes {
        let Ok(info) = node.info().await else { return false };
        let is_sentinel = node.kind() != larder_metrics_model::NodeKind::Data;
        if !is_sentinel && info.section("keyspace").next().is_some() {
            return false;
        }
    }
    true
}

fn ended(before: &Before) -> String {
    before.id().map_or_else(
        || "the restore".to_owned(),
        |id| format!("the restore (what was there before is in {id})"),
    )
}

/// How what was done is taken back: the command that does it.
fn way_back(args: &RestoreArgs, place: &RepositoryPlace, done: &Done) -> Option<String> {
    let id = match &done.before {
        Before::NotKept => return None,
        Before::Empty => return Some("the cache was empty before".to_owned()),
        Before::Kept(id) => id,
    };
    let url = args.to.as_ref()?;
    let database = match url.database() {
        0 => String::new(),
        database => format!(" --database {database}"),
    };
    Some(format!(
        "larder restore {id} --repository {} --to {}{database} --exact --apply",
        place.name,
        url.name()
    ))
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
            way_back: way_back(args, place, done),
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
        && let Some(words) = way_back(args, place, done)
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
    written.way_back = way_back(args, place, done);
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
