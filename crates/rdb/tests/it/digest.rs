//! A digest is that of the data, not of the file.

use larder_rdb::{
    DataDigest, HashField, KeyDigest, KeyHasher, KeyMeta, Payload, Reader, Server, Value, WriteOptions,
    Writer,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::data::Numbers;
use crate::digest_change::a_stream;
use crate::generate::fixtures;
use crate::properties::{SERVERS, meta, text, value};

/// The digests of all keys of a file, with their names.
pub(crate) fn digests(bytes: &[u8]) -> Vec<(Vec<u8>, KeyDigest)> {
    let mut reader = Reader::from_slice(bytes).unwrap();
    let mut hasher = KeyHasher::new();
    let mut found = Vec::new();
    while let Some(entry) = reader.next_key().unwrap() {
        found.push((entry.key().to_vec(), entry.digest(&mut hasher).unwrap()));
    }
    found
}

pub(crate) fn sum(digests: &[(Vec<u8>, KeyDigest)]) -> DataDigest {
    let mut sum = DataDigest::default();
    for (_, digest) in digests {
        sum += digest.whole;
    }
    sum
}

/// The digest of one value in a payload.
pub(crate) fn of_value(value: &Value, meta: &KeyMeta) -> KeyDigest {
    let payload = value.to_payload(Server::redis(8, 0), b"key").unwrap();
    Payload::parse(&payload).unwrap().digest(b"key", meta, &mut KeyHasher::new()).unwrap()
}

fn write(keys: &[(Vec<u8>, KeyMeta, Value)], server: Server, compress: bool) -> Vec<u8> {
    let mut options = WriteOptions::default();
    options.compress = compress;
    let mut writer = Writer::with_options(Vec::new(), server, options).unwrap();
    for (key, meta, value) in keys {
        writer.value(key, meta, value).unwrap();
    }
    writer.finish().unwrap()
}

fn shuffle<T>(items: &mut [T], numbers: &mut Numbers) {
    for i in (1..items.len()).rev() {
        items.swap(i, usize::try_from(numbers.below(i as u64 + 1)).unwrap());
    }
}

/// Puts elements of which the order does not count in another order.
fn shuffle_elements(value: &mut Value, numbers: &mut Numbers) {
    match value {
        Value::Set(members) => shuffle(members, numbers),
        Value::SortedSet(members) => shuffle(members, numbers),
        Value::Hash(fields) => shuffle(fields, numbers),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 48 } else { 512 }))]

    #[test]
    fn order_compression_and_server_do_not_count(
        mut keys in vec((text(), meta(), value()), 0..12),
        servers in (0usize..2, 0usize..2),
        seed in any::<u64>(),
    ) {
        let first = digests(&write(&keys, SERVERS[servers.0](), true));
        let mut numbers = Numbers::new(seed);
        shuffle(&mut keys, &mut numbers);
        for (_, _, value) in &mut keys {
            shuffle_elements(value, &mut numbers);
        }
        let second = digests(&write(&keys, SERVERS[servers.1](), false));
        prop_assert_eq!(sum(&first), sum(&second));
        // Parts add up, and can be taken away again.
        let mut rest = sum(&first);
        for (_, digest) in &second {
            rest -= digest.whole;
        }
        prop_assert_eq!(rest, DataDigest::default());
    }

    #[test]
    fn a_payload_has_the_digest_of_the_key_in_a_file(
        key in text(),
        meta in meta(),
        value in value(),
        server in 0usize..2,
    ) {
        let server = SERVERS[server]();
        let file = digests(&write(&[(key.clone(), meta, value.clone())], server, true));
        let payload = value.to_payload(server, &key).unwrap();
        let payload = Payload::parse(&payload).unwrap().digest(&key, &meta, &mut KeyHasher::new()).unwrap();
        prop_assert_eq!(payload, file[0].1);
    }
}

#[test]
fn a_hasher_that_was_used_gives_what_a_new_one_gives() {
    let mut hasher = KeyHasher::new();
    for folder in ["redis-7.0", "valkey-9.1"] {
        let bytes = std::fs::read(fixtures().join(folder).join("data.rdb")).unwrap();
        let mut reader = Reader::from_slice(&bytes).unwrap();
        let fresh = digests(&bytes);
        for (_, expected) in fresh {
            let entry = reader.next_key().unwrap().unwrap();
            assert_eq!(entry.digest(&mut hasher).unwrap(), expected);
        }
    }
}

