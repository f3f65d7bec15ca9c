//! By which way each shard is taken, and what stands against it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use larder_cache_client::{CacheClient, DumpMethod, DumpShard, DumpSource};
use larder_metrics_model::Info;

use super::{BackupOptions, Chosen};
use crate::{
    Error, Result,
    preflight::{self, ClusterSigns, NodeSigns},
    repository::Layout,
};

/// Chooses for each shard the way that was asked for, or the first that is open to this user.
pub(super) async fn choose(
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
pub(super) async fn look_ahead(
    chosen: &[Chosen],
    options: &BackupOptions,
    notes: &mut Vec<String>,
) -> Result<()> {
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
pub(super) fn stand_against(
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
/// Looks whether the slots are where they were; says how they are not.
pub(super) async fn is_unmoved(
    client: &CacheClient,
    chosen: &[Chosen],
    options: &BackupOptions,
) -> Option<String> {
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
