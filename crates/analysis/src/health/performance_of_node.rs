//! The numbers of one node, for monitoring systems.

use larder_metrics_model::{NodeObservation, ServerFacts};

use super::{
    Bound, HealthThresholds, PerformanceDatum, PerformanceUnit, ledger::Ledger, node::Node,
    replication::bytes_behind,
};
use crate::wording::number;

/// Reads a number that only goes up.
type ReadCounter = fn(&ServerFacts) -> Option<u64>;

const COUNTERS: &[(&str, ReadCounter)] = &[
    ("commands", |facts| facts.stats.commands),
    ("errors", ServerFacts::error_replies),
    ("rejected connections", |facts| facts.stats.rejected_connections),
    ("evicted keys", |facts| facts.stats.evicted),
    ("expired keys", |facts| facts.stats.expired),
];

pub(super) fn ping(ledger: &mut Ledger, node: &NodeObservation, thresholds: &HealthThresholds) {
    if let Some(ms) = node.ping_ms.known() {
        let datum = PerformanceDatum::new(&format!("{} ping", node.node), *ms, PerformanceUnit::Milliseconds);
        ledger.measure(datum.under(thresholds.ping_ms, 1.0).within(0.0, None));
    }
}

pub(super) fn facts(ledger: &mut Ledger, node: &Node<'_>) {
    let levels = [memory(node), clients(node), hit_rate(node), operations(node), uptime(node)];
    levels.into_iter().flatten().for_each(|datum| ledger.measure(datum));
    for (name, read) in COUNTERS {
        if let Some(count) = read(node.facts) {
            ledger.measure(datum(node, name, number(count), PerformanceUnit::Counter));
        }
    }
    replicas(ledger, node);
}

fn datum(node: &Node<'_>, what: &str, value: f64, unit: PerformanceUnit) -> PerformanceDatum {
    PerformanceDatum::new(&format!("{} {what}", node.name), value, unit)
}

fn memory(node: &Node<'_>) -> Option<PerformanceDatum> {
    let memory = &node.facts.memory;
    let used = datum(node, "memory", number(memory.used_bytes?), PerformanceUnit::Bytes);
    Some(match memory.max_bytes.filter(|max| *max > 0).map(number) {
        Some(max) => used.under(node.thresholds.memory, max).within(0.0, max),
        None => used.within(0.0, None),
    })
}

fn clients(node: &Node<'_>) -> Option<PerformanceDatum> {
    let clients = &node.facts.clients;
    let connected = datum(node, "clients", number(clients.connected?), PerformanceUnit::Plain);
    Some(match clients.max.filter(|max| *max > 0).map(number) {
        Some(max) => connected.under(node.thresholds.clients, max).within(0.0, max),
        None => connected.within(0.0, None),
    })
}

fn hit_rate(node: &Node<'_>) -> Option<PerformanceDatum> {
    let rate = node.facts.stats.hit_rate()?;
    let least = Bound::AtLeast(node.thresholds.hit_rate_min.percent());
    Some(datum(node, "hit rate", rate.percent(), PerformanceUnit::Percent).warned(least).within(0.0, 100.0))
}

fn operations(node: &Node<'_>) -> Option<PerformanceDatum> {
    let rate = node.facts.stats.operations_per_second?;
    Some(datum(node, "operations per second", rate, PerformanceUnit::Plain).within(0.0, None))
}

fn uptime(node: &Node<'_>) -> Option<PerformanceDatum> {
    let uptime = number(node.facts.identity.uptime_seconds?);
    Some(datum(node, "uptime", uptime, PerformanceUnit::Seconds).within(0.0, None))
}

fn replicas(ledger: &mut Ledger, node: &Node<'_>) {
    for replica in &node.facts.replication.replicas {
        if let Some(lag) = replica.lag_seconds {
            let what = format!("lag of {}", replica.address);
            let lag = datum(node, &what, number(lag), PerformanceUnit::Seconds);
            ledger.measure(lag.under(node.thresholds.replication_lag_seconds, 1.0).within(0.0, None));
        }
        if let Some(behind) = bytes_behind(node, replica) {
            let what = format!("bytes behind of {}", replica.address);
            ledger.measure(datum(node, &what, number(behind), PerformanceUnit::Bytes).within(0.0, None));
        }
    }
}
