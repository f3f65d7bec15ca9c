//! Whether two payloads hold the same value.

use larder_cache_client::{DumpedValue, ValueStamp};
use larder_rdb::{Payload, Value};

/// The clocks of an embedded cache are read to about a millisecond, and the machine's may be set meanwhile.
const TOLERANCE_MS: u64 = 100;

/// Compares what payloads hold, and not how: unordered members come in the order in which a server happens to hold them.
pub(super) fn hold_same(one: &[u8], other: &[u8]) -> bool {
    if let (Some(one), Some(other)) = (ValueStamp::of(one), ValueStamp::of(other))
        && one == other
    {
        return true;
    }
    let decoded = |payload| {
        let payload = Payload::parse(payload).ok()?;
        Some((payload.raw_value(), in_order(payload.value().ok()?)))
    };
    match (decoded(one), decoded(other)) {
        // Of a module's value nothing is known but the type; servers of one version write it the same way.
        (Some((one, Value::Module(_))), Some((other, Value::Module(_)))) => {
            one.as_bytes() == other.as_bytes()
        }
        (Some((_, one)), Some((_, other))) => one == other,
        _ => false,
    }
}

/// Tells whether a key ends when it should.
pub(super) fn end_same(expected_ms: Option<i64>, found: &DumpedValue) -> bool {
    match (expected_ms, found.expires_at_ms) {
        (Some(expected), Some(found)) => expected.abs_diff(found) <= TOLERANCE_MS,
        // Servers before Redis 7.0 do not tell the moment.
        (Some(_), None) => matches!(found.ttl, larder_cache_client::Ttl::In(_)),
        (None, _) => found.ttl == larder_cache_client::Ttl::None,
    }
}

fn in_order(mut value: Value) -> Value {
    match &mut value {
        Value::Set(members) => members.sort_unstable(),
        Value::SortedSet(members) => members.sort_unstable_by(|one, other| one.0.cmp(&other.0)),
        Value::Hash(fields) => fields.sort_unstable_by(|one, other| one.name.cmp(&other.name)),
        // When a consumer was last seen, and got something, older layouts do not keep apart.
        Value::Stream(stream) => {
            for consumer in stream.groups.iter_mut().flat_map(|group| &mut group.consumers) {
                consumer.active_at_ms = None;
                consumer.seen_at_ms = 0;
            }
        }
        _ => {}
    }
    value
}
