//! The nodes of the cache, one after the other.

use larder_metrics_model::{Failure, FailureKind, NodeKind, NodeObservation, Observed, ServerFacts, Unit};

use super::{
    HealthThresholds, clients, cluster, ids,
    ledger::{Ledger, Outcome},
    memory, performance_of_node, persistence, reach, replication, sentinel, traffic,
};
use crate::{
    Finding, Severity,
    wording::{clause, counted, seconds},
};

/// A node that gave INFO.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'a> {
    pub(super) name: &'a str,
    pub(super) facts: &'a ServerFacts,
    pub(super) thresholds: &'a HealthThresholds,
    /// Whether its answer to PING already was that it is loading.
    pub(super) ping_said_loading: bool,
}

/// Judges one thing of a node.
pub(super) type Judge = fn(&Node<'_>) -> Outcome;

/// What is looked at on every node that holds keys, in the order in which it is shown.
const CHECKS: &[(&str, Judge)] = &[
    ("node.role", replication::role),
    ("node.uptime", uptime),
    ("node.loading", persistence::loading),
    ("node.link", replication::link),
    ("node.save", persistence::save),
    ("node.aof_write", persistence::aof_write),
    ("node.aof_rewrite", persistence::aof_rewrite),
    ("node.memory", memory::limit),
    ("node.fragmentation", memory::fragmentation),
    ("node.clients", clients::share_of_limit),
    ("node.blocked_clients", clients::blocked),
    ("node.rejected_connections", clients::rejected),
    ("node.hit_rate", traffic::hit_rate),
    ("node.errors", traffic::errors),
];

/// Judges the nodes, and tells whether any that holds keys gave something to judge: a PING that is answered says that a
/// server is there, not that it is well.
pub(super) fn judge_all(
    ledger: &mut Ledger,
    nodes: &Observed<Vec<NodeObservation>>,
    thresholds: &HealthThresholds,
) -> bool {
    ledger.record("cache.nodes", "cache", found(nodes));
    let nodes = nodes.known().map_or(&[][..], Vec::as_slice);
    let mut judged = false;
    for node in nodes {
        let before = ledger.judged();
        judge(ledger, node, thresholds);
        let gave_info = node.kind != NodeKind::Sentinel && node.facts.known().is_some();
        judged |= gave_info && ledger.judged() > before;
    }
    cluster::judge(ledger, nodes);
    judged
}

fn found(nodes: &Observed<Vec<NodeObservation>>) -> Outcome {
    match nodes {
        Observed::Known(nodes) if nodes.is_empty() => Outcome::found("none", none_found()),
        Observed::Known(nodes) => Outcome::Fine(counted(nodes.len() as u64, "node")),
        Observed::Skipped(reason) => Outcome::Skipped(reason.clone()),
        Observed::Failed(failure) => Outcome::found("not found", reach::no_nodes_found(failure)),
    }
}

fn none_found() -> Finding {
    Finding::new(ids::CACHE_NO_NODES, Severity::Critical, "cache")
        .saying("The cache has no nodes: 0 were found.")
        .with_evidence("nodes", 0_u64, Unit::Count)
        .recommending("Check the URL of the cache, and the Sentinels or cluster nodes that it names.")
}

fn judge(ledger: &mut Ledger, node: &NodeObservation, thresholds: &HealthThresholds) {
    let name = node.node.as_str();
    ledger.record("node.ping", name, reach::ping(name, &node.ping_ms, thresholds));
    performance_of_node::ping(ledger, node, thresholds);
    match &node.facts {
        Observed::Known(facts) => {
            let ping_said_loading = said_loading(node);
            judge_facts(ledger, node.kind, &Node { name, facts, thresholds, ping_said_loading });
        }
        Observed::Skipped(reason) => ledger.record("node.info", name, Outcome::Skipped(reason.clone())),
        Observed::Failed(failure) => ledger.record("node.info", name, no_info(node, failure)),
    }
}

fn judge_facts(ledger: &mut Ledger, kind: NodeKind, node: &Node<'_>) {
    if kind == NodeKind::Sentinel {
        return sentinel::judge(ledger, node);
    }
    for (id, judge) in CHECKS {
        ledger.record(id, node.name, judge(node));
    }
    replication::judge_replicas(ledger, node);
    performance_of_node::facts(ledger, node);
}

fn said_loading(node: &NodeObservation) -> bool {
    matches!(&node.ping_ms, Observed::Failed(failure) if failure.kind == FailureKind::Loading)
}

/// Judges a missing INFO: the same fault as a missing answer to PING, or one of its own.
fn no_info(node: &NodeObservation, failure: &Failure) -> Outcome {
    let name = node.node.as_str();
    match &node.ping_ms {
        Observed::Failed(_) => Outcome::Unknown("the node does not answer".to_owned()),
        Observed::Skipped(_) => Outcome::found("no answer", reach::no_answer(name, failure)),
        Observed::Known(_) => Outcome::found("no answer", silent_about_itself(name, failure)),
    }
}

fn silent_about_itself(node: &str, failure: &Failure) -> Finding {
    Finding::new(ids::NODE_INFO_FAILED, Severity::Warning, node)
        .saying(format!("The node answers PING but not INFO: {}.", clause(&failure.reason)))
        .with_evidence("reason", failure.reason.as_str(), None)
        .recommending("Ask again by hand with redis-cli INFO; look for a slow command or a proxy in between.")
        .expecting("Memory, clients, persistence and replication of the node can be judged.")
}

fn uptime(node: &Node<'_>) -> Outcome {
    Outcome::of("uptime_in_seconds", node.facts.identity.uptime_seconds, |uptime| {
        let seen = format!("up for {}", seconds(uptime));
        if uptime >= node.thresholds.restart_seconds {
            return Outcome::Fine(seen);
        }
        let finding = Finding::new(ids::NODE_RESTARTED, Severity::Info, node.name)
            .saying(format!("The server was started {} ago; its counters are young.", seconds(uptime)))
            .with_evidence("uptime_in_seconds", uptime, Unit::Seconds)
            .recommending("If no one restarted it, read its log and the system's for why it ended.");
        Outcome::found(seen, finding)
    })
}
