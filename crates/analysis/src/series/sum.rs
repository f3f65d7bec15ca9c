//! Several series as one.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::{Summarise, Summary, TimeSeries};

/// Adds series up, in the means of hours, or of days where one of them has no value an hour. A step counts in which each was
/// measured: a sum that lacks a part would look like a fall. One series alone stays as it is.
#[must_use]
pub fn sum_of(parts: &[TimeSeries]) -> TimeSeries {
    if let [only] = parts {
        return only.clone();
    }
    let hour = TimeDelta::hours(1);
    let is_hourly = |part: &TimeSeries| part.typical_step().is_none_or(|step| step <= hour);
    let width = if parts.iter().all(is_hourly) { hour } else { TimeDelta::days(1) };
    let mut sums = BTreeMap::new();
    for part in parts {
        let summary = Summary::of(part, width, Summarise::Mean);
        for (step, value) in summary.known() {
            let (sum, count) = sums.entry(summary.moment(step)).or_insert((0.0, 0));
            *sum += value;
            *count += 1;
        }
    }
    let whole = sums.into_iter().filter(|(_, (_, count))| *count == parts.len());
    whole.map(|(at, (sum, _))| (at, sum)).collect()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn hourly(hours: std::ops::Range<i64>, value: f64) -> TimeSeries {
        hours.map(|hour| (DateTime::from_timestamp(hour * 3_600, 0).unwrap(), value)).collect()
    }

    #[test]
    fn steps_that_lack_a_part_do_not_count() {
        let sum = sum_of(&[hourly(0..10, 1.0), hourly(4..12, 2.0)]);
        assert_eq!(sum.values().collect::<Vec<_>>(), [3.0; 6]);
        assert_eq!(sum.first().unwrap().at.timestamp(), 4 * 3_600 + 1_800);
        assert!(sum_of(&[hourly(0..10, 1.0), TimeSeries::default()]).is_empty());
        assert_eq!(sum_of(&[hourly(0..10, 1.0)]), hourly(0..10, 1.0));
        assert!(sum_of(&[]).is_empty());
    }

    #[test]
    fn what_is_measured_once_a_day_is_added_up_by_day() {
        let daily = hourly(0..96, 2.0).keep(|it| it.at.timestamp() % 86_400 == 0);
        let sum = sum_of(&[hourly(0..96, 1.0), daily]);
        assert_eq!(sum.values().collect::<Vec<_>>(), [3.0; 4]);
    }
}
