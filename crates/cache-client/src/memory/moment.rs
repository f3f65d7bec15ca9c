//! Moments of the calendar, from times that are left.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Ttl;

/// The clock of the calendar and that of the store are read one after the other, and the first may be set.
const TOLERANCE_MS: u64 = 100;

/// When a time is up, in milliseconds since 1970.
pub(super) fn expires_at_ms(ttl: Ttl) -> Option<i64> {
    match ttl {
        Ttl::None => None,
        Ttl::In(left) => i64::try_from((now() + left).as_millis()).ok(),
    }
}

/// How long it is until a moment; none at all where it is over.
pub(super) fn until(at_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(at_ms).unwrap_or(0)).saturating_sub(now())
}

/// Tells whether a time is up when it was said to be.
pub(super) fn agree(expected_ms: Option<i64>, ttl: Ttl) -> bool {
    match (expected_ms, expires_at_ms(ttl)) {
        (None, None) => true,
        (Some(expected), Some(found)) => expected.abs_diff(found) <= TOLERANCE_MS,
        _ => false,
    }
}

/// This moment, in milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    i64::try_from(now().as_millis()).unwrap_or(i64::MAX)
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_times_are_the_same() {
        assert_eq!(expires_at_ms(Ttl::None), None);
        let at = expires_at_ms(Ttl::In(Duration::from_mins(1))).unwrap();
        assert!(until(at) <= Duration::from_mins(1) && until(at) > Duration::from_secs(50));
        assert!(agree(Some(at), Ttl::In(Duration::from_mins(1))));
        assert!(!agree(Some(at + 1_000), Ttl::In(Duration::from_mins(1))));
        assert!(!agree(None, Ttl::In(Duration::from_mins(1))) && !agree(Some(at), Ttl::None));
        assert!(agree(None, Ttl::None));
        assert_eq!(until(-1), Duration::ZERO);
    }
}
