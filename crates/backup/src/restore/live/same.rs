//! Whether a key is there as it is in the backup.

use bytes::Bytes;
use larder_cache_client::{DumpedValue, RestoreItem, Ttl, ValueStamp};
use larder_rdb::{DataDigest, KeyDigest, KeyHasher, KeyMeta, Kind, Payload};

/// The clocks of an embedded cache are read to about a millisecond, and the machine's may be set meanwhile.
const TOLERANCE_MS: u64 = 100;

/// What a comparison gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the same, with this digest.
    Same(DataDigest),
    /// It is another value.
    AnotherValue,
    /// It is the same value, and ends at another moment.
    AnotherEnd,
    /// A module's value, which is written in another way each time.
    Unknown,
}

/// What has to be there of a key, without its value.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    key: Bytes,
    expires_at_ms: Option<i64>,
    stamp: Option<ValueStamp>,
    digest: KeyDigest,
    kind: Kind,
}

/// When keys have to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// At the moment that the backup says.
    AsInBackup,
    /// At the moment that was reckoned for them, or so many milliseconds earlier: what counts from now counts from a later moment
    /// each time that it is reckoned.
    AsReckoned { early_ms: u64 },
}

/// Compares keys of one database.
#[derive(Debug)]
pub(super) struct Comparer {
    pub(super) database: u64,
    ends: Ends,
    hasher: KeyHasher,
}

impl Comparer {
    pub(super) fn new(database: u64, ends: Ends) -> Self {
        Self { database, ends, hasher: KeyHasher::new() }
    }

    /// Compares a value of the backup with the one that is there.
    pub(super) fn compare(&mut self, item: &RestoreItem, found: &DumpedValue) -> Verdict {
        self.expect(item).map_or(Verdict::AnotherValue, |expected| self.judge(&expected, found))
    }

    /// What has to be there; `None` where the backup's own value cannot be decoded.
    pub(super) fn expect(&mut self, item: &RestoreItem) -> Option<Expected> {
        let payload = item.value.payload.as_ref();
        let expires_at_ms = item.value.expires_at_ms;
        let (digest, kind) = self.digest(&item.key, expires_at_ms, payload)?;
        Some(Expected { key: item.key.clone(), expires_at_ms, stamp: ValueStamp::of(payload), digest, kind })
    }

    /// Compares what has to be there with what is.
    pub(super) fn judge(&mut self, expected: &Expected, found: &DumpedValue) -> Verdict {
        let Expected { key, expires_at_ms, stamp, digest, kind } = expected;
        let is_same_value = *stamp == ValueStamp::of(&found.payload)
            || self
                .digest(key, *expires_at_ms, &found.payload)
                .is_some_and(|(found, _)| found.value == digest.value);
        if !is_same_value {
            return if *kind == Kind::Module { Verdict::Unknown } else { Verdict::AnotherValue };
        }
        match self.ends {
            Ends::AsInBackup if end_same(*expires_at_ms, found) => Verdict::Same(digest.whole),
            Ends::AsReckoned { early_ms } if end_within(*expires_at_ms, found, early_ms) => {
                Verdict::Same(digest.value)
            }
            _ => Verdict::AnotherEnd,
        }
    }

    fn digest(
        &mut self,
        key: &[u8],
        expires_at_ms: Option<i64>,
        payload: &[u8],
    ) -> Option<(KeyDigest, Kind)> {
        let payload = Payload::parse(payload).ok()?;
        let mut meta = KeyMeta::in_db(self.database);
        meta.expires_at_ms = expires_at_ms;
        let digest = payload.digest(key, &meta, &mut self.hasher).ok()?;
        Some((digest, payload.kind()))
    }
}

/// Tells whether a key ends when it should.
pub(super) fn end_same(expected_ms: Option<i64>, found: &DumpedValue) -> bool {
    end_within(expected_ms, found, 0)
}

/// Tells whether a key ends when it should, or at most so much earlier.
fn end_within(expected_ms: Option<i64>, found: &DumpedValue, early_ms: u64) -> bool {
    match (expected_ms, found.expires_at_ms) {
        (Some(expected), Some(found)) if found < expected => {
            expected.abs_diff(found) <= early_ms.saturating_add(TOLERANCE_MS)
        }
        (Some(expected), Some(found)) => expected.abs_diff(found) <= TOLERANCE_MS,
        // Servers before Redis 7.0 do not tell the moment.
        (Some(_), None) => matches!(found.ttl, Ttl::In(_)),
        (None, _) => found.ttl == Ttl::None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use larder_rdb::{Server, Value};

    use super::*;

    fn value(members: &[&str], expires_at_ms: Option<i64>) -> DumpedValue {
        let members = members.iter().map(|member| member.as_bytes().to_vec()).collect();
        let payload = Value::Set(members).to_payload(Server::redis(7, 0), b"k").unwrap();
        let ttl = expires_at_ms.map_or(Ttl::None, |_| Ttl::In(Duration::from_secs(1)));
        let mut value = DumpedValue::new(Bytes::from(payload), ttl);
        value.expires_at_ms = expires_at_ms;
        value
    }

    #[test]
    fn what_is_the_same_is_told_from_what_is_not() {
        let item = |expires_at_ms| RestoreItem {
            key: "k".into(),
            value: value(&["a", "b"], expires_at_ms),
            overwrite: false,
        };
        let compared = |expected, found: &[&str], found_ms, keeps_ttl| {
            let ends = if keeps_ttl { Ends::AsInBackup } else { Ends::AsReckoned { early_ms: 1_000 } };
            Comparer::new(0, ends).compare(&item(expected), &value(found, found_ms))
        };
        assert!(matches!(compared(None, &["b", "a"], None, true), Verdict::Same(_)));
        assert!(matches!(compared(Some(5000), &["b", "a"], Some(5100), true), Verdict::Same(_)));
        assert_eq!(compared(Some(5000), &["b", "a"], Some(5101), true), Verdict::AnotherEnd);
        assert_eq!(compared(Some(5000), &["b", "a"], None, true), Verdict::AnotherEnd);
        assert_eq!(compared(None, &["b", "a"], Some(5000), true), Verdict::AnotherEnd);
        assert_eq!(compared(None, &["b", "a"], Some(5000), false), Verdict::AnotherEnd);
        assert!(matches!(compared(None, &["b", "a"], None, false), Verdict::Same(_)));
        assert!(matches!(compared(Some(9000), &["b", "a"], Some(8000), false), Verdict::Same(_)));
        assert_eq!(compared(Some(9000), &["b", "a"], Some(7800), false), Verdict::AnotherEnd);
        assert_eq!(compared(Some(9000), &["b", "a"], Some(9200), false), Verdict::AnotherEnd);
        assert_eq!(compared(None, &["b", "c"], None, true), Verdict::AnotherValue);
        let broken = DumpedValue::new(Bytes::from_static(b"broken"), Ttl::None);
        assert_eq!(Comparer::new(0, Ends::AsInBackup).compare(&item(None), &broken), Verdict::AnotherValue);
    }
}
