//! How sure figures are, and what they are not of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// From the lowest to the highest that a figure is, with 95 % confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Interval {
    /// The lowest.
    pub low: u64,
    /// The highest.
    pub high: u64,
}

/// How sure the figures of a family are. `None` where they are exact, or where too few keys were read to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct FamilyIntervals {
    /// Of its keys.
    pub keys: Option<Interval>,
    /// Of its bytes.
    pub bytes: Option<Interval>,
    /// Of its keys without TTL.
    pub without_ttl: Option<Interval>,
}

/// Which keys a report of a sample is of, and how sure its figures are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SampleReport {
    /// How the keys were chosen.
    pub coverage: Coverage,
    /// Keys whose fields were read.
    pub keys_read: u64,
    /// Of so many keys.
    pub of_keys: u64,
    /// Of the keys that have a TTL.
    pub expiring_keys: Option<Interval>,
    /// Of the bytes of all keys.
    pub bytes: Option<Interval>,
    /// Of the keys of each type.
    pub types: BTreeMap<String, Interval>,
    /// Of the bytes of each type; one of which too few keys were read is not here.
    pub bytes_by_type: BTreeMap<String, Interval>,
    /// Of the keys of each encoding.
    pub layouts: BTreeMap<String, Interval>,
}

/// Which keys were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Coverage {
    /// All.
    #[default]
    Whole,
    /// The first ones in the order of SCAN, of so many in all.
    ///
    /// In one hash table that order is the one of a hash of the names with a secret seed, so the first keys are a sample
    /// in which each key is equally likely. A node of a cluster may keep a table a slot and is not sampled in this way.
    FirstKeys {
        /// All keys, as INFO counts them.
        of: u64,
    },
    /// The names of all, and the fields of those that a seeded hash of the name chose.
    ChosenByName,
}

/// A part of the keyspace that was not seen to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NotSeen {
    /// The address that the primary of the shard had; `None` where no shard can be told.
    pub shard: Option<String>,
    /// What it holds, in words.
    pub slots: Option<String>,
    /// Why not.
    pub reason: String,
}
