//! Going through the keys of every shard at once.

mod by_link;
mod by_wire;
mod identity;
mod shard;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{
    StreamExt,
    future::Either,
    stream::{self, BoxStream},
};
use larder_metrics_model::NodeAddress;

use self::shard::ShardSweep;
pub(crate) use self::shard::no_replica;
use super::{link::Link, wire::WireDialer};
use crate::{
    KeyBatch, KeyRecord, Result, ScanOptions, ScanPosition, ShardPosition,
    url::{Endpoint, HostPort},
};

/// A part of the keyspace, and where it is.
#[derive(Clone, Debug)]
pub(crate) struct Shard {
    /// The address of its primary.
    pub(crate) primary: NodeAddress,
    /// Where a connection of our own reaches it; a connection that a service owns reaches nothing but what it is made for.
    pub(crate) endpoint: Option<Endpoint>,
    /// A link to the primary.
    pub(crate) link: Arc<dyn Link>,
    /// Its replicas, where they are known.
    pub(crate) replicas: Vec<HostPort>,
    /// What it holds of a cluster, first and last slot; empty where there is one shard.
    pub(crate) slots: Vec<(u16, u16)>,
}

/// Finds the shards.
#[async_trait]
pub(crate) trait Shards: fmt::Debug + Send + Sync {
    /// Looks anew, so that a failover is seen.
    async fn shards(&self) -> Result<Vec<Shard>>;
}

/// A cache of one shard: everything goes over the same link.
#[derive(Clone, Debug)]
pub(crate) struct OneShard {
    pub(crate) link: Arc<dyn Link>,
    pub(crate) endpoint: Option<Endpoint>,
}

#[async_trait]
impl Shards for OneShard {
    async fn shards(&self) -> Result<Vec<Shard>> {
        Ok(vec![Shard {
            primary: self.link.node().clone(),
            endpoint: self.endpoint.clone(),
            link: Arc::clone(&self.link),
            replicas: Vec::new(),
            slots: Vec::new(),
        }])
    }
}

/// What sweeps of one cache have in common.
#[derive(Clone, Debug)]
pub(crate) struct Sweeper {
    /// A link that leads to each key.
    pub(crate) link: Arc<dyn Link>,
    pub(crate) shards: Arc<dyn Shards>,
    /// Connections of our own; without it, everything goes over the links.
    pub(crate) dialer: Option<WireDialer>,
    /// How long a shard whose server is lost may take to have another one.
    pub(crate) failover_patience: Duration,
}

/// What one step gave.
#[derive(Debug)]
pub(crate) struct Step {
    /// The keys with their fields.
    pub(crate) records: Vec<KeyRecord>,
    /// Keys that the node sent elsewhere for.
    pub(crate) elsewhere: Vec<Bytes>,
    /// Where to go on behind these keys; `None` at the end.
    pub(crate) next: Option<String>,
    /// Commands that the server ran.
    pub(crate) commands: usize,
}

/// Step after step through the keys of one node.
#[async_trait]
pub(crate) trait Steps: fmt::Debug + Send + Sync {
    /// Gives the next keys, about so many.
    async fn step(&mut self, keys: usize) -> Result<Step>;
}

/// The end of a sweep as the cursor that SCAN answers.
const END: &str = "0";

impl Sweeper {
    /// Sweeps over links alone, because the connections behind them belong to someone else.
    pub(crate) fn over_links(link: Arc<dyn Link>, shards: Arc<dyn Shards>) -> Self {
        Self { link, shards, dialer: None, failover_patience: Duration::ZERO }
    }

    pub(crate) fn scan(&self, options: ScanOptions) -> BoxStream<'static, Result<KeyBatch>> {
        let sweeper = self.clone();
        let batches = async move {
            let shards = match sweeper.shards.shards().await {
                Ok(shards) => shards,
                Err(error) => return Either::Left(stream::iter([Err(error)])),
            };
            let mut position = begin(&shards, &options);
            let options = Arc::new(options);
            let sweeps = shards
                .into_iter()
                .map(|shard| ShardSweep::new(sweeper.clone(), shard, Arc::clone(&options)).into_stream());
            let merged = stream::select_all(sweeps).map(move |item| {
                item.map(|part| {
                    position.set_shard(part.shard.clone(), part.position);
                    KeyBatch {
                        node: part.node,
                        shard: part.shard,
                        round: part.round,
                        records: part.records,
                        position: position.clone(),
                    }
                })
            });
            Either::Right(merged)
        };
        stream::once(batches).flatten().boxed()
    }
}

fn begin(shards: &[Shard], options: &ScanOptions) -> ScanPosition {
    let mut position = ScanPosition::default();
    for shard in shards {
        let from = options.from.as_ref().and_then(|from| from.shard(&shard.primary));
        let from = from.cloned().unwrap_or(ShardPosition::At(END.to_owned()));
        position.set_shard(shard.primary.clone(), from);
    }
    position
}

impl Shard {
    /// What it holds, in words.
    pub(crate) fn holds(&self) -> String {
        if self.slots.is_empty() {
            return "every key".to_owned();
        }
        let ranges = self
            .slots
            .iter()
            .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") });
        format!("slots {}", ranges.collect::<Vec<_>>().join(","))
    }

    /// Tells whether it holds something that the other one holds, too.
    fn overlaps(&self, other: &Self) -> bool {
        (self.slots.is_empty() && other.slots.is_empty())
            || self.slots.iter().any(|(first, last)| {
                other.slots.iter().any(|(other_first, other_last)| first <= other_last && other_first <= last)
            })
    }
}
