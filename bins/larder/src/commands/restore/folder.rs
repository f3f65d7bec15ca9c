//! Restores into a folder.

use std::{path::Path, process::ExitCode};

use anyhow::Result;
use chrono::Utc;
use larder_backup::{FolderOptions, FolderOutcome, FolderPlan, Manifest, plan_folder, restore_to_folder};
use serde::Serialize;

use super::{RestoreArgs, people, report};
use crate::{
    command_error::FAILED,
    config::{RepositoryPlace, Settings},
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
    let plan = plan(args, folder, place, manifest, &options, settings).await?;
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
    for note in &plan.notes {
        message::warning(note);
    }
    for refusal in &plan.refusals {
        message::error(refusal);
    }
    let mut written = report::begin(args, place, manifest, folder.display().to_string());
    if !plan.refusals.is_empty() {
        if args.apply {
            written.lines = plan.refusals.iter().map(|refusal| format!("Refused: {refusal}")).collect();
            report::write(&written, settings);
        }
        return Ok(ExitCode::from(FAILED));
    }
    let Some(outcome) = outcome else {
        message::note("nothing was changed; --apply does it");
        return Ok(ExitCode::SUCCESS);
    };
    if !args.append_only && plan.put_aside.iter().all(|path| !path.ends_with("appendonlydir")) {
        message::warning(
            "a server with `appendonly yes` reads nothing of this and would start empty; --append-only writes what it reads",
        );
    }
    written.ok = true;
    let aside = outcome.aside.iter().chain(&outcome.configuration_aside);
    let aside: Vec<String> = aside.map(|aside| aside.display().to_string()).collect();
    written.way_back = (!aside.is_empty()).then(|| format!("what was there is in {}", aside.join(" and ")));
    let files = outcome.written.iter().chain(&outcome.configuration);
    written.lines = files.map(|path| format!("Written: {}", path.display())).collect();
    written.lines.push(format!("Keys: {}", outcome.keys));
    report::write(&written, settings);
    Ok(ExitCode::SUCCESS)
}

/// Where nothing is to be done yet, the backup is read whole, so that what would be refused later is refused now.
async fn plan(
    args: &RestoreArgs,
    folder: &Path,
    place: &RepositoryPlace,
    manifest: &Manifest,
    options: &FolderOptions,
    settings: &Settings,
) -> Result<FolderPlan> {
    let mut plan = plan_folder(manifest, folder, options, Utc::now());
    if let Some(to) = &args.configuration_to {
        plan.place_configuration(&place.repository, manifest, to, options).await?;
    }
    if !args.apply {
        let shown = work::show(options.progress.clone(), settings, "plan");
        let read = plan.read_backup(&place.repository, manifest, options).await;
        shown.end();
        read?;
    }
    Ok(plan)
}
