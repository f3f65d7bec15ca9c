//! Measuring a cache once.

use std::time::Duration;

use chrono::{DateTime, FixedOffset};
use larder_analysis::{HealthVerdict, Status, judge_health};
use larder_cache_client::{CacheClient, Error, Statistics, StatsSource};
use larder_metrics_model::{
    LatencySummary, MemoryUsage, NodeKind, Observed, PerformanceMetrics, Role, ServerFacts, Skipped, Snapshot,
};
use serde_json::json;

use crate::{
    HealthOptions,
    deadline::Deadline,
    health::gather,
    node::{CacheAnswers, NodeAnswers},
};

/// How a cache is measured.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CollectOptions {
    /// What is looked at; the application that is configured there is asked for its statistics first.
    pub health: HealthOptions,
    /// How many round trips are timed on every primary.
    pub latency_samples: usize,
}

impl Default for CollectOptions {
    fn default() -> Self {
        Self { health: HealthOptions::default(), latency_samples: 10 }
    }
}

/// A snapshot, and how healthy the cache was at that moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CollectOutcome {
    /// What was measured.
    pub snapshot: Snapshot,
    /// What it comes to.
    pub verdict: HealthVerdict,
}

/// Measures a cache at the moment `at`.
///
/// Every figure comes from the application where one is configured, the cache inside this process, or the servers' INFO;
/// one that none of them gives is null, and named in `absent` with the reason. Latency is the round trip of a PING,
/// because looking a key up would count as a hit or a miss.
pub async fn collect(
    client: &CacheClient,
    options: &CollectOptions,
    at: DateTime<FixedOffset>,
) -> CollectOutcome {
    // The counters first, so that what is asked next is not among them.
    let statistics = statistics(client, options).await;
    let (facts, answers) = gather(client, &options.health).await;
    let verdict = judge_health(&facts, &options.health.thresholds);
    let latency = latency(&answers, options).await;

    let mut snapshot = Snapshot::at(at);
    snapshot.cache = Some(client.name().to_owned());
    snapshot.resources = facts.machine.known().cloned();
    let nodes = answers.nodes.known().map(Vec::as_slice).unwrap_or_default();
    snapshot.nodes = nodes.iter().map(NodeAnswers::snapshot).collect();
    fill_statistics(&mut snapshot, statistics);
    fill_health(&mut snapshot, &answers, verdict.status);
    match latency {
        Ok(latency) => snapshot.performance_metrics = PerformanceMetrics::from(&latency),
        Err(reason) => {
            for field in ["avg_latency_ms", "max_latency_ms", "min_latency_ms"] {
                snapshot.mark_absent(&format!("performance_metrics.{field}"), &reason);
            }
        }
    }
    if let Some(reason) = facts.machine.why_unknown() {
        snapshot.mark_absent("resources", reason);
    }
    CollectOutcome { snapshot, verdict }
}

/// The application knows its look-ups best; where it does not answer, the cache itself is asked, and that is said.
async fn statistics(client: &CacheClient, options: &CollectOptions) -> Result<Statistics, Error> {
    let deadline = Deadline::after(options.health.timeout);
    let Some(application) = &options.health.application else {
        return own_statistics(client, deadline).await;
    };
    let name = larder_metrics_model::NodeAddress::new(application.name());
    match deadline.wait(&name, application.statistics()).await {
        Ok(statistics) => Ok(statistics),
        Err(error) => {
            let mut statistics = own_statistics(client, Deadline::after(options.health.timeout)).await?;
            statistics.absent.push(Skipped::new("the application's own statistics", error.with_causes()));
            Ok(statistics)
        }
    }
}

async fn own_statistics(client: &CacheClient, deadline: Deadline) -> Result<Statistics, Error> {
    deadline.wait(&larder_metrics_model::NodeAddress::new(client.name()), client.stats().statistics()).await
}

fn fill_statistics(snapshot: &mut Snapshot, statistics: Result<Statistics, Error>) {
    let statistics = statistics.unwrap_or_else(|error| {
        let reason = error.with_causes();
        let mut nothing = Statistics::new(larder_metrics_model::CacheStats::default(), None, &reason);
        nothing.absent.push(Skipped::new("tier_stats", reason));
        nothing
    });
    snapshot.cache_stats = statistics.stats;
    snapshot.tier_stats = statistics.tiers;
    snapshot.absent.extend(statistics.absent);
    let named = snapshot.absent.iter().any(|absent| absent.what == "tier_stats");
    if snapshot.tier_stats.is_none() && !named {
        snapshot.mark_absent("tier_stats", "the source of the statistics gives none");
    }
}

