//! The sections of INFO, typed. A figure that a server does not give is `None`, never 0.

use serde::{Deserialize, Serialize};

use crate::{Info, InfoFields, NodeAddress, Ratio, ServerLine, ServerVersion};

/// How a server was started (`redis_mode`, `server_mode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ServerMode {
    /// Alone, or with replicas.
    Standalone,
    /// As a node of a cluster.
    Cluster,
    /// As a Sentinel.
    Sentinel,
}

/// What a server is in replication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Role {
    /// Takes writes.
    Primary,
    /// Follows a primary.
    Replica,
}

/// Who the server is: INFO `server`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct IdentityFacts {
    /// The line of servers.
    pub line: ServerLine,
    /// Its own version: `valkey_version` for Valkey, `redis_version` otherwise.
    pub version: Option<ServerVersion>,
    /// How it was started.
    pub mode: Option<ServerMode>,
    /// A random name of this process; another one means another process.
    pub run_id: Option<String>,
    /// Seconds since the process started.
    pub uptime_seconds: Option<u64>,
    /// The port it listens on.
    pub tcp_port: Option<u16>,
}

/// Who is connected: INFO `clients`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClientFacts {
    /// Client connections, without those of replicas.
    pub connected: Option<u64>,
    /// Clients that wait in a blocking command.
    pub blocked: Option<u64>,
    /// The limit (`maxclients`; in INFO since Redis 6).
    pub max: Option<u64>,
}

/// What memory is used for: INFO `memory`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MemoryFacts {
    /// Bytes allocated by the server.
    pub used_bytes: Option<u64>,
    /// Bytes that the operating system counts for the process.
    pub rss_bytes: Option<u64>,
    /// The most that was ever allocated.
    pub peak_bytes: Option<u64>,
    /// Bytes of the data set itself.
    pub dataset_bytes: Option<u64>,
    /// The limit; `Some(0)` is "no limit", `None` is "not told".
    pub max_bytes: Option<u64>,
    /// What happens at the limit (`maxmemory-policy`).
    pub policy: Option<String>,
    /// Resident over allocated memory.
    pub fragmentation_ratio: Option<f64>,
    /// Memory of the machine that the server sees.
    pub system_bytes: Option<u64>,
}

/// How data gets to disk: INFO `persistence`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PersistenceFacts {
    /// The data set is being loaded; most commands are refused.
    pub loading: Option<bool>,
    /// A dump is being written by a forked process.
    pub save_in_progress: Option<bool>,
    /// Whether the last dump succeeded.
    pub last_save_ok: Option<bool>,
    /// When the last dump was finished, seconds since the Unix epoch.
    pub last_save_unix_seconds: Option<u64>,
    /// Changes since the last dump.
    pub changes_since_save: Option<u64>,
    /// The append-only file is on.
    pub aof_enabled: Option<bool>,
    /// Whether the last write to the append-only file succeeded.
    pub aof_last_write_ok: Option<bool>,
    /// Whether the last rewrite of the append-only file succeeded.
    pub aof_last_rewrite_ok: Option<bool>,
}

/// What was done since the start or `CONFIG RESETSTAT`: INFO `stats`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StatsFacts {
    /// Connections accepted.
    pub connections: Option<u64>,
    /// Connections refused because of `maxclients`.
    pub rejected_connections: Option<u64>,
    /// Commands processed.
    pub commands: Option<u64>,
    /// Commands a second, as the server averages it over its last 1.6 seconds.
    pub operations_per_second: Option<f64>,
    /// Look-ups that found a key.
    pub hits: Option<u64>,
    /// Look-ups that found none.
    pub misses: Option<u64>,
    /// Keys removed because their time was up.
    pub expired: Option<u64>,
    /// Keys removed because of `maxmemory`.
    pub evicted: Option<u64>,
    /// Error answers (since Redis 6.2).
    pub error_replies: Option<u64>,
    /// Bytes received.
    pub input_bytes: Option<u64>,
    /// Bytes sent.
    pub output_bytes: Option<u64>,
    /// Microseconds that the last fork took.
    pub latest_fork_us: Option<u64>,
}

/// One replica as its primary sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReplicaFacts {
    /// Where it is, as it was announced.
    pub address: NodeAddress,
    /// `online`, or what it is doing to get there.
    pub state: String,
    /// What it has confirmed of the stream.
    pub offset: Option<u64>,
    /// Seconds since its last confirmation.
    pub lag_seconds: Option<u64>,
}

