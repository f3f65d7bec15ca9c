//! What capacity is planned from.

use larder_metrics_model::{Skipped, Unit};
use serde::Serialize;

use crate::{Summarise, series::SeriesBreak, series::TimeSeries};

/// What capacity is planned from.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CapacityFacts {
    /// Which cache; `None` where none was named.
    pub cache: Option<String>,
    /// What can be full: memory and connections of each node, the rest of the cache.
    pub resources: Vec<ResourceFacts>,
    /// Memory of all primaries together, for the guide's figures.
    pub memory: ResourceFacts,
    /// Operations of the cache a second, for the guide's figures.
    pub operations: ResourceFacts,
    /// What should be known of the history.
    pub notes: Vec<String>,
    /// What could not be looked at, and why.
    pub skipped: Vec<Skipped>,
}

/// One thing that can be full, or be too much.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ResourceFacts {
    /// What it is.
    pub kind: ResourceKind,
    /// Of which node, or of which cache.
    pub subject: String,
    /// How much of it was in use.
    pub series: TimeSeries,
    /// The restarts, resets and flushes of the node.
    pub breaks: Vec<SeriesBreak>,
    /// How much there is.
    pub limit: ResourceLimit,
    /// `maxmemory-policy` of the node, where it is known.
    pub policy: Option<String>,
    /// What was left out of the series, and where the limit comes from.
    pub notes: Vec<String>,
}

/// What can be full, or be too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResourceKind {
    /// Memory allocated by a node.
    Memory,
    /// Clients connected to a node.
    Connections,
    /// Keys of all primaries.
    Keys,
    /// Commands that all primaries process a second.
    Operations,
    /// Bytes that all primaries receive a second.
    NetworkIn,
    /// Bytes that all primaries send a second.
    NetworkOut,
}

/// How much of a resource there is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ResourceLimit {
    /// So much.
    Known {
        /// In the unit of the resource.
        value: f64,
        /// What says so.
        source: LimitSource,
    },
    /// There is no limit, for this reason.
    Unlimited(String),
    /// It is not known, for this reason.
    Unknown(String),
}

/// What says how much of a resource there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LimitSource {
    /// The node's `maxmemory`.
    Maxmemory,
    /// The memory of the machine that the node runs on, as `maxmemory` is 0.
    Machine,
    /// The node's `maxclients`.
    Maxclients,
    /// Larder's configuration.
    Configuration,
}

impl CapacityFacts {
    /// Begins with nothing known.
    #[must_use]
    pub fn unseen(cache: Option<String>) -> Self {
        let subject = cache.clone().unwrap_or_else(|| "cache".to_owned());
        Self {
            cache,
            resources: Vec::new(),
            memory: ResourceFacts::unseen(ResourceKind::Memory, subject.clone()),
            operations: ResourceFacts::unseen(ResourceKind::Operations, subject),
            notes: Vec::new(),
            skipped: Vec::new(),
        }
    }
}

impl ResourceFacts {
    /// Begins with nothing known of a resource.
    pub fn unseen(kind: ResourceKind, subject: impl Into<String>) -> Self {
        Self {
            kind,
            subject: subject.into(),
            series: TimeSeries::default(),
            breaks: Vec::new(),
            limit: ResourceLimit::Unknown("nobody was asked".to_owned()),
            policy: None,
            notes: Vec::new(),
        }
    }

    /// Tells whether nothing is refused where it is full, as keys are removed to make room.
    pub(super) fn evicts(&self) -> bool {
        self.kind == ResourceKind::Memory
            && matches!(self.limit, ResourceLimit::Known { source: LimitSource::Maxmemory, .. })
            && self.policy.as_deref().is_some_and(|policy| policy != "noeviction")
    }
}

impl ResourceKind {
    /// Returns its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Connections => "connections",
            Self::Keys => "keys",
            Self::Operations => "operations",
            Self::NetworkIn => "network_in",
            Self::NetworkOut => "network_out",
        }
    }

    /// Returns what it is counted in: bytes of the network and operations a second.
    #[must_use]
    pub fn unit(self) -> Unit {
        match self {
            Self::Memory | Self::NetworkIn | Self::NetworkOut => Unit::Bytes,
            Self::Connections | Self::Keys => Unit::Count,
            Self::Operations => Unit::PerSecond,
        }
    }

    /// What stands for a step: what fills at a peak is full at that peak; of the rest a step is long enough to be told by its mean.
    pub(super) fn summarise(self) -> Summarise {
        match self {
            Self::Memory | Self::Connections => Summarise::Max,
            Self::Keys | Self::Operations | Self::NetworkIn | Self::NetworkOut => Summarise::Mean,
        }
    }

    /// Tells whether a restart or a flush empties it.
    pub(super) fn is_emptied(self) -> bool {
        matches!(self, Self::Memory | Self::Keys)
    }
}

impl LimitSource {
    /// Returns it as people read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Maxmemory => "maxmemory",
            Self::Machine => "memory of the machine",
            Self::Maxclients => "maxclients",
            Self::Configuration => "configured",
        }
    }
}

impl std::fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
