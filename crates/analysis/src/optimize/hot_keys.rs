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

pub(super) fn judge(node: &NodeHistory, thresholds: &OptimizeThresholds) -> Vec<Finding> {
    let Some(traffic) = node.traffic.known() else { return Vec::new() };
    let hot = traffic.hottest.iter().filter_map(|key| Hot::of(key, traffic, thresholds));
    hot.map(|hot| hot.finding(node, traffic)).collect()
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

/// A key with what makes it hot.
struct Hot<'a> {
    key: &'a HotKey,
    share: f64,
    per_second: f64,
    writes: f64,
}

impl<'a> Hot<'a> {
    /// Its share is above the threshold however the sample fell, and not for one moment alone.
    fn of(key: &'a HotKey, traffic: &Traffic, thresholds: &OptimizeThresholds) -> Option<Self> {
        let [uses, writes, all] = [key.commands, key.writes, traffic.commands].map(number);
        let is_sure = least_share(uses, all)? > thresholds.hot_key_share.get();
        let lasts = 2 * u64::from(key.rounds) >= u64::from(traffic.rounds);
        let per_second = uses / traffic.time.as_secs_f64();
        let is_hot = is_enough(traffic) && is_sure && lasts && per_second >= USES_PER_SECOND;
        is_hot.then_some(Self { key, share: (uses / all).min(1.0), per_second, writes: writes / uses })
    }

    fn finding(&self, node: &NodeHistory, traffic: &Traffic) -> Finding {
        let severity = if self.share >= BUSY { Severity::Warning } else { Severity::Info };
        let (recommendation, effect, risk) = self.advice();
        Finding::new(ids::HOT_KEYS, severity, node.node.to_string())
            .saying(format!(
                "{} of the commands name the key {}{}: about {:.0} a second, {} of them may change it.",
                percent(self.share),
                self.key.key,
                if self.key.database == 0 {
                    String::new()
                } else {
                    format!(" of database {}", self.key.database)
                },
                self.per_second,
                percent(self.writes),
            ))
            .with_evidence("key", self.key.key.as_str(), None)
            .with_evidence("share_of_commands", self.share, Unit::Ratio)
            .with_evidence("commands_per_second", self.per_second, Unit::PerSecond)
            .with_evidence("share_of_writes", self.writes, Unit::Ratio)
            .with_evidence("rounds", format!("{} of {}", self.key.rounds, traffic.rounds).as_str(), None)
            .with_evidence("commands_seen", traffic.commands, Unit::Count)
            .recommending(recommendation)
            .expecting(effect)
            .risking(risk)
    }

    fn advice(&self) -> (&'static str, String, &'static str) {
        if self.writes >= 0.5 {
            return (
                "Collect the changes in the application and write them together, or spread them over several keys that are read together.",
                format!("Up to {:.0} commands a second fewer on this node.", self.per_second * self.writes),
                "What was collected and not yet written is lost with the application.",
            );
        }
        (
            "Keep the value in the application for a second or so (a near cache, or CLIENT TRACKING), or keep copies under several names, \
             which lie on several nodes.",
            format!(
                "Up to {:.0} commands a second fewer on this node.",
                self.per_second * (1.0 - self.writes)
            ),
            "A copy is as old as the time that it is kept.",
        )
    }
}
