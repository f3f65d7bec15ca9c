//! The manifest of what was taken.

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, Utc};
use larder_cache_client::{CacheClient, DumpMethod};
use larder_metrics_model::Role;
use larder_rdb::DataDigest;

use super::BackupOptions;
use crate::{BackupId, Counts, Encryption, Kind, Manifest, ShardImage};

pub(super) fn describe(
    id: BackupId,
    client: &CacheClient,
    images: Vec<(ShardImage, Vec<DataDigest>)>,
    options: &BackupOptions,
    at: DateTime<Utc>,
) -> Manifest {
    let mut counts = Counts::default();
    let (mut digest, mut values_digest) = (DataDigest::default(), DataDigest::default());
    let mut known_functions = HashSet::new();
    let mut shards = Vec::with_capacity(images.len());
    for (shard, functions) in images {
        counts.add(shard.counts.as_ref().unwrap_or(&Counts::default()));
        digest += shard.digest.unwrap_or_default();
        values_digest += shard.values_digest.unwrap_or_default();
        // Every shard has the function libraries of the cache, and they are in the data once.
        for function in functions.into_iter().filter(|function| !known_functions.insert(*function)) {
            digest -= function;
            values_digest -= function;
        }
        shards.push(shard);
    }
    let moments = || shards.iter().filter_map(|shard| shard.taken_at);
    let apart =
        moments().max().zip(moments().min()).map_or(0, |(last, first)| (last - first).num_milliseconds());
    let recipients = options.packing.recipients.to_text();
    Manifest {
        id,
        kind: options.kind.clone().unwrap_or(Kind::Regular),
        began_at: at,
        finished_at: at,
        cache: client.name().to_owned(),
        larder: Some(env!("CARGO_PKG_VERSION").to_owned()),
        shards,
        archives: Vec::new(),
        missing: Vec::new(),
        encryption: (!recipients.is_empty()).then_some(Encryption { recipients }),
        apart_ms: u64::try_from(apart).unwrap_or(0),
        counts: Some(counts),
        digest: Some(digest),
        values_digest: Some(values_digest),
    }
}

impl Manifest {
    /// What whoever relies on the backup should know of it.
    pub(crate) fn caveats(&self) -> Vec<String> {
        let mut caveats = Vec::new();
        for shard in self.shards.iter().filter(|shard| shard.method == Some(DumpMethod::Keys)) {
            caveats.push(format!(
                "the image of {} was taken key by key, and is not one moment in time",
                shard.node
            ));
        }
        for shard in self.shards.iter().filter(|shard| shard.has_checksum == Some(false)) {
            caveats.push(format!(
                "{} writes no checksum (rdbchecksum no): what was damaged on its side before it was sent cannot be seen",
                shard.node
            ));
        }
        for shard in self.shards.iter().filter(|shard| shard.role == Some(Role::Replica)) {
            caveats.push(format!(
                "the image was taken from the replica {}: what it had not got yet is not in it",
                shard.node
            ));
        }
        if self.shards.len() > 1 {
            let apart = Duration::from_millis(self.apart_ms);
            caveats.push(format!("the images of the shards are up to {apart:.1?} apart in time"));
        }
        caveats
    }
}
