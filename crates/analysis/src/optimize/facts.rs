//! What an optimization is made of.

use std::time::Duration;

use chrono::{DateTime, Utc};
use larder_metrics_model::{NodeAddress, Observed, Skipped};

use super::Refill;
use crate::{Rates, Surroundings, TimeSeries};

/// What is known of a cache over some time, and now.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OptimizeFacts {
    /// Which cache; `None` where none was named.
    pub cache: Option<String>,
    /// When the time that is looked at begins.
    pub from: DateTime<Utc>,
    /// When it ends.
    pub until: DateTime<Utc>,
    /// Look-ups that found a value.
    pub hits: Rates,
    /// Look-ups that found none.
    pub misses: Rates,
    /// The hit rate as it was told, since whenever the counting began; used where hits and misses are not known.
    pub hit_ratio: TimeSeries,
    /// Mean time of a round trip in milliseconds.
    pub latency_ms: TimeSeries,
    /// Look-ups, writes and deletions.
    pub operations: Rates,
    /// Operations that failed.
    pub errors: Rates,
    /// Memory allocated by all primaries, since it was emptied last.
    pub used_memory_bytes: TimeSeries,
    /// What emptied it; `None` where nothing did.
    pub memory_refill: Option<Refill>,
    /// Each node.
    pub nodes: Vec<NodeHistory>,
    /// Each family of keys, as it was seen last.
    pub families: Vec<FamilyUse>,
    /// In what anomalies are looked for.
    pub watched: Watched,
    /// What was left out of the history, and why.
    pub notes: Vec<String>,
    /// What could not be looked at.
    pub skipped: Vec<Skipped>,
}

/// The figures in which what is out of the ordinary is looked for. They begin well before the time that is looked at, because it
/// takes some weeks to know what is usual.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Watched {
    /// Look-ups that found a value.
    pub hits: Rates,
    /// Look-ups that found none.
    pub misses: Rates,
    /// Mean time of a round trip in milliseconds.
    pub latency_ms: TimeSeries,
    /// Look-ups, writes and deletions.
    pub operations: Rates,
    /// Memory allocated by all primaries, through restarts and flushes.
    pub used_memory_bytes: TimeSeries,
    /// What else was measured of each node, which may tell the cause.
    pub surroundings: Vec<(NodeAddress, Surroundings)>,
}

/// What is known of one node.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NodeHistory {
    /// Which node.
    pub node: NodeAddress,
    /// Memory allocated, since it was emptied last.
    pub used_memory_bytes: TimeSeries,
    /// What emptied it; `None` where nothing did.
    pub memory_refill: Option<Refill>,
    /// The memory limit, 0 for none.
    pub maxmemory_bytes: TimeSeries,
    /// Resident memory of the process.
    pub rss_bytes: TimeSeries,
    /// Resident over allocated memory.
    pub fragmentation_ratio: TimeSeries,
    /// Keys, since the last restart or flush.
    pub keys: TimeSeries,
    /// Keys that have a TTL, since the last restart or flush.
    pub keys_with_ttl: TimeSeries,
    /// Clients connected.
    pub clients: TimeSeries,
    /// Look-ups that found a key.
    pub hits: Rates,
    /// Look-ups that found none.
    pub misses: Rates,
    /// Keys removed at `maxmemory`.
    pub evicted: Rates,
    /// Keys whose time was up.
    pub expired: Rates,
    /// Connections accepted.
    pub connections: Rates,
    /// What happens at the limit (`maxmemory-policy`), as the server says now or said last.
    pub policy: Option<String>,
    /// Commands of the slow log in the time that is looked at.
    pub slow_log: Observed<Vec<SlowCommand>>,
    /// What clients ask for now.
    pub traffic: Observed<Traffic>,
}

/// One entry of the slow log, without what it was about.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SlowCommand {
    /// When it ran.
    pub at: DateTime<Utc>,
    /// The command's name.
    pub command: String,
    /// How many arguments it had, as far as the server kept them: 31 at most (Redis and Valkey, `slowlog.c`).
    pub arguments: usize,
    /// How long it ran on the server.
    pub duration: Duration,
}

/// A part of what clients asked one node for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Traffic {
    /// The commands that were seen.
    pub commands: u64,
    /// For how long.
    pub time: Duration,
    /// In how many rounds.
    pub rounds: u32,
    /// The keys that were named most, hottest first.
    pub hottest: Vec<HotKey>,
}

