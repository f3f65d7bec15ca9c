//! The name of one server.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How one node of a cache is called: `host:port`, the path of a Unix socket, or the name of an embedded cache.
///
/// It never holds a user name or a password.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeAddress(String);

impl NodeAddress {
    /// Names a node.
    pub fn new(address: impl Into<String>) -> Self {
        Self(address.into())
    }

    /// Names a node by host and port; an IPv6 address gets its brackets.
    #[must_use]
    pub fn from_host_port(host: &str, port: u16) -> Self {
        if host.contains(':') && !host.starts_with('[') {
            Self(format!("[{host}]:{port}"))
        } else {
            Self(format!("{host}:{port}"))
        }
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What a node does in the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NodeKind {
    /// Holds keys.
    #[default]
    Data,
    /// Watches the primary and elects another when it fails.
    Sentinel,
}
