//! What the history says.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use larder_analysis::{
    FamilyUse, NodeHistory, OptimizeFacts, Rates, Refill, SeriesBreak, Surroundings, TimeSeries, Watched,
};
use larder_metrics_model::{Break, FamilyFigures, KeyspaceSnapshot, NodeAddress, Snapshot, StatsOrigin};
use larder_metrics_store::{Damage, Result};

use super::failover::find_jumps;
use crate::{HistorySeries, history_series::happened};

/// What is usual at an hour of the week is known after three weeks.
const LEARNED_FROM: TimeDelta = TimeDelta::days(21);
/// A key report that is older says nothing of today's keys.
const OLDEST_KEY_REPORT: TimeDelta = TimeDelta::days(31);
/// What may have moved with an anomaly: of each node, and of the cache.
const AROUND_NODE: [&str; 10] = [
    "node_uptime_seconds",
    "node_keys",
    "node_latest_fork_ms",
    "node_rss_bytes",
    "node_used_memory_bytes",
    "node_connections",
    "node_clients",
    "node_expired_keys",
    "node_output_bytes",
    "node_commands",
];
const AROUND_CACHE: [&str; 3] = ["ping_ms", "latency_p99_ms", "latency_max_ms"];

/// What the history says.
pub(super) struct Read {
    pub(super) facts: OptimizeFacts,
    /// When the first measurement of the time was made; `None` of none.
    pub(super) first: Option<DateTime<Utc>>,
    /// What could not be read.
    pub(super) damaged: Vec<String>,
}

/// Reads series, and keeps what is to be said about them.
struct Reader<'a> {
    history: &'a HistorySeries,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    notes: Vec<String>,
    damaged: BTreeSet<String>,
}

/// A node with what it began anew at, from well before the time that is looked at.
struct Node {
    address: NodeAddress,
    breaks: Vec<SeriesBreak>,
    memory: TimeSeries,
}