#[test]
fn long_strings_hash_alike_whether_they_lie_in_the_buffer_or_not() {
    for len in [4095, 4096, 4097, 65_535, 65_536, 65_537, 131_072, 400_000] {
        let value = Value::String(b"0123456789abcdefg".iter().copied().cycle().take(len).collect());
        let key = (b"key".to_vec(), KeyMeta::default(), value.clone());
        let raw = write(std::slice::from_ref(&key), Server::redis(7, 0), false);
        let packed = write(&[key], Server::redis(7, 0), true);
        assert!(packed.len() < raw.len() / 10);
        // From a source whose length is not known, too.
        let mut reader = Reader::new(&raw[..]).unwrap();
        let streamed = reader.next_key().unwrap().unwrap().digest(&mut KeyHasher::new()).unwrap();
        assert_eq!(streamed, digests(&raw)[0].1);
        assert_eq!(streamed.value, digests(&packed)[0].1.value);
        assert_eq!(streamed.value, of_value(&value, &KeyMeta::default()).value);
        // In front come length and, of the compressed string, another one.
        assert_eq!(streamed.value_bytes, len as u64 + if len < 16_384 { 2 } else { 5 });
    }
}

#[test]
fn what_is_damaged_has_no_digest() {
    let value = Value::List(vec![b"a".to_vec(), b"b".to_vec()]);
    let payload = value.to_payload(Server::redis(7, 0), b"key").unwrap();
    for len in 1..payload.len() - 10 {
        // The value is cut, the footer is not; zero stands for a checksum that was not computed.
        let cut = [&payload[..len], &[10, 0], &[0; 8]].concat();
        let digest = Payload::parse(&cut).unwrap().digest(b"key", &KeyMeta::default(), &mut KeyHasher::new());
        digest.unwrap_err();
    }
    for (body, what) in [
        (&[1u8, 0][..], "byte 1: the payload holds an empty value"),
        (&[1, 1, 1, b'a', 9], "byte 4: the payload is longer than its value"),
        (&[2, 2, 1, b'a', 1, b'a'], "byte 4: a collection has the same element twice"),
    ] {
        let payload = [body, &[10, 0], &[0; 8]].concat();
        let digest =
            Payload::parse(&payload).unwrap().digest(b"k", &KeyMeta::default(), &mut KeyHasher::new());
        assert_eq!(digest.unwrap_err().to_string(), what);
    }
}

#[test]
fn the_definition_stays() {
    let expiring = KeyMeta::in_db(3).expiring_at_ms(4_102_444_800_000);
    let pair = vec![b"a".to_vec(), b"12".to_vec()];
    for (value, expected) in [
        (Value::String(b"12".to_vec()), "6b14327def8135abda7c2968b6517eca"),
        (Value::List(pair.clone()), "bc8fe3bbbc09341cb9e66dab3de041fa"),
        (Value::Set(pair), "992e87d68e4dfa58766c86a3ed4be0e4"),
        (Value::SortedSet(vec![(b"a".to_vec(), 1.5)]), "9a3c4d979947578fd9f5ffee79411970"),
        (
            Value::Hash(vec![HashField::new("a", "1"), HashField::new("b", "2").expiring_at_ms(9)]),
            "6c6186310e41f187823969916ae0350e",
        ),
        (a_stream(), "c349460cff025191e0ba22872135c960"),
    ] {
        let digest = of_value(&value, &expiring).whole;
        assert_eq!(digest.to_string(), expected, "{value:?}");
        assert_eq!(expected.parse(), Ok(digest));
    }
    assert_eq!(DataDigest::of_function(b"code").to_string(), "d7d16fb6df3011049fa9f3903416fbb3");
}

/// True for what every server has and no clock changes: all but delivery times, expiring fields and vectors.
fn is_everywhere(key: &[u8]) -> bool {
    key != b"stream:groups" && key != b"vectors" && !key.starts_with(b"hash:expiring:")
}

#[test]
fn the_fixtures_of_all_servers_hold_the_same() {
    let mut all = Vec::new();
    for folder in ["redis-7.0", "redis-8.0", "valkey-8.1", "valkey-9.1"] {
        let bytes = std::fs::read(fixtures().join(folder).join("data.rdb")).unwrap();
        let mut found = digests(&bytes);
        found.retain(|(key, _)| is_everywhere(key));
        let mut whole: Vec<_> =
            found.iter().map(|(key, digest)| (key.clone(), digest.whole, digest.elements)).collect();
        whole.sort_by(|a, b| (&a.0, a.2).cmp(&(&b.0, b.2)));
        assert!(whole.len() > 120, "only {} keys", whole.len());
        all.push((whole, sum(&found)));
    }
    for (keys, sum) in &all[1..] {
        for (found, expected) in keys.iter().zip(&all[0].0) {
            assert_eq!(found, expected, "{}", found.0.escape_ascii());
        }
        assert_eq!(*sum, all[0].1);
    }
}
