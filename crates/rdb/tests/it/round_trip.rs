//! What this crate writes, servers load, and what they dump then is the same data.

use std::collections::BTreeMap;

use larder_rdb::{
    Checksum, Error, HashField, KeyMeta, Limits, Payload, RawValue, Reader, Record, Server, Stream, Value,
    Writer,
};

use crate::generate::made_by;
use crate::servers::{Reply, Running, installed};

type Data = BTreeMap<(u64, Vec<u8>), (KeyMeta, Value)>;

/// Everything in a file, with the order of unordered collections taken out and without how much keys are used.
fn read(bytes: &[u8]) -> Data {
    let mut reader = Reader::from_slice(bytes).unwrap();
    let mut data = Data::new();
    while let Some(entry) = reader.next_key().unwrap() {
        let mut meta = entry.meta();
        (meta.idle_s, meta.frequency) = (None, None);
        let key = (meta.db, entry.key().to_vec());
        let mut value = entry.value().unwrap();
        match &mut value {
            Value::Set(members) => members.sort(),
            Value::SortedSet(members) => members.sort_by(|a, b| a.0.cmp(&b.0)),
            Value::Hash(fields) => fields.sort_by(|a: &HashField, b| a.name.cmp(&b.name)),
            _ => {}
        }
        assert!(data.insert(key, (meta, value)).is_none(), "a key is there twice");
    }
    assert!(!matches!(reader.checksum(), Checksum::Pending));
    data
}

/// Decodes a file and writes it again for `server`; modules' values are copied as they are.
fn rewrite(bytes: &[u8], server: Server, decode: bool) -> Vec<u8> {
    let mut raw = BTreeMap::new();
    let mut reader = Reader::from_slice(bytes).unwrap();
    while let Some(entry) = reader.next_key().unwrap() {
        raw.insert((entry.meta().db, entry.key().to_vec()), entry.raw_value().unwrap());
    }
    let mut reader = Reader::from_slice(bytes).unwrap();
    let mut writer = Writer::new(Vec::new(), server).unwrap();
    while let Some(record) = reader.next_record().unwrap() {
        match record {
            Record::Aux { name, value } => writer.aux(name, value).unwrap(),
            Record::Function { code } => writer.function(code).unwrap(),
            Record::Key(entry) => {
                let (key, meta) = (entry.key().to_vec(), entry.meta());
                let value = entry.value().unwrap();
                if decode && !matches!(value, Value::Module(_)) {
                    writer.value(&key, &meta, &value).unwrap();
                } else {
                    writer.raw_value(&key, &meta, &raw[&(meta.db, key.clone())]).unwrap();
                }
            }
            _ => {}
        }
    }
    writer.finish().unwrap()
}

fn digest(running: &mut Running) -> String {
    running.say("DEBUG DIGEST").text()
}

fn start(installed: &crate::servers::Installed, bytes: &[u8]) -> Running {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    installed.start(Some(file.path()), &[])
}

#[test]
fn servers_load_what_is_written_and_dump_the_same_data() {
    for installed in installed("servers_load_what_is_written_and_dump_the_same_data") {
        let files = made_by(&installed);
        assert!(!files.is_empty(), "no fixtures of {}", installed.name);
        for path in files {
            let bytes = std::fs::read(&path).unwrap();
            let expected = read(&bytes);
            let expected_digest = digest(&mut start(&installed, &bytes));
            for decode in [true, false] {
                let written = rewrite(&bytes, installed.server, decode);
                let mut running = start(&installed, &written);
                assert_eq!(digest(&mut running), expected_digest, "{} decoded: {decode}", path.display());
                let dumped = read(&running.save());
                for (key, value) in &expected {
                    assert_eq!(dumped.get(key), Some(value), "{} decoded: {decode}: {key:?}", path.display());
                }
                assert_eq!(dumped.len(), expected.len(), "{}", path.display());
            }
        }
    }
}

