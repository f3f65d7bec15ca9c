//! What a keyspace is made of.

use std::collections::BTreeMap;

use larder_metrics_model::Skipped;
use serde::{Deserialize, Serialize};

use super::certainty::{FamilyIntervals, NotSeen, SampleReport};
use crate::{BytesSource, FamilyRule, KeyName};

/// What a keyspace is made of.
///
/// Figures that nobody knows are `None`: `bytes` where they were not fetched, or the server does not let the user. In a
/// report of a sample figures are estimates, and [`SampleReport`] and [`FamilyIntervals`] say how sure they are;
/// histograms and medians are then those of the keys that were read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct KeyReport {
    /// Where the keys came from: the name of the cache, or the path of the file.
    pub source: String,
    /// In which format a file is, or the image of a cache; of a cache whose keys were asked for `None`.
    pub format: Option<String>,
    /// The moment from which times left count, in milliseconds since 1970: when the keys were read, or when the file was
    /// written.
    pub at_ms: i64,
    /// Whether every key was seen; otherwise figures are those of what was seen, and `not_seen` says what was not.
    pub complete: bool,
    /// All keys.
    pub total_keys: u64,
    /// Keys that have a TTL.
    pub expiring_keys: Option<u64>,
    /// Bytes of all keys with their names and values.
    pub bytes: Option<u64>,
    /// How bytes came about.
    pub bytes_source: BytesSource,
    /// Bytes of all keys as they lie in the file or image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serialised_bytes: Option<u64>,
    /// Keys in a file whose time was up; they are in no other figure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expired_keys: Option<u64>,
    /// How many keys of each type there are, by the words that TYPE answers.
    pub types: BTreeMap<String, u64>,
    /// Bytes of the keys of each type.
    pub bytes_by_type: BTreeMap<String, u64>,
    /// How many keys of each encoding there are; of a file, the layouts of values.
    pub layouts: BTreeMap<String, u64>,
    /// How many keys each database has, of those that were looked at.
    pub databases: BTreeMap<u64, u64>,
    /// How many keys each node gave.
    pub nodes: BTreeMap<String, u64>,
    /// The times left of all keys.
    pub ttl: Option<TtlReport>,
    /// How long keys were not used.
    pub idle: Option<IdleReport>,
    /// The families, the one with the most bytes first.
    pub families: Vec<FamilyReport>,
    /// How families were told by the names of keys; `None` where the caller knew them.
    pub family_rule: Option<FamilyRule>,
    /// Keys of families past the most that are told apart; they are in the family `(other)`.
    pub other_families_keys: u64,
    /// The families as a tree: each level is one segment of the prefix.
    pub tree: Vec<FamilyNode>,
    /// How many keys are due when, in the week to come: first until half of them are due, then, where that is not
    /// much the same, until all are.
    pub due: Vec<Timeline>,
    /// Minutes to come in which far more keys are due than around them, in the order of time.
    pub bursts: Vec<Burst>,
    /// How far the figures can be trusted, where they are of a sample.
    pub sample: Option<SampleReport>,
    /// What was asked for and not fetched or not looked at.
    pub skipped: Vec<Skipped>,
    /// Parts of the keyspace that were not seen to their end.
    pub not_seen: Vec<NotSeen>,
}

/// The keys of one family.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct FamilyReport {
    /// The prefix; `(none)` for keys without one.
    pub name: String,
    /// Counts and bytes.
    #[serde(flatten)]
    pub figures: Figures,
    /// Bytes of its keys as they lie in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serialised_bytes: Option<u64>,
    /// Elements of its values, a string being one; `None` where they were not fetched.
    pub elements: Option<u64>,
    /// Bytes of the biggest.
    pub biggest_bytes: Option<u64>,
    /// The biggest.
    pub biggest: Option<NamedBytes>,
    /// How many keys of each type it has.
    pub types: BTreeMap<String, u64>,
    /// The times that its keys have left.
    pub ttl: Option<TtlReport>,
    /// How long its keys were not used.
    pub idle: Option<IdleReport>,
}

