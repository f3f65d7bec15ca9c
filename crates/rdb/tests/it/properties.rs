//! Whatever is written is read again as it was.

use larder_rdb::{
    Checksum, HashField, KeyMeta, Limits, Payload, Reader, Server, Stream, StreamConsumer, StreamEntry,
    StreamGroup, StreamId, StreamPending, Value, WriteOptions, Writer,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

pub(crate) fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => vec(any::<u8>(), 0..40),
        2 => any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        2 => (-300i64..300).prop_map(|value| value.to_string().into_bytes()),
        1 => (vec(any::<u8>(), 1..6), 1usize..200).prop_map(|(unit, times)| unit.repeat(times)),
        1 => vec(any::<u8>(), 4000..5000),
    ]
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("servers have no such score", |score| !score.is_nan()),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        (-1000i32..1000).prop_map(f64::from),
    ]
}

fn stream() -> impl Strategy<Value = Value> {
    let entries = btree_map((0..50u64, 0..5u64), vec((text(), text()), 0..4), 0..300);
    (entries, btree_set("[a-z]{1,5}", 0..3), any::<u32>()).prop_map(|(entries, groups, seed)| {
        let mut stream = Stream::default();
        for ((ms, seq), fields) in entries {
            stream.entries.push(StreamEntry::new(StreamId::new(ms, seq), fields));
        }
        let last = stream.entries.last().map(|entry| entry.id).unwrap_or_default();
        stream.meta.length = stream.entries.len() as u64;
        stream.meta.last_id = StreamId::new(last.ms + u64::from(seed % 2), last.seq);
        stream.meta.first_id = stream.entries.first().map(|entry| entry.id).unwrap_or_default();
        stream.meta.entries_added = stream.meta.length + u64::from(seed % 7);
        for (number, name) in groups.into_iter().enumerate() {
            stream.groups.push(group(&stream.entries, name.into_bytes(), seed as usize + number));
        }
        Value::Stream(Box::new(stream))
    })
}

/// A group with two consumers that share what is pending.
fn group(entries: &[StreamEntry], name: Vec<u8>, seed: usize) -> StreamGroup {
    let mut group = StreamGroup::default();
    group.name = name;
    group.entries_read = (!seed.is_multiple_of(3)).then_some(seed as u64);
    let mut consumers = [StreamConsumer::default(), StreamConsumer::default()];
    for (number, consumer) in consumers.iter_mut().enumerate() {
        consumer.name = format!("consumer:{number}").into_bytes();
        consumer.seen_at_ms = 1_700_000_000_000 + i64::try_from(seed).unwrap();
        consumer.active_at_ms = (number == 0).then_some(1_600_000_000_000);
    }
    for (number, entry) in entries.iter().enumerate().filter(|(number, _)| number % 3 == 0) {
        let mut pending = StreamPending::default();
        pending.id = entry.id;
        pending.delivered_at_ms = 1_700_000_000_001;
        pending.deliveries = number as u64 + 1;
        group.pending.push(pending);
        consumers[number % 2].pending.push(entry.id);
    }
    group.consumers = consumers.into();
    group
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => text().prop_map(Value::String),
        1 => vec(text(), 1..50).prop_map(Value::List),
        1 => btree_set(text(), 1..50).prop_map(|members| Value::Set(members.into_iter().collect())),
        1 => btree_map(text(), score(), 1..50).prop_map(|members| Value::SortedSet(members.into_iter().collect())),
        1 => btree_map(text(), (text(), prop::option::of(prop_oneof![1i64..4_000_000_000_000, Just(0), Just(i64::MAX)])), 1..50).prop_map(|fields| {
            Value::Hash(fields.into_iter().map(|(name, (value, expires))| {
                let field = HashField::new(name, value);
                match expires {
                    Some(at) => field.expiring_at_ms(at),
                    None => field,
                }
            }).collect())
        }),
        1 => stream(),
    ]
}

/// Values that every server has.
fn old_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(Value::String),
        vec(text(), 1..20).prop_map(Value::List),
        btree_set(text(), 1..20).prop_map(|members| Value::Set(members.into_iter().collect())),
        btree_map(text(), score(), 1..20).prop_map(|members| Value::SortedSet(members.into_iter().collect())),
        btree_map(text(), text(), 1..20).prop_map(|fields| {
            Value::Hash(fields.into_iter().map(|(name, value)| HashField::new(name, value)).collect())
        }),
    ]
}

