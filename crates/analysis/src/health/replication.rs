//! Who follows whom, and how far behind.

use larder_metrics_model::{ReplicaFacts, Role, Unit};

use super::{
    ids,
    ledger::{Ledger, Outcome},
    node::Node,
};
use crate::{
    Finding, Severity,
    wording::{bytes, clause, number, seconds},
};

pub(super) fn role(node: &Node<'_>) -> Outcome {
    let replication = &node.facts.replication;
    Outcome::of("role", replication.role, |role| {
        Outcome::Fine(match (role, &replication.primary) {
            (Role::Replica, Some(primary)) => format!("replica of {primary}"),
            (Role::Replica, None) => "replica".to_owned(),
            _ => "primary".to_owned(),
        })
    })
}

/// Judges the link of a replica to its primary.
pub(super) fn link(node: &Node<'_>) -> Outcome {
    let replication = &node.facts.replication;
    if replication.role != Some(Role::Replica) {
        return Outcome::NotApplicable;
    }
    Outcome::of("master_link_status", replication.link_up, |up| {
        if up {
            link_up(node)
        } else if replication.sync_in_progress == Some(true) {
            Outcome::found("down, full synchronisation in progress", syncing(node))
        } else {
            link_down(node)
        }
    })
}

fn link_up(node: &Node<'_>) -> Outcome {
    let Some(heard) = node.facts.replication.last_heard_seconds else {
        return Outcome::Fine("up".to_owned());
    };
    let seen = format!("up, primary heard {} ago", seconds(heard));
    let allowed = node.thresholds.replication_lag_seconds;
    let Some(severity) = allowed.severity_of(number(heard)) else {
        return Outcome::Fine(seen);
    };
    let finding = Finding::new(ids::NODE_LINK_SILENT, severity, node.name)
        .saying(format!("The replica has not heard its primary for {}.", seconds(heard)))
        .with_evidence("master_last_io_seconds_ago", heard, Unit::Seconds)
        .with_evidence("threshold", allowed.passed(severity), Unit::Seconds)
        .recommending("Check the primary, and the network between the two.")
        .expecting("The replica follows again.");
    Outcome::found(seen, finding)
}

fn syncing(node: &Node<'_>) -> Finding {
    Finding::new(ids::NODE_SYNCING, Severity::Warning, node.name)
        .saying("The replica is receiving the whole data set; until then its data is old.")
        .with_evidence("master_sync_in_progress", 1_u64, None)
        .recommending("Wait until it is done; if it begins again and again, raise repl-backlog-size.")
}

/// Judges a link that is down: how long is told since Redis 2.6, and -1 (not known) by a replica that never had one.
fn link_down(node: &Node<'_>) -> Outcome {
    let down = node.facts.replication.link_down_seconds;
    let allowed = node.thresholds.replication_lag_seconds;
    let young =
        node.facts.identity.uptime_seconds.is_some_and(|uptime| uptime < node.thresholds.restart_seconds);
    // A replica that was just started connects, and waits for the primary's dump, before it has a link at all.
    let first = down.is_none() && young;
    let long =
        !first && down.is_none_or(|down| allowed.severity_of(number(down)) == Some(Severity::Critical));
    let severity = if long { Severity::Critical } else { Severity::Warning };
    let since = match down {
        Some(down) => format!("for {}", seconds(down)),
        None if first => "yet, and was just started".to_owned(),
        None => "for an unknown time".to_owned(),
    };
    let primary = node.facts.replication.primary.as_ref();
    let whom = primary.map_or_else(|| "its primary".to_owned(), |primary| format!("its primary {primary}"));
    let mut finding = Finding::new(ids::NODE_LINK_DOWN, severity, node.name)
        .saying(format!("The replica has had no link to {whom} {since}: its data is old."))
        .with_evidence("master_link_status", "down", None)
        .recommending(
            "Check that the primary runs, that the network is open, and masterauth; read the replica's log.",
        )
        .expecting("The replica follows again and can take over.");
    if let Some(down) = down {
        finding = finding.with_evidence("master_link_down_since_seconds", down, Unit::Seconds);
    }
    Outcome::found(format!("down {since}"), finding)
}

/// Judges every replica as its primary sees it.
pub(super) fn judge_replicas(ledger: &mut Ledger, node: &Node<'_>) {
    for replica in &node.facts.replication.replicas {
        ledger.record("node.replica", node.name, follows(node, replica));
    }
}

fn follows(node: &Node<'_>, replica: &ReplicaFacts) -> Outcome {
    if replica.state == "online" { lag(node, replica) } else { not_online(node, replica) }
}

fn not_online(node: &Node<'_>, replica: &ReplicaFacts) -> Outcome {
    let (address, state) = (&replica.address, clause(&replica.state));
    let finding = Finding::new(ids::NODE_REPLICA_OFFLINE, Severity::Warning, node.name)
        .saying(format!("The replica {address} is not online: it is in state `{state}`."))
        .with_evidence("replica", address.as_str(), None)
        .with_evidence("state", state.as_str(), None)
        .recommending("Wait for its synchronisation; if it does not end, read the logs of both.")
        .expecting("The replica can serve reads and take over.");
    Outcome::found(format!("{address} is in state {state}"), finding)
}

/// Returns the bytes of the stream that a replica has not confirmed.
pub(super) fn bytes_behind(node: &Node<'_>, replica: &ReplicaFacts) -> Option<u64> {
    Some(node.facts.replication.offset?.saturating_sub(replica.offset?))
}

fn lag(node: &Node<'_>, replica: &ReplicaFacts) -> Outcome {
    let address = &replica.address;
    let behind = bytes_behind(node, replica);
    let distance = behind.map_or(String::new(), |behind| format!(", {} behind", bytes(behind)));
    Outcome::of(&format!("the lag of the replica {address}"), replica.lag_seconds, |lag| {
        let seen = format!("{address} confirmed {} ago{distance}", seconds(lag));
        let allowed = node.thresholds.replication_lag_seconds;
        let Some(severity) = allowed.severity_of(number(lag)) else {
            return Outcome::Fine(seen);
        };
        let finding = Finding::new(ids::NODE_REPLICA_LAG, severity, node.name)
            .saying(format!("The replica {address} lags: it last confirmed {} ago{distance}.", seconds(lag)))
            .with_evidence("replica", address.as_str(), None)
            .with_evidence("lag", lag, Unit::Seconds)
            .with_evidence("threshold", allowed.passed(severity), Unit::Seconds)
            .recommending("Check the replica's processor and disk, and the network between the two.")
            .expecting("Less is lost when the primary fails.");
        let finding = match behind {
            Some(behind) => finding.with_evidence("offset_behind", behind, Unit::Bytes),
            None => finding,
        };
        Outcome::found(seen, finding)
    })
}
