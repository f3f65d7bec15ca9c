//! The cache that keys are brought into.

use std::{collections::BTreeSet, fmt, sync::Arc, time::SystemTime};

use futures_util::future::{BoxFuture, FutureExt, join_all};
use larder_cache_client::{Availability, CacheClient, Capability, Error, Server as Node};
use larder_metrics_model::{ClusterState, Info, NodeKind, Role};
use larder_rdb::Server;
use serde::{Deserialize, Serialize};

use crate::Result;

/// The cache that keys are brought into: how a client for one of its databases is made.
#[derive(Clone)]
pub struct LiveTarget {
    connect: Arc<Connect>,
    only_database: Option<u64>,
}

type Connect = dyn Fn(u64) -> BoxFuture<'static, Result<CacheClient>> + Send + Sync;

impl fmt::Debug for LiveTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveTarget").field("only_database", &self.only_database).finish_non_exhaustive()
    }
}

/// The cache, as it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TargetFacts {
    /// How it is called.
    pub name: String,
    /// Line and version of its servers, the oldest of them; an embedded cache has none.
    pub server: Option<String>,
    /// Servers that take writes.
    pub primaries: u64,
    /// Bytes that are used, all primaries together.
    pub used_bytes: u64,
    /// `maxmemory` of all primaries together; `None` where one of them has no limit.
    pub max_bytes: Option<u64>,
    /// What is done at the limit (`maxmemory-policy`).
    pub policy: Option<String>,
}

impl LiveTarget {
    /// Takes what makes a client for a database, by its number.
    pub fn new<F>(connect: impl Fn(u64) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<CacheClient>> + Send + 'static,
    {
        Self { connect: Arc::new(move |database| connect(database).boxed()), only_database: None }
    }

    /// Says that there is this database only, because the cache has no others or its URL names it.
    #[must_use]
    pub fn with_only_database(mut self, database: u64) -> Self {
        self.only_database = Some(database);
        self
    }

    pub(super) fn only_database(&self) -> Option<u64> {
        self.only_database
    }

    pub(super) async fn client(&self, database: u64) -> Result<CacheClient> {
        (self.connect)(database).await
    }

    /// Looks at the cache.
    pub(super) async fn look(&self) -> Result<Looked> {
        let client = self.client(self.only_database.unwrap_or(0)).await?;
        let nodes: Vec<Arc<dyn Node>> = client.nodes().discover().await?.nodes;
        let nodes: Vec<_> = nodes.into_iter().filter(|node| node.kind() == NodeKind::Data).collect();
        let infos = join_all(nodes.iter().map(|node| node.info())).await;
        let mut looked = Looked::of(client.name(), self.only_database);
        for (node, info) in nodes.into_iter().zip(infos) {
            match info {
                Ok(info) => looked.add(node, &info),
                Err(Error::Loading { node }) => {
                    looked.refusals.push(format!("{node} is loading its data set"));
                }
                // It would take no part anyway.
                Err(_) if node.known_role() == Some(Role::Replica) => looked.replicas.push(node),
                Err(error) => looked.unknown.push(error),
            }
        }
        looked.settle().await?;
        if looked.refusals.is_empty() {
            let ahead_ms = client.keys().clock_ms().await?.saturating_sub(now_ms());
            looked.ahead_ms = ahead_ms;
        }
        Ok(looked)
    }
}

/// What a look at the cache gave.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) facts: TargetFacts,
    /// The oldest version of its servers.
    pub(super) server: Option<Server>,
    pub(super) only_database: Option<u64>,
    pub(super) primaries: Vec<Arc<dyn Node>>,
    pub(super) refusals: Vec<String>,
    /// What should be known before.
    pub(super) notes: Vec<String>,
    /// The databases that hold keys.
    databases: BTreeSet<u64>,
    replicas: Vec<Arc<dyn Node>>,
    is_cluster: bool,
    unknown: Vec<Error>,
    /// How far the clock of the cache is ahead of this machine's.
    ahead_ms: i64,
}

impl Looked {
    fn of(name: &str, only_database: Option<u64>) -> Self {
        let facts = TargetFacts { name: name.to_owned(), max_bytes: Some(0), ..TargetFacts::default() };
        Self {
            facts,
            server: None,
            only_database,
            primaries: Vec::new(),
            refusals: Vec::new(),
            notes: Vec::new(),
            databases: BTreeSet::new(),
            replicas: Vec::new(),
            is_cluster: false,
            unknown: Vec::new(),
            ahead_ms: 0,
        }
    }

