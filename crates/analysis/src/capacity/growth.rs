//! How fast something grows, in months that are months.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, TimeDelta, Utc};
use serde::Serialize;

use super::MONTH_DAYS;
use crate::{
    Summarise, Summary, Trend, TrendOptions, TrendWord, judge_trend, series::TimeSeries, statistics::median,
    statistics::number,
};

/// How fast something grows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Growth {
    /// Units a month of 30.44 days: the median of the slopes of all pairs of days (Theil 1950; Sen 1968,
    /// <https://doi.org/10.1080/01621459.1968.10480934>).
    pub per_month: f64,
    /// The least it may be.
    pub lower: f64,
    /// The most it may be.
    pub upper: f64,
    /// How sure that is, as of 0.95.
    pub confidence: f64,
    /// The same over the median of the last week; null where that is 0.
    pub share_per_month: Option<f64>,
    /// From when on it was reckoned.
    pub from: DateTime<Utc>,
}

/// The medians of the last two whole months of the calendar.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MonthOverMonth {
    /// The month before.
    pub before: MonthMedian,
    /// The last whole month.
    pub after: MonthMedian,
    /// From one to the other.
    pub change: f64,
    /// The same over the month before; null where that is 0.
    pub change_share: Option<f64>,
}

/// What was usual in a month of the calendar (UTC).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MonthMedian {
    /// Which month, as `2026-03`.
    pub month: String,
    /// The median of its days.
    pub median: f64,
}

/// Less time than this says nothing of a month.
const SHORTEST_DAYS: i64 = 7;
/// A month is whole where so great a share of its days was measured, the first and the last among them.
const WHOLE: f64 = 0.8;

/// Tells how fast a series grows, and whether that is a trend; no growth where it is shorter than a week.
pub(super) fn growth(series: &TimeSeries) -> (TrendWord, Option<Growth>) {
    let Some((first, last)) = series.first().zip(series.last()) else {
        return (TrendWord::NotEnoughData, None);
    };
    if last.at - first.at < TimeDelta::days(SHORTEST_DAYS) {
        return (TrendWord::NotEnoughData, None);
    }
    let Trend { word, slope, .. } = judge_trend(series, &TrendOptions::default());
    let level = level(series);
    let growth = slope.map(|slope| Growth {
        per_month: slope.per_day * MONTH_DAYS,
        lower: slope.lower * MONTH_DAYS,
        upper: slope.upper * MONTH_DAYS,
        confidence: slope.confidence,
        share_per_month: level.and_then(|level| over(slope.per_day * MONTH_DAYS, level)),
        from: first.at,
    });
    (word, growth)
}

/// What is usual now: the median of the last week; `None` of nothing.
pub(super) fn level(series: &TimeSeries) -> Option<f64> {
    let from = series.last()?.at - TimeDelta::days(SHORTEST_DAYS);
    median(&mut series.since(from).values().collect::<Vec<_>>())
}

/// Compares the last two whole months; `None` where there are none beside each other.
pub(super) fn month_over_month(series: &TimeSeries, how: Summarise) -> Option<MonthOverMonth> {
    let days = Summary::of(series, TimeDelta::days(1), how);
    let last = days.moment(days.values.len().checked_sub(1)?).date_naive();
    // The last day of the series may be that of its month.
    let this = last.with_day(1)?;
    let after = [Some(this), this.checked_sub_months(Months::new(1))]
        .into_iter()
        .flatten()
        .find_map(|month| Some((month, median_of(&days, month)?)))?;
    let before = after.0.checked_sub_months(Months::new(1))?;
    let before = (before, median_of(&days, before)?);
    let named =
        |(month, median): (NaiveDate, f64)| MonthMedian { month: month.format("%Y-%m").to_string(), median };
    let change = after.1 - before.1;
    Some(MonthOverMonth {
        change,
        change_share: over(change, before.1),
        before: named(before),
        after: named(after),
    })
}

