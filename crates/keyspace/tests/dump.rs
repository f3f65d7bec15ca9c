//! Reports and biggest keys of files that are made here.
#![expect(clippy::unwrap_used, reason = "what fails to be made ends the test")]

use std::{fs, path::PathBuf};

use larder_keyspace::{DumpFile, Error, ReportBuilder, TopKeys};
use larder_rdb::{Checksum, KeyMeta, Server, Value, Writer};
use tempfile::TempDir;

const AT_MS: i64 = 4_102_444_800_000;

/// Three families and a key without one; strings, a list and a set; three keys with a TTL.
fn file() -> (TempDir, PathBuf) {
    let mut writer = Writer::new(Vec::new(), Server::redis(7, 0)).unwrap();
    let (lasting, timed) = (KeyMeta::default(), KeyMeta::default().expiring_at_ms(AT_MS));
    for number in 0..10_u8 {
        let meta = if number < 3 { &timed } else { &lasting };
        // Bytes that do not repeat, so that they are not compressed and one more is one more.
        let value: Vec<u8> = (0..100 + number).map(|byte| byte * 2 + 1).collect();
        writer.string(format!("app:search:{number}").as_bytes(), meta, &value).unwrap();
    }
    let items = (0..300).map(|item| format!("item {item}").into_bytes()).collect();
    writer.value(b"app:queue:1", &lasting, &Value::List(items)).unwrap();
    writer.value(b"user:7", &lasting, &Value::Set(vec![b"a".to_vec(), b"b".to_vec()])).unwrap();
    writer.string(b"lonely", &lasting, b"v").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.rdb");
    fs::write(&path, writer.finish().unwrap()).unwrap();
    (folder, path)
}

#[test]
fn a_report_counts_everything_once() {
    let (_folder, path) = file();
    let mut builder = ReportBuilder::new();
    let mut told = Vec::new();
    let read = DumpFile::open(&path)
        .unwrap()
        .read(|key| builder.add(key), |progress| told.push((progress.bytes, progress.total_bytes)))
        .unwrap();
    assert!(matches!(read.checksum, Checksum::Verified(_)));
    let length = fs::metadata(&path).unwrap().len();
    assert_eq!(told.last(), Some(&(length, Some(length))), "the end is told");

    let report = builder.finish("dump.rdb", &read);
    assert_eq!((report.total_keys, report.expiring_keys, read.keys), (13, 3, 13));
    assert_eq!(report.types.iter().collect::<Vec<_>>(), [(&"list", &1), (&"set", &1), (&"string", &11)]);
    let family = |name: &str| report.families.iter().find(|family| family.name == name).unwrap();
    assert_eq!((family("app:search:").keys, family("app:search:").without_ttl), (10, 7));
    assert_eq!((family("app:queue:").keys, family("app:queue:").elements), (1, 300));
    assert_eq!((family("user:").keys, family("(none)").keys), (1, 1));
    assert_eq!(report.families[0].name, "app:queue:", "the one with the most bytes comes first");
    assert_eq!(report.bytes, report.families.iter().map(|family| family.bytes).sum::<u64>());
    assert!(report.bytes < length, "headers are no keys");
    assert_eq!(report.bytes, report.bytes_by_type.values().sum::<u64>());
}

#[test]
fn the_biggest_keys_are_found_in_both_orders() {
    let (_folder, path) = file();
    let mut top = TopKeys::new(3);
    DumpFile::open(&path).unwrap().read(|key| top.add(key), |_| {}).unwrap();
    let (all, types) = top.finish();
    let names =
        |keys: &[larder_keyspace::BigKey]| keys.iter().map(|key| key.key.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&all.by_bytes)[0], "app:queue:1");
    assert_eq!(
        names(&all.by_elements),
        ["app:queue:1", "user:7", "app:search:0"],
        "of equals the first stays"
    );
    // The three that have a TTL are longer by their expiry.
    assert_eq!(names(&types["string"].by_bytes), ["app:search:2", "app:search:1", "app:search:0"]);
    assert_eq!(types["string"].by_bytes[0].expires_at_ms, Some(AT_MS));
    assert_eq!(names(&types["set"].by_elements), ["user:7"]);
    assert_eq!(types.len(), 3);
}

#[test]
fn none_are_asked_for_and_there_are_none() {
    let (_folder, path) = file();
    let mut top = TopKeys::new(0);
    DumpFile::open(&path).unwrap().read(|key| top.add(key), |_| {}).unwrap();
    assert!(top.finish().0.by_bytes.is_empty());
}

#[test]
fn a_cut_or_flipped_file_is_refused_wherever_it_is_damaged() {
    let (folder, path) = file();
    let bytes = fs::read(&path).unwrap();
    let damaged = folder.path().join("damaged.rdb");
    let refused = |bytes: &[u8]| {
        fs::write(&damaged, bytes).unwrap();
        let read = DumpFile::open(&damaged).unwrap().read(|_| {}, |_| {});
        matches!(read, Err(Error::Refused { .. }))
    };
    for place in 0..bytes.len() {
        assert!(refused(&bytes[..place]), "cut at {place}");
        let mut flipped = bytes.clone();
        flipped[place] ^= 1;
        assert!(refused(&flipped), "flipped at {place}");
    }
}

#[test]
fn what_is_no_file_is_said() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(DumpFile::open(folder.path()), Err(Error::Open { .. })));
    assert!(matches!(DumpFile::open(folder.path().join("missing")), Err(Error::Open { .. })));
}

#[test]
fn more_families_than_are_told_apart_are_counted_together() {
    let mut writer = Writer::new(Vec::new(), Server::valkey(8, 1)).unwrap();
    for number in 0..10_050 {
        writer.string(format!("f{number}:x").as_bytes(), &KeyMeta::default(), b"v").unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.rdb");
    fs::write(&path, writer.finish().unwrap()).unwrap();
    let mut builder = ReportBuilder::new();
    let read = DumpFile::open(&path).unwrap().read(|key| builder.add(key), |_| {}).unwrap();
    let report = builder.finish("dump.rdb", &read);
    assert_eq!((report.total_keys, report.other_families_keys), (10_050, 50));
    assert!(report.families.iter().any(|family| family.name == "(other)" && family.keys == 50));
}
