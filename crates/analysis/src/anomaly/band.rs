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

/// What is usual at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Usually {
    pub(super) level: f64,
    pub(super) spread: f64,
    /// How far off the furthest number was.
    pub(super) widest: f64,
}

/// The level and the spread of what came before.
///
/// The level is the median, or lies on a line where the numbers grow or shrink steadily. The spread is the third quartile of the
/// absolute deviations, as a standard deviation: a quarter of the numbers may be wild. Where three of four are the same, it is the mean
/// absolute deviation, as Iglewicz & Hoaglin (1993) do.
#[derive(Clone, Debug, Default)]
pub(super) struct Band {
    kept: VecDeque<(DateTime<Utc>, f64)>,
    known: Option<(Line, Beside)>,
    worked_out: Option<DateTime<Utc>>,
}

/// How far numbers lie beside a line.
#[derive(Clone, Copy, Debug)]
struct Beside {
    spread: f64,
    widest: f64,
}

impl Band {
    pub(super) fn add(&mut self, at: DateTime<Utc>, number: f64, history: TimeDelta) {
        while self.kept.front().is_some_and(|(oldest, _)| at - *oldest > history) {
            self.kept.pop_front();
        }
        self.kept.push_back((at, number));
    }

    /// Returns what is usual by what was added before; `None` of too few numbers.
    pub(super) fn usually(&mut self, at: DateTime<Utc>) -> Option<Usually> {
        if self.known.is_none() || self.worked_out.is_none_or(|before| at - before >= REFRESH) {
            self.known = self.work_out();
            self.worked_out = Some(at);
        }
        self.known.map(|(line, Beside { spread, widest })| Usually { level: line.at(at), spread, widest })
    }

    fn work_out(&self) -> Option<(Line, Beside)> {
        if self.kept.len() < FEWEST {
            return None;
        }
        let mut numbers: Vec<f64> = self.kept.iter().map(|(_, number)| *number).collect();
        let level = Line::level(self.kept.front()?.0, median(&mut numbers)?);
        let beside = self.beside(&level)?;
        let growth = Line::of_growth(self.kept.iter());
        let steadier = growth
            .and_then(|line| Some((line, self.beside(&line)?)))
            .filter(|(_, steadier)| steadier.spread <= beside.spread * WORTH_OF_GROWTH);
        Some(steadier.unwrap_or((level, beside)))
    }

    fn beside(&self, line: &Line) -> Option<Beside> {
        let mut off: Vec<f64> = self.kept.iter().map(|(at, number)| (number - line.at(*at)).abs()).collect();
        off.sort_unstable_by(f64::total_cmp);
        let (spread, widest) = (quantile(&off, 0.75)? / THREE_QUARTERS, *off.last()?);
        Some(Beside { spread: if spread > 0.0 { spread } else { mean(off) * OF_MEAN }, widest })
    }
}

/// What surprised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Surprise {
    pub(super) at: DateTime<Utc>,
    pub(super) score: f64,
    /// How far off it was, in the unit of the metric.
    pub(super) off: f64,
}

/// What surprised most within a time: nothing that is kept was followed by what has both a greater score and is further off.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    kept: VecDeque<Surprise>,
}

impl Records {
    /// Returns the greatest score since then; 0 of none. None counts for more than it would by the spread of now: by that of a still
    /// week, what followed it and was greater by far would surprise less.
    pub(super) fn greatest_since(&mut self, from: DateTime<Utc>, spread: f64) -> f64 {
        while self.kept.front().is_some_and(|oldest| oldest.at < from) {
            self.kept.pop_front();
        }
        let now = |old: &Surprise| if spread > 0.0 { old.score.min(old.off / spread) } else { old.score };
        self.kept.iter().map(now).fold(0.0, f64::max)
    }

    pub(super) fn add(&mut self, new: Surprise) {
        self.kept.retain(|old| old.score > new.score || old.off > new.off);
        self.kept.push_back(new);
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
        let usually = band.usually(at(40)).unwrap();
        assert!((0.0..=2.0).contains(&usually.level) && usually.spread <= 2.0, "{usually:?}");
        assert!((usually.widest / 1e9 - 1.0).abs() < 1e-6, "{usually:?}");
        band.add(at(4_000), 1.0, TimeDelta::days(7));
        assert_eq!(band.usually(at(4_000)), None);
    }

    #[test]
    fn numbers_that_are_the_same_have_the_spread_of_those_that_differ() {
        let mut band = Band::default();
        for hour in 0..40 {
            band.add(at(hour), if hour == 7 { 40.0 } else { 0.0 }, TimeDelta::days(7));
        }
        let Usually { level, spread, widest } = band.usually(at(40)).unwrap();
        assert!(level.abs() < 1e-12 && (spread - OF_MEAN).abs() < 1e-9, "{level} {spread}");
        assert!((widest - 40.0).abs() < 1e-9, "{widest}");
    }

    fn surprise(hour: i64, score: f64, off: f64) -> Surprise {
        Surprise { at: at(hour), score, off }
    }

    #[test]
    fn the_greatest_score_is_forgotten_with_time() {
        let mut records = Records::default();
        assert!(records.greatest_since(at(0), 1.0).abs() < 1e-12);
        for (hour, score) in [(0, 9.0), (1, 2.0), (2, 5.0), (3, 1.0)] {
            records.add(surprise(hour, score, score));
        }
        let greatest = [0, 1, 3, 4].map(|hour| records.greatest_since(at(hour), 1.0));
        assert_eq!(greatest.map(|score| format!("{score}")), ["9", "5", "1", "0"]);
    }

    #[test]
    fn what_surprised_in_still_times_counts_for_what_it_would_now() {
        let mut records = Records::default();
        records.add(surprise(0, 1e9, 20.0));
        records.add(surprise(1, 50.0, 10.0));
        let at_spread = |spread| records.clone().greatest_since(at(0), spread);
        assert!((at_spread(2.0) - 10.0).abs() < 1e-12, "20 off");
        assert!((at_spread(0.0) - 1e9).abs() < 1e-3);
        records.add(surprise(2, 60.0, 30.0));
        assert_eq!(records.kept.len(), 2, "the second is followed by more");
    }
}