/// What is counted of a part of the keyspace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Figures {
    /// Its keys.
    pub keys: u64,
    /// Bytes of its keys with their names and values.
    pub bytes: Option<u64>,
    /// Its keys that have no TTL.
    pub without_ttl: Option<u64>,
    /// Its share of all keys, from 0 to 1.
    pub share_of_keys: f64,
    /// Its share of all bytes, from 0 to 1.
    pub share_of_bytes: Option<f64>,
    /// How sure these are, where they are estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intervals: Option<FamilyIntervals>,
}

/// A prefix with the families below it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct FamilyNode {
    /// The prefix; `(none)` for keys without one.
    pub name: String,
    /// Counts and bytes of everything that begins with it.
    #[serde(flatten)]
    pub figures: Figures,
    /// The prefixes one segment longer, the one with the most bytes first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Self>,
}

/// The times that keys have left.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TtlReport {
    /// Half of the keys with a TTL have no more seconds left, found within the width of a bucket.
    pub median_s: f64,
    /// Nine in ten have no more; of keys that come all the time, about the TTL that they are given.
    pub p90_s: f64,
    /// Keys with a TTL by the time that they have left.
    pub histogram: Vec<Span>,
}

/// How long keys were not used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct IdleReport {
    /// The keys that were looked at for this; the rest was not asked.
    pub keys_read: u64,
    /// Half of them were not used for longer, in seconds, found within the width of a bucket.
    pub median_s: f64,
    /// Keys by the time that they were not used.
    pub histogram: Vec<Span>,
}

/// One bucket of a histogram: what is above the bucket before, up to and with its end.
///
/// The ends are 1, 5 and 15 minutes, 1 and 6 hours, 1, 7, 30 and 90 days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Span {
    /// Its end in seconds; the last one has none.
    pub up_to_s: Option<u64>,
    /// Its keys.
    pub keys: u64,
}

/// A key with its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NamedBytes {
    /// Its name, and of one that is longer than 1,024 bytes the beginning.
    pub key: KeyName,
    /// Its bytes.
    pub bytes: u64,
}

/// How many keys are due in each of some equal steps of time; of a sample, estimates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Timeline {
    /// When the first step begins, in milliseconds since 1970.
    pub begins_at_ms: i64,
    /// How many minutes a step has: as few as make [`Timeline::MOST_STEPS`] reach to the end.
    pub step_minutes: u32,
    /// The keys that are due in each.
    pub keys: Vec<u64>,
}

/// Minutes in which far more keys are due than around them.
///
/// A minute is one of a burst where at least [`Burst::LEAST_KEYS`] keys are due in it, and at least
/// [`Burst::FACTOR`] times as many as are usual around it: the median of the [`Burst::NEIGHBOURS`] minutes before and
/// as many after. Minutes that follow each other are one burst. Looked at are the [`Burst::HORIZON_MINUTES`] minutes
/// to come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Burst {
    /// When its first minute begins, in milliseconds since 1970.
    pub begins_at_ms: i64,
    /// How many minutes it takes.
    pub minutes: u32,
    /// Keys that are due in it; of a sample, an estimate.
    pub keys: u64,
    /// Keys that are usually due in a minute around it.
    pub usual_per_minute: u64,
    /// The families that its keys are of, the one with the most first.
    pub families: Vec<BurstFamily>,
    /// The TTL that the first of these families is usually given, in seconds: nine in ten of its keys have no more left.
    pub usual_ttl_s: f64,
    /// The jitter that would spread it: with this much taken at random from each TTL, no minute would stand out. It is
    /// no more than half of the usual TTL, even where that does not spread it wholly.
    pub jitter_s: f64,
    /// The same as a share of the usual TTL.
    pub jitter_share: f64,
}

/// A family that has keys in a burst.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BurstFamily {
    /// The family.
    pub name: String,
    /// Its keys that are due.
    pub keys: u64,
}

impl Timeline {
    /// The most steps that there are.
    pub const MOST_STEPS: usize = 168;
}

impl Burst {
    /// Fewer keys than this in a minute are no burst.
    pub const LEAST_KEYS: u64 = 100;
    /// How many times as many as usual.
    pub const FACTOR: u64 = 4;
    /// How many minutes on each side tell what is usual.
    pub const NEIGHBOURS: usize = 15;
    /// How far ahead is looked: a week.
    pub const HORIZON_MINUTES: usize = 7 * 24 * 60;
}
