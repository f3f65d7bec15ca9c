//! What was gathered to judge a cache's health.

use serde::{Deserialize, Serialize};

use crate::{CacheStats, ClusterState, NodeAddress, NodeKind, Observed, Resources, ServerFacts, Skipped};

/// Everything that a health verdict is made from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct HealthFacts {
    /// The machine that the check runs on.
    pub machine: Observed<Resources>,
    /// The nodes of the cache, found or not.
    pub nodes: Observed<Vec<NodeObservation>>,
    /// The service that uses the cache.
    pub application: Observed<ApplicationObservation>,
    /// Containers whose name matches.
    pub containers: Observed<Vec<Container>>,
    /// What was not looked at while the nodes were found.
    pub skipped: Vec<Skipped>,
}

/// What one node answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct NodeObservation {
    /// Which node.
    pub node: NodeAddress,
    /// What it does in the cache.
    pub kind: NodeKind,
    /// Round trip of a PING in milliseconds.
    pub ping_ms: Observed<f64>,
    /// Its INFO.
    pub facts: Observed<ServerFacts>,
    /// The cluster as it sees it.
    pub cluster: Observed<ClusterState>,
}

/// What the service that uses the cache answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ApplicationObservation {
    /// Where it was asked, without credentials.
    pub url: String,
    /// Its `/health`.
    pub health: Observed<HttpAnswer>,
    /// Its `/metrics/cache`.
    pub cache_stats: Observed<CacheStats>,
}

/// An answer over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpAnswer {
    /// The status, 200 for a healthy service.
    pub status: u16,
    /// How long it took in milliseconds.
    pub elapsed_ms: f64,
}

/// One container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// `running`, `exited`, `restarting`, `paused`, `created` or `dead`.
    pub state: String,
    /// The engine's own words, such as `Up 3 days (unhealthy)`.
    pub status: String,
}

impl HealthFacts {
    /// Begins with nothing looked at; the gatherer fills in what it does look at.
    #[must_use]
    pub fn unseen() -> Self {
        Self {
            machine: Observed::skipped("it was not asked for"),
            nodes: Observed::skipped("they were not asked for"),
            application: Observed::skipped("no application is configured"),
            containers: Observed::skipped("they were not asked for"),
            skipped: Vec::new(),
        }
    }
}

impl NodeObservation {
    /// Begins with nothing known of a node.
    #[must_use]
    pub fn unseen(node: NodeAddress, kind: NodeKind) -> Self {
        Self {
            node,
            kind,
            ping_ms: Observed::skipped("it was not asked"),
            facts: Observed::skipped("it was not asked"),
            cluster: Observed::skipped("it was not asked"),
        }
    }
}

impl ApplicationObservation {
    /// Records what an application answered.
    #[must_use]
    pub fn new(url: String, health: Observed<HttpAnswer>, cache_stats: Observed<CacheStats>) -> Self {
        Self { url, health, cache_stats }
    }
}
