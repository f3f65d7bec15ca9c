//! Whether two measurements belong together: restarts, flushes and counter resets between them.

use std::time::Duration;

use serde::Serialize;

use crate::ServerFacts;

/// What is counted up by one server, with what is needed to see that the counting began anew.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Counters {
    /// The process that counted.
    pub run_id: Option<String>,
    /// Seconds since that process started.
    pub uptime_seconds: Option<u64>,
    /// Keys held at that moment.
    pub keys: u64,
    /// Runs of `FLUSHALL` and `FLUSHDB`, where command statistics are given.
    pub flushes: Option<u64>,
    /// Commands processed.
    pub commands: Option<u64>,
    /// Connections accepted.
    pub connections: Option<u64>,
    /// Connections refused.
    pub rejected_connections: Option<u64>,
    /// Look-ups that found a key.
    pub hits: Option<u64>,
    /// Look-ups that found none.
    pub misses: Option<u64>,
    /// Keys removed because their time was up.
    pub expired: Option<u64>,
    /// Keys removed because of `maxmemory`.
    pub evicted: Option<u64>,
    /// Error answers.
    pub errors: Option<u64>,
    /// Bytes received.
    pub input_bytes: Option<u64>,
    /// Bytes sent.
    pub output_bytes: Option<u64>,
}

/// Something between two measurements that makes their difference meaningless.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Break {
    /// Another process counts now: a restart, or another server under the same address.
    Restarted,
    /// The same process began to count anew (`CONFIG RESETSTAT`).
    CountersReset,
    /// All keys of a database were removed at once. Counters go on; the number of keys and the memory do not.
    Flushed,
}

/// The time between two measurements of one server.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Interval {
    elapsed: Duration,
    breaks: Vec<Break>,
}

impl From<&ServerFacts> for Counters {
    fn from(facts: &ServerFacts) -> Self {
        Self {
            run_id: facts.identity.run_id.clone(),
            uptime_seconds: facts.identity.uptime_seconds,
            keys: facts.keys(),
            flushes: facts.calls(&["flushall", "flushdb"]),
            commands: facts.stats.commands,
            connections: facts.stats.connections,
            rejected_connections: facts.stats.rejected_connections,
            hits: facts.stats.hits,
            misses: facts.stats.misses,
            expired: facts.stats.expired,
            evicted: facts.stats.evicted,
            errors: facts.error_replies(),
            input_bytes: facts.stats.input_bytes,
            output_bytes: facts.stats.output_bytes,
        }
    }
}

impl Counters {
    fn counted(&self) -> [Option<u64>; 9] {
        [
            self.commands,
            self.connections,
            self.rejected_connections,
            self.hits,
            self.misses,
            self.expired,
            self.evicted,
            self.input_bytes,
            self.output_bytes,
        ]
    }

    fn is_another_process_than(&self, before: &Self) -> bool {
        match (&before.run_id, &self.run_id) {
            (Some(before), Some(after)) => before != after,
            _ => {
                matches!((before.uptime_seconds, self.uptime_seconds), (Some(before), Some(after)) if after < before)
            }
        }
    }

    fn went_back_since(&self, before: &Self) -> bool {
        let pairs = before.counted().into_iter().zip(self.counted());
        pairs.into_iter().any(|pair| matches!(pair, (Some(before), Some(after)) if after < before))
    }

    /// Without command statistics a flush is told by keys that are gone and that neither expired nor were evicted.
    fn was_flushed_since(&self, before: &Self) -> bool {
        match (before.flushes, self.flushes) {
            (Some(before), Some(after)) => after > before,
            _ if self.keys > 0 || before.keys == 0 => false,
            _ => {
                let explained = |before: Option<u64>, after: Option<u64>| {
                    after.zip(before).map_or(0, |(after, before)| after.saturating_sub(before))
                };
                let removed = explained(before.expired, self.expired)
                    .saturating_add(explained(before.evicted, self.evicted));
                removed < before.keys
            }
        }
    }
}