pub(super) async fn read(history: &HistorySeries, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<Read> {
    let learned_from = from - LEARNED_FROM;
    let mut nodes = Vec::new();
    for address in history.nodes().await? {
        let breaks = history.breaks(&address, Some(learned_from), Some(until)).await?;
        let memory =
            history.metric("node_used_memory_bytes", Some(&address), Some(learned_from), Some(until)).await?;
        nodes.push(Node { address, breaks, memory });
    }
    let last = history.last_snapshot(from, until).await?;
    let breaks = breaks_of_cache(history, (learned_from, until), &nodes, last.as_ref()).await?;
    let mut reader = Reader { history, from, until, notes: Vec::new(), damaged: BTreeSet::new() };
    reader.say_what_happened(&nodes);
    let mut facts = OptimizeFacts::unseen(from, until);
    let first = reader.cache(&mut facts, &nodes, &breaks).await?;
    for node in &nodes {
        facts.nodes.extend(reader.node(node, last.as_ref()).await?);
    }
    facts.watched = reader.watched(learned_from, &nodes, &breaks).await?;
    facts.families = reader.families().await?;
    let damaged: Vec<String> = reader.damaged.into_iter().collect();
    reader.notes.retain(|note| !damaged.contains(note));
    facts.notes = reader.notes;
    Ok(Read { facts, first, damaged })
}

/// Counts of the servers begin anew with them, and change with a failover; those of an application do not.
async fn breaks_of_cache(
    history: &HistorySeries,
    (from, until): (DateTime<Utc>, DateTime<Utc>),
    nodes: &[Node],
    last: Option<&Snapshot>,
) -> Result<Vec<SeriesBreak>> {
    let source = last.and_then(|last| last.cache_stats.origin.as_ref()).map(|origin| origin.source);
    if source.is_some_and(|source| source != StatsOrigin::Server) {
        return Ok(Vec::new());
    }
    let mut breaks: Vec<_> = nodes.iter().flat_map(|node| node.breaks.iter().cloned()).collect();
    if nodes.len() > 1 {
        let sum = history.metric("hits", None, Some(from), Some(until)).await?;
        let mut parts = Vec::with_capacity(nodes.len());
        for node in nodes {
            parts.push(history.metric("node_hits", Some(&node.address), Some(from), Some(until)).await?);
        }
        // One that is gone, or came later, is no part of most of the time.
        parts.retain(|part| !part.is_empty());
        breaks.extend(find_jumps(&sum, &parts));
    }
    breaks.sort_by_key(|found| found.until);
    Ok(breaks)
}

impl Reader<'_> {
    async fn cache(
        &mut self,
        facts: &mut OptimizeFacts,
        nodes: &[Node],
        breaks: &[SeriesBreak],
    ) -> Result<Option<DateTime<Utc>>> {
        facts.hits = self.rate("hits", None, breaks).await?;
        facts.misses = self.rate("misses", None, breaks).await?;
        facts.operations = self.rate("operations", None, breaks).await?;
        facts.errors = self.rate("errors", None, breaks).await?;
        facts.hit_ratio = self.series("hit_ratio", None).await?;
        facts.latency_ms = self.series("latency_mean_ms", None).await?;
        let memory = self.series("used_memory_bytes", None).await?;
        let told = [&facts.hit_ratio, &facts.latency_ms, &memory, &facts.operations.series];
        let first = told.into_iter().filter_map(TimeSeries::first).map(|first| first.at).min();
        (facts.used_memory_bytes, facts.memory_refill) = self.since_emptied(memory, nodes).await?;
        self.say_what_is_missing(first);
        Ok(first)
    }

    /// Memory is filled anew where a restart or a flush of any of the servers emptied it; a server that loads its data again goes on.
    async fn since_emptied(
        &mut self,
        memory: TimeSeries,
        nodes: &[Node],
    ) -> Result<(TimeSeries, Option<Refill>)> {
        let from = self.from - LEARNED_FROM;
        let known = self.history.metric("used_memory_bytes", None, Some(from), Some(self.until)).await?;
        let breaks: Vec<SeriesBreak> = nodes.iter().flat_map(|node| node.breaks.iter().cloned()).collect();
        let Some(refill) = Refill::of(&known, &breaks) else { return Ok((memory, None)) };
        let emptied = breaks.iter().find(|found| found.until == refill.emptied_at);
        if let Some(found) = emptied.filter(|it| memory.first().is_some_and(|first| first.at < it.until)) {
            self.notes.push(format!(
                "used_memory_bytes: what was measured before {} is left out, because {}",
                found.until.format("%F %H:%M UTC"),
                happened(&found.what),
            ));
        }
        if let Some(full_at) = refill.full_at.filter(|full| *full > self.from.max(refill.emptied_at)) {
            self.notes.push(format!(
                "trend of memory: it had filled again by {}, and is judged from then on",
                full_at.format("%F %H:%M UTC")
            ));
        }
        Ok((memory.since(refill.emptied_at), Some(refill)))
    }

    /// A node of which nothing was measured in this time is none of the cache's any more.
    async fn node(&mut self, node: &Node, last: Option<&Snapshot>) -> Result<Option<NodeHistory>> {
        let of = Some(&node.address);
        let mut known = NodeHistory::unseen(node.address.clone());
        known.maxmemory_bytes = self.series("node_maxmemory_bytes", of).await?;
        known.clients = self.series("node_clients", of).await?;
        known.used_memory_bytes = self.since_break("node_used_memory_bytes", node).await?;
        known.memory_refill = Refill::of(&node.memory, &node.breaks);
        known.rss_bytes = self.since_break("node_rss_bytes", node).await?;
        known.fragmentation_ratio = self.since_break("node_fragmentation_ratio", node).await?;
        known.keys = self.since_break("node_keys", node).await?;
        known.keys_with_ttl = self.since_break("node_keys_with_ttl", node).await?;
        known.hits = self.rate("node_hits", of, &node.breaks).await?;
        known.misses = self.rate("node_misses", of, &node.breaks).await?;
        known.evicted = self.rate("node_evicted_keys", of, &node.breaks).await?;
        known.expired = self.rate("node_expired_keys", of, &node.breaks).await?;
        known.connections = self.rate("node_connections", of, &node.breaks).await?;
        let last = last.and_then(|last| last.nodes.iter().find(|told| told.node == node.address));
        known.policy =
            last.and_then(larder_metrics_model::NodeSnapshot::facts).and_then(|facts| facts.memory.policy);
        let is_measured =
            !known.used_memory_bytes.is_empty() || !known.keys.is_empty() || !known.clients.is_empty();
        Ok(is_measured.then_some(known))
    }

    /// Gaps and damage from before the time that is looked at are nobody's concern now.
    async fn watched(&self, from: DateTime<Utc>, nodes: &[Node], breaks: &[SeriesBreak]) -> Result<Watched> {
        let (from, until) = (Some(from), Some(self.until));
        let rate = async |metric| Ok(self.history.rate(metric, None, breaks, from, until).await?.rates);
        let series = |metric, node| self.history.metric(metric, node, from, until);
        let mut watched = Watched::default();
        watched.hits = rate("hits").await?;
        watched.misses = rate("misses").await?;
        watched.operations = rate("operations").await?;
        watched.latency_ms = series("latency_mean_ms", None).await?;
        watched.used_memory_bytes = series("used_memory_bytes", None).await?;
        let mut of_cache = Surroundings::default();
        for metric in AROUND_CACHE {
            of_cache = of_cache.with(metric, series(metric, None).await?);
        }
        for node in nodes {
            let mut around = of_cache.clone();
            for metric in AROUND_NODE {
                around = around.with(metric, series(metric, Some(&node.address)).await?);
            }
            watched.surroundings.push((node.address.clone(), around));
        }
        Ok(watched)
    }

    async fn families(&mut self) -> Result<Vec<FamilyUse>> {
        let oldest = self.until - OLDEST_KEY_REPORT;
        let Some(keyspace) = self.history.last_keyspace(oldest, self.until).await? else {
            return Ok(Vec::new());
        };
        let Some(at) = keyspace.time() else { return Ok(Vec::new()) };
        if at < self.from {
            self.notes.push(format!("families of keys: as they were seen {}", at.format("%F %H:%M UTC")));
        }
        Ok(families(&keyspace, at))
    }

    async fn series(&mut self, metric: &str, node: Option<&NodeAddress>) -> Result<TimeSeries> {
        let noted = self.history.noted(metric, node, Some(self.from), Some(self.until)).await?;
        self.keep(noted.notes, &noted.damaged);
        Ok(noted.series)
    }

    async fn since_break(&mut self, metric: &str, node: &Node) -> Result<TimeSeries> {
        let (from, until) = (Some(self.from), Some(self.until));
        let noted = self.history.since_break(metric, &node.address, &node.breaks, from, until).await?;
        self.keep(noted.notes, &noted.damaged);
        Ok(noted.series)
    }

    async fn rate(
        &mut self,
        metric: &str,
        node: Option<&NodeAddress>,
        breaks: &[SeriesBreak],
    ) -> Result<Rates> {
        let (from, until) = (Some(self.from), Some(self.until));
        let noted = self.history.rate(metric, node, breaks, from, until).await?;
        self.keep(noted.notes, &noted.damaged);
        Ok(noted.rates)
    }

    fn keep(&mut self, notes: Vec<String>, damaged: &[Damage]) {
        self.notes.extend(notes);
        self.damaged.extend(damaged.iter().map(ToString::to_string));
    }

    /// What happened to a node several times is said once.
    fn say_what_happened(&mut self, nodes: &[Node]) {
        for node in nodes {
            let mut lately: Vec<&SeriesBreak> =
                node.breaks.iter().filter(|found| found.until >= self.from).collect();
            lately.sort_by_key(|found| (happened(&found.what), found.until));
            let alike = lately.chunk_by(|one, other| one.what == other.what);
            self.notes.extend(alike.filter_map(|alike| node.says(alike)));
        }
    }

    /// A tenth of the time may be missing at its beginning before that is worth a word.
    fn say_what_is_missing(&mut self, first: Option<DateTime<Utc>>) {
        if let Some(first) = first.filter(|first| *first - self.from > (self.until - self.from) / 10) {
            self.notes.push(format!(
                "the history of this time begins {}; what lies before was not measured",
                first.format("%F %H:%M UTC")
            ));
        }
    }
}

