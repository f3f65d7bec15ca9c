//! The answer whether a file or payload loads, against what servers do with it.

use std::path::PathBuf;

use larder_rdb::{
    Compatibility, Error, HashField, KeyMeta, Payload, Reader, Server, Value, ValueType, Writer,
};

use crate::generate::fixtures;
use crate::servers::{Reply, installed};

fn all_fixtures() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in std::fs::read_dir(fixtures())
        .unwrap()
        .map(|folder| folder.unwrap().path())
        .filter(|path| path.is_dir())
    {
        for name in ["data.rdb", "lru.rdb", "cluster.rdb"] {
            files.extend(Some(folder.join(name)).filter(|path| path.is_file()));
        }
    }
    assert!(files.len() >= 11, "only {} files", files.len());
    files
}

#[test]
fn servers_load_exactly_the_files_that_are_said_to_load() {
    for installed in installed("servers_load_exactly_the_files_that_are_said_to_load") {
        for path in all_fixtures() {
            let bytes = std::fs::read(&path).unwrap();
            let answer = Compatibility::of(Reader::from_slice(&bytes).unwrap(), installed.server).unwrap();
            let started = installed.try_start(Some(&path), &[]);
            assert_eq!(answer.loads(), started.is_ok(), "{} on {}: {answer}", path.display(), installed.name);
        }
    }
}

#[test]
fn servers_restore_exactly_the_payloads_that_are_said_to_load() {
    for installed in installed("servers_restore_exactly_the_payloads_that_are_said_to_load") {
        let mut running = installed.start(None, &[]);
        for path in all_fixtures() {
            let bytes = std::fs::read(&path).unwrap();
            let mut reader = Reader::from_slice(&bytes).unwrap();
            let writer = path.parent().unwrap().file_name().unwrap().to_str().unwrap().parse().unwrap();
            while let Some(entry) = reader.next_key().unwrap() {
                let key = entry.key().to_vec();
                let raw = entry.raw_value().unwrap();
                // As its own server would dump it, and as the target takes it.
                let own = raw.to_payload(writer, &key).unwrap();
                let said = Payload::parse(&own).unwrap().check_server(installed.server, &key);
                let reply = running.call(&[b"RESTORE", b"k", b"0", &own, b"REPLACE"]);
                assert_eq!(said.is_ok(), !matches!(reply, Reply::Error(_)), "{said:?} {reply:?}");
                if let Ok(converted) = raw.to_payload(installed.server, &key) {
                    let reply = running.call(&[b"RESTORE", b"k", b"0", &converted, b"REPLACE"]);
                    // Nobody but its module knows a module's value.
                    assert!(
                        raw.value_type() == ValueType::Module2 || !matches!(reply, Reply::Error(_)),
                        "{reply:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_key_and_the_type_that_stand_against_it_are_named() {
    let expiring = Value::Hash(vec![HashField::new("field", "value").expiring_at_ms(1)]);
    let mut writer = Writer::new(Vec::new(), Server::redis(8, 0)).unwrap();
    writer.string(b"fine", &KeyMeta::default(), b"value").unwrap();
    writer.value(b"sessions", &KeyMeta::in_db(3), &expiring).unwrap();
    writer.value(b"more", &KeyMeta::in_db(3), &expiring).unwrap();
    let bytes = writer.finish().unwrap();
    let answer = Compatibility::of(Reader::from_slice(&bytes).unwrap(), Server::redis(7, 0)).unwrap();
    assert!(!answer.loads() && !answer.loads_rewritten() && !answer.loads_format);
    let why = &answer.blocking[0];
    assert_eq!((why.key.as_bytes(), why.db, why.value_type), (&b"sessions"[..], 3, ValueType::HashMetadata));
    assert_eq!((answer.blocking.len(), answer.blocking_keys), (1, 2));
    assert_eq!(
        why.to_string(),
        "Redis 7.0 does not load key \"sessions\", because it has type hash_metadata"
    );
    // What the server does not load is not written for it, either.
    let mut writer = Writer::new(Vec::new(), Server::redis(7, 0)).unwrap();
    let refused = writer.value(b"sessions", &KeyMeta::in_db(3), &expiring);
    assert!(matches!(refused, Err(Error::Incompatible(refused)) if *refused == *why));
    writer.string(b"fine", &KeyMeta::default(), b"value").unwrap();
    let bytes = writer.finish().unwrap();
    assert!(Compatibility::of(Reader::from_slice(&bytes).unwrap(), Server::redis(7, 0)).unwrap().loads());
}
