//! What a cache held before it was changed: kept first, and the way back to it.

use anyhow::Result;
use chrono::Utc;
use larder_backup::{BackupId, Kind, Manifest, Recipients, create_backup};
use larder_cache_client::CacheClient;

use super::RestoreArgs;
use crate::{
    commands::backup::backup_options,
    config::{RepositoryPlace, Settings},
    output::{message, work},
    pace::{Paced, Rate},
    stop,
};

/// What is known of the cache as it was before.
#[derive(Default)]
pub(super) enum Before {
    /// Nothing was kept of it.
    #[default]
    NotKept,
    /// It held no key and no function library.
    Empty,
    /// It is in a backup.
    Kept(BackupId),
}

impl Before {
    pub(super) fn id(&self) -> Option<&BackupId> {
        match self {
            Self::Kept(id) => Some(id),
            _ => None,
        }
    }
}

/// A cache that holds keys or function libraries is backed up before it is changed; one that is empty needs no way back.
pub(super) async fn safety_backup(
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
    if let (true, Some(encryption)) = (options.packing.recipients.is_empty(), &manifest.encryption) {
        // Whoever may read what is restored may read what was there before, and nobody else.
        options.packing.recipients = Recipients::parse(&encryption.recipients).map_err(|why| {
            anyhow::Error::msg(why).context("the recipients of the backup that is restored cannot be used")
        })?;
    }
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
        let has_functions = info.number::<u64>("number_of_libraries").is_some_and(|libraries| libraries > 0);
        if !is_sentinel && (has_functions || info.section("keyspace").next().is_some()) {
            return false;
        }
    }
    true
}

pub(super) fn ended(before: &Before) -> String {
    before.id().map_or_else(
        || "the restore".to_owned(),
        |id| format!("the restore (what was there before is in {id})"),
    )
}

/// How what was done is taken back: the command that does it.
pub(super) fn way_back(args: &RestoreArgs, place: &RepositoryPlace, before: &Before) -> Option<String> {
    let id = match before {
        Before::NotKept => return None,
        Before::Empty => return Some("the cache was empty before".to_owned()),
        Before::Kept(id) => id,
    };
    let url = args.to.as_ref()?;
    let database = match url.database() {
        0 => String::new(),
        database => format!(" --database {database}"),
    };
    let key = args.unlock.identity_file.as_ref();
    let key = key.map(|file| format!(" --identity-file {}", quoted(&file.display().to_string())));
    Some(format!(
        "larder restore {id} --repository {} --to {}{database}{} --exact --apply",
        quoted(&place.name),
        quoted(&url.name()),
        key.unwrap_or_default()
    ))
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/:.,_-@=+%".contains(c);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_are_quoted_where_a_shell_would_part_them() {
        for (word, expected) in [
            ("redis://127.0.0.1:6379/3", "redis://127.0.0.1:6379/3"),
            ("unix:///run/redis.sock?db=3", "'unix:///run/redis.sock?db=3'"),
            ("my backups", "'my backups'"),
            ("it's", r"'it'\''s'"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
