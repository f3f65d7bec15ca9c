//! Making a backup.

mod archives;
mod choosing;
mod describing;
mod files;
mod image;
mod taking;

pub use archives::FileSet;
pub(crate) use archives::NONE_BY_DEFAULT;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use larder_cache_client::{CacheClient, DumpMethod, DumpOptions, DumpShard, DumpSource};
use larder_metrics_model::Info;
use tokio_util::sync::CancellationToken;

use self::{
    choosing::{choose, is_unmoved, look_ahead, stand_against},
    describing::describe,
    files::take_files,
    taking::take_all,
};
use crate::{KeyFamilies, Kind, Manifest, Packing, Progress, Repository, Result, repository::Layout};

/// How a backup is made.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct BackupOptions {
    /// How images are taken; `None` for the best way that each shard lets this user go.
    pub method: Option<DumpMethod>,
    /// From which node, and how long things may take.
    pub dump: DumpOptions,
    /// How they are packed.
    pub packing: Packing,
    /// How they lie in the repository.
    pub layout: Layout,
    /// Why it is made.
    pub kind: Option<Kind>,
    /// By which keys are counted in families.
    pub families: Option<KeyFamilies>,
    /// Configuration files that go with the data.
    pub configuration: FileSet,
    /// Metrics and logs that go with the data.
    pub metrics: FileSet,
    /// How many bytes the images are expected to have, where that is known, such as from the last backup: only for telling how
    /// far it is.
    pub expected_bytes: Option<u64>,
    /// Goes on although something stands against it.
    pub force: bool,
    /// How far it is.
    pub progress: Progress,
    /// Ends it; nothing is kept then.
    pub stop: CancellationToken,
}

/// What became of a backup that was made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BackupOutcome {
    /// What it consists of.
    pub manifest: Manifest,
    /// What its reader should know: what was gone past, what is not as good as it could be.
    pub notes: Vec<String>,
    /// How long it took.
    pub elapsed: Duration,
}

/// One shard, and the way chosen for it.
struct Chosen {
    shard: DumpShard,
    source: Arc<dyn DumpSource>,
    info: Option<Info>,
}

/// Makes a backup: images of all shards one after the other, so that no two of them fork at once, then configuration and
/// metrics, then the manifest. Whatever ends it before that leaves no backup.
///
/// In the layout of the guide, whose dumps are read without a manifest as well, configuration and metrics go first, and the
/// dump directly before the manifest.
///
/// # Errors
/// [`Error::Refused`] with the figures where something stands against it, [`Error::Cache`] where the servers cannot be
/// reached or refuse, [`Error::Dump`] for an image that is not sound, [`Error::Storage`] where it cannot be stored,
/// [`Error::Stopped`].
///
/// [`Error::Refused`]: crate::Error::Refused
/// [`Error::Cache`]: crate::Error::Cache
/// [`Error::Dump`]: crate::Error::Dump
/// [`Error::Storage`]: crate::Error::Storage
/// [`Error::Stopped`]: crate::Error::Stopped
pub async fn create_backup(
    client: &CacheClient,
    repository: &Repository,
    options: &BackupOptions,
    at: DateTime<Utc>,
) -> Result<BackupOutcome> {
    let begun = Instant::now();
    let mut notes = Vec::new();
    let shards = client.dump_shards(&options.dump).await?;
    let chosen = choose(shards, options, &mut notes).await?;
    look_ahead(&chosen, options, &mut notes).await?;

    let id = repository.free_id(options.layout, at).await?;
    options.progress.begin(options.expected_bytes.unwrap_or(0), chosen.len());
    let (images, files) = match options.layout {
        Layout::Ours => {
            let images = take_all(&chosen, repository, &id, options).await?;
            if let Some(moved) = is_unmoved(client, &chosen, options).await {
                stand_against("the backup", vec![moved], options, &mut notes)?;
            }
            (images, take_files(&chosen, repository, &id, options).await?)
        }
        Layout::Guide => {
            let files = take_files(&chosen, repository, &id, options).await?;
            match take_all(&chosen, repository, &id, options).await {
                Ok(images) => (images, files),
                Err(error) => {
                    repository.discard(&files.archives).await;
                    return Err(error);
                }
            }
        }
    };
    let mut manifest = describe(id, client, images.shards, options, at);
    manifest.missing = images.missing.into_iter().chain(files.missing).collect();
    manifest.archives = files.archives;
    manifest.finished_at = at + begun.elapsed();
    notes.extend(manifest.caveats());
    repository.commit(&manifest).await?;
    Ok(BackupOutcome { manifest, notes, elapsed: begun.elapsed() })
}