/// A key that clients ask for often.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HotKey {
    /// Its name, as people read it.
    pub key: String,
    /// The number of its database.
    pub database: u32,
    /// The share of the commands that named it.
    pub share: f64,
    /// How many a second did.
    pub per_second: f64,
    /// The share of these that may change it.
    pub writes: f64,
    /// The rounds in which it was named.
    pub rounds: u32,
}

/// One family of keys, as it was seen last.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FamilyUse {
    /// What it is called.
    pub name: String,
    /// When it was seen.
    pub at: DateTime<Utc>,
    /// Its keys.
    pub keys: Option<f64>,
    /// The bytes that its keys take.
    pub bytes: Option<f64>,
    /// Its keys that have no TTL.
    pub without_ttl: Option<f64>,
    /// Median time since a key was last used, in seconds.
    pub idle_median_seconds: Option<f64>,
    /// The bytes that the biggest of its keys takes.
    pub biggest_bytes: Option<f64>,
}

impl OptimizeFacts {
    /// Begins with nothing known, from `from` on and before `until`.
    #[must_use]
    pub fn unseen(from: DateTime<Utc>, until: DateTime<Utc>) -> Self {
        Self {
            cache: None,
            from,
            until,
            hits: Rates::default(),
            misses: Rates::default(),
            hit_ratio: TimeSeries::default(),
            latency_ms: TimeSeries::default(),
            operations: Rates::default(),
            errors: Rates::default(),
            used_memory_bytes: TimeSeries::default(),
            memory_refill: None,
            nodes: Vec::new(),
            families: Vec::new(),
            watched: Watched::default(),
            notes: Vec::new(),
            skipped: Vec::new(),
        }
    }
}

impl NodeHistory {
    /// Begins with nothing known of a node.
    #[must_use]
    pub fn unseen(node: NodeAddress) -> Self {
        Self {
            node,
            used_memory_bytes: TimeSeries::default(),
            memory_refill: None,
            maxmemory_bytes: TimeSeries::default(),
            rss_bytes: TimeSeries::default(),
            fragmentation_ratio: TimeSeries::default(),
            keys: TimeSeries::default(),
            keys_with_ttl: TimeSeries::default(),
            clients: TimeSeries::default(),
            hits: Rates::default(),
            misses: Rates::default(),
            evicted: Rates::default(),
            expired: Rates::default(),
            connections: Rates::default(),
            policy: None,
            slow_log: Observed::skipped("the live server was not asked"),
            traffic: Observed::skipped("the live server was not asked"),
        }
    }

    /// Returns the share of `maxmemory` that was in use at each moment; empty where there is no limit.
    #[must_use]
    pub fn memory_use(&self) -> TimeSeries {
        let limits = self.maxmemory_bytes.observations();
        let limit_at = |at| {
            let place = limits.partition_point(|limit| limit.at <= at);
            limits.get(place.saturating_sub(1)).map(|limit| limit.value).filter(|limit| *limit > 0.0)
        };
        let used = self.used_memory_bytes.observations().iter();
        used.filter_map(|used| Some((used.at, used.value / limit_at(used.at)?))).collect()
    }
}

impl SlowCommand {
    /// Records an entry.
    pub fn new(at: DateTime<Utc>, command: impl Into<String>, arguments: usize, duration: Duration) -> Self {
        Self { at, command: command.into(), arguments, duration }
    }
}

impl Traffic {
    /// Records how much was seen, and for how long; no key yet.
    #[must_use]
    pub fn new(commands: u64, time: Duration, rounds: u32) -> Self {
        Self { commands, time, rounds, hottest: Vec::new() }
    }
}

impl HotKey {
    /// Records a key of database 0 that is only read.
    pub fn new(key: impl Into<String>, share: f64, per_second: f64, rounds: u32) -> Self {
        Self { key: key.into(), database: 0, share, per_second, writes: 0.0, rounds }
    }
}

impl FamilyUse {
    /// Begins the figures of a family.
    pub fn new(name: impl Into<String>, at: DateTime<Utc>) -> Self {
        Self {
            name: name.into(),
            at,
            keys: None,
            bytes: None,
            without_ttl: None,
            idle_median_seconds: None,
            biggest_bytes: None,
        }
    }
}
