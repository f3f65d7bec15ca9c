//! The figures that snapshots give to the metrics history, by name.

use serde::Serialize;

use crate::{CacheStats, FamilyFigures, KeyspaceSnapshot, NodeAddress, NodeKind, ServerFacts, Snapshot};

/// One figure that is followed over time.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Metric {
    /// Its name, with the unit as its last word where it has one.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// Whether it goes up and down.
    pub kind: MetricKind,
    /// What it means, one sentence.
    pub help: &'static str,
    read: Read,
}

/// What a metric counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Unit {
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// A share, 0 to 1, or a quotient.
    Ratio,
    /// Things a second.
    PerSecond,
}

/// How a metric moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricKind {
    /// Goes up and down.
    Gauge,
    /// Only goes up, until the counting begins anew.
    Counter,
}

/// What a metric is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The cache as a whole.
    Cache,
    /// Each node that holds keys.
    Node,
    /// Each family of keys.
    Family,
}

#[derive(Clone, Copy, Debug)]
enum Read {
    Cache(fn(&Snapshot) -> Option<f64>),
    Node(fn(&ServerFacts) -> Option<f64>),
    Family(fn(&FamilyFigures) -> Option<f64>),
}

/// One figure of one snapshot.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Sample<'a> {
    /// Which figure.
    pub metric: &'static Metric,
    /// Of which node; `None` for the cache as a whole, and for a family.
    pub node: Option<&'a NodeAddress>,
    /// Of which family; `None` for the cache as a whole, and for a node.
    pub family: Option<&'a str>,
    /// Its value, finite.
    pub value: f64,
}

impl Metric {
    /// Returns what the metric is told of.
    #[must_use]
    pub fn scope(&self) -> Scope {
        match self.read {
            Read::Cache(_) => Scope::Cache,
            Read::Node(_) => Scope::Node,
            Read::Family(_) => Scope::Family,
        }
    }

    const fn cache(
        name: &'static str,
        unit: Unit,
        kind: MetricKind,
        help: &'static str,
        read: fn(&Snapshot) -> Option<f64>,
    ) -> Self {
        Self { name, unit, kind, help, read: Read::Cache(read) }
    }

    const fn node(
        name: &'static str,
        unit: Unit,
        kind: MetricKind,
        help: &'static str,
        read: fn(&ServerFacts) -> Option<f64>,
    ) -> Self {
        Self { name, unit, kind, help, read: Read::Node(read) }
    }

    const fn family(
        name: &'static str,
        unit: Unit,
        kind: MetricKind,
        help: &'static str,
        read: fn(&FamilyFigures) -> Option<f64>,
    ) -> Self {
        Self { name, unit, kind, help, read: Read::Family(read) }
    }
}

impl Scope {
    /// Returns what a metric of that name is told of, known or not: names of metrics of nodes begin with `node_`, of
    /// families with `family_`, and no others do.
    #[must_use]
    pub fn of(metric: &str) -> Self {
        match metric.split_once('_') {
            Some(("node", _)) => Self::Node,
            Some(("family", _)) => Self::Family,
            _ => Self::Cache,
        }
    }
}

/// Returns every metric that is followed.
#[must_use]
pub fn metrics() -> &'static [Metric] {
    METRICS
}

/// Returns the metric of that name.
#[must_use]
pub fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}

impl Snapshot {
    /// Returns every figure that this snapshot has: those of the cache, then those of each node that holds keys.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample<'_>> {
        let mut samples = Vec::new();
        let mut add = |metric, node, value: Option<f64>| {
            if let Some(value) = value.filter(|value| value.is_finite()) {
                samples.push(Sample { metric, node, family: None, value });
            }
        };
        for metric in METRICS {
            if let Read::Cache(read) = metric.read {
                add(metric, None, read(self));
            }
        }
        for node in self.nodes.iter().filter(|node| node.kind == NodeKind::Data) {
            let Some(facts) = node.facts() else { continue };
            for metric in METRICS {
                if let Read::Node(read) = metric.read {
                    add(metric, Some(&node.node), read(&facts));
                }
            }
        }
        samples
    }
}

impl KeyspaceSnapshot {
    /// Returns every figure that each family has.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample<'_>> {
        let mut samples = Vec::new();
        for family in &self.families {
            for metric in METRICS {
                let Read::Family(read) = metric.read else { continue };
                if let Some(value) = read(family).filter(|value| value.is_finite()) {
                    samples.push(Sample { metric, node: None, family: Some(&family.name), value });
                }
            }
        }
        samples
    }
}

#[expect(clippy::cast_precision_loss, reason = "the history keeps numbers of 53 bits")]
fn count(value: Option<u64>) -> Option<f64> {
    value.map(|value| value as f64)
}

fn stat(snapshot: &Snapshot, read: fn(&CacheStats) -> Option<u64>) -> Option<f64> {
    count(read(&snapshot.cache_stats))
}

fn memory(snapshot: &Snapshot) -> Option<f64> {
    count(snapshot.health_info.memory_usage.as_ref()?.used_memory)
}