    /// This moment by the clock of the cache.
    pub(super) fn now_ms(&self) -> i64 {
        now_ms().saturating_add(self.ahead_ms)
    }

    /// The databases with keys, or the only one that there is.
    pub(super) fn databases_in_question(&self) -> BTreeSet<u64> {
        self.only_database.map_or_else(|| self.databases.clone(), |only| [only].into())
    }

    fn add(&mut self, node: Arc<dyn Node>, info: &Info) {
        if info.flag("loading") == Some(true) {
            self.refusals.push(format!("{} is loading its data set", node.node()));
        }
        self.is_cluster |= info.flag("cluster_enabled") == Some(true);
        let takes_no_writes = info.flag("slave_read_only").unwrap_or(true);
        if info.field("role") == Some("slave") && takes_no_writes {
            self.replicas.push(node);
            return;
        }
        let numbers = info.section("keyspace").filter_map(|(name, _)| name.strip_prefix("db")?.parse().ok());
        self.databases.extend::<Vec<u64>>(numbers.collect());
        if let Some(server) = version(info) {
            self.server = Some(self.server.map_or(server, |known| known.min(server)));
        }
        let facts = &mut self.facts;
        facts.primaries += 1;
        facts.used_bytes += info.number("used_memory").unwrap_or(0);
        let limit = info.number::<u64>("maxmemory").filter(|limit| *limit > 0);
        facts.max_bytes = facts.max_bytes.zip(limit).map(|(sum, limit)| sum + limit);
        facts.policy = info.field("maxmemory_policy").map(str::to_owned).or(facts.policy.take());
        self.primaries.push(node);
    }

    /// Finds out what stands against writing.
    async fn settle(&mut self) -> Result<()> {
        self.facts.server = self.server.map(|server| server.to_string());
        if self.primaries.is_empty() {
            self.facts.max_bytes = None;
            if self.refusals.is_empty()
                && let Some(error) = self.unknown.pop()
            {
                return Err(error.into());
            }
            if let Some(replica) = self.replicas.first() {
                self.refusals.push(format!("{} is a replica and takes no writes", replica.node()));
            }
            return Ok(());
        }
        let Some(first) = self.primaries.first().cloned() else { return Ok(()) };
        if self.is_cluster {
            // Each has its own view of the cluster.
            let states = join_all(self.primaries.iter().map(|node| node.cluster())).await;
            let states = states.into_iter().collect::<Result<Vec<_>, _>>()?;
            self.judge_cluster(&states);
        }
        // A cluster that needs no full coverage says that all is well, whoever is gone.
        self.refusals.extend(self.unknown.iter().map(Error::with_causes));
        // Where it cannot be found out, trying tells; a node of a cluster is asked about keys that may be another's.
        if !self.is_cluster
            && let Ok(capabilities) = first.capabilities().await
            && let Availability::Blocked(reason) = capabilities.get(Capability::Restore)
        {
            self.refusals.push(format!("{} does not let this user RESTORE: {reason}", first.node()));
        }
        Ok(())
    }

    fn judge_cluster(&mut self, states: &[ClusterState]) {
        let served: u64 = states.iter().filter_map(|state| state.own_slots).sum();
        if served == ClusterState::SLOTS {
            // A dead primary whose replica took over keeps its name as one until it is forgotten (CLUSTER FORGET).
            let gone = std::mem::take(&mut self.unknown);
            self.notes.extend(
                gone.iter()
                    .map(|error| format!("{}; it serves no slots, and takes no part", error.with_causes())),
            );
        }
        let assigned = states.iter().filter_map(|state| state.slots_assigned).min().unwrap_or(0);
        if states.iter().any(|state| !state.ok) {
            self.refusals.push("the cluster is down (cluster_state is not ok)".to_owned());
        }
        if assigned < ClusterState::SLOTS {
            let missing = ClusterState::SLOTS - assigned;
            self.refusals.push(format!("{missing} of {} slots belong to no node", ClusterState::SLOTS));
        }
        let size = states.iter().filter_map(|state| state.size).max().unwrap_or(0);
        let named = self.facts.primaries + self.unknown.len() as u64;
        if size > named {
            self.refusals.push(format!(
                "{named} of the {size} shards of a cluster can be reached by this URL; redis-cluster:// leads to all"
            ));
        }
    }
}

fn version(info: &Info) -> Option<Server> {
    let named = |line: &str, field: &str| format!("{line} {}", info.field(field)?).parse().ok();
    named("valkey", "valkey_version").or_else(|| named("redis", "redis_version"))
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
