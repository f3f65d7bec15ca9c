//! Snapshots as `larder collect` makes them, of a server that only the test knows.

use chrono::{DateTime, Utc};
use larder_metrics_model::{
    CacheStats, CounterOrigin, Info, MemoryUsage, NodeAddress, NodeKind, NodeSnapshot, Snapshot, StatsOrigin,
};

/// What a server had counted and held at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Seconds since it started.
    pub uptime_seconds: u64,
    /// Bytes allocated.
    pub used_memory: u64,
    /// Bytes resident.
    pub rss: u64,
    /// The limit, 0 for none.
    pub maxmemory: u64,
    /// What happens at the limit.
    pub policy: &'static str,
    /// Keys held.
    pub keys: u64,
    /// Keys with a TTL.
    pub keys_with_ttl: u64,
    /// Clients connected.
    pub clients: u64,
    /// Look-ups that found a key.
    pub hits: u64,
    /// Look-ups that found none.
    pub misses: u64,
    /// Writes.
    pub sets: u64,
    /// Keys evicted.
    pub evicted: u64,
    /// Keys expired.
    pub expired: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Mean round trip.
    pub latency_ms: f64,
}

impl Measured {
    /// A calm server so many seconds after its start: 90 hits, 10 misses and 10 writes a second, half full, and nothing evicted.
    #[must_use]
    pub fn after(seconds: u64) -> Self {
        Self {
            uptime_seconds: seconds,
            used_memory: 512 << 20,
            rss: 600 << 20,
            maxmemory: 1 << 30,
            policy: "allkeys-lru",
            keys: 100_000,
            keys_with_ttl: 90_000,
            clients: 20,
            hits: seconds * 90,
            misses: seconds * 10,
            sets: seconds * 10,
            evicted: 0,
            expired: seconds,
            connections: seconds / 100,
            latency_ms: 0.5,
        }
    }

    /// The snapshot of a cache of this one server.
    #[must_use]
    pub fn snapshot(&self, cache: Option<&str>, node: &NodeAddress, at: DateTime<Utc>) -> Snapshot {
        let mut snapshot = Snapshot::at(at.fixed_offset());
        snapshot.cache = cache.map(ToOwned::to_owned);
        let origin = CounterOrigin { source: StatsOrigin::Server, instances: Vec::new() };
        let counts = [self.hits, self.misses, self.sets, 0, 0].map(Some);
        snapshot.cache_stats = CacheStats::from_counts(counts, Some(origin));
        let mut memory = MemoryUsage::default();
        (memory.used_memory, memory.maxmemory) = (Some(self.used_memory), Some(self.maxmemory));
        snapshot.health_info.memory_usage = Some(memory);
        snapshot.health_info.redis_ping_time = Some(self.latency_ms);
        snapshot.performance_metrics.avg_latency_ms = Some(self.latency_ms);
        let mut measured = NodeSnapshot::new(node.clone(), NodeKind::Data);
        measured.info = Info::parse(&self.info());
        snapshot.nodes.push(measured);
        snapshot
    }

    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    fn info(&self) -> String {
        let lookups = self.hits + self.misses;
        format!(
            "# Server\nuptime_in_seconds:{}\n# Clients\nconnected_clients:{}\n# Memory\nused_memory:{}\nused_memory_rss:{}\n\
             maxmemory:{}\nmaxmemory_policy:{}\nmem_fragmentation_ratio:{:.2}\n# Stats\ntotal_connections_received:{}\n\
             total_commands_processed:{}\ntotal_net_output_bytes:{}\nexpired_keys:{}\nevicted_keys:{}\nkeyspace_hits:{}\n\
             keyspace_misses:{}\ntotal_error_replies:0\nlatest_fork_usec:900\n# Keyspace\ndb0:keys={},expires={},avg_ttl=0\n",
            self.uptime_seconds,
            self.clients,
            self.used_memory,
            self.rss,
            self.maxmemory,
            self.policy,
            self.rss as f64 / self.used_memory as f64,
            self.connections,
            lookups + self.sets,
            lookups * 1000,
            self.expired,
            self.evicted,
            self.hits,
            self.misses,
            self.keys,
            self.keys_with_ttl,
        )
    }
}
