//! Equal steps of time, as statistics want them.

use chrono::{DateTime, Duration, TimeDelta, Utc};

use super::{TimeSeries, mean};
use crate::statistics::{median, number};

/// How long a step is. Days and weeks are of UTC, so that they are the same for everybody who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// As it was measured.
    Raw,
    /// Hours.
    Hour,
    /// Days.
    Day,
    /// Weeks.
    Week,
}

/// What stands for the values of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Summarise {
    /// Their median.
    Median,
    /// Their mean.
    Mean,
    /// The highest of them.
    Max,
}

/// A series in equal steps.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// When the first step begins.
    pub from: DateTime<Utc>,
    /// How long a step is.
    pub width: TimeDelta,
    /// A value a step; `None` where nothing was measured.
    pub values: Vec<Option<f64>>,
    /// Steps at either end that were left out because they lack more than a tenth of what is typical.
    pub incomplete: usize,
}

/// A day that lacks its evening has another median than a whole one, which is no trend.
const COMPLETE: f64 = 0.9;

impl Step {
    /// Returns the length; `None` as it was measured.
    #[must_use]
    pub fn width(self) -> Option<TimeDelta> {
        match self {
            Self::Raw => None,
            Self::Hour => Some(Duration::hours(1)),
            Self::Day => Some(Duration::days(1)),
            Self::Week => Some(Duration::weeks(1)),
        }
    }
}

impl Summarise {
    fn of(self, values: &mut [f64]) -> Option<f64> {
        if values.is_empty() {
            return None;
        }
        match self {
            Self::Median => median(values),
            Self::Mean => Some(mean(values.iter().copied())),
            Self::Max => values.iter().copied().reduce(f64::max),
        }
    }
}

impl Summary {
    /// Sums a series up in steps of this width, counted from the beginning of 1970 (UTC; weeks begin on Monday). The first and the
    /// last step are left out where they lack more than a tenth of the values of the typical step: half a day is not a day.
    #[must_use]
    pub fn of(series: &TimeSeries, width: TimeDelta, how: Summarise) -> Self {
        let width = width.max(TimeDelta::seconds(1));
        // 1970 began on a Thursday.
        let shift = if width == Duration::weeks(1) { Duration::days(3) } else { Duration::zero() };
        let seconds = width.num_seconds();
        let index = |at: DateTime<Utc>| (at + shift).timestamp().div_euclid(seconds);
        let (Some(first), Some(last)) = (series.first(), series.last()) else { return Self::default() };
        let (first, last) = (index(first.at), index(last.at));
        let steps = usize::try_from(last - first).unwrap_or_default() + 1;
        let mut values = vec![None; steps];
        let mut counts = vec![0_usize; steps];
        for together in series.observations().chunk_by(|a, b| index(a.at) == index(b.at)) {
            let place = usize::try_from(index(together[0].at) - first).unwrap_or_default();
            let mut inside: Vec<f64> = together.iter().map(|observation| observation.value).collect();
            counts[place] = inside.len();
            values[place] = how.of(&mut inside);
        }
        let from = DateTime::from_timestamp(first * seconds, 0).unwrap_or_default() - shift;
        let mut summary = Self { from, width, values, incomplete: 0 };
        summary.drop_incomplete_ends(&counts);
        summary
    }

    fn drop_incomplete_ends(&mut self, counts: &[usize]) {
        let mut measured: Vec<f64> =
            counts.iter().filter(|count| **count > 0).map(|count| number(*count)).collect();
        let Some(typical) = median(&mut measured) else { return };
        let is_short = |count: Option<&usize>| count.is_some_and(|count| number(*count) < COMPLETE * typical);
        if is_short(counts.last()) {
            self.values.pop();
            self.incomplete += 1;
        }
        if is_short(counts.first()) && !self.values.is_empty() {
            self.values.remove(0);
            self.from += self.width;
            self.incomplete += 1;
        }
    }

    /// Returns the middle of a step.
    #[must_use]
    pub fn moment(&self, step: usize) -> DateTime<Utc> {
        self.from + self.width * i32::try_from(step).unwrap_or(i32::MAX) + self.width / 2
    }

    /// Returns the steps that have a value, with their place.
    pub fn known(&self) -> impl Iterator<Item = (usize, f64)> {
        self.values.iter().enumerate().filter_map(|(step, value)| Some((step, (*value)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hourly(hours: impl Iterator<Item = i32>) -> TimeSeries {
        let at = |hour: i32| DateTime::from_timestamp(i64::from(hour) * 3_600, 0).unwrap();
        hours.map(|hour| (at(hour), hour.into())).collect()
    }

    #[test]
    fn half_a_day_at_either_end_is_no_day_and_a_day_without_values_has_none() {
        let summary = Summary::of(
            &hourly((20..96).filter(|hour| !(48..72).contains(hour)).chain(96..99)),
            Duration::days(1),
            Summarise::Max,
        );
        assert_eq!(summary.values, [Some(47.0), None, Some(95.0)]);
        assert_eq!((summary.from.timestamp(), summary.incomplete), (86_400, 2));
        assert_eq!(summary.moment(0).timestamp(), 86_400 + 43_200);
    }

    #[test]
    fn a_day_without_its_evening_is_no_day() {
        let summary = Summary::of(&hourly(2..(5 * 24 - 3)), Duration::days(1), Summarise::Mean);
        assert_eq!(
            (summary.values.len(), summary.incomplete),
            (4, 1),
            "22 of 24 hours are enough, 21 are not"
        );
    }

    #[test]
    fn weeks_begin_on_monday() {
        // 4 January 1970 was a Sunday.
        let summary = Summary::of(&hourly((-3 * 24)..(18 * 24)), Duration::weeks(1), Summarise::Mean);
        assert_eq!(summary.from.timestamp(), -3 * 86_400);
        assert_eq!(summary.values.len(), 3);
    }

    #[test]
    fn nothing_is_summed_up_to_nothing() {
        assert_eq!(
            Summary::of(&TimeSeries::default(), Duration::days(1), Summarise::Median),
            Summary::default()
        );
    }
}
