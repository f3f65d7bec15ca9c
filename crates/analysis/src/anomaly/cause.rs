//! What moved in the same time.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use larder_metrics_model::Break;
use serde::Serialize;

use super::Anomaly;
use crate::{
    series::{TimeSeries, find_breaks, rates},
    statistics::median,
};

/// Other metrics of the node, by their names in `larder metrics list`. Counters are given as they count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Surroundings {
    series: BTreeMap<String, TimeSeries>,
    judged: String,
}

/// What probably caused an anomaly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CauseKind {
    /// The server started anew.
    Restart,
    /// All keys were removed at once.
    Flush,
    /// The server forked, for a dump, a rewrite of the append-only file or a replica.
    Fork,
    /// Many clients connected at once.
    ClientStorm,
    /// Many keys expired at once.
    ExpiryBurst,
    /// Answers grew and commands did not: large values were read.
    BigKey,
}

/// What probably caused an anomaly, with what that rests on.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Cause {
    /// What it was.
    pub kind: CauseKind,
    /// That in a sentence, with the numbers in it.
    pub message: String,
    /// What moved.
    pub evidence: Vec<Movement>,
}

/// A metric that moved; of a counter, what it comes to a second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Movement {
    /// Its name.
    pub metric: &'static str,
    /// The median of the day before; at a break and of the last fork, the value before.
    pub before: f64,
    /// The highest in the time of the anomaly; at a break and of the last fork, the value behind it.
    pub during: f64,
}

/// So many values tell what was usual before.
const FEWEST_BEFORE: usize = 6;
/// Clients connected and memory held move in steps; what happens a second is jumpy.
const MORE_CLIENTS: f64 = 1.5;
const MORE_MEMORY: f64 = 1.1;
const MORE_A_SECOND: f64 = 2.0;
const AS_MANY: f64 = 1.25;

impl Surroundings {
    /// Begins the surroundings of an anomaly of this metric, whose own movement is no cause of itself.
    #[must_use]
    pub fn of(metric: impl Into<String>) -> Self {
        Self { judged: metric.into(), series: BTreeMap::new() }
    }

    /// Adds what was measured of a metric, from at least a day before the anomaly to its end.
    #[must_use]
    pub fn with(mut self, metric: impl Into<String>, series: TimeSeries) -> Self {
        self.series.insert(metric.into(), series);
        self
    }

    /// Returns the same surroundings of an anomaly of another metric.
    #[must_use]
    pub fn about(mut self, metric: impl Into<String>) -> Self {
        self.judged = metric.into();
        self
    }

    /// Tells whether nothing was measured in them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.series.values().all(TimeSeries::is_empty)
    }

    fn get(&self, metric: &str) -> Option<&TimeSeries> {
        self.series.get(metric)
    }
}

/// Names the likely cause of an anomaly: what moved in its time, from the measurement before it to the one behind it, and beyond
/// everything of the day before. `None` where nothing did, or too little was measured. A restart and a flush explain what moves
/// with them and come first.
#[must_use]
pub fn likely_cause(anomaly: &Anomaly, surroundings: &Surroundings) -> Option<Cause> {
    let time = Time { anomaly, surroundings };
    let checks = [Time::broken, Time::forked, Time::stormed, Time::expired, Time::answered_at_length];
    checks.iter().find_map(|check| check(&time))
}

struct Time<'a> {
    anomaly: &'a Anomaly,
    surroundings: &'a Surroundings,
}

