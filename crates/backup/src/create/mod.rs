//! Making a backup.

mod archives;
mod image;

pub use archives::FileSet;
pub(crate) use archives::NONE_BY_DEFAULT;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use larder_cache_client::{CacheClient, Dump, DumpMethod, DumpOptions, DumpShard, DumpSource};
use larder_metrics_model::{Info, Role, ServerFacts, Skipped};
use larder_rdb::{Checksum, DataDigest};
use tokio_util::sync::CancellationToken;

use self::image::Pass;
use crate::{
    Artifact, BackupId, Counts, Encryption, Error, KeyFamilies, Kind, Manifest, Packing, Part, Progress,
    ReplicationPoint, Repository, Result, ShardImage, SideArchive, SlotRange,
    census::Census,
    preflight::{self, ClusterSigns, NodeSigns},
    repository::Layout,
};

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

    let id = options.layout.id(at, rand::random());
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

/// Chooses for each shard the way that was asked for, or the first that is open to this user.
async fn choose(
    shards: Vec<DumpShard>,
    options: &BackupOptions,
    notes: &mut Vec<String>,
) -> Result<Vec<Chosen>> {
    let mut all = Vec::with_capacity(shards.len());
    for shard in shards {
        let (source, closed) = choose_source(&shard, options).await?;
        let info = match settled(&shard, source.method()).await {
            Ok(info) => Some(info),
            Err(error) => {
                let what = "what stands against it, its version and its role are not known";
                notes.push(format!("{}: {what}: {}", shard.node, error.with_causes()));
                None
            }
        };
        notes.extend(closed);
        all.push(Chosen { shard, source, info });
    }
    Ok(all)
}

/// What the node says of itself, once a fork that ends soon has ended: one that has just served a backup lingers a moment. Key
/// by key nothing is forked, and nothing is waited for.
async fn settled(shard: &DumpShard, method: DumpMethod) -> larder_cache_client::Result<Info> {
    let begun = Instant::now();
    loop {
        let info = shard.server.info().await?;
        let is_in_the_way = method != DumpMethod::Keys && NodeSigns::from(&info).fork.is_some();
        if !is_in_the_way || begun.elapsed() > FORK_PATIENCE {
            return Ok(info);
        }
        tokio::time::sleep(FORK_LOOKS).await;
    }
}

/// How long another fork is waited for.
const FORK_PATIENCE: Duration = Duration::from_secs(5);
const FORK_LOOKS: Duration = Duration::from_millis(100);

async fn choose_source(
    shard: &DumpShard,
    options: &BackupOptions,
) -> Result<(Arc<dyn DumpSource>, Vec<String>)> {
    let is_meant =
        |source: &&Arc<dyn DumpSource>| options.method.is_none_or(|method| source.method() == method);
    let mut closed = Vec::new();
    let mut last = None;
    for source in shard.sources.iter().filter(is_meant) {
        match source.check().await {
            Ok(()) => return Ok((Arc::clone(source), closed)),
            // A node that cannot be asked is as far away by another way.
            Err(error) if error.is_retryable() => return Err(error.into()),
            Err(error) => {
                closed.push(format!("{}: no {}: {}", shard.node, source.method(), error.with_causes()));
                last = Some(error);
            }
        }
    }
    match last {
        Some(error) if closed.len() == 1 => Err(error.into()),
        Some(_) => Err(Error::Refused { what: "the backup".to_owned(), reasons: closed }),
        None => Err(Error::Refused {
            what: "the backup".to_owned(),
            reasons: vec![format!(
                "an image of {} cannot be taken by {}",
                shard.node,
                options.method.map_or_else(|| "any way".to_owned(), |method| method.to_string())
            )],
        }),
    }
}