/// Who follows whom: INFO `replication`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReplicationFacts {
    /// Primary or replica.
    pub role: Option<Role>,
    /// The primary that a replica follows.
    pub primary: Option<NodeAddress>,
    /// Whether the link to the primary is up (replicas only).
    pub link_up: Option<bool>,
    /// Seconds for which the link has been down (replicas only).
    pub link_down_seconds: Option<u64>,
    /// Seconds since the primary was last heard (replicas only).
    pub last_heard_seconds: Option<u64>,
    /// The replica is receiving a whole dump.
    pub sync_in_progress: Option<bool>,
    /// How far the stream is, on this node.
    pub offset: Option<u64>,
    /// The replicas that follow this node.
    pub replicas: Vec<ReplicaFacts>,
}

/// Processor time since the start, in seconds: INFO `cpu`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CpuFacts {
    /// In the kernel.
    pub system_seconds: Option<f64>,
    /// In the server itself.
    pub user_seconds: Option<f64>,
}

/// What one command did: a line of INFO `commandstats`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CommandStats {
    /// Times it was run.
    pub calls: u64,
    /// Microseconds spent in it.
    pub microseconds: u64,
    /// Times it was refused before it ran (since Redis 6.2).
    pub rejected_calls: Option<u64>,
    /// Times it ended in an error (since Redis 6.2).
    pub failed_calls: Option<u64>,
}

/// One database: a line of INFO `keyspace`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DatabaseFacts {
    /// Its number.
    pub number: u32,
    /// Keys in it.
    pub keys: u64,
    /// Keys that have a TTL.
    pub expires: u64,
    /// The mean TTL as the server estimates it, 0 where it does not.
    pub mean_ttl_ms: u64,
}

/// One primary that a Sentinel watches: a line of INFO `sentinel`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MonitoredPrimary {
    /// The name it is watched under.
    pub name: String,
    /// `ok`, `sdown` or `odown`.
    pub status: String,
    /// Where it is.
    pub address: String,
    /// Its replicas that are known.
    pub replicas: Option<u64>,
    /// The Sentinels that watch it, this one included.
    pub sentinels: Option<u64>,
}

impl From<&Info> for IdentityFacts {
    fn from(info: &Info) -> Self {
        let named = info.field("server_name");
        let line = match (named, info.field("redis_version")) {
            (Some("valkey"), _) => ServerLine::Valkey,
            (Some("larder"), _) => ServerLine::Larder,
            (None | Some("redis"), Some(_)) => ServerLine::Redis,
            _ if info.field("valkey_version").is_some() => ServerLine::Valkey,
            _ => ServerLine::Other,
        };
        let own_version = match line {
            ServerLine::Valkey => info.number("valkey_version"),
            ServerLine::Larder => info.number("larder_version"),
            ServerLine::Redis | ServerLine::Other => None,
        };
        let mode = match info.field("server_mode").or_else(|| info.field("redis_mode")) {
            Some("standalone") => Some(ServerMode::Standalone),
            Some("cluster") => Some(ServerMode::Cluster),
            Some("sentinel") => Some(ServerMode::Sentinel),
            _ => None,
        };
        Self {
            line,
            version: own_version.or_else(|| info.number("redis_version")),
            mode,
            run_id: info.field("run_id").filter(|id| !id.is_empty()).map(ToOwned::to_owned),
            uptime_seconds: info.number("uptime_in_seconds"),
            tcp_port: info.number("tcp_port"),
        }
    }
}

impl From<&Info> for ClientFacts {
    fn from(info: &Info) -> Self {
        Self {
            connected: info.number("connected_clients"),
            blocked: info.number("blocked_clients"),
            max: info.number("maxclients"),
        }
    }
}

impl ClientFacts {
    /// Returns the share of `maxclients` in use, where both are known.
    #[must_use]
    pub fn usage(&self) -> Option<Ratio> {
        Ratio::of(self.connected?, self.max?)
    }
}

impl From<&Info> for MemoryFacts {
    fn from(info: &Info) -> Self {
        Self {
            used_bytes: info.number("used_memory"),
            rss_bytes: info.number("used_memory_rss"),
            peak_bytes: info.number("used_memory_peak"),
            dataset_bytes: info.number("used_memory_dataset"),
            max_bytes: info.number("maxmemory"),
            policy: info.field("maxmemory_policy").map(ToOwned::to_owned),
            fragmentation_ratio: info.number("mem_fragmentation_ratio"),
            system_bytes: info.number("total_system_memory"),
        }
    }
}

impl MemoryFacts {
    /// Returns memory used over `maxmemory`; `None` where there is no limit. It can pass 1 when eviction lags behind.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
    pub fn usage(&self) -> Option<f64> {
        let max = self.max_bytes.filter(|max| *max > 0)?;
        Some(self.used_bytes? as f64 / max as f64)
    }
}

impl From<&Info> for PersistenceFacts {
    fn from(info: &Info) -> Self {
        let ok = |field: &str| info.field(field).map(|status| status == "ok");
        Self {
            loading: info.flag("loading"),
            save_in_progress: info.flag("rdb_bgsave_in_progress"),
            last_save_ok: ok("rdb_last_bgsave_status"),
            last_save_unix_seconds: info.number("rdb_last_save_time"),
            changes_since_save: info.number("rdb_changes_since_last_save"),
            aof_enabled: info.flag("aof_enabled"),
            aof_last_write_ok: ok("aof_last_write_status"),
            aof_last_rewrite_ok: ok("aof_last_bgrewrite_status"),
        }
    }
}