#[test]
fn servers_restore_payloads_and_their_payloads_are_read() {
    for installed in installed("servers_restore_payloads_and_their_payloads_are_read") {
        let path = made_by(&installed).into_iter().find(|path| path.ends_with("data.rdb")).unwrap();
        let bytes = std::fs::read(path).unwrap();
        let expected = read(&bytes);
        let mut running = start(&installed, &bytes);
        for ((db, key), (meta, value)) in &expected {
            if *db != 0 {
                continue;
            }
            let dumped = running.run(&[b"DUMP", key]).bytes();
            let payload = Payload::parse(&dumped).unwrap();
            assert!(matches!(payload.checksum(), Checksum::Verified(_)));
            payload.check_server(installed.server, key).unwrap();
            assert_eq!(&sorted(payload.value().unwrap()), value, "{}", key.escape_ascii());
            assert!(payload.skim().unwrap().elements > 0 || matches!(value, Value::Stream(_)));

            // The raw value makes the very payload again, and the decoded one makes one that is the same data.
            let again = RawValue::from_payload(&dumped).unwrap().to_payload(installed.server, key).unwrap();
            assert_eq!(again, dumped);
            let mut payloads = vec![again];
            if !matches!(value, Value::Module(_)) {
                payloads.push(value.to_payload(installed.server, key).unwrap());
            }
            let digest = running.run(&[b"DEBUG", b"DIGEST-VALUE", key]);
            for payload in payloads {
                let expiry = meta.expires_at_ms.unwrap_or(0).to_string();
                running.run(&[b"RESTORE", b"restored", expiry.as_bytes(), &payload, b"REPLACE", b"ABSTTL"]);
                let restored = running.run(&[b"DEBUG", b"DIGEST-VALUE", b"restored"]);
                assert_eq!(restored, digest, "{}", key.escape_ascii());
                assert_ne!(restored, Reply::Nil);
            }
            running.say("DEL restored");
        }
    }
}

fn sorted(mut value: Value) -> Value {
    match &mut value {
        Value::Set(members) => members.sort(),
        Value::SortedSet(members) => members.sort_by(|a, b| a.0.cmp(&b.0)),
        Value::Hash(fields) => fields.sort_by(|a, b| a.name.cmp(&b.name)),
        _ => {}
    }
    value
}

#[test]
fn fixtures_of_every_server_are_read_by_every_build() {
    let mut files = 0;
    for folder in std::fs::read_dir(crate::generate::fixtures()).unwrap() {
        let folder = folder.unwrap().path();
        let Ok(manifest) = std::fs::read_to_string(folder.join("MANIFEST.tsv")) else { continue };
        let mut listed: BTreeMap<&str, Vec<Vec<&str>>> = BTreeMap::new();
        for line in manifest.lines().skip(1) {
            let fields: Vec<&str> = line.split('\t').collect();
            listed.entry(fields[0]).or_default().push(fields);
        }
        for (name, keys) in listed {
            files += 1;
            let bytes = std::fs::read(folder.join(name)).unwrap();
            let mut reader = Reader::from_slice(&bytes).unwrap();
            for fields in keys {
                let skimmed = reader.skim_next().unwrap().unwrap();
                let expires = skimmed.expires_at_ms.map_or("-".to_owned(), |at| at.to_string());
                assert_eq!(fields[1], skimmed.db.to_string());
                assert_eq!(fields[2], skimmed.key.escape_ascii().to_string());
                assert_eq!(fields[4], skimmed.value_type.as_str());
                assert_eq!(fields[6], skimmed.elements.to_string(), "{name} {}", fields[2]);
                assert!(skimmed.elements_exact);
                assert_eq!(skimmed.idle_s.is_some(), name == "lru.rdb");
                assert_eq!(skimmed.frequency.is_some(), name == "lfu.rdb");
                assert_eq!(fields[7], expires);
                if fields[3] != "vectorset" {
                    assert_eq!(fields[3], skimmed.kind().as_str());
                }
            }
            assert!(reader.skim_next().unwrap().is_none());
            assert!(!read(&bytes).is_empty());
        }
    }
    assert!(files >= 16, "only {files} fixtures");
}

