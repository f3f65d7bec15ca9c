//! Within what a number usually is.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

use super::line::Line;
use crate::{
    series::mean,
    statistics::{median, quantile},
};

/// So many numbers tell a spread.
const FEWEST: usize = 24;
/// What three of four absolute deviations of a normal distribution do not exceed, in standard deviations: Φ⁻¹(7/8).
const THREE_QUARTERS: f64 = 1.150_349_380_376_008;
/// The standard deviation of a normal distribution over its mean absolute deviation: √(π / 2).
const OF_MEAN: f64 = 1.253_314_137_315_500_3;
/// How often level and spread are worked out anew; they change slowly.
const REFRESH: TimeDelta = TimeDelta::minutes(30);
/// A growth is believed in where it leaves no more than this share of the spread.
const WORTH_OF_GROWTH: f64 = 0.3;

/// The level and the spread of what came before.
///
/// The level is the median, or lies on a line where the numbers grow or shrink steadily. The spread is the third quartile of the
/// absolute deviations, as a standard deviation: a quarter of the numbers may be wild. Where three of four are the same, it is the mean
/// absolute deviation, as Iglewicz & Hoaglin (1993) do.
#[derive(Clone, Debug, Default)]
pub(super) struct Band {
    kept: VecDeque<(DateTime<Utc>, f64)>,
    known: Option<(Line, f64)>,
    worked_out: Option<DateTime<Utc>>,
}

impl Band {
    pub(super) fn add(&mut self, at: DateTime<Utc>, number: f64, history: TimeDelta) {
        while self.kept.front().is_some_and(|(oldest, _)| at - *oldest > history) {
            self.kept.pop_front();
        }
        self.kept.push_back((at, number));
    }

    /// Returns the level and the spread of what was added before; `None` of too few numbers.
    pub(super) fn level_and_spread(&mut self, at: DateTime<Utc>) -> Option<(f64, f64)> {
        if self.known.is_none() || self.worked_out.is_none_or(|before| at - before >= REFRESH) {
            self.known = self.work_out();
            self.worked_out = Some(at);
        }
        self.known.map(|(line, spread)| (line.at(at), spread))
    }

    fn work_out(&self) -> Option<(Line, f64)> {
        if self.kept.len() < FEWEST {
            return None;
        }
        let mut numbers: Vec<f64> = self.kept.iter().map(|(_, number)| *number).collect();
        let level = Line::level(self.kept.front()?.0, median(&mut numbers)?);
        let spread = self.spread_beside(&level)?;
        let growth = Line::of_growth(self.kept.iter());
        let steadier = growth
            .and_then(|line| Some((line, self.spread_beside(&line)?)))
            .filter(|(_, beside)| *beside <= spread * WORTH_OF_GROWTH);
        Some(steadier.unwrap_or((level, spread)))
    }

    fn spread_beside(&self, line: &Line) -> Option<f64> {
        let mut off: Vec<f64> = self.kept.iter().map(|(at, number)| (number - line.at(*at)).abs()).collect();
        off.sort_unstable_by(f64::total_cmp);
        let spread = quantile(&off, 0.75)? / THREE_QUARTERS;
        Some(if spread > 0.0 { spread } else { mean(off) * OF_MEAN })
    }
}

/// The greatest scores within a time, as a queue in which each is followed only by lower ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    falling: VecDeque<(DateTime<Utc>, f64)>,
}

impl Records {
    /// Returns the greatest score since then; 0 of none.
    pub(super) fn greatest_since(&mut self, from: DateTime<Utc>) -> f64 {
        while self.falling.front().is_some_and(|(at, _)| *at < from) {
            self.falling.pop_front();
        }
        self.falling.front().map_or(0.0, |(_, score)| *score)
    }

    pub(super) fn add(&mut self, at: DateTime<Utc>, score: f64) {
        while self.falling.back().is_some_and(|(_, lower)| *lower <= score) {
            self.falling.pop_back();
        }
        self.falling.push_back((at, score));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(hour * 3_600, 0).unwrap()
    }

    #[test]
    fn a_quarter_of_wild_numbers_does_not_widen_the_band_and_old_ones_are_forgotten() {
        let mut band = Band::default();
        for hour in 0..40_u8 {
            let number = if hour % 5 == 0 { 1e9 } else { f64::from(hour % 3) };
            band.add(at(hour.into()), number, TimeDelta::days(7));
        }
        let (level, spread) = band.level_and_spread(at(40)).unwrap();
        assert!((0.0..=2.0).contains(&level) && spread <= 2.0, "{level} {spread}");
        band.add(at(4_000), 1.0, TimeDelta::days(7));
        assert_eq!(band.level_and_spread(at(4_000)), None);
    }

    #[test]
    fn numbers_that_are_the_same_have_the_spread_of_those_that_differ() {
        let mut band = Band::default();
        for hour in 0..40 {
            band.add(at(hour), if hour == 7 { 40.0 } else { 0.0 }, TimeDelta::days(7));
        }
        let (level, spread) = band.level_and_spread(at(40)).unwrap();
        assert!(level.abs() < 1e-12 && (spread - OF_MEAN).abs() < 1e-9, "{level} {spread}");
    }

    #[test]
    fn the_greatest_score_is_forgotten_with_time() {
        let mut records = Records::default();
        assert!(records.greatest_since(at(0)).abs() < 1e-12);
        for (hour, score) in [(0, 9.0), (1, 2.0), (2, 5.0), (3, 1.0)] {
            records.add(at(hour), score);
        }
        let greatest = [0, 1, 3, 4].map(|hour| records.greatest_since(at(hour)));
        assert_eq!(greatest.map(|score| format!("{score}")), ["9", "5", "1", "0"]);
    }
}