impl From<&Info> for StatsFacts {
    fn from(info: &Info) -> Self {
        Self {
            connections: info.number("total_connections_received"),
            rejected_connections: info.number("rejected_connections"),
            commands: info.number("total_commands_processed"),
            operations_per_second: info.number("instantaneous_ops_per_sec"),
            hits: info.number("keyspace_hits"),
            misses: info.number("keyspace_misses"),
            expired: info.number("expired_keys"),
            evicted: info.number("evicted_keys"),
            error_replies: info.number("total_error_replies"),
            input_bytes: info.number("total_net_input_bytes"),
            output_bytes: info.number("total_net_output_bytes"),
            latest_fork_us: info.number("latest_fork_usec"),
        }
    }
}

impl StatsFacts {
    /// Returns the share of look-ups that found a key; `None` where there were none.
    #[must_use]
    pub fn hit_rate(&self) -> Option<Ratio> {
        Ratio::of(self.hits?, self.hits?.checked_add(self.misses?)?)
    }
}

impl From<&Info> for ReplicationFacts {
    fn from(info: &Info) -> Self {
        let role = match info.field("role") {
            Some("master" | "primary") => Some(Role::Primary),
            Some("slave" | "replica") => Some(Role::Replica),
            _ => None,
        };
        let offset = match role {
            Some(Role::Replica) => info.number("slave_repl_offset"),
            _ => info.number("master_repl_offset"),
        };
        let primary =
            info.field("master_host").zip(info.number("master_port")).filter(|_| role == Some(Role::Replica));
        Self {
            role,
            primary: primary.map(|(host, port)| NodeAddress::from_host_port(host, port)),
            link_up: info.field("master_link_status").map(|status| status == "up"),
            link_down_seconds: info.number("master_link_down_since_seconds"),
            // -1 while there is no connection to the primary, which reads as not known.
            last_heard_seconds: info.number("master_last_io_seconds_ago"),
            sync_in_progress: info.flag("master_sync_in_progress"),
            offset,
            replicas: replicas(info),
        }
    }
}

/// Reads `slave0:ip=…,port=…,state=…,offset=…,lag=…` (Redis 2.8 and later), in the order of their numbers.
fn replicas(info: &Info) -> Vec<ReplicaFacts> {
    let mut numbered: Vec<(u32, ReplicaFacts)> = info
        .with_prefix("slave")
        .filter_map(|(number, value)| {
            let fields = InfoFields::parse(value);
            let address = NodeAddress::from_host_port(fields.field("ip")?, fields.number("port")?);
            let state = fields.field("state")?.to_owned();
            let replica = ReplicaFacts {
                address,
                state,
                offset: fields.number("offset"),
                lag_seconds: fields.number("lag"),
            };
            Some((number.parse().ok()?, replica))
        })
        .collect();
    numbered.sort_by_key(|(number, _)| *number);
    numbered.into_iter().map(|(_, replica)| replica).collect()
}

impl From<&Info> for CpuFacts {
    fn from(info: &Info) -> Self {
        Self { system_seconds: info.number("used_cpu_sys"), user_seconds: info.number("used_cpu_user") }
    }
}

impl CommandStats {
    /// Reads the value of a `cmdstat_…` field.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let fields = InfoFields::parse(value);
        Some(Self {
            calls: fields.number("calls")?,
            microseconds: fields.number("usec").unwrap_or(0),
            rejected_calls: fields.number("rejected_calls"),
            failed_calls: fields.number("failed_calls"),
        })
    }
}

impl DatabaseFacts {
    /// Reads a field such as `db0:keys=1,expires=0,avg_ttl=0`.
    pub(crate) fn parse(field: &str, value: &str) -> Option<Self> {
        let fields = InfoFields::parse(value);
        Some(Self {
            number: field.strip_prefix("db")?.parse().ok()?,
            keys: fields.number("keys")?,
            expires: fields.number("expires").unwrap_or(0),
            mean_ttl_ms: fields.number("avg_ttl").unwrap_or(0),
        })
    }
}

impl MonitoredPrimary {
    /// Reads a field such as `master0:name=cache,status=ok,address=127.0.0.1:6379,slaves=1,sentinels=3`.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let fields = InfoFields::parse(value);
        Some(Self {
            name: fields.field("name")?.to_owned(),
            status: fields.field("status")?.to_owned(),
            address: fields.field("address").unwrap_or_default().to_owned(),
            replicas: fields.number("slaves"),
            sentinels: fields.number("sentinels"),
        })
    }
}