impl Time<'_> {
    /// From the last measurement before the anomaly to the first behind it.
    fn bounds(&self, series: &TimeSeries) -> (DateTime<Utc>, DateTime<Utc>) {
        let step = series.typical_step().unwrap_or_default();
        (self.anomaly.from - step, self.anomaly.until + step)
    }

    fn movement(&self, metric: &'static str, series: &TimeSeries) -> Option<(Movement, f64)> {
        let (from, until) = self.bounds(series);
        let before = series.since(from - TimeDelta::days(1)).until(from);
        let highest = before.values().reduce(f64::max)?;
        let usual = median(&mut before.values().collect::<Vec<_>>())?;
        let inside = series.since(from).until(until + TimeDelta::milliseconds(1));
        let during = inside.values().reduce(f64::max)?;
        (before.len() >= FEWEST_BEFORE).then_some((Movement { metric, before: usual, during }, highest))
    }

    /// A gauge that rose above everything of the day before and by so many times.
    fn rose(&self, metric: &'static str, times: f64) -> Option<Movement> {
        if self.surroundings.judged == metric {
            return None;
        }
        let (movement, highest) = self.movement(metric, self.surroundings.get(metric)?)?;
        (movement.during > highest && movement.during >= movement.before * times).then_some(movement)
    }

    /// A counter of which as much holds for what it comes to a second.
    fn quickened(&self, metric: &'static str) -> Option<Movement> {
        if self.surroundings.judged == metric {
            return None;
        }
        let (movement, highest) = self.movement(metric, &rates(self.surroundings.get(metric)?).series)?;
        let least = (movement.before * MORE_A_SECOND).max(1.0);
        (movement.during > highest && movement.during >= least).then_some(movement)
    }

    fn broken(&self) -> Option<Cause> {
        let none = TimeSeries::default();
        let uptime = self.surroundings.get("node_uptime_seconds").unwrap_or(&none);
        let keys = self.surroundings.get("node_keys").unwrap_or(&none);
        let breaks = find_breaks(uptime, &[], keys);
        let found = breaks.iter().find(|found| {
            let series = if found.what == Break::Restarted { uptime } else { keys };
            let (from, until) = self.bounds(series);
            found.until >= from && found.after < until
        })?;
        let at = found.until.format("%F %H:%M UTC");
        let change = |metric, series: &TimeSeries| {
            let value = |moment| series.since(moment).first().map(|observation| observation.value);
            Some(Movement { metric, before: value(found.after)?, during: value(found.until)? })
        };
        if found.what == Break::Restarted {
            let movement = change("node_uptime_seconds", uptime)?;
            let message = format!("the server was started anew before {at}");
            return Some(Cause { kind: CauseKind::Restart, message, evidence: vec![movement] });
        }
        let movement = change("node_keys", keys)?;
        let message = format!(
            "the keys were flushed before {at}: {:.0} were left of {:.0}",
            movement.during, movement.before
        );
        Some(Cause { kind: CauseKind::Flush, message, evidence: vec![movement] })
    }

    /// The time that the last fork took is another one when there was a fork; it hurts where memory or latency rose with it.
    fn forked(&self) -> Option<Cause> {
        let forks = self.surroundings.get("node_latest_fork_ms")?;
        let (from, until) = self.bounds(forks);
        let pair = forks.observations().windows(2).find(|pair| {
            pair[1].at >= from && pair[0].at < until && pair[0].value.to_bits() != pair[1].value.to_bits()
        })?;
        let fork = Movement { metric: "node_latest_fork_ms", before: pair[0].value, during: pair[1].value };
        let with_it: Vec<Movement> = [
            self.rose("node_rss_bytes", MORE_MEMORY),
            self.rose("node_used_memory_bytes", MORE_MEMORY),
            self.rose("ping_ms", MORE_A_SECOND),
            self.rose("latency_p99_ms", MORE_A_SECOND),
            self.rose("latency_max_ms", MORE_A_SECOND),
        ]
        .into_iter()
        .flatten()
        .collect();
        let first = with_it.first()?;
        let message =
            format!("the server forked, which took {:.1} ms; {} rose with it", fork.during, first.metric);
        let evidence = std::iter::once(fork).chain(with_it).collect();
        Some(Cause { kind: CauseKind::Fork, message, evidence })
    }

    fn stormed(&self) -> Option<Cause> {
        let (connections, clients) =
            (self.quickened("node_connections"), self.rose("node_clients", MORE_CLIENTS));
        let message = match (&connections, &clients) {
            (Some(moved), _) => format!(
                "clients connected at {:.1} a second, usually {:.1}: a storm of connections",
                moved.during, moved.before
            ),
            (None, Some(moved)) => {
                format!("{:.0} clients were connected, usually {:.0}", moved.during, moved.before)
            }
            (None, None) => return None,
        };
        let evidence = [connections, clients].into_iter().flatten().collect();
        Some(Cause { kind: CauseKind::ClientStorm, message, evidence })
    }

    fn expired(&self) -> Option<Cause> {
        let moved = self.quickened("node_expired_keys")?;
        let message = format!(
            "{:.1} keys a second expired, usually {:.1}: many were due at once",
            moved.during, moved.before
        );
        Some(Cause { kind: CauseKind::ExpiryBurst, message, evidence: vec![moved] })
    }

    fn answered_at_length(&self) -> Option<Cause> {
        let sent = self.quickened("node_output_bytes")?;
        let commands = rates(self.surroundings.get("node_commands")?).series;
        let (commands, _) = self.movement("node_commands", &commands)?;
        if commands.during > commands.before * AS_MANY {
            return None;
        }
        let message = format!(
            "{:.0} bytes a second were sent, usually {:.0}, for as many commands as ever: large values were read",
            sent.during, sent.before
        );
        Some(Cause { kind: CauseKind::BigKey, message, evidence: vec![sent, commands] })
    }
}
