//! Cache statistics from the servers' own counters.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future;
use larder_metrics_model::{CacheStats, CounterOrigin, NodeKind, Role, ServerFacts, Skipped, StatsOrigin};

use crate::{Error, Nodes, Result, Server, Statistics, StatsSource};

/// The counters of every primary, summed.
#[derive(Debug)]
pub(crate) struct ServerStats {
    nodes: Arc<dyn Nodes>,
}

/// Commands that write values. `SET` with options counts as one; scripts are counted by what they call.
const WRITES: &[&str] = &[
    "set",
    "setex",
    "psetex",
    "setnx",
    "mset",
    "msetnx",
    "getset",
    "append",
    "setrange",
    "incr",
    "incrby",
    "incrbyfloat",
    "decr",
    "decrby",
    "hset",
    "hmset",
    "hsetnx",
    "hincrby",
    "hincrbyfloat",
    "hsetex",
    "lpush",
    "rpush",
    "lpushx",
    "rpushx",
    "linsert",
    "lset",
    "sadd",
    "zadd",
    "zincrby",
    "xadd",
    "setbit",
    "pfadd",
    "geoadd",
    "restore",
];

/// Commands that remove whole keys.
const DELETIONS: &[&str] = &["del", "unlink", "getdel", "delex", "delifeq"];

impl ServerStats {
    pub(crate) fn new(nodes: Arc<dyn Nodes>) -> Self {
        Self { nodes }
    }
}

#[async_trait]
impl StatsSource for ServerStats {
    /// All primaries have to answer: a sum without one of them would look like a reset.
    async fn statistics(&self) -> Result<Statistics> {
        let topology = self.nodes.discover().await?;
        let may_be_primary = |node: &&Arc<dyn Server>| {
            node.kind() == NodeKind::Data && node.known_role() != Some(Role::Replica)
        };
        let nodes = topology.nodes.iter().filter(may_be_primary);
        let mut facts = future::try_join_all(nodes.map(|node| facts(node.as_ref()))).await?;
        // A cache that is named by its replica alone is measured there.
        if facts.len() > 1 {
            facts.retain(|facts| facts.replication.role != Some(Role::Replica));
        }
        Ok(sum(&facts))
    }
}

async fn facts(node: &dyn Server) -> Result<ServerFacts, Error> {
    Ok(ServerFacts::from(&node.info().await?))
}

fn sum(primaries: &[ServerFacts]) -> Statistics {
    let total = |read: &dyn Fn(&ServerFacts) -> Option<u64>| {
        let counts: Option<Vec<u64>> = primaries.iter().map(read).collect();
        counts
            .filter(|counts| !counts.is_empty())
            .map(|counts| counts.into_iter().fold(0, u64::saturating_add))
    };
    let counts = [
        total(&|facts| facts.stats.hits),
        total(&|facts| facts.stats.misses),
        total(&|facts| facts.calls(WRITES)),
        total(&|facts| facts.calls(DELETIONS)),
        total(&ServerFacts::error_replies),
    ];
    let mut instances: Vec<String> =
        primaries.iter().filter_map(|facts| facts.identity.run_id.clone()).collect();
    instances.sort_unstable();
    let origin = CounterOrigin { source: StatsOrigin::Server, instances };
    let reason =
        if primaries.is_empty() { "no primary was found" } else { "the server's INFO does not give it" };
    let mut statistics = Statistics::new(CacheStats::from_counts(counts, Some(origin)), None, reason);
    statistics.absent.push(Skipped::new(
        "tier_stats",
        "servers have no tiers; the application that has them can be asked",
    ));
    statistics
}

#[cfg(test)]
mod tests {
    use larder_metrics_model::Info;

    use super::*;

    fn facts(text: &str) -> ServerFacts {
        ServerFacts::from(&Info::parse(text))
    }

    #[test]
    fn counters_of_primaries_are_summed() {
        let one = facts(
            "run_id:b\nkeyspace_hits:3\nkeyspace_misses:1\ntotal_error_replies:2\ncmdstat_set:calls=5,usec=1\n",
        );
        let other = facts(
            "run_id:a\nkeyspace_hits:1\nkeyspace_misses:3\ntotal_error_replies:0\ncmdstat_del:calls=2,usec=1\n",
        );
        let statistics = sum(&[one, other]);
        let stats = &statistics.stats;
        assert_eq!((stats.hit_count, stats.miss_count, stats.hit_rate), (Some(4), Some(4), Some(0.5)));
        assert_eq!((stats.set_count, stats.delete_count, stats.error_count), (Some(5), Some(2), Some(2)));
        assert_eq!(stats.total_operations, Some(15));
        assert_eq!(stats.origin.as_ref().unwrap().instances, ["a", "b"]);
    }

    #[test]
    fn what_a_server_does_not_give_is_absent_with_the_reason() {
        let statistics = sum(&[facts("keyspace_hits:0\nkeyspace_misses:0\n")]);
        assert_eq!((statistics.stats.hit_rate, statistics.stats.set_count), (None, None));
        let reason = |field: &str| {
            statistics.absent.iter().find(|absent| absent.what == field).map(|absent| absent.reason.as_str())
        };
        assert_eq!(reason("cache_stats.hit_rate"), Some("there were no look-ups"));
        assert!(reason("cache_stats.set_count").unwrap().contains("INFO"));
        assert!(reason("tier_stats").is_some());
        assert_eq!(reason("cache_stats.hit_count"), None);
    }

    #[test]
    fn no_primary_is_no_figure() {
        assert_eq!(sum(&[]).stats.hit_count, None);
    }
}
