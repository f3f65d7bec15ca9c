//! Configuration, metrics and logs that go with the data.

use larder_cache_client::DumpShard;
use larder_metrics_model::Skipped;

use super::{BackupOptions, Chosen, FileSet, archives};
use crate::{BackupId, Error, Part, Repository, Result, SideArchive};

/// Configuration, metrics and logs, and what is not in them.
#[derive(Default)]
pub(super) struct Files {
    pub(super) archives: Vec<SideArchive>,
    pub(super) missing: Vec<Skipped>,
}

/// Stores configuration, metrics and logs. What is missing of them is said, and makes the backup no worse.
pub(super) async fn take_files(
    chosen: &[Chosen],
    repository: &Repository,
    id: &BackupId,
    options: &BackupOptions,
) -> Result<Files> {
    let mut taken = Files::default();
    let mut configuration = options.configuration.clone();
    for Chosen { shard, .. } in chosen {
        taken.missing.extend(settings_of(shard, &mut configuration).await);
    }
    let metrics = options.metrics.clone();
    for (name, part, files) in [("config", Part::Config, configuration), ("metrics", Part::Metrics, metrics)]
    {
        if files.is_empty() {
            continue;
        }
        if options.stop.is_cancelled() {
            return Err(Error::Stopped);
        }
        let writer = repository.writer(id, options.packing.spec(part)).await?;
        let (archive, missing) = archives::store(name, files, writer, &options.packing).await?;
        taken.archives.extend(archive);
        taken.missing.extend(missing);
    }
    Ok(taken)
}

/// The settings that a server runs with, without those that hold secrets: what its configuration file says may be another
/// matter, and may be on another machine.
async fn settings_of(shard: &DumpShard, configuration: &mut FileSet) -> Option<Skipped> {
    let file = format!("servers/{}.json", shard.node.as_str().replace(['/', ':', '[', ']'], "_"));
    match shard.server.config("*").await {
        Ok(settings) => {
            // A map of texts can always be written.
            let text = serde_json::to_vec_pretty(&settings).unwrap_or_default();
            configuration.made.push((file, text));
            None
        }
        Err(error) => Some(Skipped::new(format!("settings of {}", shard.node), error.with_causes())),
    }
}
