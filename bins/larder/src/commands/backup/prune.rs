//! `larder backup prune`.

use std::{process::ExitCode, time::Duration};

use anyhow::Result;
use chrono::Utc;
use clap::Args;
use larder_backup::{Cleared, KeepPolicy, Leftover, PruneFate, PruneOutcome, PrunePlan, plan_prune, prune};
use serde::Serialize;

use super::{RepositoryArgs, offset};
use crate::{
    command_error::{FAILED, PARTIAL},
    config::Settings,
    global::OutputForm,
    output::{format, message, stdout, table},
};

/// Remove the backups that no rule keeps, and what killed writers left behind
///
/// Without --apply nothing is removed. Rules that are given replace those of the configuration. Whatever they say, the newest
/// backup stays, and the newest that verified. Exit code: 0 done, 1 failed, 2 usage, 4 done in part.
#[derive(Args, Debug)]
pub(crate) struct PruneArgs {
    #[command(flatten)]
    repository: RepositoryArgs,
    /// Keeps the last so many
    #[arg(long, value_name = "COUNT")]
    keep_last: Option<u32>,
    /// Keeps the newest of each of so many hours
    #[arg(long, value_name = "COUNT")]
    keep_hourly: Option<u32>,
    /// Keeps the newest of each of so many days
    #[arg(long, value_name = "COUNT")]
    keep_daily: Option<u32>,
    /// Keeps the newest of each of so many weeks
    #[arg(long, value_name = "COUNT")]
    keep_weekly: Option<u32>,
    /// Keeps the newest of each of so many months
    #[arg(long, value_name = "COUNT")]
    keep_monthly: Option<u32>,
    /// Keeps the newest of each of so many years
    #[arg(long, value_name = "COUNT")]
    keep_yearly: Option<u32>,
    /// Keeps all that are no older, such as 30days
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    keep_within: Option<Duration>,
    /// Keeps all that are no older than so many days, as the guide's script does
    #[arg(long, value_name = "DAYS", conflicts_with = "keep_within")]
    keep_days: Option<u32>,
    /// Do it; without it nothing is removed
    #[arg(long)]
    apply: bool,
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Printed<'a> {
    repository: &'a str,
    applied: bool,
    plan: &'a PrunePlan,
    removed: Vec<String>,
    spared: Vec<String>,
    failed: Vec<String>,
    leftovers: usize,
}

impl PruneArgs {
    fn policy(&self, settings: &Settings) -> KeepPolicy {
        let mut policy = KeepPolicy::default();
        policy.last = self.keep_last;
        policy.hourly = self.keep_hourly;
        policy.daily = self.keep_daily;
        policy.weekly = self.keep_weekly;
        policy.monthly = self.keep_monthly;
        policy.yearly = self.keep_yearly;
        policy.within =
            self.keep_within.or_else(|| self.keep_days.and_then(|days| KeepPolicy::days(days).within));
        if policy.is_empty() { settings.file.backup.keep.policy() } else { policy }
    }
}

pub(crate) async fn run(args: &PruneArgs, settings: &Settings) -> Result<ExitCode> {
    let place = args.repository.open_existing(settings)?;
    let now = Utc::now();
    let listing = place.repository.list().await?;
    let plan = plan_prune(&listing.backups, &args.policy(settings), now, offset());
    let leftovers = place.repository.leftovers(now).await?;
    let mut done = None;
    if args.apply {
        let pruned = prune(&place.repository, &plan).await;
        done = Some((pruned, place.repository.remove_leftovers(now).await?));
    }
    if settings.output == OutputForm::Json {
        stdout::json(&printed(&plan, done.as_ref(), &leftovers, &place.name, args.apply))?;
    } else {
        stdout::text(&for_people(&plan))?;
        say_leftovers(&leftovers, args.apply);
    }
    let Some((pruned, cleared)) = done else {
        message::note("nothing was removed; --apply does it");
        return Ok(ExitCode::SUCCESS);
    };
    for (id, reason) in &pruned.spared {
        message::note(&format!("{id} stays after all: {reason}"));
    }
    for (id, error) in &pruned.failed {
        message::error(&format!("{id} could not be removed: {}", error.with_causes()));
    }
    for (_, error) in &cleared.failed {
        message::error(&format!("what a killed writer left could not be removed: {}", error.with_causes()));
    }
    message::note(&format!("{} removed, {} freed", pruned.removed.len(), format::bytes(pruned.freed_bytes)));
    Ok(match (pruned.failed.is_empty() && cleared.failed.is_empty(), pruned.removed.is_empty()) {
        (true, _) => ExitCode::SUCCESS,
        (false, true) => ExitCode::from(FAILED),
        (false, false) => ExitCode::from(PARTIAL),
    })
}

fn printed<'a>(
    plan: &'a PrunePlan,
    done: Option<&(PruneOutcome, Cleared)>,
    leftovers: &[Leftover],
    repository: &'a str,
    applied: bool,
) -> Printed<'a> {
    let pruned = done.map(|(pruned, _)| pruned);
    let with_reason = |(id, reason): &(larder_backup::BackupId, String)| format!("{id}: {reason}");
    Printed {
        repository,
        applied,
        plan,
        removed: pruned.iter().flat_map(|it| &it.removed).map(ToString::to_string).collect(),
        spared: pruned.iter().flat_map(|it| &it.spared).map(with_reason).collect(),
        failed: pruned
            .iter()
            .flat_map(|it| &it.failed)
            .map(|(id, error)| format!("{id}: {}", error.with_causes()))
            .collect(),
        leftovers: leftovers.len(),
    }
}

fn for_people(plan: &PrunePlan) -> String {
    let mut table = table::table(&["", "id", "stored", "because"]);
    for decision in &plan.decisions {
        let fate = if decision.fate == PruneFate::Keep { "keep" } else { "remove" };
        let bytes = format::bytes(decision.bytes);
        table.add_row([fate, &decision.id.to_string(), &bytes, &decision.reasons.join(", ")]);
    }
    let removals = plan.removals().count();
    let freed = format::bytes(plan.freed_bytes());
    format!("{}{removals} of {} to remove, {freed}\n", table::written(&table), plan.decisions.len())
}

fn say_leftovers(leftovers: &[Leftover], applied: bool) {
    if !leftovers.is_empty() {
        let bytes = leftovers.iter().map(|leftover| leftover.bytes).sum();
        let verb = if applied { "were" } else { "are" };
        message::note(&format!(
            "{} {verb} left by writers that were cut off more than a day ago, {}",
            leftovers.len(),
            format::bytes(bytes)
        ));
    }
}
