//! What was measured at one instant, in the field names of the guide's daily files.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Info, LatencySummary, NodeAddress, NodeKind, Ratio, Resources, ServerFacts, Skipped, instant};

/// A cache measured at one instant.
///
/// `timestamp`, `date`, `cache_stats`, `health_info`, `tier_stats` and `performance_metrics` are the fields of
/// `metrics/cache_metrics_YYYY-MM-DD.json`; the rest is added. Fields that are not known here are kept in `extra`
/// at their level, so that a file written by another collector comes back whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// When, seconds since the Unix epoch.
    pub timestamp: f64,
    /// When, as ISO 8601 in the local time of whoever measured.
    pub date: String,
    /// What the cache did.
    #[serde(default)]
    pub cache_stats: CacheStats,
    /// Whether it can be reached, and what it uses.
    #[serde(default)]
    pub health_info: HealthInfo,
    /// What each tier did, where there are tiers.
    #[serde(default)]
    pub tier_stats: Option<TierStats>,
    /// How long a look-up takes.
    #[serde(default)]
    pub performance_metrics: PerformanceMetrics,
    /// Which cache: its URL without credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<String>,
    /// The nodes, each with its whole INFO.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeSnapshot>,
    /// The machine that measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// What a rehearsal of recovery has shown; a snapshot of one has nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<DrillFigures>,
    /// Fields that are null, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<Skipped>,
    /// Fields of another collector.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What a rehearsal of recovery has shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(default)]
pub struct DrillFigures {
    /// The backup that was brought back.
    pub backup: String,
    /// Whether every key came back as it was.
    pub ok: bool,
    /// How long it takes from the decision to a server that answers with the data, in seconds.
    pub recovery_seconds: f64,
    /// How old the data was: what would have been lost, in seconds.
    pub data_age_seconds: Option<f64>,
    /// Keys that came back.
    pub keys: Option<u64>,
}

/// What a cache did since its counters began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(default)]
pub struct CacheStats {
    /// Share of look-ups that found a value, 0 to 1.
    pub hit_rate: Option<f64>,
    /// Share of look-ups that found none, 0 to 1.
    pub miss_rate: Option<f64>,
    /// Look-ups, writes and deletions together.
    pub total_operations: Option<u64>,
    /// Look-ups that found a value.
    pub hit_count: Option<u64>,
    /// Look-ups that found none.
    pub miss_count: Option<u64>,
    /// Writes.
    pub set_count: Option<u64>,
    /// Deletions.
    pub delete_count: Option<u64>,
    /// Operations that failed.
    pub error_count: Option<u64>,
    /// Who counted, and since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<CounterOrigin>,
    /// Fields of another collector.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Who counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StatsOrigin {
    /// The cache inside the measuring process.
    InProcess,
    /// The application, asked over HTTP.
    Application,
    /// The servers' INFO.
    Server,
}

/// Who counted, with what is needed to see that the counting began anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CounterOrigin {
    /// Who counted.
    pub source: StatsOrigin,
    /// The counting processes; other ones mean that the counting began anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<String>,
}

/// Whether the cache can be reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(default)]
pub struct HealthInfo {
    /// `healthy`, `degraded`, `unhealthy` or `unknown`.
    pub status: Option<String>,
    /// Whether every node answers.
    pub redis_connected: Option<bool>,
    /// The longest round trip of a PING to a node, in milliseconds.
    pub redis_ping_time: Option<f64>,
    /// What memory is used for.
    pub memory_usage: Option<MemoryUsage>,
    /// The connections of the application's pool, as it gives them; of servers, their clients.
    pub connection_pool_stats: Option<Value>,
    /// Fields of another collector.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Memory, summed over primaries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(default)]
pub struct MemoryUsage {
    /// Bytes allocated.
    pub used_memory: Option<u64>,
    /// Bytes that the operating system counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_memory_rss: Option<u64>,
    /// The most ever allocated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_memory_peak: Option<u64>,
    /// The limit; 0 is "no limit".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maxmemory: Option<u64>,
    /// Fields of another collector.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What each tier of a cache did, by the name of the tier; whatever another collector wrote there is kept as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TierStats(Value);

/// What one tier of a cache did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(default)]
pub struct Tier {
    /// Share of this tier's look-ups that found a value, 0 to 1.
    pub hit_rate: Option<f64>,
    /// Look-ups that found a value here.
    pub hit_count: Option<u64>,
    /// Look-ups that found none here.
    pub miss_count: Option<u64>,
    /// Entries held.
    pub entries: Option<u64>,
    /// Bytes held.
    pub used_bytes: Option<u64>,
    /// The limit in bytes.
    pub max_bytes: Option<u64>,
    /// Entries removed for room.
    pub evicted_count: Option<u64>,
    /// Entries removed because their time was up.
    pub expired_count: Option<u64>,
}

/// How long a look-up takes, as a client sees it, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(default)]
pub struct PerformanceMetrics {
    /// The mean.
    pub avg_latency_ms: Option<f64>,
    /// The longest.
    pub max_latency_ms: Option<f64>,
    /// The shortest.
    pub min_latency_ms: Option<f64>,
    /// The median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_latency_ms: Option<f64>,
    /// The 95th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_latency_ms: Option<f64>,
    /// The 99th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_latency_ms: Option<f64>,
    /// How many look-ups were timed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_samples: Option<u64>,
    /// Fields of another collector.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One node with its whole INFO.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NodeSnapshot {
    /// Which node.
    pub node: NodeAddress,
    /// What it does in the cache.
    #[serde(default)]
    pub kind: NodeKind,
    /// Round trip of a PING in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ping_ms: Option<f64>,
    /// Every field of INFO.
    #[serde(default, skip_serializing_if = "Info::is_empty")]
    pub info: Info,
    /// Why there is no INFO.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Snapshot {
    /// Begins a snapshot that was taken at `at`; the day it belongs to is the day in the time zone of `at`.
    #[must_use]
    pub fn at(at: DateTime<FixedOffset>) -> Self {
        Self { timestamp: instant::timestamp(at), date: instant::date(at), ..Self::default() }
    }

