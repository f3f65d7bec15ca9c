//! From batches of keys to a report.

use std::collections::{BTreeMap, btree_map::Entry};

use larder_cache_client::KeyBatch;
use larder_metrics_model::NodeAddress;
use serde::{Deserialize, Serialize};

use super::{
    family_table::Room,
    finish,
    model::KeyReport,
    options::{About, ReportOptions},
    shard_tally::{Clock, MINUTE_MS, ShardTally},
};

/// Makes a report, batch by batch, from any source.
///
/// Each shard is counted for itself. When a batch says that its shard was begun anew ([`KeyBatch::round`]), what was
/// counted of that shard is forgotten; a batch of an earlier round is passed over. Apart from that, the order of batches,
/// shards and keys does not matter, as long as there are no more families than are told apart.
///
/// Memory is bounded, and no key costs an allocation: 10,000 families are told apart, and none has more than 512 bytes;
/// minutes in which keys are due take 8 MiB at the most.
///
/// What was counted so far can be written with serde, and read back to go on; a classifier has to be given again.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct ReportBuilder {
    options: ReportOptions,
    at_ms: i64,
    /// When the first minute begins in which keys can be due.
    first_minute_ms: Option<i64>,
    shards: BTreeMap<NodeAddress, ShardTally>,
    #[serde(skip)]
    room: Room,
}

impl ReportBuilder {
    /// Begins a report.
    #[must_use]
    pub fn new(options: ReportOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// Returns how it is made.
    #[must_use]
    pub fn options(&self) -> &ReportOptions {
        &self.options
    }

    /// Takes a batch into account. The times left in it count from `counted_from_ms`, in milliseconds since 1970, as
    /// [`KeySource::counted_from_ms`](crate::KeySource::counted_from_ms) says.
    pub fn add(&mut self, batch: &KeyBatch, counted_from_ms: i64) {
        self.at_ms = counted_from_ms;
        let first_minute_ms = *self
            .first_minute_ms
            .get_or_insert(counted_from_ms.div_euclid(MINUTE_MS).saturating_mul(MINUTE_MS));
        let clock = Clock { at_ms: counted_from_ms, first_minute_ms };
        let Self { options, shards, room, .. } = self;
        let shard = match shards.entry(batch.shard.clone()) {
            Entry::Vacant(vacant) => vacant.insert(ShardTally::new(batch.round, options, room)),
            Entry::Occupied(occupied) => {
                let shard = occupied.into_mut();
                if batch.round < shard.round {
                    return;
                }
                if batch.round > shard.round {
                    room.give_back(&shard.families);
                    *shard = ShardTally::new(batch.round, options, room);
                }
                shard
            }
        };
        shard.add(batch, clock, options, room);
    }

    /// Returns how many keys were counted.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.shards.values().map(|shard| shard.families.keys()).sum()
    }

    /// Makes the report of what was counted so far.
    #[must_use]
    pub fn report(&self, about: &About) -> KeyReport {
        finish::report(self.shards.values(), &self.options, self.at_ms, self.first_minute_ms, about)
    }
}

/// What is written of a builder.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    options: ReportOptions,
    at_ms: i64,
    first_minute_ms: Option<i64>,
    shards: BTreeMap<NodeAddress, ShardTally>,
}

impl From<Written> for ReportBuilder {
    /// A sweep that goes on counts its rounds from nothing, so what was counted is of round 0.
    fn from(written: Written) -> Self {
        let mut room = Room::default();
        for shard in written.shards.values() {
            room.take(&shard.families);
        }
        Self {
            options: written.options,
            at_ms: written.at_ms,
            first_minute_ms: written.first_minute_ms,
            shards: written.shards,
            room,
        }
    }
}
