//! One server's INFO, typed.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    ClientFacts, CommandStats, CpuFacts, DatabaseFacts, IdentityFacts, Info, InfoFields, MemoryFacts,
    MonitoredPrimary, PersistenceFacts, ReplicationFacts, StatsFacts,
};

/// What a server says of itself in INFO, typed; [`Info`] has the rest.
///
/// Made for Redis 2.8 to 8, Valkey, and managed services that drop or add fields: whatever is missing is `None` or an
/// empty list.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ServerFacts {
    /// Who it is.
    pub identity: IdentityFacts,
    /// Who is connected.
    pub clients: ClientFacts,
    /// What memory is used for.
    pub memory: MemoryFacts,
    /// How data gets to disk.
    pub persistence: PersistenceFacts,
    /// What was done since the start or `CONFIG RESETSTAT`.
    pub stats: StatsFacts,
    /// Who follows whom.
    pub replication: ReplicationFacts,
    /// Processor time.
    pub cpu: CpuFacts,
    /// Whether the server is a node of a cluster.
    pub cluster_enabled: Option<bool>,
    /// Commands by name in lower case, subcommands as `config|get`. Empty where the section is not given.
    pub commands: BTreeMap<String, CommandStats>,
    /// Error answers by their first word, such as `NOPERM`. Empty where the section is not given.
    pub errors: BTreeMap<String, u64>,
    /// Databases that hold keys.
    pub databases: Vec<DatabaseFacts>,
    /// Primaries that this Sentinel watches.
    pub monitored: Vec<MonitoredPrimary>,
}

impl From<&Info> for ServerFacts {
    fn from(info: &Info) -> Self {
        let commands = info
            .with_prefix("cmdstat_")
            .filter_map(|(name, value)| Some((name.to_lowercase(), CommandStats::parse(value)?)))
            .collect();
        let errors = info
            .with_prefix("errorstat_")
            .filter_map(|(name, value)| Some((name.to_owned(), InfoFields::parse(value).number("count")?)))
            .collect();
        let mut databases: Vec<DatabaseFacts> = info
            .section("keyspace")
            .filter_map(|(field, value)| DatabaseFacts::parse(field, value))
            .collect();
        databases.sort_by_key(|database| database.number);
        Self {
            identity: info.into(),
            clients: info.into(),
            memory: info.into(),
            persistence: info.into(),
            stats: info.into(),
            replication: info.into(),
            cpu: info.into(),
            cluster_enabled: info.flag("cluster_enabled"),
            commands,
            errors,
            databases,
            monitored: info
                .section("sentinel")
                .filter_map(|(_, value)| MonitoredPrimary::parse(value))
                .collect(),
        }
    }
}

