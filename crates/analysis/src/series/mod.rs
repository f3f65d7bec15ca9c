//! Metrics over time: ordered, finite, and with what breaks them.

mod breaks;
mod rate;
mod steps;
mod sum;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

pub use breaks::{SeriesBreak, find_breaks};
pub use rate::{Rates, rates};
pub use steps::{Step, Summarise, Summary};
pub use sum::sum_of;

/// One value at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// When it was measured.
    pub at: DateTime<Utc>,
    /// What was measured.
    pub value: f64,
}

/// A metric over time: ordered by time, one finite value a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimeSeries {
    observations: Vec<Observation>,
    unusable: usize,
}

/// A step this many times the typical one is a gap.
const GAP_STEPS: i32 = 3;

impl TimeSeries {
    /// Orders observations by time, whatever order they come in. Values that are not finite are left out and counted; of
    /// several at one moment the mean stays.
    #[must_use]
    pub fn new(observations: impl IntoIterator<Item = Observation>) -> Self {
        let (mut usable, unusable): (Vec<_>, Vec<_>) =
            observations.into_iter().partition(|observation| observation.value.is_finite());
        usable.sort_by(|a, b| a.at.cmp(&b.at).then(a.value.total_cmp(&b.value)));
        let observations = usable
            .chunk_by(|a, b| a.at == b.at)
            .map(|same| Observation { at: same[0].at, value: mean(same.iter().map(|it| it.value)) })
            .collect();
        Self { observations, unusable: unusable.len() }
    }

    /// Returns the observations, oldest first.
    #[must_use]
    pub fn observations(&self) -> &[Observation] {
        &self.observations
    }

    /// Returns the values, oldest first.
    #[must_use]
    pub fn values(&self) -> impl ExactSizeIterator<Item = f64> + Clone {
        self.observations.iter().map(|observation| observation.value)
    }

    /// Returns how many values were left out because they are no numbers.
    #[must_use]
    pub fn unusable(&self) -> usize {
        self.unusable
    }

    /// Returns how many observations there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.observations.len()
    }

    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.observations.is_empty()
    }

    /// Returns the oldest observation.
    #[must_use]
    pub fn first(&self) -> Option<Observation> {
        self.observations.first().copied()
    }

    /// Returns the newest observation.
    #[must_use]
    pub fn last(&self) -> Option<Observation> {
        self.observations.last().copied()
    }

    /// Returns the time from the first to the last observation.
    #[must_use]
    pub fn span(&self) -> Duration {
        let ends = self.first().zip(self.last());
        ends.and_then(|(first, last)| (last.at - first.at).to_std().ok()).unwrap_or_default()
    }

    /// Returns the median of the times between neighbours; `None` for fewer than two observations.
    #[must_use]
    pub fn typical_step(&self) -> Option<TimeDelta> {
        let mut steps: Vec<_> = self.observations.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
        if steps.is_empty() {
            return None;
        }
        let middle = steps.len() / 2;
        Some(*steps.select_nth_unstable(middle).1)
    }

    /// Returns the stretches without observations, each from the one before to the one after it: those of more than three
    /// typical steps.
    #[must_use]
    pub fn gaps(&self) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
        let Some(longest) = self.typical_step().map(|step| step * GAP_STEPS) else { return Vec::new() };
        let pairs = self.observations.windows(2).map(|pair| (pair[0].at, pair[1].at));
        pairs.filter(|(before, after)| *after - *before > longest).collect()
    }

    /// Says where nothing was measured, if anywhere.
    pub(crate) fn gap_note(&self) -> Option<String> {
        let gaps = self.gaps();
        let (from, to) = gaps.iter().max_by_key(|(from, to)| *to - *from)?;
        let times = if gaps.len() == 1 { "once".to_owned() } else { format!("{} times", gaps.len()) };
        let (from, to) = (from.format("%F %H:%M"), to.format("%F %H:%M UTC"));
        Some(format!("nothing was measured {times}, at most from {from} to {to}"))
    }

    /// Says how many values are no numbers, if any.
    pub(crate) fn unusable_note(&self) -> Option<String> {
        let unusable = self.unusable;
        (unusable > 0).then(|| format!("{unusable} values that are no numbers were left out"))
    }

    /// Returns the part from this moment on, itself included.
    #[must_use]
    pub fn since(&self, from: DateTime<Utc>) -> Self {
        let first = self.observations.partition_point(|observation| observation.at < from);
        Self { observations: self.observations[first..].to_vec(), unusable: 0 }
    }

    /// Returns the part before this moment.
    #[must_use]
    pub fn until(&self, end: DateTime<Utc>) -> Self {
        let end = self.observations.partition_point(|observation| observation.at < end);
        Self { observations: self.observations[..end].to_vec(), unusable: 0 }
    }

    /// Returns the observations for which it holds.
    #[must_use]
    pub fn keep(&self, holds: impl Fn(&Observation) -> bool) -> Self {
        Self {
            observations: self.observations.iter().copied().filter(holds).collect(),
            unusable: self.unusable,
        }
    }
}

