//! The line of a trend.

use chrono::{DateTime, TimeDelta, Utc};
use larder_analysis::{TimeSeries, Trend, TrendWord};

/// A straight line from one moment to another.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TrendLine {
    pub(super) from: (DateTime<Utc>, f64),
    pub(super) until: (DateTime<Utc>, f64),
    pub(super) per_day: f64,
    pub(super) word: TrendWord,
}

const DAY_MS: f64 = 86_400_000.0;

impl TrendLine {
    /// Lays the line of a slope through the median of what is left of the values without it, as Conover, "Practical Nonparametric
    /// Statistics" (1980), section 5.5; `None` where there is no slope.
    pub(super) fn of(series: &TimeSeries, trend: &Trend) -> Option<Self> {
        let per_day = trend.slope?.per_day;
        let (first, last) = (series.first()?.at, series.last()?.at);
        let risen = |at: DateTime<Utc>| per_day * days(at - first);
        let observations = series.observations().iter();
        let mut rest: Vec<f64> = observations.map(|it| it.value - risen(it.at)).collect();
        let middle = rest.len() / 2;
        let (_, begin, _) = rest.select_nth_unstable_by(middle, f64::total_cmp);
        let begin = *begin;
        Some(Self { from: (first, begin), until: (last, begin + risen(last)), per_day, word: trend.word })
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of some thousand years")]
fn days(time: TimeDelta) -> f64 {
    time.num_milliseconds() as f64 / DAY_MS
}

#[cfg(test)]
mod tests {
    use larder_analysis::{TrendOptions, judge_trend};

    use super::*;

    #[test]
    fn the_line_goes_through_the_values() {
        let at = |hour: i64| DateTime::from_timestamp(hour * 3_600, 0).unwrap();
        let series: TimeSeries =
            (0..20_i32).map(|hour| (at(hour.into()), 5.0 + 2.0 * f64::from(hour))).collect();
        let line = TrendLine::of(&series, &judge_trend(&series, &TrendOptions::default())).unwrap();
        assert_eq!((line.from.0, line.until.0), (at(0), at(19)));
        assert!((line.from.1 - 5.0).abs() < 1e-6 && (line.until.1 - 43.0).abs() < 1e-6, "{line:?}");
        assert_eq!(TrendLine::of(&series, &Trend::default()), None);
        assert_eq!(TrendLine::of(&TimeSeries::default(), &Trend::default()), None);
    }
}
