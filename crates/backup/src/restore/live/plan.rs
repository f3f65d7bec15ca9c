//! What a restore would do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{LiveOthers, TargetFacts};

/// What a restore into a running cache would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LivePlan {
    /// The cache as it was found.
    pub target: TargetFacts,
    /// Keys in the backup.
    pub keys: u64,
    /// Keys that would be brought back, those included that are there already.
    pub comes: LiveKeys,
    /// Keys that were not asked for, by the reason.
    pub left_out: BTreeMap<String, u64>,
    /// Keys whose time is up.
    pub expired: u64,
    /// Keys whose values are written anew, because the cache does not load them as they are.
    pub rewritten: u64,
    /// Keys of the cache that the backup does not have, and that would be removed; `None` where they stay.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub others: Option<LiveOthers>,
    /// Function libraries that would be loaded.
    pub functions: u64,
    /// What should be known before.
    pub notes: Vec<String>,
    /// What stands against it, each with its figures.
    pub refusals: Vec<String>,
}

/// Keys that come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LiveKeys {
    /// How many.
    pub keys: u64,
    /// How many of them have a TTL.
    pub expiring: u64,
    /// Bytes of their values, as they are serialised in the backup.
    pub serialised_bytes: u64,
    /// Bytes of memory that they are estimated to take in the cache.
    pub memory_bytes: u64,
    /// Keys by type, as TYPE says it.
    pub by_type: BTreeMap<String, u64>,
    /// Keys by the database that they go into.
    pub by_database: BTreeMap<u64, u64>,
}

impl LivePlan {
    /// Tells whether anything would be brought into the cache, or removed from it. What comes may be there already.
    #[must_use]
    pub fn changes_something(&self) -> bool {
        let others = self.others.as_ref().map_or(0, |others| others.keys);
        self.comes.keys + self.functions + others > 0
    }

    /// Tells whether nothing stands against it.
    #[must_use]
    pub fn may_go(&self) -> bool {
        self.refusals.is_empty()
    }
}

impl LiveKeys {
    pub(super) fn add(&mut self, other: &Self) {
        self.keys += other.keys;
        self.expiring += other.expiring;
        self.serialised_bytes += other.serialised_bytes;
        self.memory_bytes += other.memory_bytes;
        for (kind, keys) in &other.by_type {
            *self.by_type.entry(kind.clone()).or_default() += keys;
        }
        for (database, keys) in &other.by_database {
            *self.by_database.entry(*database).or_default() += keys;
        }
    }
}
