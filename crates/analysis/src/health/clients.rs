//! Who is connected, and who was turned away.

use larder_metrics_model::Unit;

use super::{ids, ledger::Outcome, node::Node};
use crate::{
    Finding, Severity,
    wording::{counted, percent, seconds, share},
};

/// Connections refused within this time of the check are worth a warning: someone may still feel it.
const RECENT_SECONDS: u64 = 24 * 60 * 60;

pub(super) fn share_of_limit(node: &Node<'_>) -> Outcome {
    let clients = &node.facts.clients;
    Outcome::of("connected_clients", clients.connected, |connected| {
        Outcome::of("maxclients", clients.max, |max| of_limit(node, connected, max))
    })
}

fn of_limit(node: &Node<'_>, connected: u64, max: u64) -> Outcome {
    let Some(used) = share(connected, max) else {
        return Outcome::Unknown("maxclients is 0, which no server can run with".to_owned());
    };
    let seen = format!("{connected} of {max} clients, {}", percent(used));
    let Some(severity) = node.thresholds.clients.severity_of(used) else {
        return Outcome::Fine(seen);
    };
    let finding = Finding::new(ids::NODE_CLIENTS, severity, node.name)
        .saying(format!("Few connections are left: {seen}."))
        .with_evidence("connected_clients", connected, Unit::Count)
        .with_evidence("maxclients", max, Unit::Count)
        .with_evidence("threshold", node.thresholds.clients.passed(severity), Unit::Ratio)
        .recommending(
            "Find who holds them with CLIENT LIST; bound the pools, set timeout, or raise maxclients.",
        )
        .expecting("New clients are not turned away.");
    Outcome::found(seen, finding)
}

/// Shows the clients in a blocking command; that they wait is what they asked for.
pub(super) fn blocked(node: &Node<'_>) -> Outcome {
    Outcome::of("blocked_clients", node.facts.clients.blocked, |blocked| {
        Outcome::Fine(format!("{} in a blocking command", counted(blocked, "client")))
    })
}

/// Judges the connections refused at `maxclients`.
///
/// The counter runs since the start, and a single reading does not tell when they were refused. Where the server
/// started less than a day ago it was within the day, which is a warning; else it is only worth knowing.
pub(super) fn rejected(node: &Node<'_>) -> Outcome {
    Outcome::of("rejected_connections", node.facts.stats.rejected_connections, |rejected| {
        let seen = format!("{rejected} since the start");
        if rejected == 0 { Outcome::Fine(seen) } else { Outcome::found(seen, turned_away(node, rejected)) }
    })
}

fn turned_away(node: &Node<'_>, rejected: u64) -> Finding {
    let uptime = node.facts.identity.uptime_seconds;
    let recent = uptime.is_some_and(|uptime| uptime < RECENT_SECONDS);
    let severity = if recent { Severity::Warning } else { Severity::Info };
    let start =
        uptime.map_or_else(|| "the start".to_owned(), |uptime| format!("the start {} ago", seconds(uptime)));
    let finding = Finding::new(ids::NODE_REJECTED, severity, node.name)
        .saying(format!("The server has turned away {} since {start}.", counted(rejected, "connection")))
        .with_evidence("rejected_connections", rejected, Unit::Count)
        .recommending("Bound the connection pools so that their sum stays below maxclients, or raise it.")
        .expecting("No client is turned away at peak times.");
    match uptime {
        Some(uptime) => finding.with_evidence("uptime_in_seconds", uptime, Unit::Seconds),
        None => finding,
    }
}