impl FromIterator<Observation> for TimeSeries {
    fn from_iter<I: IntoIterator<Item = Observation>>(observations: I) -> Self {
        Self::new(observations)
    }
}

impl FromIterator<(DateTime<Utc>, f64)> for TimeSeries {
    fn from_iter<I: IntoIterator<Item = (DateTime<Utc>, f64)>>(pairs: I) -> Self {
        pairs.into_iter().map(|(at, value)| Observation { at, value }).collect()
    }
}

/// The mean, weighted as it goes so that it does not overflow where the values do not; 0 of none.
pub(crate) fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut count = 0.0;
    values.into_iter().fold(0.0, |mean, value| {
        count += 1.0;
        mean * ((count - 1.0) / count) + value / count
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(hour * 3_600, 0).unwrap()
    }

    #[test]
    fn a_series_is_ordered_by_time_whatever_came_first() {
        let backwards: TimeSeries = (0..5_i32).rev().map(|hour| (at(hour.into()), hour.into())).collect();
        let forwards: TimeSeries = (0..5_i32).map(|hour| (at(hour.into()), hour.into())).collect();
        assert_eq!(backwards, forwards);
        assert_eq!(forwards.values().collect::<Vec<_>>(), [0.0, 1.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn what_is_no_number_is_left_out_and_counted_and_a_moment_has_one_value() {
        let series: TimeSeries =
            [(at(1), 3.0), (at(0), f64::NAN), (at(1), 1.0), (at(2), f64::INFINITY)].into_iter().collect();
        assert_eq!(series.observations(), [Observation { at: at(1), value: 2.0 }]);
        assert_eq!(series.unusable(), 2);
    }

    #[test]
    fn gaps_are_steps_of_more_than_three_typical_ones() {
        let series: TimeSeries = [0, 1, 2, 3, 6, 7, 12, 13].map(|hour| (at(hour), 0.0)).into_iter().collect();
        assert_eq!(series.typical_step(), Some(TimeDelta::hours(1)));
        assert_eq!(series.gaps(), [(at(7), at(12))]);
        assert_eq!(TimeSeries::default().gaps(), []);
    }

    #[test]
    fn parts_are_taken_by_time() {
        let series: TimeSeries = (0..5_i32).map(|hour| (at(hour.into()), hour.into())).collect();
        assert_eq!(series.since(at(3)).len(), 2);
        assert_eq!(series.until(at(3)).len(), 3);
        assert_eq!(series.span(), Duration::from_hours(4));
    }

    #[test]
    fn the_mean_of_the_largest_values_does_not_overflow() {
        assert!((mean([f64::MAX, f64::MAX, f64::MAX]) / f64::MAX - 1.0).abs() < 1e-12);
        assert_eq!(mean([]).to_bits(), 0.0_f64.to_bits());
    }
}
