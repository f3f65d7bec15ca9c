//! What happened to a server on the way, told from its series alone.

use chrono::{DateTime, TimeDelta, Utc};
use larder_metrics_model::Break;

use super::TimeSeries;

/// Something at which a server began anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesBreak {
    /// When the last measurement before it was made.
    pub after: DateTime<Utc>,
    /// When the first measurement behind it was made.
    pub until: DateTime<Utc>,
    /// What it was.
    pub what: Break,
}

/// A server with fewer keys than this may lose them all for any reason.
const KEYS_OF_A_FLUSH: f64 = 100.0;
/// What is left of the keys when so much went between two measurements that it was no expiry.
const LEFT_BY_A_FLUSH: f64 = 0.01;
/// What may be there again when it is measured next: an hour later a cache has filled a little.
const LEFT_AND_FILLED: f64 = 0.1;
/// Falls to so little that happen more often are the rhythm of a cache whose keys expire together.
const MOST_FLUSHES: usize = 2;
/// A server that has so much of what it had before soon after it began anew has kept its data: it loaded them.
const KEPT: f64 = 0.8;
/// How many measurements behind a break tell what was kept: the first may be of a server that is still loading.
const LOOKED_AT: usize = 2;

impl SeriesBreak {
    /// Tells whether what was measured, such as memory or keys, fell with it below four fifths of what it was. A server that loads its
    /// data again when it starts loses nothing.
    #[must_use]
    pub fn has_emptied(&self, series: &TimeSeries) -> bool {
        let behind = series.since(self.until);
        let behind = behind.values().take(LOOKED_AT).reduce(f64::max);
        self.before(series).zip(behind).is_some_and(|(before, behind)| behind < KEPT * before)
    }

    /// Returns what was measured last before it.
    pub(crate) fn before(&self, series: &TimeSeries) -> Option<f64> {
        Some(series.until(self.after + TimeDelta::microseconds(1)).last()?.value)
    }
}

/// Finds restarts (the time since the start went back), resets of counters (a counter went back without one) and flushes (99 of
/// 100 keys or more gone between two measurements, without a restart; or nine of ten, where that happened once or twice), in the
/// series of one server, ordered by time.
#[must_use]
pub fn find_breaks(uptime: &TimeSeries, counters: &[TimeSeries], keys: &TimeSeries) -> Vec<SeriesBreak> {
    let mut breaks = falls(uptime, &Break::Restarted, |before, after| after < before);
    for counter in counters {
        let resets = falls(counter, &Break::CountersReset, |before, after| after < before);
        add(&mut breaks, resets);
    }
    let flushes = |left: f64| {
        falls(keys, &Break::Flushed, |before, after| before >= KEYS_OF_A_FLUSH && after <= before * left)
    };
    let seldom = flushes(LEFT_AND_FILLED);
    add(&mut breaks, if seldom.len() <= MOST_FLUSHES { seldom } else { flushes(LEFT_BY_A_FLUSH) });
    breaks.sort_by_key(|found| found.until);
    breaks
}

fn falls(series: &TimeSeries, what: &Break, is_one: impl Fn(f64, f64) -> bool) -> Vec<SeriesBreak> {
    let pairs = series.observations().windows(2).filter(|pair| is_one(pair[0].value, pair[1].value));
    pairs.map(|pair| SeriesBreak { after: pair[0].at, until: pair[1].at, what: what.clone() }).collect()
}

/// What lies in the same time as one that is known already is told by that one.
fn add(known: &mut Vec<SeriesBreak>, found: Vec<SeriesBreak>) {
    for one in found {
        if !known.iter().any(|other| one.after < other.until && other.after < one.until) {
            known.push(one);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f64]) -> TimeSeries {
        let at = |hour: i64| DateTime::from_timestamp(hour * 3_600, 0).unwrap();
        (0..).zip(values).map(|(hour, value)| (at(hour), *value)).collect()
    }

    #[test]
    fn a_restart_explains_counters_and_keys_that_begin_anew_with_it() {
        let breaks = find_breaks(
            &series(&[10.0, 20.0, 5.0, 15.0]),
            &[series(&[100.0, 200.0, 3.0, 4.0])],
            &series(&[500.0, 500.0, 0.0, 10.0]),
        );
        assert_eq!(breaks.len(), 1);
        assert_eq!((breaks[0].what.clone(), breaks[0].until.timestamp()), (Break::Restarted, 7_200));
    }

    #[test]
    fn a_reset_and_a_flush_are_told_apart_from_expiry() {
        let uptime = series(&[10.0, 20.0, 30.0, 40.0]);
        let reset = find_breaks(&uptime, &[series(&[100.0, 200.0, 3.0, 4.0])], &series(&[500.0; 4]));
        assert_eq!(reset[0].what, Break::CountersReset);
        let flush = find_breaks(&uptime, &[], &series(&[500.0, 400.0, 2.0, 9.0]));
        assert_eq!(flush[0].what, Break::Flushed);
        // An hour later some are there again.
        let flush = find_breaks(&uptime, &[], &series(&[500.0, 400.0, 8.0, 60.0]));
        assert_eq!((flush.len(), flush[0].until.timestamp()), (1, 7_200));
        assert_eq!(find_breaks(&uptime, &[], &series(&[500.0, 400.0, 60.0, 9.0])), []);
        // A cache whose keys expire together every night is not flushed every night.
        let nightly: Vec<f64> = [400.0, 30.0].repeat(3);
        assert_eq!(find_breaks(&series(&[]), &[], &series(&nightly)), []);
        assert_eq!(find_breaks(&uptime, &[], &series(&[50.0, 0.0, 40.0, 9.0])), []);
    }
}
