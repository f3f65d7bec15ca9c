//! The live numbers of a cache.

use std::time::Duration;

use chrono::{DateTime, FixedOffset};
use larder_cache_client::CacheClient;
use larder_metrics_model::{Break, Counters, Interval, NodeAddress, NodeKind, Ratio, Role, ServerFacts};
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    deadline::Deadline,
    node::{self, NodeAnswers},
};

/// What a node does now.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LiveFigures {
    /// When, ISO 8601.
    pub at: String,
    /// Which node.
    pub node: NodeAddress,
    /// Primary or replica, where it is known.
    pub role: Option<Role>,
    /// Share of the look-ups since the last time that found a value; at the first time, and after a reset, `None`.
    pub hit_rate: Option<f64>,
    /// Commands a second since the last time; at the first time as the server averages it.
    pub operations_per_second: Option<f64>,
    /// Keys removed at `maxmemory`, a second.
    pub evictions_per_second: Option<f64>,
    /// Memory allocated.
    pub used_memory_bytes: Option<u64>,
    /// The memory limit, 0 for none.
    pub maxmemory_bytes: Option<u64>,
    /// Clients connected.
    pub clients: Option<u64>,
    /// Keys held.
    pub keys: Option<u64>,
    /// Round trip of a PING in milliseconds.
    pub ping_ms: Option<f64>,
    /// A restart, a reset or a flush since the last time.
    pub breaks: Vec<Break>,
    /// Why there are no figures.
    pub error: Option<String>,
}

/// Follows a cache: every look is compared with the one before.
#[derive(Debug)]
pub struct Watch {
    client: CacheClient,
    timeout: Duration,
    last: Vec<(NodeAddress, Counters, Instant)>,
}

impl Watch {
    /// Begins to follow a cache; a look waits no longer than `timeout`.
    #[must_use]
    pub fn new(client: CacheClient, timeout: Duration) -> Self {
        Self { client, timeout, last: Vec::new() }
    }

    /// Looks at every node that holds keys.
    ///
    /// # Errors
    /// The reason, in words, why no node was found.
    pub async fn look(&mut self, at: DateTime<FixedOffset>) -> Result<Vec<LiveFigures>, String> {
        let answers = node::ask_all(&self.client, Deadline::after(self.timeout)).await;
        let Some(nodes) = answers.nodes.known() else {
            return Err(answers.nodes.why_unknown().unwrap_or_default().to_owned());
        };
        let data = nodes.iter().filter(|node| node.server.kind() == NodeKind::Data);
        Ok(data.map(|node| self.figures(node, at)).collect())
    }

    fn figures(&mut self, answers: &NodeAnswers, at: DateTime<FixedOffset>) -> LiveFigures {
        let node = answers.server.node();
        let mut figures = LiveFigures::unknown(node.clone(), at);
        figures.ping_ms = answers.ping_ms.known().copied();
        let Some(info) = answers.info.known() else {
            figures.error = answers.info.why_unknown().map(ToOwned::to_owned);
            return figures;
        };
        let facts = ServerFacts::from(info);
        figures.fill(&facts);
        let (now, counters) = (Instant::now(), Counters::from(&facts));
        if let Some((_, before, then)) = self.last.iter().find(|(last, ..)| last == node) {
            figures.compare(before, &counters, now.duration_since(*then));
        }
        self.last.retain(|(last, ..)| last != node);
        self.last.push((node.clone(), counters, now));
        figures
    }
}

impl LiveFigures {
    fn unknown(node: NodeAddress, at: DateTime<FixedOffset>) -> Self {
        Self {
            at: at.to_rfc3339_opts(chrono::SecondsFormat::Millis, false),
            node,
            role: None,
            hit_rate: None,
            operations_per_second: None,
            evictions_per_second: None,
            used_memory_bytes: None,
            maxmemory_bytes: None,
            clients: None,
            keys: None,
            ping_ms: None,
            breaks: Vec::new(),
            error: None,
        }
    }

    fn fill(&mut self, facts: &ServerFacts) {
        self.role = facts.replication.role;
        self.operations_per_second = facts.stats.operations_per_second;
        self.used_memory_bytes = facts.memory.used_bytes;
        self.maxmemory_bytes = facts.memory.max_bytes;
        self.clients = facts.clients.connected;
        self.keys = Some(facts.keys());
    }

    fn compare(&mut self, before: &Counters, after: &Counters, elapsed: Duration) {
        let interval = Interval::between(before, after, elapsed);
        let (hits, misses) =
            (interval.gained(before.hits, after.hits), interval.gained(before.misses, after.misses));
        self.hit_rate = hits
            .zip(misses)
            .and_then(|(hits, misses)| Ratio::of(hits, hits.checked_add(misses)?))
            .map(Ratio::get);
        self.operations_per_second =
            interval.rate_per_second(before.commands, after.commands).or(self.operations_per_second);
        self.evictions_per_second = interval.rate_per_second(before.evicted, after.evicted);
        self.breaks = interval.breaks().to_vec();
    }
}
