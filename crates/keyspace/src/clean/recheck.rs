//! Whether the reason for doing something about a key still holds.

use std::time::Duration;

use larder_cache_client::{DumpedValue, Ttl, ValueStamp};
use serde::Serialize;

use super::candidate::{Candidate, Intent};

/// Why a key that was planned is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LeftAlone {
    /// It is gone.
    Gone,
    /// It has got a TTL, or another one.
    GotTtl,
    /// It was used.
    Used,
    /// It was written.
    Rewritten,
    /// Its value is too big to be kept for undo.
    TooBig,
    /// Its value cannot be kept for undo.
    Unkept,
}

impl LeftAlone {
    /// Returns the reason, in words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone since",
            Self::GotTtl => "got a TTL since",
            Self::Used => "used since",
            Self::Rewritten => "written since",
            Self::TooBig => "too big to be kept for undo",
            Self::Unkept => "cannot be kept for undo",
        }
    }
}

/// Keys whose idle time is shorter than this when they are seen get a stamp of their value: idle times are told in whole
/// seconds (the clock of eviction ticks once a second, Redis 7.0 `src/evict.c`, `LRU_CLOCK_RESOLUTION`), so that what is
/// written right after it was looked at could not be told from what was written right before.
pub(super) const FRESH: Duration = Duration::from_secs(4);

/// By how much idle times may fall short of what they should be: two readings of a clock that ticks once a second.
const SLACK_S: i64 = 2;
/// By how much two readings of the same TTL may differ: it is told as time left, and the looks lie apart.
const TTL_SLACK_MS: u64 = 2_000;

/// Compares a key with what it was when it was planned. Where it is of the same second, a look at a key that was in use
/// anyway is not told from the use before it; that it was written is.
pub(super) fn still_holds(candidate: &Candidate, found: &DumpedValue, now_ms: i64) -> Result<(), LeftAlone> {
    if !same_ttl(candidate, found, now_ms) {
        return Err(LeftAlone::GotTtl);
    }
    if candidate.stamp.is_some_and(|stamp| ValueStamp::of(&found.payload) != Some(stamp)) {
        return Err(LeftAlone::Rewritten);
    }
    let elapsed_s = (now_ms - candidate.seen_at_ms).max(0) / 1000;
    if let (Some(before), Some(idle)) = (candidate.idle_s, found.idle) {
        let idle = i64::try_from(idle.as_secs()).unwrap_or(i64::MAX);
        if idle.saturating_add(SLACK_S) < i64::from(before) + elapsed_s {
            return Err(LeftAlone::Used);
        }
    }
    Ok(())
}

fn same_ttl(candidate: &Candidate, found: &DumpedValue, now_ms: i64) -> bool {
    if matches!(candidate.action, Intent::SetTtl(_)) {
        return found.ttl == Ttl::None;
    }
    match (candidate.expires_at_ms, found.ttl) {
        (None, Ttl::None) => true,
        (Some(before), Ttl::In(left)) => {
            let left = i64::try_from(left.as_millis()).unwrap_or(i64::MAX);
            let now = found.expires_at_ms.unwrap_or(now_ms.saturating_add(left));
            before.abs_diff(now) <= TTL_SLACK_MS
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const NOW_MS: i64 = 1_000_000;

    fn candidate(action: Intent) -> Candidate {
        Candidate {
            key: b"k".to_vec(),
            action,
            line: 0,
            shard: 0,
            round: 0,
            database: 0,
            seen_at_ms: NOW_MS - 60_000,
            idle_s: Some(100),
            expires_at_ms: None,
            bytes: 10,
            stamp: None,
        }
    }

    fn found(ttl: Ttl, idle_s: u64) -> DumpedValue {
        let mut value = DumpedValue::new(Bytes::from_static(b"payload-with-a-checksum"), ttl);
        value.idle = Some(Duration::from_secs(idle_s));
        value
    }

    #[test]
    fn what_is_as_it_was_is_acted_on() {
        for action in [Intent::Remove, Intent::SetTtl(1)] {
            for idle in [158, 160, 161, 1_000] {
                assert_eq!(
                    still_holds(&candidate(action), &found(Ttl::None, idle), NOW_MS),
                    Ok(()),
                    "{idle}"
                );
            }
        }
    }

    #[test]
    fn what_was_used_or_got_a_ttl_is_left_alone() {
        let hour = Ttl::In(Duration::from_hours(1));
        for (action, value, expected) in [
            (Intent::Remove, found(Ttl::None, 157), LeftAlone::Used),
            (Intent::SetTtl(1), found(Ttl::None, 0), LeftAlone::Used),
            (Intent::Remove, found(hour, 160), LeftAlone::GotTtl),
            (Intent::SetTtl(1), found(hour, 160), LeftAlone::GotTtl),
        ] {
            assert_eq!(still_holds(&candidate(action), &value, NOW_MS), Err(expected));
        }
    }

    #[test]
    fn a_value_with_a_stamp_is_known_again() {
        let mut stamped = candidate(Intent::Remove);
        stamped.idle_s = None;
        stamped.stamp = ValueStamp::of(b"payload-with-a-checksum");
        assert_eq!(still_holds(&stamped, &found(Ttl::None, 0), NOW_MS), Ok(()));
        stamped.stamp = ValueStamp::of(b"payload-with-another-one");
        assert_eq!(still_holds(&stamped, &found(Ttl::None, 0), NOW_MS), Err(LeftAlone::Rewritten));
    }

    #[test]
    fn a_ttl_that_goes_on_is_the_same_and_one_that_was_set_anew_is_not() {
        let mut timed = candidate(Intent::Remove);
        timed.expires_at_ms = Some(NOW_MS + 10_000);
        assert_eq!(still_holds(&timed, &found(Ttl::In(Duration::from_secs(10)), 160), NOW_MS), Ok(()));
        for ttl in [Ttl::None, Ttl::In(Duration::from_secs(20)), Ttl::In(Duration::from_secs(5))] {
            assert_eq!(still_holds(&timed, &found(ttl, 160), NOW_MS), Err(LeftAlone::GotTtl));
        }
    }

    #[test]
    fn a_clock_that_was_set_back_is_no_proof_of_use() {
        assert_eq!(still_holds(&candidate(Intent::Remove), &found(Ttl::None, 100), 0), Ok(()));
    }
}
