//! Which way a figure goes, and which level it has now.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::levels::{Figure, without_time_of_day};
use crate::{Better, LevelChange, TimeSeries, Trend, TrendOptions, TrendWord, judge_trend, series::mean};

/// Where the level of a figure changed, and what it is like since.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ChangeOfLevel {
    /// Each change, oldest first; one at least.
    pub changes: Vec<LevelChange>,
    /// Since when it has the level that it has now.
    pub since: DateTime<Utc>,
    /// The level that it has now: of a hit rate that of all look-ups since then, of the rest the mean. The hour in which it changed
    /// is of both levels and does not count.
    pub now: f64,
    /// Which way it goes since then.
    pub trend_since: TrendWord,
    /// By how much a day since then, in the unit of the figure; null where that is not more than chance.
    pub per_day_since: Option<f64>,
}

/// Which way a figure goes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Course {
    pub(super) word: TrendWord,
    /// By how much a day; none where that is not more than chance, and where it went by a change of its level.
    pub(super) per_day: Option<f64>,
    pub(super) change: Option<ChangeOfLevel>,
    /// Why there is no word.
    why_none: Option<String>,
}

fn now(series: &TimeSeries, last: &LevelChange) -> f64 {
    let settled = series.since(settled(last.at));
    if settled.is_empty() { last.after } else { mean(settled.values()) }
}

/// Changes are told by the hour; from the next one on there is the new level alone.
pub(super) fn settled(changed: DateTime<Utc>) -> DateTime<Utc> {
    changed + TimeDelta::hours(1)
}

impl Course {
    pub(super) fn of(figure: &Figure<'_>, better: Better) -> Self {
        let mut course = Self::without_levels(figure.series, better);
        let changes = figure.changes();
        let (Some(first), Some(last)) = (changes.first().copied(), changes.last().copied()) else {
            return course;
        };
        let all = LevelChange { before: first.before, ..last };
        let word = TrendWord::of(all.after - all.before, better);
        course.word = if figure.is_large(&all) { word } else { TrendWord::Stable };
        course.per_day = None;
        // Of few days the time of the day would be a trend.
        let rest = Self::lately(&without_time_of_day(figure.series).since(last.at), better);
        course.change = Some(ChangeOfLevel {
            changes,
            since: last.at,
            now: now(figure.series, &last),
            trend_since: rest.word,
            per_day_since: rest.per_day,
        });
        course
    }

    /// Of five days and a little, four may be whole, which are too few; of the hours of less than five days there are enough.
    fn lately(series: &TimeSeries, better: Better) -> Self {
        let all = Self::without_levels(series, better);
        let Some(last) = series.last().filter(|_| all.word == TrendWord::NotEnoughData) else { return all };
        Self::without_levels(&series.since(last.at - TimeDelta::hours(5 * 24 - 1)), better)
    }

    pub(super) fn without_levels(series: &TimeSeries, better: Better) -> Self {
        let trend = judge_trend(series, &TrendOptions { better, ..TrendOptions::default() });
        let goes = !matches!(trend.word, TrendWord::Stable | TrendWord::NotEnoughData);
        Self {
            word: trend.word,
            per_day: trend.slope.filter(|_| goes).map(|slope| slope.per_day),
            change: None,
            why_none: why_none(&trend),
        }
    }

    /// Says what a trend would take where there is none.
    pub(super) fn told(self, name: &str, notes: &mut Vec<String>) -> Self {
        notes.extend(self.why_none.iter().map(|why| format!("trend of {name}: {why}")));
        self
    }

    /// By how much a day it grows now.
    pub(super) fn growth(&self) -> Option<f64> {
        let of_level = self.change.as_ref().map(|change| change.per_day_since);
        of_level.unwrap_or(self.per_day).filter(|per_day| *per_day > 0.0)
    }
}

fn why_none(trend: &Trend) -> Option<String> {
    trend.notes.last().filter(|_| trend.word == TrendWord::NotEnoughData).cloned()
}
