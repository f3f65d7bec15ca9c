//! Loading, dumps and the append-only file.

use larder_metrics_model::{Role, ServerFacts, Unit};

use super::{ids, ledger::Outcome, node::Node};
use crate::{Finding, Severity, wording::counted};

/// Judges whether the data set is being loaded; INFO answers meanwhile, PING does not and has said so already.
pub(super) fn loading(node: &Node<'_>) -> Outcome {
    Outcome::of("loading", node.facts.persistence.loading, |loading| {
        if loading && node.ping_said_loading {
            return Outcome::NotApplicable;
        }
        if !loading {
            return Outcome::Fine("no".to_owned());
        }
        let finding = Finding::new(ids::NODE_LOADING, Severity::Critical, node.name)
            .saying("The node is loading its data set and refuses most commands.")
            .with_evidence("loading", 1_u64, None)
            .recommending("Wait until it has loaded; loading_eta_seconds in INFO says how long.");
        Outcome::found("yes", finding)
    })
}

/// Judges the last dump.
///
/// With `stop-writes-on-bgsave-error`, which is on by default, a primary refuses writes after a failed dump until
/// one succeeds (Redis 2.6 and later, `MISCONF`). INFO does not tell whether it is on, so the worse is assumed.
pub(super) fn save(node: &Node<'_>) -> Outcome {
    Outcome::of("rdb_last_bgsave_status", node.facts.persistence.last_save_ok, |ok| {
        if ok { Outcome::Fine("last dump succeeded".to_owned()) } else { save_failed(node) }
    })
}

fn save_failed(node: &Node<'_>) -> Outcome {
    let replica = node.facts.replication.role == Some(Role::Replica);
    let (severity, consequence) = if replica {
        (Severity::Warning, "this replica has no recent dump")
    } else {
        (Severity::Critical, "unless stop-writes-on-bgsave-error is off, the server refuses writes")
    };
    let changes = node.facts.persistence.changes_since_save;
    let at_risk = changes.map_or(String::new(), |changes| format!(", {} ago", counted(changes, "change")));
    let finding = Finding::new(ids::NODE_SAVE, severity, node.name)
        .saying(format!("The last dump failed{at_risk}: {consequence}."))
        .with_evidence("rdb_last_bgsave_status", "err", None)
        .recommending("Read the server's log; free disk space or memory for the fork, then run BGSAVE.")
        .expecting("Writes are taken again and the data survives a restart.");
    Outcome::found("last dump failed", with_consequences(finding, node.facts))
}

fn with_consequences(finding: Finding, facts: &ServerFacts) -> Finding {
    let changes = facts.persistence.changes_since_save;
    let refused = facts.errors.get("MISCONF").copied();
    [("rdb_changes_since_last_save", changes), ("errorstat_MISCONF", refused)].into_iter().fold(
        finding,
        |finding, (name, count)| match count {
            Some(count) => finding.with_evidence(name, count, Unit::Count),
            None => finding,
        },
    )
}

/// Judges the last write to the append-only file; after a failed one the server refuses writes.
pub(super) fn aof_write(node: &Node<'_>) -> Outcome {
    append_only(node, "aof_last_write_status", node.facts.persistence.aof_last_write_ok, || {
        Finding::new(ids::NODE_AOF_WRITE, Severity::Critical, node.name)
            .saying("The last write to the append-only file failed: the server refuses writes.")
            .recommending("Free space on the disk of the append-only file, and read the server's log.")
            .expecting("The server takes writes again by itself.")
    })
}

pub(super) fn aof_rewrite(node: &Node<'_>) -> Outcome {
    append_only(node, "aof_last_bgrewrite_status", node.facts.persistence.aof_last_rewrite_ok, || {
        Finding::new(ids::NODE_AOF_REWRITE, Severity::Warning, node.name)
            .saying("The last rewrite of the append-only file failed: the file grows until one succeeds.")
            .recommending("Free disk space or memory for the fork, then run BGREWRITEAOF.")
            .expecting("The file is small again and restarts are quicker.")
    })
}

fn append_only(
    node: &Node<'_>,
    field: &'static str,
    ok: Option<bool>,
    failed: impl FnOnce() -> Finding,
) -> Outcome {
    match (node.facts.persistence.aof_enabled, ok) {
        (None, _) => Outcome::not_given("aof_enabled"),
        (Some(false), _) => Outcome::NotApplicable,
        (Some(true), None) => Outcome::not_given(field),
        (Some(true), Some(true)) => Outcome::Fine("succeeded".to_owned()),
        (Some(true), Some(false)) => Outcome::found("failed", failed().with_evidence(field, "err", None)),
    }
}