impl Interval {
    /// Compares two measurements of one server, `elapsed` apart.
    #[must_use]
    pub fn between(before: &Counters, after: &Counters, elapsed: Duration) -> Self {
        let breaks = if after.is_another_process_than(before) {
            vec![Break::Restarted]
        } else if after.went_back_since(before) {
            vec![Break::CountersReset]
        } else if after.was_flushed_since(before) {
            vec![Break::Flushed]
        } else {
            Vec::new()
        };
        Self { elapsed, breaks }
    }

    /// Returns what broke the interval; empty where the two measurements belong together.
    #[must_use]
    pub fn breaks(&self) -> &[Break] {
        &self.breaks
    }

    /// Tells whether counters went on from the first measurement to the second.
    #[must_use]
    pub fn counts_go_on(&self) -> bool {
        !self.breaks.iter().any(|seen| matches!(seen, Break::Restarted | Break::CountersReset))
    }

    /// Returns what a counter gained; `None` where it is missing on a side or the counting began anew.
    #[must_use]
    pub fn gained(&self, before: Option<u64>, after: Option<u64>) -> Option<u64> {
        if !self.counts_go_on() {
            return None;
        }
        after?.checked_sub(before?)
    }

    /// Returns what a counter gained a second; `None` also where no time passed.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
    pub fn rate_per_second(&self, before: Option<u64>, after: Option<u64>) -> Option<f64> {
        let seconds = self.elapsed.as_secs_f64();
        (seconds > 0.0).then_some(())?;
        Some(self.gained(before, after)? as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(run_id: &str, uptime: u64, hits: u64) -> Counters {
        Counters {
            run_id: (!run_id.is_empty()).then(|| run_id.to_owned()),
            uptime_seconds: Some(uptime),
            keys: 10,
            hits: Some(hits),
            ..Counters::default()
        }
    }

    fn between(before: &Counters, after: &Counters) -> Interval {
        Interval::between(before, after, Duration::from_secs(10))
    }

    #[test]
    fn what_goes_on_has_a_rate() {
        let interval = between(&counters("a", 5, 100), &counters("a", 15, 150));
        assert!(interval.breaks().is_empty());
        assert_eq!(interval.gained(Some(100), Some(150)), Some(50));
        assert_eq!(interval.rate_per_second(Some(100), Some(150)), Some(5.0));
        assert_eq!(interval.gained(None, Some(150)), None);
    }

    #[test]
    fn no_time_has_no_rate() {
        let same = counters("a", 5, 100);
        let interval = Interval::between(&same, &same, Duration::ZERO);
        assert_eq!(interval.rate_per_second(Some(1), Some(2)), None);
        assert_eq!(interval.gained(Some(1), Some(1)), Some(0));
    }

    #[test]
    fn another_process_is_a_restart_even_if_its_counters_are_higher() {
        let interval = between(&counters("a", 5, 100), &counters("b", 15, 150));
        assert_eq!(interval.breaks(), [Break::Restarted]);
        assert_eq!(interval.gained(Some(100), Some(150)), None);
    }

    #[test]
    fn without_a_run_id_the_uptime_tells() {
        assert_eq!(between(&counters("", 50, 100), &counters("", 2, 150)).breaks(), [Break::Restarted]);
        assert!(between(&counters("", 50, 100), &counters("", 60, 150)).breaks().is_empty());
    }

    #[test]
    fn a_counter_that_went_back_was_reset() {
        assert_eq!(between(&counters("a", 5, 100), &counters("a", 15, 3)).breaks(), [Break::CountersReset]);
    }

    #[test]
    fn a_flush_is_told_by_its_command_or_by_keys_that_nothing_explains() {
        let before = Counters { flushes: Some(1), ..counters("a", 5, 100) };
        let after = Counters { flushes: Some(2), ..counters("a", 15, 100) };
        let interval = between(&before, &after);
        assert_eq!(interval.breaks(), [Break::Flushed]);
        assert!(interval.counts_go_on());

        let empty = Counters { keys: 0, ..counters("a", 15, 100) };
        assert_eq!(between(&counters("a", 5, 100), &empty).breaks(), [Break::Flushed]);
        let before = Counters { expired: Some(0), ..counters("a", 5, 100) };
        let expired = Counters { expired: Some(10), ..empty };
        assert!(between(&before, &expired).breaks().is_empty());
    }
}
