//! From a series as it was measured to equal steps without holes.

use chrono::{DateTime, TimeDelta, Utc};

use super::ForecastOptions;
use crate::{
    series::{Summary, TimeSeries},
    statistics::{number, splits},
    trend::date_change,
    wording::without_sign_of_nothing,
};

/// What is foretold from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Prepared {
    pub(super) values: Vec<f64>,
    /// When the step behind the last one begins.
    pub(super) end: DateTime<Utc>,
    pub(super) young_level: Option<YoungLevel>,
    pub(super) notes: Vec<String>,
}

/// A level that is too young to leave out what was before.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct YoungLevel {
    /// When the first value of it was measured.
    pub(crate) at: DateTime<Utc>,
    /// Says that it changed, when, and by how much.
    pub(crate) words: String,
}

/// A hole of more than this part of all steps parts the series.
const LONGEST_HOLE: usize = 10;
/// So many days, or longer steps, since a change of level or a long hole are enough to leave out what was before.
const ENOUGH: usize = 21;
/// Changes of level are looked for in so many parts at most.
const MOST_PARTS: usize = 400;

impl Prepared {
    pub(super) fn of(series: &TimeSeries, options: &ForecastOptions) -> Self {
        let summary = Summary::of(series, options.width, options.summarise);
        let steps = i32::try_from(summary.values.len()).unwrap_or(i32::MAX);
        let end = summary.from + summary.width * steps;
        let mut prepared = Self { values: Vec::new(), end, young_level: None, notes: Vec::new() };
        let known = prepared.behind_the_last_long_hole(&summary.values);
        prepared.fill(known, options);
        prepared.leave_out_the_former_level(series, options);
        prepared
    }

    fn behind_the_last_long_hole<'v>(&mut self, values: &'v [Option<f64>]) -> &'v [Option<f64>] {
        let longest = (values.len() / LONGEST_HOLE).max(2);
        let mut begin = 0;
        let mut hole = 0;
        for (step, value) in values.iter().enumerate() {
            if value.is_some() {
                if hole > longest {
                    begin = step;
                }
                hole = 0;
            } else {
                hole += 1;
            }
        }
        let behind = &values[begin..];
        if begin > 0 && behind.len() >= ENOUGH {
            self.notes.push(format!(
                "nothing was measured for a long time: {begin} steps before that were left out, {} are left",
                behind.len()
            ));
            return behind;
        }
        if begin > 0 {
            self.notes.push(format!(
                "nothing was measured for a long time, and {} steps since are few: what is missing was filled in",
                behind.len()
            ));
        }
        values
    }

    /// Steps without a value lie on the straight line between their neighbours.
    fn fill(&mut self, values: &[Option<f64>], options: &ForecastOptions) {
        let mut filled = 0;
        for (step, value) in values.iter().enumerate() {
            match (value, self.values.last().copied()) {
                (Some(value), Some(before)) if filled > 0 => {
                    let begin = self.values.len() - filled;
                    let parts = number(filled + 1);
                    for (part, place) in self.values[begin..].iter_mut().enumerate() {
                        *place = before + (value - before) * number(part + 1) / parts;
                    }
                    self.values.push(*value);
                    if filled > 2 {
                        let back = i32::try_from(values.len() - step + filled).unwrap_or(i32::MAX);
                        let from = (self.end - options.width * back).format("%F");
                        let noun = if options.width == TimeDelta::days(1) { "days" } else { "hours" };
                        self.notes.push(format!("{filled} {noun} from {from} on were filled in"));
                    }
                    filled = 0;
                }
                (Some(value), _) => self.values.push(*value),
                // It is filled in when the next one is known.
                (None, Some(before)) => {
                    self.values.push(before);
                    filled += 1;
                }
                (None, None) => {}
            }
        }
        self.values.truncate(self.values.len() - filled);
    }

    fn leave_out_the_former_level(&mut self, series: &TimeSeries, options: &ForecastOptions) {
        let parts = parts(&self.values, options);
        let width = self.values.len().div_ceil(parts.len().max(1));
        let Some(change) = splits(&parts).last().copied() else { return };
        let place = (change.place * width).min(self.values.len());
        let left = self.values.len() - place;
        let steps = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let at = date_change(series, self.end - options.width * steps(left), options.width * steps(width));
        let how_much = by_how_much(change.before, change.after);
        let words = format!("the level changed on {}{how_much}", at.format("%F"));
        if parts.len() - change.place >= ENOUGH {
            self.notes.push(format!("{words}: what was before was left out"));
            self.values.drain(..place);
        } else {
            self.notes.push(format!("{words}, too short a time ago to leave out what was before"));
            self.young_level = Some(YoungLevel { at, words });
        }
    }
}

/// Says it without a unit, which a series does not know.
fn by_how_much(before: f64, after: f64) -> String {
    let change = (after - before) / before.abs();
    let percent = without_sign_of_nothing(format!("{:+.0} %", change * 100.0));
    if change.is_finite() { format!(" by {percent}") } else { String::new() }
}

/// The values, so summed up that no season of a day is in them and that they are not too many: the means of as many steps as make a
/// day, or more.
fn parts(values: &[f64], options: &ForecastOptions) -> Vec<f64> {
    let day = usize::try_from(86_400 / options.width.num_seconds().max(1)).unwrap_or(1).max(1);
    let days = values.len().div_ceil(day * MOST_PARTS).max(1);
    values.chunks(day * days).map(|part| crate::series::mean(part.iter().copied())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(values: &[Option<f64>]) -> Prepared {
        let at = |day: i64| DateTime::from_timestamp(day * 86_400 + 43_200, 0).unwrap();
        let series = (0..).zip(values).filter_map(|(day, value)| Some((at(day), (*value)?))).collect();
        Prepared::of(&series, &ForecastOptions::new(TimeDelta::days(1), 7))
    }

    #[test]
    fn holes_are_filled_by_straight_lines() {
        let values: Vec<_> =
            (0..30).map(|day| (day % 10 != 3 && day % 10 != 4).then(|| f64::from(day))).collect();
        let prepared = prepared(&values);
        let expected: Vec<f64> = (0..30).map(f64::from).collect();
        assert!(prepared.values.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-9), "{prepared:?}");
        assert_eq!(prepared.values.len(), 30);
    }

    #[test]
    fn what_was_filled_in_has_a_unit_and_a_date() {
        let values: Vec<_> =
            (0..60).map(|day| (!(20..24).contains(&day)).then(|| f64::from(day % 3))).collect();
        assert_eq!(prepared(&values).notes, ["4 days from 1970-01-21 on were filled in"]);
    }

    #[test]
    fn what_lies_before_a_long_hole_is_left_out_and_said() {
        let values: Vec<_> = (0..60).map(|day| (!(20..30).contains(&day)).then(|| f64::from(day))).collect();
        let prepared = prepared(&values);
        assert_eq!(prepared.values.len(), 30);
        assert!(
            prepared.notes[0].contains("20 steps") || prepared.notes[0].contains("30 steps"),
            "{prepared:?}"
        );
    }

    #[test]
    fn what_lies_before_a_change_of_level_is_left_out_and_said() {
        let values: Vec<_> =
            (0..80).map(|day| Some(if day < 40 { 10.0 } else { 20.0 } + f64::from(day % 3) * 0.1)).collect();
        let prepared = prepared(&values);
        assert_eq!(prepared.values.len(), 40);
        assert!(prepared.notes[0].contains("1970-02-10"), "{prepared:?}");
    }
}