impl ServerFacts {
    /// Returns the keys of all databases; 0 for an empty server, which gives an empty section.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.databases.iter().map(|database| database.keys).fold(0, u64::saturating_add)
    }

    /// Returns the keys that have a TTL, of all databases.
    #[must_use]
    pub fn keys_with_ttl(&self) -> u64 {
        self.databases.iter().map(|database| database.expires).fold(0, u64::saturating_add)
    }

    /// Returns how often the named commands were run; `None` where the server gives no command statistics.
    #[must_use]
    pub fn calls(&self, names: &[&str]) -> Option<u64> {
        if self.commands.is_empty() {
            return None;
        }
        let calls = names.iter().filter_map(|name| self.commands.get(*name)).map(|command| command.calls);
        Some(calls.fold(0, u64::saturating_add))
    }

    /// Returns the error answers: the server's total (Redis 6.2 and later), else the sum of its error statistics.
    #[must_use]
    pub fn error_replies(&self) -> Option<u64> {
        self.stats.error_replies.or_else(|| {
            (!self.errors.is_empty()).then(|| self.errors.values().copied().fold(0, u64::saturating_add))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NodeAddress, Role, ServerLine, ServerMode, ServerVersion};

    /// The fields that Redis 2.8.24 gives, shortened.
    const OLD: &str = "# Server\r\nredis_version:2.8.24\r\nredis_mode:standalone\r\nrun_id:abc\r\n\
        uptime_in_seconds:5\r\n# Clients\r\nconnected_clients:2\r\n# Memory\r\nused_memory:508920\r\n\
        # Persistence\r\nloading:0\r\nrdb_last_bgsave_status:ok\r\n# Stats\r\nkeyspace_hits:3\r\nkeyspace_misses:1\r\n\
        # Replication\r\nrole:master\r\nslave0:ip=10.0.0.2,port=6379,state=online,offset=71,lag=1\r\n\
        master_repl_offset:85\r\n# CPU\r\nused_cpu_sys:0.03\r\n# Keyspace\r\ndb0:keys=7,expires=2,avg_ttl=900\r\n\
        db3:keys=1,expires=0\r\n";

    fn facts(text: &str) -> ServerFacts {
        ServerFacts::from(&Info::parse(text))
    }

    #[test]
    fn an_old_server_leaves_newer_figures_unknown() {
        let facts = facts(OLD);
        assert_eq!(facts.identity.line, ServerLine::Redis);
        assert_eq!(facts.identity.version, Some(ServerVersion::new(2, 8, 24)));
        assert_eq!(facts.clients.max, None);
        assert_eq!(facts.memory.max_bytes, None);
        assert_eq!(facts.memory.usage(), None);
        assert_eq!(facts.keys(), 8);
        assert_eq!(facts.keys_with_ttl(), 2);
        assert_eq!(facts.stats.hit_rate().map(crate::Ratio::get), Some(0.75));
        assert_eq!(facts.calls(&["get"]), None);
        assert_eq!(facts.error_replies(), None);
        assert_eq!(facts.replication.role, Some(Role::Primary));
        let replica = &facts.replication.replicas[0];
        assert_eq!((replica.address.as_str(), replica.lag_seconds), ("10.0.0.2:6379", Some(1)));
    }

    #[test]
    fn valkey_is_known_by_its_own_version() {
        let facts =
            facts("redis_version:7.2.4\nserver_name:valkey\nvalkey_version:9.1.2\nserver_mode:cluster\n");
        assert_eq!(facts.identity.line, ServerLine::Valkey);
        assert_eq!(facts.identity.version, Some(ServerVersion::new(9, 1, 2)));
        assert_eq!(facts.identity.mode, Some(ServerMode::Cluster));
    }

    #[test]
    fn a_vendor_that_gives_no_version_is_another_server() {
        assert_eq!(facts("used_memory:1\n").identity.line, ServerLine::Other);
        assert_eq!(facts("server_name:keystone\nredis_version:7.2.0\n").identity.line, ServerLine::Other);
    }

    #[test]
    fn a_replica_whose_primary_is_gone() {
        let facts = facts(
            "role:slave\nmaster_host:10.0.0.1\nmaster_port:6379\nmaster_link_status:down\n\
             master_last_io_seconds_ago:-1\nmaster_link_down_since_seconds:12\nslave_repl_offset:9\n\
             master_repl_offset:4\nslave_read_only:1\nslave_priority:100\n",
        );
        let replication = facts.replication;
        assert_eq!(replication.role, Some(Role::Replica));
        assert_eq!(replication.primary, Some(NodeAddress::new("10.0.0.1:6379")));
        assert_eq!(replication.link_up, Some(false));
        assert_eq!(replication.last_heard_seconds, None);
        assert_eq!(replication.link_down_seconds, Some(12));
        assert_eq!(replication.offset, Some(9));
        assert!(replication.replicas.is_empty());
    }

    #[test]
    fn commands_errors_and_sentinels() {
        let facts = facts(
            "# Commandstats\ncmdstat_get:calls=10,usec=20,usec_per_call=2.00,rejected_calls=1,failed_calls=0\n\
             cmdstat_config|get:calls=1,usec=9,usec_per_call=9.00\n# Errorstats\nerrorstat_NOPERM:count=4\n\
             errorstat_ERR:count=1\n# Sentinel\nsentinel_masters:1\n\
             master0:name=cache,status=odown,address=127.0.0.1:1,slaves=2,sentinels=3\n",
        );
        assert_eq!(facts.calls(&["get", "config|get", "never"]), Some(11));
        assert_eq!(facts.commands["get"].rejected_calls, Some(1));
        assert_eq!(facts.error_replies(), Some(5));
        assert_eq!(facts.monitored.len(), 1);
        assert_eq!(facts.monitored[0].status, "odown");
    }

    #[test]
    fn sums_that_would_overflow_stop_at_the_top() {
        let facts = facts("# Keyspace\ndb0:keys=18446744073709551615\ndb1:keys=2\ndbx:keys=1\n");
        assert_eq!(facts.keys(), u64::MAX);
    }

    #[test]
    fn no_limit_is_not_the_same_as_an_unknown_limit() {
        assert_eq!(facts("used_memory:5\nmaxmemory:0\n").memory.max_bytes, Some(0));
        assert_eq!(facts("used_memory:5\nmaxmemory:0\n").memory.usage(), None);
        assert_eq!(facts("used_memory:5\nmaxmemory:10\n").memory.usage(), Some(0.5));
    }
}
