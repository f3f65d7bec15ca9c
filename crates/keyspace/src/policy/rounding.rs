//! Times and sizes that people write.

use std::time::Duration;

use super::unit::LONGEST_TIME;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 365 * DAY;

/// The times that people write, in seconds.
const USUAL: [u64; 24] = [
    1,
    5,
    10,
    15,
    30,
    MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
    30 * DAY,
    60 * DAY,
    90 * DAY,
    180 * DAY,
    YEAR,
];

/// Returns the least usual time that is not shorter, or `None` where a policy knows none.
pub(super) fn usual_time(time: Duration) -> Option<Duration> {
    let seconds = time.as_secs().checked_add(u64::from(time.subsec_nanos() > 0))?;
    let usual = USUAL.into_iter().find(|usual| *usual >= seconds);
    let usual = Duration::from_secs(usual.or_else(|| seconds.div_ceil(YEAR).checked_mul(YEAR))?);
    (usual <= LONGEST_TIME).then_some(usual)
}

/// Returns the least usual time that is longer.
pub(super) fn next_usual_time(time: Duration) -> Option<Duration> {
    usual_time(time.checked_add(Duration::from_nanos(1))?)
}

/// Writes a usual time in one unit.
pub(super) fn written_time(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [(DAY, "d"), (HOUR, "h"), (MINUTE, "m")];
    let unit = units.into_iter().find(|(length, _)| seconds.is_multiple_of(*length));
    let (length, unit) = unit.unwrap_or((1, "s"));
    format!("{}{unit}", seconds / length)
}

/// Returns the least power of two that is not smaller, and no less than a kibibyte.
pub(super) fn usual_size(bytes: u64) -> Option<u64> {
    bytes.max(1 << 10).checked_next_power_of_two()
}

/// Writes a power of two of bytes that is no less than a kibibyte.
pub(super) fn written_size(bytes: u64) -> String {
    let units = [(60, "EiB"), (50, "PiB"), (40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.into_iter().find(|(shift, _)| bytes >> shift > 0);
    let (shift, unit) = unit.unwrap_or((0, "B"));
    format!("{}{unit}", bytes >> shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_up() {
        for (seconds, written) in [
            (0, Some("1s")),
            (1, Some("1s")),
            (59, Some("1m")),
            (60, Some("1m")),
            (61, Some("5m")),
            (1_751, Some("30m")),
            (7_000, Some("2h")),
            (86_401, Some("2d")),
            (604_799, Some("7d")),
            (31_536_001, Some("730d")),
            (100 * YEAR, Some("36500d")),
            (100 * YEAR + 1, None),
            (u64::MAX, None),
        ] {
            let usual = usual_time(Duration::from_secs(seconds)).map(written_time);
            assert_eq!(usual.as_deref(), written, "{seconds}");
        }
        assert_eq!(usual_time(Duration::from_millis(60_001)), Some(Duration::from_mins(5)));
        assert_eq!(usual_time(Duration::MAX), None);
        assert_eq!(next_usual_time(Duration::MAX), None);
        assert_eq!(next_usual_time(Duration::from_mins(30)), Some(Duration::from_hours(1)));
        assert_eq!(next_usual_time(Duration::from_secs(1799)), Some(Duration::from_mins(30)));
    }

    #[test]
    fn sizes_are_rounded_up() {
        for (bytes, written) in [
            (0, Some("1KiB")),
            (1024, Some("1KiB")),
            (1025, Some("2KiB")),
            (700_000, Some("1MiB")),
            (1 << 63, Some("8EiB")),
            ((1 << 63) + 1, None),
        ] {
            assert_eq!(usual_size(bytes).map(written_size).as_deref(), written, "{bytes}");
        }
    }
}