/// The median of the days of a month that is whole.
fn median_of(days: &Summary, first: NaiveDate) -> Option<f64> {
    let last = first.checked_add_months(Months::new(1))?.checked_sub_days(Days::new(1))?;
    let place = |day: NaiveDate| usize::try_from((day - days.from.date_naive()).num_days()).ok();
    let values = days.values.get(place(first)?..=place(last)?)?;
    if values.first()?.is_none() || values.last()?.is_none() {
        return None;
    }
    let mut known: Vec<f64> = values.iter().copied().flatten().collect();
    if number(known.len()) < WHOLE * number(values.len()) {
        return None;
    }
    median(&mut known)
}

fn over(part: f64, whole: f64) -> Option<f64> {
    Some(part / whole).filter(|share| whole > 0.0 && share.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daily(from: &str, values: impl IntoIterator<Item = f64>) -> TimeSeries {
        let from: NaiveDate = from.parse().unwrap();
        let noon = from.and_hms_opt(12, 0, 0).unwrap().and_utc();
        (0..).zip(values).map(|(day, value)| (noon + TimeDelta::days(day), value)).collect()
    }

    #[test]
    fn a_month_is_a_month_however_many_days_are_there() {
        for days in [10, 30, 90, 400] {
            let (word, growth) = growth(&daily("2026-01-01", (0..days).map(|day| 100.0 + f64::from(day))));
            let growth = growth.unwrap();
            assert_eq!(word, TrendWord::Increasing, "{days}");
            assert!((growth.per_month - 30.436_875).abs() < 1e-9, "{days}: {growth:?}");
            assert!(growth.lower <= growth.per_month && growth.per_month <= growth.upper, "{growth:?}");
        }
    }

    #[test]
    fn what_is_too_little_has_none_and_what_begins_at_nothing_does() {
        assert_eq!(growth(&TimeSeries::default()), (TrendWord::NotEnoughData, None));
        assert_eq!(growth(&daily("2026-01-01", [5.0])), (TrendWord::NotEnoughData, None));
        assert_eq!(growth(&daily("2026-01-01", [5.0; 6])), (TrendWord::NotEnoughData, None));
        // The guide divides by the first value.
        let from_zero = growth(&daily("2026-01-01", (0..30).map(f64::from))).1.unwrap();
        assert!(from_zero.share_per_month.is_some_and(f64::is_finite), "{from_zero:?}");
        let nothing = growth(&daily("2026-01-01", [0.0; 30])).1.unwrap();
        assert_eq!((nothing.per_month, nothing.share_per_month), (0.0, None));
        let constant = growth(&daily("2026-01-01", [7.0; 30])).1.unwrap();
        assert_eq!((constant.per_month, constant.share_per_month), (0.0, Some(0.0)));
    }

    #[test]
    fn two_whole_months_are_compared() {
        // From 15 January to 10 April: February and March are whole.
        let series = daily("2026-01-15", (0..86).map(f64::from));
        let compared = month_over_month(&series, Summarise::Max).unwrap();
        assert_eq!((compared.before.month.as_str(), compared.after.month.as_str()), ("2026-02", "2026-03"));
        assert_eq!((compared.before.median, compared.after.median, compared.change), (30.5, 60.0, 29.5));
        // To 31 March, with which March is whole.
        let compared = month_over_month(&series.until(series.observations()[76].at), Summarise::Max).unwrap();
        assert_eq!(compared.after.month, "2026-03");
        assert_eq!(month_over_month(&series.since(series.observations()[30].at), Summarise::Max), None);
        assert_eq!(month_over_month(&TimeSeries::default(), Summarise::Max), None);
        let zero = month_over_month(&daily("2026-01-01", [0.0; 90]), Summarise::Max).unwrap();
        assert_eq!((zero.change, zero.change_share), (0.0, None));
    }

    #[test]
    fn a_month_with_too_many_days_missing_is_not_whole() {
        let series = daily("2026-01-01", (0..90).map(f64::from));
        let thin = series.keep(|it| !(10..20).contains(&it.at.day()));
        assert_eq!(month_over_month(&thin, Summarise::Max), None);
    }
}