pub(crate) fn meta() -> impl Strategy<Value = KeyMeta> {
    (0u64..3, any::<Option<i64>>(), prop::option::of(0u64..100_000), any::<Option<u8>>()).prop_map(
        |(db, expires, idle, frequency)| {
            let mut meta = KeyMeta::in_db(db);
            meta.expires_at_ms = expires;
            meta.idle_s = idle;
            meta.frequency = frequency;
            meta
        },
    )
}

/// Servers that keep everything a value may have.
pub(crate) const SERVERS: [fn() -> Server; 2] = [|| Server::redis(8, 0), || Server::valkey(9, 0)];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 48 } else { 512 }))]

    #[test]
    fn files_come_back(
        mut keys in vec((text(), meta(), value()), 0..12),
        server in 0usize..2,
        compress in any::<bool>(),
        checksum in any::<bool>(),
    ) {
        keys.sort_by_key(|(_, meta, _)| meta.db);
        let mut options = WriteOptions::default();
        options.compress = compress;
        options.checksum = checksum;
        let server = SERVERS[server]();
        let mut writer = Writer::with_options(Vec::new(), server, options).unwrap();
        writer.aux(b"redis-ver", b"7.0.0").unwrap();
        for (key, meta, value) in &keys {
            writer.value(key, meta, value).unwrap();
        }
        let written = writer.written();
        let bytes = writer.finish().unwrap();
        prop_assert_eq!(written + 9, bytes.len() as u64);

        let mut reader = Reader::from_slice(&bytes).unwrap();
        prop_assert_eq!(reader.format(), server.format());
        for (key, meta, value) in &keys {
            let entry = reader.next_key().unwrap().unwrap();
            prop_assert_eq!(entry.key(), &key[..]);
            prop_assert_eq!(entry.meta(), *meta);
            prop_assert_eq!(&entry.value().unwrap(), value);
        }
        prop_assert!(reader.next_key().unwrap().is_none());
        prop_assert_eq!(matches!(reader.checksum(), Checksum::Verified(_)), checksum);

        // Skimming agrees on the number of elements and on where everything is.
        let mut reader = Reader::from_slice(&bytes).unwrap();
        let mut end = None;
        for (_, _, value) in &keys {
            let skimmed = reader.skim_next().unwrap().unwrap();
            let elements = match value {
                Value::List(items) | Value::Set(items) => items.len(),
                Value::SortedSet(members) => members.len(),
                Value::Hash(fields) => fields.len(),
                Value::Stream(stream) => stream.entries.len(),
                _ => 1,
            };
            prop_assert_eq!(skimmed.elements, elements as u64);
            prop_assert!(end.is_none_or(|end| skimmed.offset >= end));
            end = Some(skimmed.offset + skimmed.record_bytes());
        }
    }

    #[test]
    fn payloads_come_back(value in value(), server in 0usize..2) {
        let server = SERVERS[server]();
        let bytes = value.to_payload(server, b"key").unwrap();
        let payload = Payload::parse(&bytes).unwrap();
        prop_assert!(payload.check_server(server, b"key").is_ok());
        prop_assert_eq!(&payload.value().unwrap(), &value);
        prop_assert_eq!(&payload.raw_value().decode(Limits::default()).unwrap(), &value);
    }

    #[test]
    fn files_for_old_servers_come_back(
        values in vec((text(), old_value()), 0..12),
        server in prop::sample::select(vec![(2u16, 4u16), (2, 6), (3, 2), (4, 0), (6, 2), (7, 2)]),
    ) {
        let server = Server::redis(server.0, server.1);
        let mut writer = Writer::new(Vec::new(), server).unwrap();
        writer.aux(b"redis-ver", b"2.4.0").unwrap();
        writer.resize_db(0, values.len() as u64, 0).unwrap();
        for (key, value) in &values {
            writer.value(key, &KeyMeta::default(), value).unwrap();
        }
        let bytes = writer.finish().unwrap();
        let mut reader = Reader::from_slice(&bytes).unwrap();
        prop_assert_eq!(reader.format(), server.format());
        for (key, value) in &values {
            let entry = reader.next_key().unwrap().unwrap();
            prop_assert_eq!(entry.key(), &key[..]);
            prop_assert!(server.loads_type(entry.value_type()));
            prop_assert_eq!(&entry.value().unwrap(), value);
        }
        prop_assert!(reader.next_key().unwrap().is_none());
        let is_verified = matches!(reader.checksum(), Checksum::Verified(_));
        prop_assert_eq!(is_verified, server.format().has_checksum());
        prop_assert_eq!(!is_verified, reader.checksum() == Checksum::Absent);
    }
}