#[test]
fn values_of_newer_servers_are_written_anew_for_older_ones() {
    for installed in installed("values_of_newer_servers_are_written_anew_for_older_ones") {
        let mut running = installed.start(None, &[]);
        for name in ["redis-7.0", "redis-8.0", "valkey-9.1"] {
            let bytes = std::fs::read(crate::generate::fixtures().join(name).join("data.rdb")).unwrap();
            let mut reader = Reader::from_slice(&bytes).unwrap();
            let (mut restored, mut refused) = (0, 0);
            while let Some(entry) = reader.next_key().unwrap() {
                let key = entry.key().to_vec();
                let value = entry.raw_value().unwrap();
                let expected = value.decode(Limits::default()).unwrap();
                match value.for_server(installed.server, &key, Limits::default()) {
                    Ok(value) if !matches!(expected, Value::Module(_)) => {
                        let payload = value.to_payload(installed.server, &key).unwrap();
                        running.run(&[b"RESTORE", b"k", b"0", &payload, b"REPLACE"]);
                        let dumped = running.run(&[b"DUMP", b"k"]).bytes();
                        let dumped = Payload::parse(&dumped).unwrap().value().unwrap();
                        assert_eq!(without_times(sorted(dumped)), without_times(sorted(expected)), "{key:?}");
                        restored += 1;
                    }
                    Ok(_) => {}
                    Err(error) => {
                        // Fields that expire have no place in a server without them, nor do modules without theirs.
                        assert!(matches!(error, Error::Incompatible(_)), "{error}");
                        refused += 1;
                    }
                }
            }
            assert!(restored >= 100 && refused <= 8, "{name} on {}: {restored} {refused}", installed.name);
        }
    }
}

/// What older servers do not keep of a stream, taken out.
fn without_times(mut value: Value) -> Value {
    if let Value::Stream(stream) = &mut value {
        for group in &mut stream.groups {
            for consumer in &mut group.consumers {
                consumer.active_at_ms = None;
            }
        }
    }
    value
}

#[test]
fn files_written_for_old_servers_are_loaded_by_newer_ones() {
    let bytes = std::fs::read(crate::generate::fixtures().join("redis-7.0/data.rdb")).unwrap();
    let expected = read(&bytes);
    for installed in installed("files_written_for_old_servers_are_loaded_by_newer_ones") {
        for old in [Server::redis(2, 6), Server::redis(3, 2), Server::redis(4, 0), Server::redis(6, 2)] {
            let mut writer = Writer::new(Vec::new(), old).unwrap();
            let mut written = BTreeMap::new();
            for ((db, key), (meta, value)) in &expected {
                match writer.value(key, meta, value) {
                    Ok(()) => drop(written.insert((*db, key.clone()), (*meta, value.clone()))),
                    Err(error) => assert!(matches!(error, Error::Incompatible(_)), "{error}"),
                }
            }
            assert!(written.len() > 120, "only {} keys for {old}", written.len());
            let dumped = read(&start(&installed, &writer.finish().unwrap()).save());
            assert_eq!(dumped.len(), written.len());
            for (key, (meta, value)) in written {
                let (found_meta, found) = &dumped[&key];
                assert_eq!(*found_meta, meta, "{key:?}");
                match (found, &value) {
                    (Value::Stream(found), Value::Stream(value)) => {
                        assert_eq!(found.entries, value.entries, "{key:?}");
                        let pending = |stream: &Stream| -> Vec<_> {
                            stream
                                .groups
                                .iter()
                                .map(|group| (group.name.clone(), group.pending.clone()))
                                .collect()
                        };
                        assert_eq!(pending(found), pending(value), "{key:?}");
                    }
                    _ => assert_eq!(*found, value, "{key:?} by way of {old}"),
                }
            }
        }
    }
}
