//! `larder backup list`.

use std::process::ExitCode;

use anyhow::Result;
use chrono::Utc;
use clap::Args;
use larder_backup::{Kind, ListedBackup, Listing, Manifest, Verification};
use serde::Serialize;

use super::RepositoryArgs;
use crate::{
    config::Settings,
    global::OutputForm,
    output::{format, message, stdout, table},
};

/// List the backups of a repository, the newest first
#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    repository: RepositoryArgs,
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Printed<'a> {
    repository: &'a str,
    backups: Vec<PrintedBackup<'a>>,
    unfinished: Vec<String>,
    damaged: Vec<String>,
    foreign_objects: u64,
}

#[derive(Serialize)]
struct PrintedBackup<'a> {
    id: &'a str,
    stored_bytes: u64,
    verifications: &'a [Verification],
    problems: &'a [String],
    manifest: &'a Manifest,
}

pub(crate) async fn run(args: &ListArgs, settings: &Settings) -> Result<ExitCode> {
    let place = args.repository.open_existing(settings)?;
    let listing = place.repository.list().await?;
    if settings.output == OutputForm::Json {
        stdout::json(&printed(&listing, &place.name))?;
    } else if listing.backups.is_empty() {
        stdout::text(&format!("there is no backup in {}", place.name))?;
    } else {
        stdout::text(&for_people(&listing.backups))?;
    }
    for unfinished in &listing.unfinished {
        message::note(&format!(
            "{} has no manifest: it is being made, or was cut off ({} objects, {}); `larder backup prune` removes it a day \
             after its last write",
            unfinished.id,
            unfinished.objects,
            format::bytes(unfinished.bytes)
        ));
    }
    for manifest in listing.backups.iter().map(|backup| &backup.manifest) {
        if manifest.is_without_manifest() {
            message::warning(&format!(
                "{} is without a manifest: the backup did not end, or is being made. It can be verified and restored by its id, \
                 and is `latest` only where none with a manifest is there",
                manifest.id
            ));
        }
    }
    for damaged in &listing.damaged {
        message::warning(&format!("{} cannot be trusted: {}", damaged.id, damaged.reason));
    }
    for backup in listing.backups.iter().filter(|backup| !backup.problems.is_empty()) {
        message::warning(&format!("{}: {}", backup.manifest.id, backup.problems.join("; ")));
    }
    Ok(ExitCode::SUCCESS)
}

fn printed<'a>(listing: &'a Listing, repository: &'a str) -> Printed<'a> {
    let backup = |backup: &'a ListedBackup| PrintedBackup {
        id: backup.manifest.id.as_str(),
        stored_bytes: backup.manifest.stored_bytes(),
        verifications: &backup.verifications,
        problems: &backup.problems,
        manifest: &backup.manifest,
    };
    Printed {
        repository,
        backups: listing.backups.iter().map(backup).collect(),
        unfinished: listing.unfinished.iter().map(|unfinished| unfinished.id.to_string()).collect(),
        damaged: listing
            .damaged
            .iter()
            .map(|damaged| format!("{}: {}", damaged.id, damaged.reason))
            .collect(),
        foreign_objects: listing.foreign,
    }
}

fn for_people(backups: &[ListedBackup]) -> String {
    let mut table = table::table(&[
        "id", "cache", "kind", "age", "source", "server", "shards", "keys", "stored", "verified",
    ]);
    for ListedBackup { manifest, verifications, .. } in backups {
        let first = manifest.shards.first();
        table.add_row([
            manifest.id.to_string(),
            manifest.cache.clone(),
            kind(manifest).to_owned(),
            age(manifest.began_at),
            format::or_dash(first.and_then(|shard| shard.method), |method| method.to_string()),
            format::or_dash(first.and_then(|shard| shard.server.clone()), |server| server),
            manifest.shards.len().to_string(),
            format::or_dash(manifest.counts.as_ref(), |counts| counts.keys.to_string()),
            format::bytes(manifest.stored_bytes()),
            verified(verifications),
        ]);
    }
    table::written(&table)
}

fn kind(manifest: &Manifest) -> &'static str {
    match manifest.kind {
        _ if manifest.is_without_manifest() => "guide, without a manifest",
        Kind::Safety { .. } => "safety",
        Kind::Guide => "guide",
        _ => "regular",
    }
}

/// The deepest proof there is, or what the newest look found wrong.
fn verified(verifications: &[Verification]) -> String {
    let newest_bad = verifications.iter().filter(|one| !one.ok).max_by_key(|one| one.at);
    let deepest_good = verifications.iter().filter(|one| one.ok).max_by_key(|one| one.level);
    match (newest_bad, deepest_good) {
        (Some(bad), Some(good)) if good.at > bad.at => format!("{} {} ago", good.level, age(good.at)),
        (Some(bad), _) => format!("NOT SOUND ({} {} ago)", bad.level, age(bad.at)),
        (None, Some(good)) => format!("{} {} ago", good.level, age(good.at)),
        (None, None) => "-".to_owned(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a time for people")]
fn age(at: chrono::DateTime<Utc>) -> String {
    format::time((Utc::now() - at).num_seconds().max(0) as f64)
}
