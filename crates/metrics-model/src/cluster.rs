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
    /// Slots that this node is giving to another one, or is getting; `CLUSTER NODES` tells.
    pub moving_slots: Option<u64>,
    /// Slots that this node serves itself; `CLUSTER NODES` tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_slots: Option<u64>,
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
            moving_slots: None,
            own_slots: None,
        }
    }

    /// Adds what `CLUSTER NODES` says of the node that answers: in its own line, slots on the move stand in brackets, as
    /// `[93->-ID]` and `[77-<-ID]` after the ranges that it serves (Redis 3.0 and later, Valkey).
    #[must_use]
    pub fn with_nodes(self, map: &str) -> Self {
        let is_own = |line: &&str| {
            line.split_ascii_whitespace()
                .nth(2)
                .is_some_and(|flags| flags.split(',').any(|flag| flag == "myself"))
        };
        let own = map.lines().find(is_own);
        let slots = own.map(|line| line.split_ascii_whitespace().skip(8));
        let moving = slots.clone().map(|slots| slots.filter(|slot| slot.starts_with('[')).count() as u64);
        Self { moving_slots: moving, own_slots: slots.map(|slots| slots.map(slots_of).sum()), ..self }
    }
}

/// How many slots a range such as `0-5460` or `93` has; one on the move is no range.
fn slots_of(range: &str) -> u64 {
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let bounds = first.parse::<u64>().ok().zip(last.parse::<u64>().ok());
    bounds.and_then(|(first, last)| last.checked_sub(first)).map_or(0, |slots| slots.saturating_add(1))
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

    #[test]
    fn slots_on_the_move_are_counted_in_the_nodes_own_line() {
        let map = "a 127.0.0.1:1@2 master - 0 0 1 connected 0-1 [5->-b]\n\
                   b 127.0.0.1:3@4 myself,master - 0 0 2 connected 5-9 [3-<-c] [93->-a]\n";
        let state = ClusterState::default().with_nodes(map);
        assert_eq!((state.moving_slots, state.own_slots), (Some(2), Some(5)));
        let state = ClusterState::default().with_nodes("b :3@4 myself,master - 0 0 2 connected 7 9-8 x");
        assert_eq!((state.moving_slots, state.own_slots), (Some(0), Some(1)));
        let state = ClusterState::default().with_nodes("");
        assert_eq!((state.moving_slots, state.own_slots), (None, None));
    }
}