/// Asks what stands against it.
async fn look_ahead(chosen: &[Chosen], options: &BackupOptions, notes: &mut Vec<String>) -> Result<()> {
    let mut reasons = Vec::new();
    for Chosen { shard, source, info } in chosen {
        if let Some(info) = info {
            reasons.extend(preflight::against_node(&shard.node, &NodeSigns::from(info), source.method()));
        }
    }
    let slots: usize = chosen
        .iter()
        .flat_map(|chosen| &chosen.shard.slots)
        .map(|(first, last)| usize::from(*last - *first) + 1)
        .sum();
    if options.layout == Layout::Guide && chosen.len() > 1 {
        let words = format!("the layout of the guide has room for one shard, and there are {}", chosen.len());
        return Err(Error::Refused { what: "the backup".to_owned(), reasons: vec![words] });
    }
    if options.layout == Layout::Guide && !options.packing.recipients.is_empty() {
        let words = "the layout of the guide knows no encryption".to_owned();
        return Err(Error::Refused { what: "the backup".to_owned(), reasons: vec![words] });
    }
    if slots > 0 {
        let mut states = Vec::with_capacity(chosen.len());
        for Chosen { shard, .. } in chosen {
            states.extend(shard.server.cluster().await.ok());
        }
        let is_down = states.iter().any(|state| !state.ok);
        // A slot on the move is counted by the shard that gives it and by the one that gets it.
        let moving = states.iter().filter_map(|state| state.moving_slots).sum::<u64>().div_ceil(2);
        reasons.extend(preflight::against_cluster(&ClusterSigns { is_down, slots, moving }));
    }
    stand_against("the backup", reasons, options, notes)
}

/// What stands against it ends it, or is noted where it is to be made all the same.
fn stand_against(
    what: &str,
    reasons: Vec<String>,
    options: &BackupOptions,
    notes: &mut Vec<String>,
) -> Result<()> {
    if reasons.is_empty() || options.force {
        notes.extend(reasons.into_iter().map(|reason| format!("gone past: {reason}")));
        return Ok(());
    }
    Err(Error::Refused { what: what.to_owned(), reasons })
}

/// The images, and what is not in them.
#[derive(Default)]
struct Images {
    shards: Vec<ShardImage>,
    missing: Vec<Skipped>,
}

async fn take_all(
    chosen: &[Chosen],
    repository: &Repository,
    id: &BackupId,
    options: &BackupOptions,
) -> Result<Images> {
    let mut images = Images::default();
    for (number, chosen) in chosen.iter().enumerate() {
        let (image, not_in_it) = take(number, chosen, repository, id, options).await?;
        images.shards.push(image);
        images.missing.extend(not_in_it);
    }
    Ok(images)
}

async fn take(
    number: usize,
    chosen: &Chosen,
    repository: &Repository,
    id: &BackupId,
    options: &BackupOptions,
) -> Result<(ShardImage, Vec<Skipped>)> {
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
    Ok((about.finish(stored, census, begun.elapsed()), missing))
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

/// Looks whether the slots are where they were; says how they are not.
async fn is_unmoved(client: &CacheClient, chosen: &[Chosen], options: &BackupOptions) -> Option<String> {
    if chosen.iter().all(|chosen| chosen.shard.slots.is_empty()) {
        return None;
    }
    let slots = |shards: &mut dyn Iterator<Item = &DumpShard>| {
        let mut ranges: Vec<_> = shards.map(|shard| shard.slots.clone()).collect();
        ranges.sort();
        ranges
    };
    let before = slots(&mut chosen.iter().map(|chosen| &chosen.shard));
    match client.dump_shards(&options.dump).await {
        Ok(shards) if slots(&mut shards.iter()) == before => None,
        Ok(_) => Some("slots were moved between shards while the images were taken".to_owned()),
        Err(error) => Some(format!("it cannot be seen whether slots were moved: {}", error.with_causes())),
    }
}

fn describe(
    id: BackupId,
    client: &CacheClient,
    shards: Vec<ShardImage>,
    options: &BackupOptions,
    at: DateTime<Utc>,
) -> Manifest {
    let mut counts = Counts::default();
    let (mut digest, mut values_digest) = (DataDigest::default(), DataDigest::default());
    for shard in &shards {
        counts.add(shard.counts.as_ref().unwrap_or(&Counts::default()));
        digest += shard.digest.unwrap_or_default();
        values_digest += shard.values_digest.unwrap_or_default();
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

/// Configuration, metrics and logs, and what is not in them.
#[derive(Default)]
struct Files {
    archives: Vec<SideArchive>,
    missing: Vec<Skipped>,
}

/// Stores configuration, metrics and logs. What is missing of them is said, and makes the backup no worse.
async fn take_files(
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
