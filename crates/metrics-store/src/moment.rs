//! Times as the history keys them: microseconds since the Unix epoch, UTC.

use chrono::{DateTime, Utc};

use crate::{Error, Result, measured::Measured};

/// One hour in microseconds.
pub(crate) const HOUR: i64 = 3_600_000_000;
/// One day in microseconds.
pub(crate) const DAY: i64 = 24 * HOUR;

/// Returns the key of a time.
pub(crate) fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

/// Returns the time of a key; one that is no time becomes the nearest that is.
pub(crate) fn time(micros: i64) -> DateTime<Utc> {
    let nearest = if micros < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
    DateTime::from_timestamp_micros(micros).unwrap_or(nearest)
}

/// Returns the key of a snapshot's time.
pub(crate) fn of(snapshot: &impl Measured) -> Result<i64> {
    snapshot.time().map(micros).ok_or_else(|| Error::NoTime { timestamp: snapshot.timestamp() })
}

/// Returns the beginning of the stretch of `width` that `at` lies in.
pub(crate) fn floor(at: i64, width: i64) -> i64 {
    at.saturating_sub(at.rem_euclid(width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_begin_on_the_hour_before_1970_too() {
        assert_eq!(floor(HOUR + 1, HOUR), HOUR);
        assert_eq!(floor(HOUR, HOUR), HOUR);
        assert_eq!(floor(-1, HOUR), -HOUR);
        assert_eq!(floor(i64::MIN, HOUR), i64::MIN);
    }

    #[test]
    fn a_key_that_is_no_time_does_not_panic() {
        assert_eq!(time(i64::MAX), DateTime::<Utc>::MAX_UTC);
        assert_eq!(time(i64::MIN), DateTime::<Utc>::MIN_UTC);
        assert_eq!(micros(time(1_700_000_000_000_001)), 1_700_000_000_000_001);
    }
}
