//! Keys that are asked for so often that their node is busy with them.

use larder_metrics_model::{Skipped, Unit};

use super::{HotKey, NodeHistory, OptimizeThresholds, Traffic, ids};
use crate::{
    Finding, Severity,
    statistics::least_share,
    wording::{counted, number, percent},
};

/// Fewer commands tell no share.
const FEWEST_COMMANDS: u64 = 100;
/// A key that is asked for less often keeps no node busy, whatever its share is.
const USES_PER_SECOND: f64 = 100.0;
/// A node is busy with one key where this share of its commands names it.
const BUSY: f64 = 0.5;

/// Judges the keys of a node; whether there are other nodes that copies could be on.
pub(super) fn judge(node: &NodeHistory, has_others: bool, thresholds: &OptimizeThresholds) -> Vec<Finding> {
    let Some(traffic) = node.traffic.known() else { return Vec::new() };
    let hot = traffic.hottest.iter().filter(|key| is_hot(key, traffic, thresholds));
    hot.map(|key| finding(key, node, traffic, has_others)).collect()
}

/// Says why nothing is known of a node's hot keys.
pub(super) fn unseen(node: &NodeHistory) -> Option<Skipped> {
    let reason = match node.traffic.known() {
        None => node.traffic.why_unknown()?.to_owned(),
        Some(traffic) if is_enough(traffic) => return None,
        Some(traffic) => format!(
            "{} in {:.1} s; it takes {FEWEST_COMMANDS} to tell",
            counted(traffic.commands, "command"),
            traffic.time.as_secs_f64()
        ),
    };
    Some(Skipped::new(format!("hot keys of {}", node.node), reason))
}

fn is_enough(traffic: &Traffic) -> bool {
    traffic.commands >= FEWEST_COMMANDS && !traffic.time.is_zero()
}

/// Its share is above the threshold however the sample fell, and not for one moment alone.
fn is_hot(key: &HotKey, traffic: &Traffic, thresholds: &OptimizeThresholds) -> bool {
    let all = number(traffic.commands);
    let is_sure =
        least_share(key.share * all, all).is_some_and(|least| least > thresholds.hot_key_share.get());
    let lasts = 2 * u64::from(key.rounds) >= u64::from(traffic.rounds);
    is_enough(traffic) && is_sure && lasts && key.per_second >= USES_PER_SECOND
}

fn finding(key: &HotKey, node: &NodeHistory, traffic: &Traffic, has_others: bool) -> Finding {
    let severity = if key.share >= BUSY { Severity::Warning } else { Severity::Info };
    let database = if key.database == 0 { String::new() } else { format!(" of database {}", key.database) };
    let (recommendation, fewer, risk) = advice(key, has_others);
    Finding::new(ids::HOT_KEYS, severity, node.node.to_string())
        .saying(format!(
            "{} of the commands name the key {}{database}: about {:.0} a second, {} of them may change it.",
            percent(key.share),
            key.key,
            key.per_second,
            percent(key.writes),
        ))
        .with_evidence("key", key.key.as_str(), None)
        .with_evidence("share_of_commands", key.share, Unit::Ratio)
        .with_evidence("commands_per_second", key.per_second, Unit::PerSecond)
        .with_evidence("share_of_writes", key.writes, Unit::Ratio)
        .with_evidence("rounds", format!("{} of {}", key.rounds, traffic.rounds).as_str(), None)
        .with_evidence("commands_seen", traffic.commands, Unit::Count)
        .recommending(recommendation)
        .expecting(format!("Up to {:.0} commands a second fewer on this node.", key.per_second * fewer))
        .risking(risk)
}

/// What to do, which share of the commands that saves, and what may go wrong.
fn advice(key: &HotKey, has_others: bool) -> (&'static str, f64, &'static str) {
    if key.writes >= 0.5 {
        let recommendation = "Collect the changes in the application and write them together, or spread them over several keys that \
                              are read together.";
        let risk = "What was collected and not yet written is lost with the application.";
        return (recommendation, key.writes, risk);
    }
    let recommendation = if has_others {
        "Keep the value in the application for a second or so (a near cache, or CLIENT TRACKING), or keep copies under several names, \
         which lie on several nodes."
    } else {
        "Keep the value in the application for a second or so (a near cache, or CLIENT TRACKING), or read it from a replica."
    };
    (recommendation, 1.0 - key.writes, "A copy is as old as the time that it is kept.")
}
