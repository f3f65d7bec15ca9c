//! `larder backup show`.

use std::{fmt::Write, process::ExitCode};

use anyhow::Result;
use clap::Args;
use larder_backup::{Manifest, ShardImage};

use super::{RepositoryArgs, WhichArgs};
use crate::{
    config::Settings,
    global::OutputForm,
    output::{format, skipped, stdout, table},
};

/// Show what a backup consists of
#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    repository: RepositoryArgs,
}

pub(crate) async fn run(args: &ShowArgs, settings: &Settings) -> Result<ExitCode> {
    let place = args.repository.open_existing(settings)?;
    let manifest = args.which.find(&place, settings).await?;
    if settings.output == OutputForm::Json {
        stdout::json(&manifest)?;
    } else {
        stdout::text(&for_people(&manifest))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn for_people(manifest: &Manifest) -> String {
    let mut text = format!("{} of {}\n", manifest.id, manifest.cache);
    let _ =
        writeln!(text, "made {} to {}", manifest.began_at.to_rfc3339(), manifest.finished_at.to_rfc3339());
    if let Some(counts) = &manifest.counts {
        let _ = writeln!(text, "{} keys, {} of them with a TTL", counts.keys, counts.expiring);
        for (kind, keys) in &counts.by_type {
            let _ = writeln!(text, "  {keys} {kind}");
        }
    }
    if let Some(digest) = &manifest.digest {
        let _ = writeln!(text, "digest {digest}");
    }
    if let Some(encryption) = &manifest.encryption {
        let _ = writeln!(text, "encrypted to {}", encryption.recipients.join(", "));
    }
    let _ = writeln!(text, "\n{}", shards(&manifest.shards));
    if !manifest.archives.is_empty() {
        text.push_str("archives\n");
        for archive in &manifest.archives {
            let files = format::or_dash(archive.files, |files| files.to_string());
            let _ = writeln!(
                text,
                "  {}: {files} files, {}",
                archive.name,
                format::bytes(archive.artifact.bytes)
            );
        }
    }
    for missing in missing_lines(manifest) {
        let _ = writeln!(text, "{missing}");
    }
    text
}

pub(super) fn missing_lines(manifest: &Manifest) -> impl Iterator<Item = String> {
    skipped::by_reason(&manifest.missing).map(|(what, reason)| format!("not in it: {what}: {reason}"))
}

fn shards(shards: &[ShardImage]) -> String {
    let mut table = table::table(&["node", "server", "slots", "source", "taken at", "keys", "rdb", "stored"]);
    for shard in shards {
        let slots: Vec<String> = shard.slots.iter().map(|range| format!("{}-{}", range.0, range.1)).collect();
        table.add_row([
            shard.node.to_string(),
            format::or_dash(shard.server.clone(), |server| server),
            if slots.is_empty() { "-".to_owned() } else { slots.join(",") },
            format::or_dash(shard.method, |method| method.to_string()),
            format::or_dash(shard.taken_at, |at| at.to_rfc3339()),
            format::or_dash(shard.counts.as_ref(), |counts| counts.keys.to_string()),
            format::or_dash(shard.rdb_bytes, format::bytes),
            format::bytes(shard.artifact.bytes),
        ]);
    }
    table::written(&table)
}
