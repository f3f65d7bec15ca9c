//! The state of a cluster as one of its nodes sees it.

use serde::{Deserialize, Serialize};

use crate::Info;

/// What `CLUSTER INFO` says (Redis 3.0 and later, Valkey).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(default)]
pub struct ClusterState {
    /// Whether the node takes requests; a cluster with an uncovered slot says `fail` by default.
    pub ok: bool,
    /// Hash slots that belong to a node, of 16,384.
    pub slots_assigned: Option<u64>,
    /// Hash slots whose node is not known to fail.
    pub slots_ok: Option<u64>,
    /// Hash slots whose node this node cannot reach.
    pub slots_suspected: Option<u64>,
    /// Hash slots whose node the cluster agrees has failed.
    pub slots_failed: Option<u64>,
    /// Nodes that this node knows.
    pub known_nodes: Option<u64>,
    /// Primaries that own slots.
    pub size: Option<u64>,
}

impl ClusterState {
    /// The number of hash slots of every cluster.
    pub const SLOTS: u64 = 16_384;

    /// Reads the answer to `CLUSTER INFO`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let info = Info::parse(text);
        Self {
            ok: info.field("cluster_state") == Some("ok"),
            slots_assigned: info.number("cluster_slots_assigned"),
            slots_ok: info.number("cluster_slots_ok"),
            slots_suspected: info.number("cluster_slots_pfail"),
            slots_failed: info.number("cluster_slots_fail"),
            known_nodes: info.number("cluster_known_nodes"),
            size: info.number("cluster_size"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_and_an_empty_one_is_not_ok() {
        let state =
            ClusterState::parse("cluster_state:ok\r\ncluster_slots_assigned:16384\r\ncluster_size:3\r\n");
        assert!(state.ok);
        assert_eq!(state.slots_assigned, Some(ClusterState::SLOTS));
        assert_eq!(state.size, Some(3));
        assert!(!ClusterState::parse("").ok);
    }
}
