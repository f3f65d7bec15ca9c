//! Whether two payloads hold the same value.

use larder_cache_client::ValueStamp;
use larder_rdb::{Payload, Value};

/// Compares what payloads hold, and not how. Members of sets and fields of hashes come in the order in which the server
/// happens to hold them, which is another one after a restart or a failover.
pub(super) fn hold_same(one: &[u8], other: &[u8]) -> bool {
    if let (Some(one), Some(other)) = (ValueStamp::of(one), ValueStamp::of(other))
        && one == other
    {
        return true;
    }
    let decoded = |payload| Some(in_order(Payload::parse(payload).ok()?.value().ok()?));
    match (decoded(one), decoded(other)) {
        // Of a module's value nothing is known but the type.
        (Some(Value::Module(_)) | None, _) | (_, None) => false,
        (one, other) => one == other,
    }
}

fn in_order(mut value: Value) -> Value {
    match &mut value {
        Value::Set(members) => members.sort_unstable(),
        Value::SortedSet(members) => members.sort_unstable_by(|one, other| one.0.cmp(&other.0)),
        Value::Hash(fields) => fields.sort_unstable_by(|one, other| one.name.cmp(&other.name)),
        _ => {}
    }
    value
}

#[cfg(test)]
mod tests {
    use larder_rdb::{HashField, Server};

    use super::*;

    fn payload(value: &Value) -> Vec<u8> {
        value.to_payload(Server::redis(7, 0), b"k").unwrap()
    }

    #[test]
    fn order_counts_where_it_is_part_of_the_value() {
        let items = |words: [&str; 3]| words.map(|word| word.as_bytes().to_vec()).to_vec();
        let fields = |words: [&str; 3]| words.map(|word| HashField::new(word, "v")).to_vec();
        let scored = |words: [&str; 3]| words.map(|word| (word.as_bytes().to_vec(), 1.0)).to_vec();
        let (one, other) = (["a", "b", "c"], ["c", "a", "b"]);
        for (first, second, expected) in [
            (Value::Set(items(one)), Value::Set(items(other)), true),
            (Value::Hash(fields(one)), Value::Hash(fields(other)), true),
            (Value::SortedSet(scored(one)), Value::SortedSet(scored(other)), true),
            (Value::List(items(one)), Value::List(items(other)), false),
            (Value::Set(items(one)), Value::Set(items(["a", "b", "d"])), false),
            (Value::Set(items(one)), Value::List(items(one)), false),
            (Value::String(b"a".to_vec()), Value::String(b"a".to_vec()), true),
            (Value::String(b"a".to_vec()), Value::String(b"b".to_vec()), false),
        ] {
            assert_eq!(hold_same(&payload(&first), &payload(&second)), expected, "{first:?} {second:?}");
        }
        assert!(!hold_same(b"", b"") && !hold_same(&payload(&Value::Set(items(one))), b"no payload"));
    }
}
