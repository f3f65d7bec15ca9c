//! Many samples summed up into one.

use std::collections::BTreeMap;

use crate::{Point, Resolution, moment};

/// What is kept of the samples of one stretch of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rollup {
    pub(crate) count: i64,
    pub(crate) lowest: f64,
    pub(crate) mean: f64,
    pub(crate) highest: f64,
    pub(crate) first_at: i64,
    pub(crate) first: f64,
    pub(crate) last_at: i64,
    pub(crate) last: f64,
}

impl Rollup {
    /// Makes the summary of one sample.
    pub(crate) fn of(at: i64, value: f64) -> Self {
        Self {
            count: 1,
            lowest: value,
            mean: value,
            highest: value,
            first_at: at,
            first: value,
            last_at: at,
            last: value,
        }
    }

    /// Adds what `other` sums up, earlier or later.
    ///
    /// The mean is weighted rather than divided from a sum, so that it does not overflow where its parts do not.
    #[expect(clippy::cast_precision_loss, reason = "a stretch has fewer samples than 53 bits count")]
    pub(crate) fn merge(&mut self, other: &Self) {
        let count = self.count.saturating_add(other.count);
        let share = other.count as f64 / count as f64;
        self.lowest = self.lowest.min(other.lowest);
        self.highest = self.highest.max(other.highest);
        self.mean = (self.mean * (1.0 - share) + other.mean * share).clamp(self.lowest, self.highest);
        self.count = count;
        if other.first_at < self.first_at {
            (self.first_at, self.first) = (other.first_at, other.first);
        }
        if other.last_at > self.last_at {
            (self.last_at, self.last) = (other.last_at, other.last);
        }
    }

    /// Returns the summary as a point that begins at `start`.
    pub(crate) fn point(&self, start: i64) -> Point {
        Point {
            at: moment::time(start),
            count: self.count.unsigned_abs(),
            min: self.lowest,
            mean: self.mean,
            max: self.highest,
            first: self.first,
            first_at: moment::time(self.first_at),
            last: self.last,
            last_at: moment::time(self.last_at),
        }
    }
}

/// Sums samples up into points of one resolution, ordered by time.
pub(crate) fn points(samples: &[(i64, f64)], resolution: Resolution) -> Vec<Point> {
    let Some(width) = resolution.width() else {
        return samples.iter().map(|&(at, value)| Rollup::of(at, value).point(at)).collect();
    };
    let mut stretches = BTreeMap::new();
    for &(at, value) in samples {
        add(&mut stretches, moment::floor(at, width), Rollup::of(at, value));
    }
    stretches.iter().map(|(start, rollup)| rollup.point(*start)).collect()
}

/// Adds a summary to the stretch that it belongs to.
pub(crate) fn add(stretches: &mut BTreeMap<i64, Rollup>, start: i64, rollup: Rollup) {
    stretches.entry(start).and_modify(|known| known.merge(&rollup)).or_insert(rollup);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(values: &[f64]) -> Rollup {
        let mut rollups = (0..).zip(values).map(|(at, value)| Rollup::of(at, *value));
        let mut all = rollups.next().unwrap();
        rollups.for_each(|rollup| all.merge(&rollup));
        all
    }

    #[test]
    fn equal_values_keep_their_value_to_the_last_bit() {
        let all = merged(&[0.1; 1440]);
        assert_eq!((all.lowest, all.mean, all.highest, all.count), (0.1, 0.1, 0.1, 1440));
    }

    #[test]
    fn the_largest_values_do_not_overflow() {
        let all = merged(&[f64::MAX, f64::MAX, -f64::MAX, f64::MAX]);
        assert!((all.mean / f64::MAX - 0.5).abs() < 1e-12, "{}", all.mean);
    }

    #[test]
    fn first_and_last_are_by_time_not_by_arrival() {
        let mut all = Rollup::of(5, 50.0);
        all.merge(&Rollup::of(9, 90.0));
        all.merge(&Rollup::of(1, 10.0));
        assert_eq!((all.first, all.last), (10.0, 90.0));
    }

    #[test]
    fn no_samples_are_no_points() {
        for resolution in [Resolution::Raw, Resolution::Hourly, Resolution::Daily] {
            assert!(points(&[], resolution).is_empty());
        }
    }
}
