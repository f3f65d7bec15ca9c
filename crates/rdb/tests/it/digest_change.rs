//! Every change of the data is a change of its digest.

use std::collections::HashMap;

use larder_rdb::{
    HashField, KeyHasher, KeyMeta, Payload, Server, Stream, StreamConsumer, StreamEntry, StreamGroup,
    StreamId, StreamPending, Value,
};
use proptest::prelude::*;

use crate::digest::of_value;
use crate::properties::value;

fn bytes(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn scored(members: &[(&str, f64)]) -> Value {
    Value::SortedSet(members.iter().map(|(member, score)| (member.as_bytes().to_vec(), *score)).collect())
}

fn hash(fields: &[(&str, &str, Option<i64>)]) -> Value {
    let fields = fields.iter().map(|(name, value, expires)| {
        let field = HashField::new(*name, *value);
        match expires {
            Some(at) => field.expiring_at_ms(*at),
            None => field,
        }
    });
    Value::Hash(fields.collect())
}

/// A stream of two entries and a group, in which two consumers have one each.
fn stream() -> Stream {
    let mut stream = Stream::default();
    for (ms, value) in [(5, "x"), (6, "y")] {
        let fields = vec![(b"name".to_vec(), value.as_bytes().to_vec())];
        stream.entries.push(StreamEntry::new(StreamId::new(ms, 1), fields));
    }
    stream.meta.length = 2;
    stream.meta.last_id = StreamId::new(7, 0);
    let mut group = StreamGroup::default();
    group.name = b"readers".to_vec();
    group.last_id = StreamId::new(6, 1);
    for (ms, name) in [(5, "ann"), (6, "bob")] {
        let mut pending = StreamPending::default();
        (pending.id, pending.delivered_at_ms, pending.deliveries) = (StreamId::new(ms, 1), 1000, 1);
        group.pending.push(pending);
        let mut consumer = StreamConsumer::default();
        (consumer.name, consumer.pending) = (name.into(), vec![pending.id]);
        group.consumers.push(consumer);
    }
    stream.groups.push(group);
    stream
}

/// The same, as a value.
pub(crate) fn a_stream() -> Value {
    changed(|_| ())
}

fn changed(change: impl FnOnce(&mut Stream)) -> Value {
    let mut stream = stream();
    change(&mut stream);
    Value::Stream(Box::new(stream))
}

fn streams() -> Vec<Value> {
    vec![
        a_stream(),
        changed(|stream| stream.entries[0].id.seq = 0),
        changed(|stream| stream.entries[0].fields[0].0 = b"nam".to_vec()),
        changed(|stream| stream.entries[0].fields[0].1 = b"z".to_vec()),
        changed(|stream| stream.entries[0].fields.push((b"n".to_vec(), b"v".to_vec()))),
        changed(|stream| {
            let first = stream.entries[0].fields.clone();
            stream.entries[0].fields = std::mem::replace(&mut stream.entries[1].fields, first);
        }),
        changed(|stream| drop(stream.entries.remove(1))),
        changed(|stream| stream.meta.last_id.ms = 8),
        changed(|stream| stream.groups[0].name = b"writers".to_vec()),
        changed(|stream| stream.groups[0].last_id.ms = 5),
        changed(|stream| stream.groups.clear()),
        changed(|stream| stream.groups[0].pending[0].delivered_at_ms = 1001),
        changed(|stream| stream.groups[0].pending[0].deliveries = 2),
        changed(|stream| {
            stream.groups[0].pending.remove(0);
            stream.groups[0].consumers[0].pending.clear();
        }),
        changed(|stream| {
            let ann = std::mem::take(&mut stream.groups[0].consumers[0].pending);
            stream.groups[0].consumers[0].pending =
                std::mem::replace(&mut stream.groups[0].consumers[1].pending, ann);
        }),
        changed(|stream| stream.groups[0].consumers[1].name = b"carol".to_vec()),
        changed(|stream| {
            let mut idle = StreamConsumer::default();
            idle.name = b"carol".to_vec();
            stream.groups[0].consumers.push(idle);
        }),
        changed(|stream| {
            let mut group = StreamGroup::default();
            group.name = b"z".to_vec();
            stream.groups.push(group);
        }),
    ]
}

/// Values that differ, some as little as can be.
fn values() -> Vec<Value> {
    let mut values = vec![
        Value::String(Vec::new()),
        Value::String(b"12".to_vec()),
        Value::String(b"012".to_vec()),
        Value::String(b"ab".to_vec()),
        Value::List(bytes(&["ab"])),
        Value::List(bytes(&["a", "b"])),
        Value::List(bytes(&["b", "a"])),
        Value::List(bytes(&["", "ab"])),
        Value::List(bytes(&["ab", ""])),
        Value::List(bytes(&["a", "b", "b"])),
        Value::Set(bytes(&["ab"])),
        Value::Set(bytes(&["a", "b"])),
        Value::Set(bytes(&["a", "b", ""])),
        Value::Set(bytes(&["1", "2"])),
        Value::Set(bytes(&["1", "3"])),
        scored(&[("a", 1.0), ("b", 2.0)]),
        scored(&[("a", 2.0), ("b", 1.0)]),
        scored(&[("a", 1.0), ("b", 2.000_000_000_000_000_4)]),
        scored(&[("a", f64::INFINITY), ("b", f64::NEG_INFINITY)]),
        scored(&[("a", 0.0)]),
        scored(&[("a", f64::MIN_POSITIVE)]),
        hash(&[("a", "b", None)]),
        hash(&[("b", "a", None)]),
        hash(&[("ab", "", None)]),
        hash(&[("", "ab", None)]),
        hash(&[("a", "b", Some(1000))]),
        hash(&[("a", "b", Some(1001))]),
        hash(&[("a", "b", None), ("c", "d", Some(1000))]),
        hash(&[("a", "b", Some(1000)), ("c", "d", None)]),
        hash(&[("a", "d", None), ("c", "b", None)]),
        hash(&[("a", "b", None), ("c", "d", None)]),
    ];
    values.extend(streams());
    values
}

#[test]
fn every_value_has_a_digest_of_its_own() {
    let mut seen = HashMap::new();
    for value in values() {
        let digest = of_value(&value, &KeyMeta::default());
        assert_ne!(digest.value, digest.whole);
        if let Some(other) = seen.insert(digest.value, value.clone()) {
            panic!("{value:?} and {other:?} have the same digest");
        }
    }
}

#[test]
fn what_not_every_server_keeps_is_left_out() {
    let plain = of_value(&a_stream(), &KeyMeta::default());
    for value in [
        changed(|stream| stream.meta.first_id.ms = 5),
        changed(|stream| stream.meta.max_deleted_id.ms = 3),
        changed(|stream| stream.meta.entries_added = 17),
        changed(|stream| stream.groups[0].entries_read = Some(2)),
        changed(|stream| stream.groups[0].consumers[0].seen_at_ms = 4),
        changed(|stream| stream.groups[0].consumers[0].active_at_ms = Some(4)),
    ] {
        assert_eq!(of_value(&value, &KeyMeta::default()).whole, plain.whole, "{value:?}");
    }
    assert_eq!(
        of_value(&scored(&[("a", -0.0)]), &KeyMeta::default()),
        of_value(&scored(&[("a", 0.0)]), &KeyMeta::default())
    );
    let mut used = KeyMeta::default();
    (used.idle_s, used.frequency) = (Some(5), Some(9));
    assert_eq!(of_value(&a_stream(), &used).whole, plain.whole);
}

#[test]
fn name_database_and_expiry_count() {
    let payload = Value::String(b"value".to_vec()).to_payload(Server::redis(7, 0), b"k").unwrap();
    let payload = Payload::parse(&payload).unwrap();
    let mut hasher = KeyHasher::new();
    let mut digest = |key: &[u8], meta: KeyMeta| payload.digest(key, &meta, &mut hasher).unwrap();
    let plain = digest(b"key", KeyMeta::default());
    let mut wholes = std::collections::HashSet::from([plain.whole]);
    for (key, meta, is_same_value) in [
        (&b"kez"[..], KeyMeta::default(), false),
        (b"", KeyMeta::default(), false),
        (b"key", KeyMeta::in_db(1), false),
        (b"key", KeyMeta::default().expiring_at_ms(0), true),
        (b"key", KeyMeta::default().expiring_at_ms(1), true),
        (b"key", KeyMeta::default().expiring_at_ms(-1), true),
    ] {
        let other = digest(key, meta);
        assert_eq!(other.value == plain.value, is_same_value, "{meta:?}");
        assert!(wholes.insert(other.whole), "{meta:?}");
    }
}

/// Changes one thing, of which `pick` says which.
fn change(value: &mut Value, pick: usize) {
    let change_text = |text: &mut Vec<u8>| match text.len() {
        0 => text.push(b'x'),
        len => text[pick % len] ^= 1 << (pick % 8),
    };
    match value {
        Value::String(text) => change_text(text),
        Value::List(items) => {
            let len = items.len();
            change_text(&mut items[pick % len]);
        }
        Value::Set(members) => drop(members.pop()),
        Value::SortedSet(members) => {
            let len = members.len();
            let score = &mut members[pick % len].1;
            *score = if *score > 1.5 { 1.0 } else { 2.0 };
        }
        Value::Hash(fields) => {
            let len = fields.len();
            let field = &mut fields[pick % len];
            match field.expires_at_ms {
                Some(at) if pick.is_multiple_of(2) => field.expires_at_ms = Some(at ^ 1),
                _ => change_text(&mut field.value),
            }
        }
        Value::Stream(stream) => stream.meta.last_id.ms += 1,
        _ => {}
    }
}

proptest! {
    #[test]
    fn a_single_change_changes_the_digest(mut value in value(), pick in any::<u16>()) {
        let before = of_value(&value, &KeyMeta::default());
        change(&mut value, usize::from(pick));
        prop_assume!(!matches!(&value, Value::Set(members) if members.is_empty()));
        let after = of_value(&value, &KeyMeta::default());
        prop_assert_ne!(before.value, after.value);
        prop_assert_ne!(before.whole, after.whole);
    }
}