fn fill_health(snapshot: &mut Snapshot, answers: &CacheAnswers, status: Status) {
    let health = &mut snapshot.health_info;
    health.status = Some(guide_status(status).to_owned());
    let nodes = match &answers.nodes {
        Observed::Known(nodes) => nodes,
        Observed::Skipped(reason) => return absent_health(snapshot, None, reason),
        Observed::Failed(failure) => return absent_health(snapshot, Some(false), &failure.reason),
    };
    let data: Vec<&NodeAnswers> = nodes.iter().filter(|node| node.server.kind() == NodeKind::Data).collect();
    let answered = |node: &&NodeAnswers| node.ping_ms.known().is_some() || node.info.known().is_some();
    health.redis_connected = (!data.is_empty()).then(|| data.iter().all(answered));
    health.redis_ping_time = data.iter().filter_map(|node| node.ping_ms.known()).copied().reduce(f64::max);
    let primaries = primaries(&data);
    health.memory_usage = memory(&primaries);
    health.connection_pool_stats = connections(&primaries);
    let missing = [
        ("redis_ping_time", health.redis_ping_time.is_none()),
        ("memory_usage", health.memory_usage.is_none()),
        ("connection_pool_stats", health.connection_pool_stats.is_none()),
    ];
    let why =
        data.iter().find_map(|node| node.why_unknown()).unwrap_or_else(|| "no primary gives it".to_owned());
    for (field, _) in missing.into_iter().filter(|(_, missing)| *missing) {
        snapshot.mark_absent(&format!("health_info.{field}"), &why);
    }
}

fn absent_health(snapshot: &mut Snapshot, connected: Option<bool>, reason: &str) {
    snapshot.health_info.redis_connected = connected;
    for field in ["redis_ping_time", "memory_usage", "connection_pool_stats"] {
        snapshot.mark_absent(&format!("health_info.{field}"), reason);
    }
}

/// The words of the guide's `health_info.status`.
fn guide_status(status: Status) -> &'static str {
    match status {
        Status::Ok => "healthy",
        Status::Warning => "degraded",
        Status::Critical => "unhealthy",
        Status::Unknown => "unknown",
    }
}

/// Servers that take writes; none where one that may be such gives no INFO, because a sum that lacks one of its parts
/// would look like a fall. A cache that is named by its replica alone is measured there.
fn primaries(data: &[&NodeAnswers]) -> Vec<ServerFacts> {
    let may_be_primary = data.iter().filter(|node| node.server.known_role() != Some(Role::Replica));
    let facts: Option<Vec<ServerFacts>> =
        may_be_primary.map(|node| node.info.known().map(ServerFacts::from)).collect();
    let mut facts = facts.unwrap_or_default();
    if data.len() > 1 {
        facts.retain(|facts| facts.replication.role != Some(Role::Replica));
    }
    facts
}

/// `None` where one of the primaries does not give the figure.
fn sum(primaries: &[ServerFacts], read: impl Fn(&ServerFacts) -> Option<u64>) -> Option<u64> {
    let parts: Option<Vec<u64>> = primaries.iter().map(read).collect();
    parts.filter(|parts| !parts.is_empty()).map(|parts| parts.into_iter().fold(0, u64::saturating_add))
}

fn memory(primaries: &[ServerFacts]) -> Option<MemoryUsage> {
    let mut usage = MemoryUsage::default();
    usage.used_memory = Some(sum(primaries, |facts| facts.memory.used_bytes)?);
    usage.used_memory_rss = sum(primaries, |facts| facts.memory.rss_bytes);
    usage.used_memory_peak = sum(primaries, |facts| facts.memory.peak_bytes);
    let limits = sum(primaries, |facts| facts.memory.max_bytes);
    // One primary without a limit makes the whole without one.
    let unlimited = primaries.iter().any(|facts| facts.memory.max_bytes == Some(0));
    usage.maxmemory = if unlimited { Some(0) } else { limits };
    Some(usage)
}

fn connections(primaries: &[ServerFacts]) -> Option<serde_json::Value> {
    let connected = sum(primaries, |facts| facts.clients.connected)?;
    let mut figures = json!({ "connected_clients": connected });
    for (name, figure) in [
        ("blocked_clients", sum(primaries, |facts| facts.clients.blocked)),
        ("maxclients", sum(primaries, |facts| facts.clients.max)),
    ] {
        if let Some(figure) = figure {
            figures[name] = figure.into();
        }
    }
    Some(figures)
}

/// Times round trips to every node that is no replica, one node after another, each a few times.
async fn latency(answers: &CacheAnswers, options: &CollectOptions) -> Result<LatencySummary, String> {
    let nodes = match &answers.nodes {
        Observed::Known(nodes) => nodes,
        Observed::Skipped(reason) => return Err(reason.clone()),
        Observed::Failed(failure) => return Err(failure.reason.clone()),
    };
    let deadline = Deadline::after(options.health.timeout);
    let mut samples: Vec<Duration> = Vec::new();
    let mut failure = None;
    let reachable = |node: &&NodeAnswers| {
        node.server.kind() == NodeKind::Data
            && node.server.known_role() != Some(Role::Replica)
            && node.ping_ms.known().is_some()
    };
    for node in nodes.iter().filter(reachable) {
        for _ in 0..options.latency_samples {
            match deadline.wait(node.server.node(), node.server.ping()).await {
                Ok(sample) => samples.push(sample),
                Err(error) => failure = Some(error.with_causes()),
            }
            if failure.is_some() {
                break;
            }
        }
    }
    let why = || {
        let unknown = nodes.iter().find_map(NodeAnswers::why_unknown);
        failure.clone().or(unknown).unwrap_or_else(|| "no node answered".to_owned())
    };
    LatencySummary::of(&samples).ok_or_else(why)
}
