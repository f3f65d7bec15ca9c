//! Taking the images, one shard after the other.

use std::time::{Duration, Instant};

use chrono::DateTime;
use larder_cache_client::{Dump, DumpMethod, DumpShard};
use larder_metrics_model::{ServerFacts, Skipped};
use larder_rdb::{Checksum, DataDigest};

use super::{
    BackupOptions, Chosen,
    image::{self, Pass},
};
use crate::{
    Artifact, BackupId, Error, Part, ReplicationPoint, Repository, Result, ShardImage, SlotRange,
    census::Census,
};

/// The images, and what is not in them.
#[derive(Default)]
pub(super) struct Images {
    /// Each with the digests of its function libraries.
    pub(super) shards: Vec<(ShardImage, Vec<DataDigest>)>,
    pub(super) missing: Vec<Skipped>,
}

pub(super) async fn take_all(
    chosen: &[Chosen],
    repository: &Repository,
    id: &BackupId,
    options: &BackupOptions,
) -> Result<Images> {
    let mut images = Images::default();
    for (number, chosen) in chosen.iter().enumerate() {
        let taken = take(number, chosen, repository, id, options).await?;
        images.shards.push((taken.image, taken.functions));
        images.missing.extend(taken.missing);
    }
    Ok(images)
}

async fn take(
    number: usize,
    chosen: &Chosen,
    repository: &Repository,
    id: &BackupId,
    options: &BackupOptions,
) -> Result<Taken> {
    let begun = Instant::now();
    let dump = tokio::select! {
        dump = chosen.source.open() => dump?,
        () = options.stop.cancelled() => return Err(Error::Stopped),
    };
    let known = dump.facts.total_bytes.filter(|_| options.expected_bytes.is_none());
    options.progress.begin_shard(number, known);
    let writer = repository.writer(id, options.packing.spec(Part::Shard(number))).await?;
    let pass = Pass {
        packing: &options.packing,
        families: options.families.as_ref().filter(|_| options.packing.recipients.is_empty()),
        progress: &options.progress,
        stop: &options.stop,
    };
    let (about, missing) = (about(&dump, chosen), dump.facts.missing.clone());
    let (stored, census) = image::store(dump, writer, &pass).await?;
    let functions = census.functions.clone();
    Ok(Taken { image: about.finish(stored, census, begun.elapsed()), functions, missing })
}

/// An image that was taken.
struct Taken {
    image: ShardImage,
    /// The digests of its function libraries.
    functions: Vec<DataDigest>,
    missing: Vec<Skipped>,
}

/// What is known of an image before its bytes.
struct About {
    shard: DumpShard,
    method: DumpMethod,
    taken_at_ms: i64,
    replication: Option<(String, u64)>,
    facts: Option<ServerFacts>,
}

fn about(dump: &Dump, chosen: &Chosen) -> About {
    About {
        shard: chosen.shard.clone(),
        method: dump.facts.method,
        taken_at_ms: dump.facts.taken_at_ms,
        replication: dump.facts.replication.clone(),
        facts: chosen.info.as_ref().map(ServerFacts::from),
    }
}

impl About {
    fn finish(self, artifact: Artifact, census: Census, elapsed: Duration) -> ShardImage {
        let server = self
            .facts
            .as_ref()
            .and_then(|facts| Some(format!("{} {}", facts.identity.line, facts.identity.version.as_ref()?)));
        ShardImage {
            node: self.shard.node.clone(),
            role: self.facts.as_ref().and_then(|facts| facts.replication.role),
            server,
            slots: self.shard.slots.iter().map(|(first, last)| SlotRange(*first, *last)).collect(),
            method: Some(self.method),
            taken_at: DateTime::from_timestamp_millis(self.taken_at_ms),
            duration_ms: Some(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)),
            replication: self.replication.map(|(id, offset)| ReplicationPoint { id, offset }),
            format: Some(census.format.to_string()),
            rdb_bytes: Some(census.bytes),
            has_checksum: Some(matches!(census.checksum, Checksum::Verified(_))),
            counts: Some(census.counts),
            digest: Some(census.digest),
            values_digest: Some(census.values_digest),
            artifact,
        }
    }
}
