//! What a Sentinel says of the primaries that it watches.

use larder_metrics_model::{MonitoredPrimary, Unit};

use super::{
    ids,
    ledger::{Ledger, Outcome},
    node::Node,
};
use crate::{
    Finding, Severity,
    wording::{clause, counted},
};

/// With fewer Sentinels no majority is left when one of them fails.
const SENTINELS: u64 = 3;

pub(super) fn judge(ledger: &mut Ledger, node: &Node<'_>) {
    if node.facts.monitored.is_empty() {
        ledger.record("sentinel.primary", node.name, Outcome::found("none", watches_nothing(node)));
    }
    for primary in &node.facts.monitored {
        ledger.record("sentinel.primary", node.name, state(node, primary));
        ledger.record("sentinel.quorum", node.name, company(node, primary));
    }
}

fn watches_nothing(node: &Node<'_>) -> Finding {
    Finding::new(ids::SENTINEL_NO_PRIMARY, Severity::Warning, node.name)
        .saying("The Sentinel watches 0 primaries: it would not fail over.")
        .with_evidence("sentinel_masters", 0_u64, Unit::Count)
        .recommending("Give it the primary with SENTINEL MONITOR.")
        .expecting("A replica takes over when the primary fails.")
}

fn state(node: &Node<'_>, primary: &MonitoredPrimary) -> Outcome {
    let (id, severity, what) = match primary.status.as_str() {
        "ok" => return Outcome::Fine(format!("{} at {} is ok", primary.name, primary.address)),
        "odown" => (ids::SENTINEL_PRIMARY_DOWN, Severity::Critical, "and the other Sentinels agree"),
        "sdown" => (ids::SENTINEL_PRIMARY_SUSPECTED, Severity::Warning, "and the others do not agree yet"),
        other => return Outcome::Unknown(format!("the state `{}` is not known", clause(other))),
    };
    let finding = Finding::new(id, severity, node.name)
        .saying(format!(
            "The Sentinel cannot reach the primary {} at {}, {what}.",
            primary.name, primary.address
        ))
        .with_evidence("primary", primary.name.as_str(), None)
        .with_evidence("status", primary.status.as_str(), None)
        .recommending("Check the primary; SENTINEL MASTER and the Sentinel's log say how the failover goes.")
        .expecting("The cache takes writes again.");
    Outcome::found(format!("{} is {}", primary.name, primary.status), finding)
}

fn company(node: &Node<'_>, primary: &MonitoredPrimary) -> Outcome {
    Outcome::of("the number of Sentinels", primary.sentinels, |sentinels| {
        let seen = format!("{} of {}", counted(sentinels, "Sentinel"), primary.name);
        if sentinels >= SENTINELS {
            return Outcome::Fine(seen);
        }
        let finding = Finding::new(ids::SENTINEL_TOO_FEW, Severity::Info, node.name)
            .saying(format!(
                "{sentinels} of at least {SENTINELS} Sentinels watch {}: if one fails, no majority is left.",
                primary.name
            ))
            .with_evidence("sentinels", sentinels, Unit::Count)
            .recommending("Run at least three Sentinels, on machines that fail apart.")
            .expecting("A failover is possible when one machine is lost.");
        Outcome::found(seen, finding)
    })
}