use MetricKind::{Counter, Gauge};
use Unit::{Bytes, Count, Milliseconds, PerSecond, Seconds};

const METRICS: &[Metric] = &[
    Metric::cache(
        "drill_ok_ratio",
        Unit::Ratio,
        Gauge,
        "Whether a rehearsal of recovery brought every key back: 1 it did, 0 it did not.",
        |snapshot| snapshot.drill.as_ref().map(|drill| f64::from(u8::from(drill.ok))),
    ),
    Metric::cache(
        "drill_recovery_seconds",
        Seconds,
        Gauge,
        "How long recovery took in a rehearsal.",
        |snapshot| snapshot.drill.as_ref().map(|drill| drill.recovery_seconds),
    ),
    Metric::cache(
        "drill_data_age_seconds",
        Seconds,
        Gauge,
        "How old the data was that a rehearsal of recovery brought back.",
        |snapshot| snapshot.drill.as_ref().and_then(|drill| drill.data_age_seconds),
    ),
    Metric::cache("hit_ratio", Unit::Ratio, Gauge, "Share of look-ups that found a value.", |snapshot| {
        snapshot.cache_stats.hit_rate
    }),
    Metric::cache("operations", Count, Counter, "Look-ups, writes and deletions.", |snapshot| {
        stat(snapshot, |stats| stats.total_operations)
    }),
    Metric::cache("hits", Count, Counter, "Look-ups that found a value.", |snapshot| {
        stat(snapshot, |stats| stats.hit_count)
    }),
    Metric::cache("misses", Count, Counter, "Look-ups that found none.", |snapshot| {
        stat(snapshot, |stats| stats.miss_count)
    }),
    Metric::cache("sets", Count, Counter, "Writes.", |snapshot| stat(snapshot, |stats| stats.set_count)),
    Metric::cache("deletes", Count, Counter, "Deletions.", |snapshot| {
        stat(snapshot, |stats| stats.delete_count)
    }),
    Metric::cache("errors", Count, Counter, "Operations that failed.", |snapshot| {
        stat(snapshot, |stats| stats.error_count)
    }),
    Metric::cache("used_memory_bytes", Bytes, Gauge, "Memory allocated by all primaries.", memory),
    Metric::cache("ping_ms", Milliseconds, Gauge, "The longest round trip of a PING.", |snapshot| {
        snapshot.health_info.redis_ping_time
    }),
    Metric::cache("latency_mean_ms", Milliseconds, Gauge, "Mean time of a look-up.", |snapshot| {
        snapshot.performance_metrics.avg_latency_ms
    }),
    Metric::cache("latency_p95_ms", Milliseconds, Gauge, "95th percentile of look-ups.", |snapshot| {
        snapshot.performance_metrics.p95_latency_ms
    }),
    Metric::cache("latency_p99_ms", Milliseconds, Gauge, "99th percentile of look-ups.", |snapshot| {
        snapshot.performance_metrics.p99_latency_ms
    }),
    Metric::cache("latency_max_ms", Milliseconds, Gauge, "The longest look-up.", |snapshot| {
        snapshot.performance_metrics.max_latency_ms
    }),
    Metric::node("node_uptime_seconds", Seconds, Gauge, "Time since the server started.", |facts| {
        count(facts.identity.uptime_seconds)
    }),
    Metric::node("node_used_memory_bytes", Bytes, Gauge, "Memory allocated.", |facts| {
        count(facts.memory.used_bytes)
    }),
    Metric::node("node_rss_bytes", Bytes, Gauge, "Resident memory of the process.", |facts| {
        count(facts.memory.rss_bytes)
    }),
    Metric::node("node_maxmemory_bytes", Bytes, Gauge, "Memory limit, 0 for none.", |facts| {
        count(facts.memory.max_bytes)
    }),
    Metric::node(
        "node_fragmentation_ratio",
        Unit::Ratio,
        Gauge,
        "Resident over allocated memory.",
        |facts| facts.memory.fragmentation_ratio,
    ),
    Metric::node("node_keys", Count, Gauge, "Keys held.", |facts| count(Some(facts.keys()))),
    Metric::node("node_keys_with_ttl", Count, Gauge, "Keys that have a TTL.", |facts| {
        count(Some(facts.keys_with_ttl()))
    }),
    Metric::node("node_clients", Count, Gauge, "Clients connected.", |facts| count(facts.clients.connected)),
    Metric::node("node_blocked_clients", Count, Gauge, "Clients waiting in a blocking command.", |facts| {
        count(facts.clients.blocked)
    }),
    Metric::node("node_operations_per_second", PerSecond, Gauge, "Commands a second now.", |facts| {
        facts.stats.operations_per_second
    }),
    Metric::node("node_commands", Count, Counter, "Commands processed.", |facts| count(facts.stats.commands)),
    Metric::node("node_connections", Count, Counter, "Connections accepted.", |facts| {
        count(facts.stats.connections)
    }),
    Metric::node(
        "node_rejected_connections",
        Count,
        Counter,
        "Connections refused at maxclients.",
        |facts| count(facts.stats.rejected_connections),
    ),
    Metric::node("node_hits", Count, Counter, "Look-ups that found a key.", |facts| count(facts.stats.hits)),
    Metric::node("node_misses", Count, Counter, "Look-ups that found none.", |facts| {
        count(facts.stats.misses)
    }),
    Metric::node("node_expired_keys", Count, Counter, "Keys whose time was up.", |facts| {
        count(facts.stats.expired)
    }),
    Metric::node("node_evicted_keys", Count, Counter, "Keys removed at maxmemory.", |facts| {
        count(facts.stats.evicted)
    }),
    Metric::node("node_errors", Count, Counter, "Error answers.", |facts| count(facts.error_replies())),
    Metric::node("node_input_bytes", Bytes, Counter, "Bytes received.", |facts| {
        count(facts.stats.input_bytes)
    }),
    Metric::node("node_output_bytes", Bytes, Counter, "Bytes sent.", |facts| count(facts.stats.output_bytes)),
    Metric::node("node_latest_fork_ms", Milliseconds, Gauge, "How long the last fork took.", |facts| {
        count(facts.stats.latest_fork_us).map(|microseconds| microseconds / 1_000.0)
    }),
    Metric::node("node_cpu_seconds", Seconds, Counter, "Processor time of the server itself.", |facts| {
        Some(facts.cpu.system_seconds? + facts.cpu.user_seconds?)
    }),
    Metric::family("family_keys", Count, Gauge, "Keys of the family.", |family| count(Some(family.keys))),
    Metric::family("family_bytes", Bytes, Gauge, "Bytes that the keys of the family take.", |family| {
        count(family.bytes)
    }),
    Metric::family("family_without_ttl", Count, Gauge, "Keys of the family that have no TTL.", |family| {
        count(family.without_ttl)
    }),
    Metric::family(
        "family_idle_median_seconds",
        Seconds,
        Gauge,
        "Median time since a key of the family was last used.",
        |family| family.idle_median_s,
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::{Info, NodeSnapshot};

    #[test]
    fn names_are_unique_and_end_in_their_unit() {
        let names: HashSet<&str> = metrics().iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), metrics().len());
        for metric in metrics() {
            assert_eq!(metric.scope(), Scope::of(metric.name), "{}", metric.name);
            let ending = match metric.unit {
                Count => continue,
                Bytes => "_bytes",
                Milliseconds => "_ms",
                Seconds => "_seconds",
                Unit::Ratio => "_ratio",
                PerSecond => "_per_second",
            };
            assert!(metric.name.ends_with(ending), "{} does not end in {ending}", metric.name);
        }
    }

    #[test]
    fn an_empty_snapshot_has_no_samples() {
        assert!(Snapshot::default().samples().is_empty());
        assert!(KeyspaceSnapshot::default().samples().is_empty());
    }

    #[test]
    fn a_family_gives_the_figures_that_it_has() {
        let mut whole = FamilyFigures::new("app:search:", 3);
        (whole.bytes, whole.without_ttl, whole.idle_median_s) = (Some(90), Some(1), Some(2.5));
        let mut odd = FamilyFigures::new("", 1);
        odd.idle_median_s = Some(f64::NAN);
        let snapshot = KeyspaceSnapshot { families: vec![whole, odd], ..KeyspaceSnapshot::default() };
        let samples = snapshot.samples();
        assert!(samples.iter().all(|sample| sample.node.is_none()));
        let found: Vec<_> =
            samples.iter().map(|sample| (sample.family, sample.metric.name, sample.value)).collect();
        let of = Some("app:search:");
        let expected = [
            (of, "family_keys", 3.0),
            (of, "family_bytes", 90.0),
            (of, "family_without_ttl", 1.0),
            (of, "family_idle_median_seconds", 2.5),
            (Some(""), "family_keys", 1.0),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_node_without_info_and_a_sentinel_add_none() {
        let mut sentinel = NodeSnapshot::new(NodeAddress::new("s:1"), NodeKind::Sentinel);
        sentinel.info = Info::parse("# Server\nuptime_in_seconds:3\n");
        let mut data = NodeSnapshot::new(NodeAddress::new("d:1"), NodeKind::Data);
        data.info = Info::parse("# Server\nuptime_in_seconds:3\nmem_fragmentation_ratio:nan\n");
        let down = NodeSnapshot::new(NodeAddress::new("x:1"), NodeKind::Data);
        let snapshot = Snapshot { nodes: vec![sentinel, data, down], ..Snapshot::default() };
        let samples = snapshot.samples();
        assert!(samples.iter().all(|sample| sample.node == Some(&NodeAddress::new("d:1"))));
        assert!(samples.iter().any(|sample| sample.metric.name == "node_uptime_seconds"));
        assert!(samples.iter().all(|sample| sample.metric.name != "node_fragmentation_ratio"));
    }
}
