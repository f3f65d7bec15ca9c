//! When a level changed, as finely as it was measured.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    series::{Observation, TimeSeries},
    statistics::median,
};

/// Tells at which measurement the level changed, where steps of `width` place that at the beginning of the one at `near`: of the values
/// within a step of it the earlier ones lie about the level of the step before, the later ones about that of the step behind, with the
/// least sum of absolute deviations (Bai 1995, <https://www.jstor.org/stable/3532941>). So a change has one date, whatever stands for
/// the values of a step.
pub(crate) fn date_change(series: &TimeSeries, near: DateTime<Utc>, width: TimeDelta) -> DateTime<Utc> {
    let all = series.observations();
    let between = |from: DateTime<Utc>, until: DateTime<Utc>| {
        &all[all.partition_point(|it| it.at < from)..all.partition_point(|it| it.at < until)]
    };
    let (from, until) = (near - width, near + width);
    let levels = level(between(from - width, from)).zip(level(between(until, until + width)));
    let Some((before, after)) = levels else { return near };
    // By how much more the values up to one lie beside the former level than beside the new one.
    let mut beside = 0.0;
    let mut best = (near, f64::INFINITY);
    for it in between(from, until) {
        if beside < best.1 {
            best = (it.at, beside);
        }
        beside += (it.value - before).abs() - (it.value - after).abs();
    }
    best.0
}

fn level(values: &[Observation]) -> Option<f64> {
    median(&mut values.iter().map(|it| it.value).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(hour * 3_600, 0).unwrap()
    }

    #[test]
    fn a_change_within_a_day_is_dated_to_the_hour_from_the_day_before_and_the_day_behind() {
        let series: TimeSeries =
            (0..240).map(|hour| (at(hour), if hour < 115 { 300.0 } else { 600.0 })).collect();
        // Its maximum places it on day 4, its mean on day 5.
        for day in [4, 5] {
            assert_eq!(date_change(&series, at(day * 24), TimeDelta::days(1)), at(115), "{day}");
        }
    }

    #[test]
    fn without_values_around_it_is_where_the_steps_place_it() {
        for series in [TimeSeries::default(), [(at(24), 1.0)].into_iter().collect()] {
            assert_eq!(date_change(&series, at(24), TimeDelta::days(1)), at(24));
        }
    }
}
