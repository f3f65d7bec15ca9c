//! Whether a node answers, and how fast.

use larder_metrics_model::{Failure, FailureKind, Observed, Unit};

use super::{HealthThresholds, ids, ledger::Outcome};
use crate::{Finding, FindingId, Severity, wording::clause};

/// What a kind of failure means.
struct Meaning {
    id: FindingId,
    /// What happened, as the beginning of a sentence.
    what: &'static str,
    recommendation: &'static str,
}

/// Judges the answer to PING.
pub(super) fn ping(node: &str, ping_ms: &Observed<f64>, thresholds: &HealthThresholds) -> Outcome {
    match ping_ms {
        Observed::Known(ms) => round_trip(node, *ms, thresholds),
        Observed::Skipped(reason) => Outcome::Skipped(reason.clone()),
        Observed::Failed(failure) => Outcome::found("no answer", no_answer(node, failure)),
    }
}

/// Makes the finding about a node that does not answer.
pub(super) fn no_answer(node: &str, failure: &Failure) -> Finding {
    let meaning = meaning(failure.kind);
    Finding::new(meaning.id, Severity::Critical, node)
        .saying(format!("{}: {}.", meaning.what, clause(&failure.reason)))
        .with_evidence("reason", failure.reason.as_str(), None)
        .recommending(meaning.recommendation)
}

/// Makes the finding about a cache whose nodes could not be found.
pub(super) fn no_nodes_found(failure: &Failure) -> Finding {
    Finding::new(ids::CACHE_UNREACHABLE, Severity::Critical, "cache")
        .saying(format!("The nodes of the cache could not be found: {}.", clause(&failure.reason)))
        .with_evidence("reason", failure.reason.as_str(), None)
        .recommending(meaning(failure.kind).recommendation)
}

fn round_trip(node: &str, ms: f64, thresholds: &HealthThresholds) -> Outcome {
    if !ms.is_finite() || ms < 0.0 {
        return Outcome::Unknown(format!("{ms} ms is no round trip"));
    }
    let seen = format!("{ms:.1} ms");
    let Some(severity) = thresholds.ping_ms.severity_of(ms) else {
        return Outcome::Fine(seen);
    };
    let limit = thresholds.ping_ms.passed(severity);
    let finding = Finding::new(ids::NODE_SLOW, severity, node)
        .saying(format!("The node answers slowly: a PING took {seen}, and {limit} ms is allowed."))
        .with_evidence("ping_ms", ms, Unit::Milliseconds)
        .with_evidence("threshold", limit, Unit::Milliseconds)
        .recommending("Look at the slow log and LATENCY LATEST, then at the processor and the network.")
        .expecting("Look-ups take less time.");
    Outcome::found(seen, finding)
}

fn meaning(kind: FailureKind) -> Meaning {
    let (id, what, recommendation) = match kind {
        FailureKind::Unreachable => (
            ids::NODE_UNREACHABLE,
            "The node cannot be reached",
            "Check that the server runs, that address, port and firewall are right, and that a TLS port is named as such.",
        ),
        FailureKind::Timeout => (
            ids::NODE_TIMEOUT,
            "The node did not answer in time",
            "Look for a slow command, a fork or swapping on the server, then at the network.",
        ),
        FailureKind::Authentication => (
            ids::NODE_AUTHENTICATION,
            "The node refused the login",
            "Check user and password, and with ACL WHOAMI and ACL LIST what the user may do.",
        ),
        FailureKind::Tls => (
            ids::NODE_TLS,
            "The secured connection to the node could not be made",
            "Check that the port speaks TLS, the certificate's name and date, and the CA that is trusted.",
        ),
        FailureKind::Loading => (
            ids::NODE_LOADING,
            "The node is loading its data set",
            "Wait until it has loaded; loading_eta_seconds in INFO says how long.",
        ),
        FailureKind::TooManyClients => (
            ids::NODE_TOO_MANY_CLIENTS,
            "The node takes no more clients",
            "Find who holds the connections with CLIENT LIST; bound the pools, or raise maxclients.",
        ),
        _ => (
            ids::NODE_FAILED,
            "The node did not answer as expected",
            "Read the reason, then the server's log.",
        ),
    };
    Meaning { id, what, recommendation }
}