    /// Returns when the snapshot was taken; `None` where the timestamp is no time.
    #[must_use]
    pub fn time(&self) -> Option<DateTime<Utc>> {
        instant::time(self.timestamp)
    }

    /// Records that `field` is null because of `reason`.
    pub fn mark_absent(&mut self, field: &str, reason: impl Into<String>) {
        self.absent.push(Skipped::new(field, reason));
    }
}

impl CacheStats {
    /// Makes statistics of counts; rates follow from hits and misses, the total from all four.
    ///
    /// A rate is `None` where there were no look-ups, the total where one of its parts is not known.
    #[must_use]
    pub fn from_counts(
        [hits, misses, sets, deletes, errors]: [Option<u64>; 5],
        origin: Option<CounterOrigin>,
    ) -> Self {
        let lookups = hits.zip(misses).and_then(|(hits, misses)| hits.checked_add(misses));
        let rate = |part: Option<u64>| Some(Ratio::of(part?, lookups?)?.get());
        let total =
            [hits, misses, sets, deletes].into_iter().try_fold(0_u64, |sum, part| sum.checked_add(part?));
        Self {
            hit_rate: rate(hits),
            miss_rate: rate(misses),
            total_operations: total,
            hit_count: hits,
            miss_count: misses,
            set_count: sets,
            delete_count: deletes,
            error_count: errors,
            origin,
            extra: Map::new(),
        }
    }
}

impl TierStats {
    /// Makes the statistics of named tiers.
    #[must_use]
    pub fn new<'a>(tiers: impl IntoIterator<Item = (&'a str, Tier)>) -> Self {
        let tiers = tiers
            .into_iter()
            .filter_map(|(name, tier)| Some((name.to_owned(), serde_json::to_value(tier).ok()?)));
        Self(Value::Object(tiers.collect()))
    }

    /// Returns the tiers that read as such, by name.
    #[must_use]
    pub fn tiers(&self) -> BTreeMap<&str, Tier> {
        let tiers = self.0.as_object().into_iter().flatten();
        tiers.filter_map(|(name, tier)| Some((name.as_str(), Tier::deserialize(tier).ok()?))).collect()
    }

    /// Returns what is stored, as it is.
    #[must_use]
    pub fn as_value(&self) -> &Value {
        &self.0
    }
}

impl From<&LatencySummary> for PerformanceMetrics {
    fn from(summary: &LatencySummary) -> Self {
        Self {
            avg_latency_ms: Some(summary.mean_ms),
            max_latency_ms: Some(summary.max_ms),
            min_latency_ms: Some(summary.min_ms),
            p50_latency_ms: Some(summary.p50_ms),
            p95_latency_ms: Some(summary.p95_ms),
            p99_latency_ms: Some(summary.p99_ms),
            latency_samples: Some(summary.samples),
            extra: Map::new(),
        }
    }
}

impl NodeSnapshot {
    /// Begins the record of a node that has not answered.
    #[must_use]
    pub fn new(node: NodeAddress, kind: NodeKind) -> Self {
        Self { node, kind, ping_ms: None, info: Info::default(), error: None }
    }

    /// Returns INFO, typed; `None` where there is none.
    #[must_use]
    pub fn facts(&self) -> Option<ServerFacts> {
        (!self.info.is_empty()).then(|| ServerFacts::from(&self.info))
    }
}
