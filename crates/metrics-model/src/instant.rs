//! Instants as snapshots have them: seconds since the Unix epoch, and ISO 8601 in local time.

use chrono::{DateTime, FixedOffset, Utc};

/// Returns an instant as seconds since the Unix epoch, to the microsecond.
#[expect(clippy::cast_precision_loss, reason = "microseconds fit 53 bits until the year 2255")]
pub(crate) fn timestamp(at: DateTime<FixedOffset>) -> f64 {
    at.timestamp_micros() as f64 / 1e6
}

/// Writes an instant in the time zone that it has, without naming the zone.
pub(crate) fn date(at: DateTime<FixedOffset>) -> String {
    at.naive_local().format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

/// Returns the instant of a timestamp; `None` where it is no time.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked by what reads it")]
pub(crate) fn time(timestamp: f64) -> Option<DateTime<Utc>> {
    timestamp.is_finite().then(|| DateTime::from_timestamp_micros((timestamp * 1e6).round() as i64))?
}
