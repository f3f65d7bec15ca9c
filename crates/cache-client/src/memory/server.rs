//! An embedded cache as a node.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use larder_metrics_model::{
    ClientInfo, ClusterState, Info, LatencyEvent, MemoryReport, NodeAddress, NodeKind, Role, SlowLogEntry,
};

use super::store::MemoryCache;
use crate::{Availability, Cache, Capabilities, Capability, Error, Nodes, Result, Server, Topology, Ttl};

/// An embedded cache as the one node of itself. It says what it knows, in the field names of INFO.
#[derive(Clone, Debug)]
pub(crate) struct MemoryNode {
    cache: MemoryCache,
    node: NodeAddress,
}

impl MemoryNode {
    pub(crate) fn new(cache: MemoryCache) -> Self {
        let node = NodeAddress::new(cache.name());
        Self { cache, node }
    }

    fn unsupported<T>(&self, capability: Capability) -> Result<T> {
        let reason = "the cache is inside this process".to_owned();
        Err(Error::Unsupported { node: self.node.clone(), capability, reason })
    }
}

#[async_trait]
impl Server for MemoryNode {
    fn node(&self) -> &NodeAddress {
        &self.node
    }

    fn kind(&self) -> NodeKind {
        NodeKind::Data
    }

    fn known_role(&self) -> Option<Role> {
        Some(Role::Primary)
    }

    /// Times a look-up, which is what reaching this cache takes.
    async fn ping(&self) -> Result<Duration> {
        let begun = Instant::now();
        self.cache.exists(b"").await?;
        Ok(begun.elapsed())
    }

    async fn info(&self) -> Result<Info> {
        let tier = self.cache.tier();
        let [hits, misses, sets, deletes] = self.cache.counts();
        let keys = self.cache.keys_after(None);
        let with_ttl =
            keys.iter().filter(|key| matches!(self.cache.peek(key), Some((_, Ttl::In(_))))).count();
        let count = |count: Option<u64>| count.unwrap_or(0).to_string();
        let mut info = Info::default();
        for (section, field, value) in [
            ("server", "server_name", "larder".to_owned()),
            ("server", "larder_version", env!("CARGO_PKG_VERSION").to_owned()),
            ("server", "server_mode", "standalone".to_owned()),
            ("server", "run_id", self.cache.instance().to_owned()),
            ("server", "uptime_in_seconds", self.cache.uptime().as_secs().to_string()),
            ("memory", "used_memory", count(tier.used_bytes)),
            ("memory", "maxmemory", count(self.cache.max_bytes())),
            ("memory", "maxmemory_policy", "tinylfu".to_owned()),
            ("stats", "total_commands_processed", (hits + misses + sets + deletes).to_string()),
            ("stats", "keyspace_hits", hits.to_string()),
            ("stats", "keyspace_misses", misses.to_string()),
            ("stats", "expired_keys", count(tier.expired_count)),
            ("stats", "evicted_keys", count(tier.evicted_count)),
            ("stats", "total_error_replies", "0".to_owned()),
            ("replication", "role", "master".to_owned()),
            ("cluster", "cluster_enabled", "0".to_owned()),
        ] {
            info.set(section, field, value);
        }
        if !keys.is_empty() {
            info.set("keyspace", "db0", format!("keys={},expires={with_ttl},avg_ttl=0", keys.len()));
        }
        Ok(info)
    }

    async fn config(&self, _pattern: &str) -> Result<BTreeMap<String, String>> {
        self.unsupported(Capability::Config)
    }

    async fn clients(&self) -> Result<Vec<ClientInfo>> {
        self.unsupported(Capability::Clients)
    }

    async fn slow_log(&self, _limit: usize) -> Result<Vec<SlowLogEntry>> {
        self.unsupported(Capability::SlowLog)
    }

    async fn latency(&self) -> Result<Vec<LatencyEvent>> {
        self.unsupported(Capability::Latency)
    }

    async fn memory(&self) -> Result<MemoryReport> {
        self.unsupported(Capability::MemoryStatistics)
    }

    async fn purge_memory(&self) -> Result<()> {
        self.unsupported(Capability::MemoryStatistics)
    }

    async fn defragment(&self, _on: bool) -> Result<()> {
        self.unsupported(Capability::MemoryStatistics)
    }

    async fn cluster(&self) -> Result<ClusterState> {
        self.unsupported(Capability::Cluster)
    }

    async fn capabilities(&self) -> Result<Capabilities> {
        let there = [
            Capability::Ping,
            Capability::Info,
            Capability::Scan,
            Capability::ReadKeys,
            Capability::KeyMemory,
            Capability::KeyObject,
            Capability::WriteKeys,
            Capability::Expire,
            Capability::Unlink,
            Capability::Dump,
            Capability::Restore,
        ];
        let mut capabilities = Capabilities::default();
        for capability in Capability::ALL {
            let availability = if there.contains(&capability) {
                Availability::Available
            } else {
                Availability::Blocked("the cache is inside this process".to_owned())
            };
            capabilities.record(capability, availability);
        }
        Ok(capabilities)
    }
}

#[async_trait]
impl Nodes for MemoryNode {
    async fn discover(&self) -> Result<Topology> {
        Ok(Topology::new(vec![Arc::new(self.clone())], Vec::new()))
    }
}
