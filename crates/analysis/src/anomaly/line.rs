//! A steady growth, beside which numbers are usual.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    series::mean,
    statistics::{MannKendall, median, theil_sen},
};

/// Numbers are summed up in so many pieces: every pair of them has a slope, and those of a week would be millions.
const PIECES: usize = 28;
/// Fewer pieces tell no line.
const FEWEST: usize = 12;
/// What rises for less time than this may be the rise of a day.
const SHORTEST_TIME: TimeDelta = TimeDelta::days(3);
/// A slope is one where it is more probable than this that it is none.
const SIGNIFICANCE: f64 = 0.01;
/// A line has to leave less than this share of what two levels leave: where the level changed once, it is no growth.
const WORTH: f64 = 0.8;
/// A part of two levels has so many pieces at least.
const SHORTEST: usize = 3;

/// What a number is expected to be at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    origin: DateTime<Utc>,
    at_origin: f64,
    a_second: f64,
}

impl Line {
    /// It stays as it is.
    pub(super) fn level(at: DateTime<Utc>, level: f64) -> Self {
        Self { origin: at, at_origin: level, a_second: 0.0 }
    }

    /// The line through the medians of pieces of the numbers, which are in the order of time: its slope is the median of all slopes
    /// (Theil 1950; Sen 1968). `None` where the slope may be chance (Mann & Kendall), or is a change of level.
    pub(super) fn of_growth<'k>(kept: impl Iterator<Item = &'k (DateTime<Utc>, f64)>) -> Option<Self> {
        let kept: Vec<_> = kept.collect();
        let (origin, end) = (kept.first()?.0, kept.last()?.0);
        if end - origin < SHORTEST_TIME {
            return None;
        }
        let (places, values): (Vec<f64>, Vec<f64>) = pieces(&kept, origin).unzip();
        if values.len() < FEWEST || MannKendall::test(&values)?.p_value >= SIGNIFICANCE {
            return None;
        }
        let line = theil_sen(&places, &values, 0.0)?;
        let beside = places
            .iter()
            .zip(&values)
            .map(|(place, value)| (value - line.intercept - line.slope * place).abs());
        let is_steady = beside.sum::<f64>() < WORTH * beside_two_levels(&values);
        is_steady.then_some(Self { origin, at_origin: line.intercept, a_second: line.slope })
    }

    pub(super) fn at(&self, at: DateTime<Utc>) -> f64 {
        self.at_origin + self.a_second * seconds(at, self.origin)
    }
}

/// The middles of pieces of the numbers, in seconds, and their medians.
fn pieces(kept: &[&(DateTime<Utc>, f64)], origin: DateTime<Utc>) -> impl Iterator<Item = (f64, f64)> {
    kept.chunks(kept.len().div_ceil(PIECES).max(1)).filter_map(move |piece| {
        let middle = mean(piece.iter().map(|(at, _)| seconds(*at, origin)));
        let mut numbers: Vec<f64> = piece.iter().map(|(_, number)| *number).collect();
        Some((middle, median(&mut numbers)?))
    })
}

/// The least sum of absolute deviations that two levels leave.
fn beside_two_levels(values: &[f64]) -> f64 {
    let beside = |part: &[f64]| {
        let level = median(&mut part.to_vec()).unwrap_or_default();
        part.iter().map(|value| (value - level).abs()).sum::<f64>()
    };
    let places = SHORTEST..(values.len() + 1).saturating_sub(SHORTEST);
    places.map(|place| beside(&values[..place]) + beside(&values[place..])).fold(f64::INFINITY, f64::min)
}

fn seconds(at: DateTime<Utc>, origin: DateTime<Utc>) -> f64 {
    (at - origin).as_seconds_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(value: impl Fn(f64) -> f64) -> Option<Line> {
        let noise = |step: f64| (step * 12.9898).sin() * 43_758.547 % 1.0;
        let kept: Vec<_> = (0..168_u32)
            .map(|hour| (at(hour.into()), value(f64::from(hour)) + noise(f64::from(hour))))
            .collect();
        Line::of_growth(kept.iter())
    }

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(hour * 3_600, 0).unwrap()
    }

    #[test]
    fn steady_growth_is_a_line_that_goes_on() {
        let line = line(|hour| 500.0 + 2.5 * hour).unwrap();
        assert!((line.at(at(200)) - 1_000.0).abs() < 3.0, "{line:?}");
    }

    #[test]
    fn what_rises_for_two_days_may_be_a_season() {
        let kept: Vec<_> = (0..48_u32).map(|hour| (at(hour.into()), f64::from(hour))).collect();
        assert_eq!(Line::of_growth(kept.iter()), None);
    }

    #[test]
    fn noise_a_season_a_step_and_a_spike_are_none() {
        assert_eq!(line(|_| 500.0), None);
        assert_eq!(line(|hour| 500.0 + 90.0 * (hour / 24.0 * std::f64::consts::TAU).sin()), None);
        for place in [20.0, 84.0, 150.0] {
            assert_eq!(line(|hour| if hour < place { 500.0 } else { 900.0 }), None, "{place}");
        }
        assert_eq!(line(|hour| if (80.0..90.0).contains(&hour) { 900.0 } else { 500.0 }), None);
        assert_eq!(Line::of_growth([].iter()), None);
    }
}