impl Node {
    /// Says what happened, and how often: `a:1: the server started anew 14 times, first after … and before …, last after …`.
    fn says(&self, alike: &[&SeriesBreak]) -> Option<String> {
        let (first, last) = (alike.first()?, alike.last()?);
        let what = happened(&first.what).trim_end_matches(" then");
        let between = |found: &SeriesBreak| {
            format!(
                "after {} and before {}",
                found.after.format("%F %H:%M"),
                found.until.format("%F %H:%M UTC")
            )
        };
        let when = match alike.len() {
            1 => between(first),
            times => format!("{times} times, first {}, last {}", between(first), between(last)),
        };
        let kept = if alike.iter().all(|found| self.kept_all(found)) { ", and kept what it had" } else { "" };
        Some(format!("{}: {what} {when}{kept}", self.address))
    }

    fn kept_all(&self, found: &SeriesBreak) -> bool {
        let is_known = self.memory.first().is_some_and(|first| first.at <= found.after)
            && self.memory.last().is_some_and(|last| last.at >= found.until);
        found.what == Break::Restarted && is_known && !found.has_emptied(&self.memory)
    }
}

#[expect(clippy::cast_precision_loss, reason = "the history keeps numbers of 53 bits")]
fn families(keyspace: &KeyspaceSnapshot, at: DateTime<Utc>) -> Vec<FamilyUse> {
    let families = keyspace.families.iter().filter(|family| family.name != FamilyFigures::OTHER);
    let used = families.map(|family| {
        let mut used = FamilyUse::new(&family.name, at);
        used.keys = Some(family.keys as f64);
        used.bytes = family.bytes.map(|bytes| bytes as f64);
        used.without_ttl = family.without_ttl.map(|keys| keys as f64);
        used.idle_median_seconds = family.idle_median_s;
        used.biggest_bytes = family.biggest_bytes.map(|bytes| bytes as f64);
        used
    });
    used.collect()
}
