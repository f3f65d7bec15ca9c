//! Restores into a folder.

use std::{path::Path, process::ExitCode};

use anyhow::Result;
use chrono::Utc;
use larder_backup::{
    FolderOptions, FolderOutcome, FolderPlan, Manifest, RecoveryReport, plan_folder, restore_to_folder,
};
use serde::Serialize;

use super::{RestoreArgs, people, report};
use crate::{
    command_error::FAILED,
    config::{RepositoryPlace, Settings},
    context::now,
    global::OutputForm,
    output::{message, stdout, work},
    stop,
};

/// What is printed as JSON.
#[derive(Serialize)]
struct Printed<'a> {
    applied: bool,
    repository: &'a str,
    plan: &'a FolderPlan,
    outcome: Option<&'a FolderOutcome>,
}

pub(super) async fn run(
    args: &RestoreArgs,
    folder: &Path,
    place: &RepositoryPlace,
    manifest: &Manifest,
    settings: &Settings,
) -> Result<ExitCode> {
    let mut options = FolderOptions::default();
    options.keyring = settings.keyring(args.unlock.identity_file.as_ref())?;
    options.swap = args.swap;
    options.append_only = args.append_only;
    options.effort = larder_backup::Effort::Full;
    options.stop = stop::on_ctrl_c();
    let plan = plan_folder(manifest, folder, &options, Utc::now());
    let mut outcome = None;
    if args.apply && plan.refusals.is_empty() {
        let shown = work::show(options.progress.clone(), settings, "restore");
        let restored = restore_to_folder(&place.repository, manifest, &plan, &options).await;
        shown.end();
        outcome = Some(restored?);
    }
    if settings.output == OutputForm::Json {
        stdout::json(&Printed {
            applied: args.apply,
            repository: &place.name,
            plan: &plan,
            outcome: outcome.as_ref(),
        })?;
    } else {
        stdout::text(&people::folder(&plan, outcome.as_ref()))?;
    }
    for refusal in &plan.refusals {
        message::error(refusal);
    }
    if !plan.refusals.is_empty() {
        return Ok(ExitCode::from(FAILED));
    }
    let Some(outcome) = outcome else {
        message::note("nothing was changed; --apply does it");
        return Ok(ExitCode::SUCCESS);
    };
    if !args.append_only && plan.put_aside.iter().all(|path| !path.ends_with("appendonlydir")) {
        message::note(
            "a server with `appendonly yes` reads nothing of this and would start empty; --append-only writes what it reads",
        );
    }
    let backup = format!("{} in {}", manifest.id, place.name);
    let mode = args.which.text().to_owned();
    let mut written = RecoveryReport::new(now(), backup, mode, folder.display().to_string());
    written.ok = true;
    written.way_back =
        outcome.aside.as_ref().map(|aside| format!("what was there is in {}", aside.display()));
    written.lines = outcome.written.iter().map(|path| format!("Written: {}", path.display())).collect();
    written.lines.push(format!("Keys: {}", outcome.keys));
    report::write(&written, settings);
    Ok(ExitCode::SUCCESS)
}
