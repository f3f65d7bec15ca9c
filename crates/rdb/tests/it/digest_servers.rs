//! The same commands on different servers make the same digest, however each of them stores what comes of it.

use std::collections::BTreeMap;

use larder_rdb::{DataDigest, KeyHasher, Kind, Payload, Reader, Record};

use crate::corpora::{corpora, sound_files};
use crate::data;
use crate::digest::{digests, sum};
use crate::servers::{Installed, Reply, Running, installed};

/// Settings under which everything is stored in another way.
const LIMITS: [&str; 8] = [
    "CONFIG SET hash-max-listpack-entries 3",
    "CONFIG SET hash-max-listpack-value 5",
    "CONFIG SET zset-max-listpack-entries 3",
    "CONFIG SET set-max-intset-entries 5",
    "CONFIG SET list-max-listpack-size 2",
    "CONFIG SET list-compress-depth 1",
    "CONFIG SET stream-node-max-entries 7",
    "CONFIG SET rdbcompression no",
];

fn filled(installed: &Installed, limits: &[&str]) -> Running {
    let mut running = installed.start(None, &[]);
    for limit in limits {
        running.say(limit);
    }
    data::fill(&mut running, installed.server);
    settle_deliveries(&mut running);
    running
}

/// Gives every pending entry the same delivery time on all servers.
fn settle_deliveries(running: &mut Running) {
    for group in ["readers", "others", "untouched"] {
        let Reply::List(pending) = running.say(&format!("XPENDING stream:groups {group} - + 1000")) else {
            panic!("no list of pending entries");
        };
        for entry in pending {
            let Reply::List(entry) = entry else { panic!("{entry:?} is no pending entry") };
            let (id, consumer) = (entry[0].clone().text(), entry[1].clone().text());
            running.say(&format!(
                "XCLAIM stream:groups {group} {consumer} 0 {id} TIME 1700000000000 RETRYCOUNT 2 JUSTID"
            ));
        }
    }
}

type ByKey = BTreeMap<(Vec<u8>, u64), DataDigest>;

/// Digest by key; two databases have no name in common.
fn by_key(file: &[u8]) -> ByKey {
    let found = digests(file);
    let keys = found.iter().map(|(key, digest)| ((key.clone(), digest.elements), digest.whole));
    let keys: ByKey = keys.collect();
    assert_eq!(keys.len(), found.len(), "a key is there twice");
    keys
}

/// Panics at the first key that differs; gives how many both have.
fn compare(found: &ByKey, expected: &ByKey, what: &str) -> usize {
    let both = found.iter().filter_map(|(key, digest)| Some((key, digest, expected.get(key)?)));
    both.inspect(|(key, a, b)| assert_eq!(a, b, "{what}: {}", key.0.escape_ascii())).count()
}

#[test]
fn the_same_commands_make_the_same_digest_on_every_server() {
    let mut expected: Option<ByKey> = None;
    for installed in installed("the_same_commands_make_the_same_digest_on_every_server") {
        for limits in [&[][..], &LIMITS] {
            let mut found = by_key(&filled(&installed, limits).save());
            // Redis 8 alone has it.
            found.retain(|(key, _), _| key != b"vectors");
            let expected = expected.get_or_insert_with(|| found.clone());
            let both = compare(&found, expected, &format!("{} {limits:?}", installed.name));
            // Keys that are not on both have fields that expire.
            let more = found.keys().chain(expected.keys()).filter(|key| key.0.starts_with(b"hash:expiring:"));
            assert!(both > 120 && found.len() + expected.len() <= 2 * both + more.count());
            for (key, digest) in found {
                expected.insert(key, digest);
            }
        }
    }
}

#[test]
fn a_file_that_another_server_loads_and_saves_keeps_its_digest() {
    let installed = installed("a_file_that_another_server_loads_and_saves_keeps_its_digest");
    let Some(oldest) = installed.first() else { return };
    let bytes = filled(oldest, &LIMITS).save();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let expected = by_key(&bytes);
    for installed in &installed {
        let saved = installed.start(Some(file.path()), &[]).save();
        compare(&by_key(&saved), &expected, &installed.name);
        assert_eq!(sum(&digests(&saved)), sum(&digests(&bytes)), "{}", installed.name);
        assert_eq!(functions(&saved), functions(&bytes), "{}", installed.name);
        assert_ne!(functions(&saved), DataDigest::default());
    }
}

fn functions(bytes: &[u8]) -> DataDigest {
    let mut reader = Reader::from_slice(bytes).unwrap();
    let mut sum = DataDigest::default();
    while let Some(record) = reader.next_record().unwrap() {
        if let Record::Function { code } = record {
            sum += DataDigest::of_function(code);
        }
    }
    sum
}

#[test]
fn payloads_of_servers_have_the_digests_of_their_files() {
    for installed in installed("payloads_of_servers_have_the_digests_of_their_files") {
        let mut running = filled(&installed, &[]);
        let file = running.save();
        let mut hasher = KeyHasher::new();
        let mut compared = 0;
        let mut reader = Reader::from_slice(&file).unwrap();
        while let Some(entry) = reader.next_key().unwrap() {
            let (key, meta) = (entry.key().to_vec(), entry.meta());
            let in_file = entry.digest(&mut hasher).unwrap();
            if meta.db == 0 {
                let payload = running.run(&[b"DUMP", &key]).bytes();
                let found = Payload::parse(&payload).unwrap().digest(&key, &meta, &mut hasher).unwrap();
                assert_eq!(found, in_file, "{}", key.escape_ascii());
                compared += 1;
            }
        }
        assert!(compared > 120);
    }
}

#[test]
fn every_sound_public_file_has_a_digest() {
    let Some(folder) = corpora("every_sound_public_file_has_a_digest") else { return };
    let (mut hasher, mut keys) = (KeyHasher::new(), 0);
    for (name, bytes) in sound_files(&folder) {
        let mut reader = Reader::from_slice(&bytes).unwrap();
        while let Some(entry) = reader.next_key().unwrap() {
            let kind = entry.kind();
            let digest = entry.digest(&mut hasher).unwrap_or_else(|error| panic!("{name}: {error}"));
            // What servers skip when they load it.
            let may_be_empty = kind == Kind::Stream || name.contains("corrupt_empty_keys");
            assert!(digest.elements > 0 || may_be_empty, "{name}");
            assert_ne!(digest.whole, digest.value);
            keys += 1;
        }
    }
    assert!(keys > 1000, "only {keys} keys");
}
