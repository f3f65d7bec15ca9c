//! The cluster, put together from the views of its nodes.

use std::collections::BTreeSet;

use larder_metrics_model::{ClusterState, NodeKind, NodeObservation, Observed, Unit};

use super::{
    ids,
    ledger::{Ledger, Outcome},
};
use crate::{Finding, FindingId, Severity, wording::counted};

/// The cluster as one node sees it.
type View<'a> = (&'a str, &'a ClusterState);

pub(super) fn judge(ledger: &mut Ledger, nodes: &[NodeObservation]) {
    for node in nodes.iter().filter(|node| node.kind != NodeKind::Sentinel) {
        judge_missing_view(ledger, node, nodes.len() == 1);
    }
    let views: Vec<View<'_>> =
        nodes.iter().filter_map(|node| Some((node.node.as_str(), node.cluster.known()?))).collect();
    if views.is_empty() {
        return;
    }
    ledger.record("cluster.state", "cluster", state(&views));
    ledger.record("cluster.slots", "cluster", coverage(&views));
    ledger.record("cluster.slots_failed", "cluster", failed(&views));
    ledger.record("cluster.slots_suspected", "cluster", suspected(&views));
    if views.len() > 1 {
        ledger.record("cluster.views", "cluster", agreement(&views));
    }
}

/// Says why a node gave no view; nothing is missing where the node is known to be in no cluster, and that a node does
/// not answer has been said already.
fn judge_missing_view(ledger: &mut Ledger, node: &NodeObservation, alone: bool) {
    let name = node.node.as_str();
    let in_cluster = node.facts.known().and_then(|facts| facts.cluster_enabled);
    match (&node.cluster, in_cluster) {
        (Observed::Skipped(_), Some(false)) => {}
        _ if matches!(node.facts, Observed::Failed(_)) => {}
        (Observed::Skipped(_), Some(true)) if alone => {
            ledger.record(
                "cluster.state",
                name,
                Outcome::found("one node of a cluster", only_this_node(name)),
            );
        }
        (view, _) => ledger.record_unknown("cluster.state", name, view),
    }
}

fn only_this_node(node: &str) -> Finding {
    Finding::new(ids::CLUSTER_SINGLE_NODE, Severity::Info, node)
        .saying("The node belongs to a cluster, and only 1 node of it is judged.")
        .with_evidence("cluster_enabled", 1_u64, None)
        .recommending("Name the cache with redis-cluster:// to have the whole cluster judged.")
        .expecting("All nodes and the slots they own are judged.")
}

fn state(views: &[View<'_>]) -> Outcome {
    let down: Vec<&str> = views.iter().filter(|(_, state)| !state.ok).map(|(node, _)| *node).collect();
    if down.is_empty() {
        return Outcome::Fine(format!("ok, seen by {}", counted(views.len() as u64, "node")));
    }
    let seen = format!("{} of {} say that it is down", down.len(), counted(views.len() as u64, "node"));
    let finding = Finding::new(ids::CLUSTER_DOWN, Severity::Critical, "cluster")
        .saying(format!("The cluster is down: {seen} ({}).", down.join(", ")))
        .with_evidence("nodes_that_say_fail", down.len() as u64, Unit::Count)
        .with_evidence("nodes_asked", views.len() as u64, Unit::Count)
        .recommending(
            "See CLUSTER NODES for the primaries that fail; bring them back or fail over to a replica.",
        )
        .expecting("All keys can be reached again.");
    Outcome::found(seen, finding)
}

/// Judges the slots that belong to no node, by the view that sees the most of them.
fn coverage(views: &[View<'_>]) -> Outcome {
    let assigned = views.iter().filter_map(|(_, state)| state.slots_assigned).min();
    Outcome::of("cluster_slots_assigned", assigned, |assigned| {
        let uncovered = ClusterState::SLOTS.saturating_sub(assigned);
        let seen = format!("{assigned} of {} assigned", counted(ClusterState::SLOTS, "slot"));
        if uncovered == 0 {
            return Outcome::Fine(seen);
        }
        let finding = Finding::new(ids::CLUSTER_SLOTS_UNCOVERED, Severity::Critical, "cluster")
            .saying(format!(
                "{} belong to no node: keys in them cannot be reached.",
                counted(uncovered, "slot")
            ))
            .with_evidence("slots_uncovered", uncovered, Unit::Count)
            .recommending("Run redis-cli --cluster fix, or assign the slots with CLUSTER ADDSLOTSRANGE.")
            .expecting("All keys can be reached.");
        Outcome::found(seen, finding)
    })
}

fn failed(views: &[View<'_>]) -> Outcome {
    let most = views.iter().filter_map(|(_, state)| state.slots_failed).max();
    slots(most, "cluster_slots_fail", (ids::CLUSTER_SLOTS_FAILED, Severity::Critical), "has failed")
}

fn suspected(views: &[View<'_>]) -> Outcome {
    let most = views.iter().filter_map(|(_, state)| state.slots_suspected).max();
    let finding = (ids::CLUSTER_SLOTS_SUSPECTED, Severity::Warning);
    slots(most, "cluster_slots_pfail", finding, "a node cannot reach")
}

/// Judges the slots in trouble, by the view that sees the most of them.
fn slots(
    count: Option<u64>,
    field: &'static str,
    (id, severity): (FindingId, Severity),
    whose: &str,
) -> Outcome {
    Outcome::of(field, count, |count| {
        let seen = counted(count, "slot");
        if count == 0 {
            return Outcome::Fine(seen);
        }
        let finding = Finding::new(id, severity, "cluster")
            .saying(format!("The cluster has {seen} whose node {whose}."))
            .with_evidence(field, count, Unit::Count)
            .recommending("See CLUSTER NODES for the node; bring it back, or fail over to its replica.")
            .expecting("The keys in these slots can be reached.");
        Outcome::found(seen, finding)
    })
}

/// Judges whether the nodes see the same cluster: as many nodes, primaries and assigned slots.
fn agreement(views: &[View<'_>]) -> Outcome {
    let differ: Vec<&'static str> = [
        ("known nodes", differs(views, |state| state.known_nodes)),
        ("primaries", differs(views, |state| state.size)),
        ("assigned slots", differs(views, |state| state.slots_assigned)),
    ]
    .into_iter()
    .filter_map(|(what, differs)| differs.then_some(what))
    .collect();
    if differ.is_empty() {
        return Outcome::Fine(format!("{} agree", counted(views.len() as u64, "node")));
    }
    let what = differ.join(" and ");
    let finding = Finding::new(ids::CLUSTER_VIEWS_DIFFER, Severity::Warning, "cluster")
        .saying(format!(
            "The {} asked do not see the same cluster: they count different {what}.",
            counted(views.len() as u64, "node")
        ))
        .with_evidence("differ", what.as_str(), None)
        .recommending(
            "Compare CLUSTER NODES of the nodes; forget or meet the nodes that are not in all of them.",
        )
        .expecting("All nodes send clients to the same owner of a key.");
    Outcome::found(format!("different {what}"), finding)
}

fn differs(views: &[View<'_>], read: fn(&ClusterState) -> Option<u64>) -> bool {
    views.iter().filter_map(|(_, state)| read(state)).collect::<BTreeSet<u64>>().len() > 1
}
