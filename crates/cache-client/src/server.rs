//! The seam for single servers.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;
use larder_metrics_model::{
    ClientInfo, ClusterState, Info, LatencyEvent, MemoryReport, NodeAddress, NodeKind, Role, Skipped,
    SlowLogEntry,
};

use crate::{Capabilities, Capability, Error, FunctionLibrary, KeyChange, Result};

/// One node of a cache.
///
/// # Contract
///
/// - Every call goes to this node and no other, and ends within the time that was configured.
/// - Nothing but what [`Server::purge_memory`], [`Server::defragment`] and [`Server::load_function`] say is changed, and nothing
///   blocks the server for long.
/// - What the server does not let this user do is an error for which [`Error::is_blocked`](crate::Error::is_blocked)
///   holds; what is known is never made up from defaults.
#[async_trait]
pub trait Server: Debug + Send + Sync {
    /// Returns how the node is called.
    fn node(&self) -> &NodeAddress;

    /// Returns what the node does in the cache.
    fn kind(&self) -> NodeKind;

    /// Returns the role that the topology gives the node, where it is known without asking the node itself.
    fn known_role(&self) -> Option<Role> {
        None
    }

    /// Returns the round trip of a PING, on a connection that is already there.
    ///
    /// # Errors
    /// The node cannot be reached, or refuses.
    async fn ping(&self) -> Result<Duration>;

    /// Returns every section of INFO.
    ///
    /// # Errors
    /// The node cannot be reached, or refuses.
    async fn info(&self) -> Result<Info>;

    /// Returns the settings whose names match a glob pattern, without those that hold secrets.
    ///
    /// # Errors
    /// The node cannot be reached, or refuses.
    async fn config(&self, pattern: &str) -> Result<BTreeMap<String, String>>;

    /// Returns the connections of clients.
    ///
    /// # Errors
    /// The node cannot be reached, or refuses.
    async fn clients(&self) -> Result<Vec<ClientInfo>>;

    /// Returns the newest entries of the slow log, at most `limit`.
    ///
    /// # Errors
    /// The node cannot be reached, or refuses.
    async fn slow_log(&self, limit: usize) -> Result<Vec<SlowLogEntry>>;

    /// Returns the last latency event of each kind; none where the latency monitor is off.
    ///
    /// # Errors
    /// The node cannot be reached, or refuses.
    async fn latency(&self) -> Result<Vec<LatencyEvent>>;

    /// Returns what memory is used for.
    ///
    /// # Errors
    /// The node cannot be reached, or refuses.
    async fn memory(&self) -> Result<MemoryReport>;

    /// Lets the allocator give back pages that hold nothing. No key is changed.
    ///
    /// # Errors
    /// The node cannot be reached, refuses, or has an allocator that cannot.
    async fn purge_memory(&self) -> Result<()>;

    /// Tells the server to move values together while it works (`activedefrag`), or not to. No key is changed; the setting
    /// lasts until the server ends.
    ///
    /// # Errors
    /// The node cannot be reached, refuses, or was built without it.
    async fn defragment(&self, on: bool) -> Result<()>;

    /// Loads a library of functions from its source (FUNCTION LOAD, Redis 7.0 and later); one of the same name that is there is
    /// replaced, or left alone and [`KeyChange::Exists`].
    ///
    /// # Errors
    /// The node cannot be reached, refuses, or has no functions.
    async fn load_function(&self, _code: &[u8], _replaces: bool) -> Result<KeyChange> {
        let reason = "it keeps no function libraries".to_owned();
        Err(Error::Unsupported { node: self.node().clone(), capability: Capability::Restore, reason })
    }

    /// Returns the libraries of functions that are loaded, with their sources (FUNCTION LIST WITHCODE, Redis 7.0 and later).
    ///
    /// # Errors
    /// The node cannot be reached, refuses, or has no functions.
    async fn functions(&self) -> Result<Vec<FunctionLibrary>> {
        let reason = "it keeps no function libraries".to_owned();
        Err(Error::Unsupported { node: self.node().clone(), capability: Capability::Restore, reason })
    }

    /// Tells whether a password is set (`requirepass`); what it is never leaves this call.
    ///
    /// # Errors
    /// The node cannot be reached, refuses, or has no settings.
    async fn password_is_set(&self) -> Result<bool> {
        let reason = "it has no passwords".to_owned();
        Err(Error::Unsupported { node: self.node().clone(), capability: Capability::Config, reason })
    }

    /// Returns the users, each as the line that ACL LIST has of it (Redis 6.0 and later), without the hashes of passwords.
    ///
    /// # Errors
    /// The node cannot be reached, refuses, or has no users.
    async fn user_rules(&self) -> Result<Vec<String>> {
        let reason = "it has no users".to_owned();
        Err(Error::Unsupported { node: self.node().clone(), capability: Capability::Config, reason })
    }

    /// Tells whether a user may run a command (ACL DRYRUN, Redis 7.0 and later). The command is not run; one that the server does
    /// not have nobody may run.
    ///
    /// # Errors
    /// The node cannot be reached, refuses, or has no users.
    async fn user_may_run(&self, _user: &str, _command: &[&str]) -> Result<bool> {
        let reason = "it has no users".to_owned();
        Err(Error::Unsupported { node: self.node().clone(), capability: Capability::Config, reason })
    }

    /// Returns the cluster as this node sees it.
    ///
    /// # Errors
    /// The node cannot be reached, refuses, or is in no cluster.
    async fn cluster(&self) -> Result<ClusterState>;

    /// Finds out what this node lets this user do, without changing anything.
    ///
    /// # Errors
    /// The node cannot be reached.
    async fn capabilities(&self) -> Result<Capabilities>;
}

/// The servers that make up a cache.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Topology {
    /// The nodes, in the order of their addresses; those that are known to be down as well.
    pub nodes: Vec<Arc<dyn Server>>,
    /// What could not be found out.
    pub skipped: Vec<Skipped>,
}

/// Finds the servers that make up a cache.
///
/// # Contract
///
/// - Every call looks anew, so that a failover or a new node is seen.
/// - Where the topology cannot be asked for, the nodes named in the URL are returned, and the reason in `skipped`.
#[async_trait]
pub trait Nodes: Debug + Send + Sync {
    /// Finds the nodes.
    ///
    /// # Errors
    /// None of the servers that could tell can be reached.
    async fn discover(&self) -> Result<Topology>;
}

impl Topology {
    /// Makes a topology, its nodes in the order of their addresses.
    #[must_use]
    pub fn new(mut nodes: Vec<Arc<dyn Server>>, skipped: Vec<Skipped>) -> Self {
        nodes.sort_by(|one, other| one.node().cmp(other.node()));
        Self { nodes, skipped }
    }
}
