//! Reports and biggest keys of files that are made here.

use std::{fs, path::PathBuf, time::Duration};

use futures_util::TryStreamExt;
use larder_cache_client::{FieldChoice, KeyFields, KeyType, Ttl};
use larder_keyspace::{BigKey, BytesSource, DumpOptions, DumpSource, Error, KeySource, TimeBase, Wanted};
use larder_rdb::{Checksum, KeyMeta, Server, Value, Writer};
use tempfile::TempDir;

use crate::batches::{biggest, dump, everything, family, report};

const WRITTEN_S: i64 = 1_800_000_000;
const WRITTEN_MS: i64 = WRITTEN_S * 1000;
const DAY_MS: i64 = 86_400_000;

fn save(writer: Writer<Vec<u8>>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.rdb");
    fs::write(&path, writer.finish().unwrap()).unwrap();
    (folder, path)
}

/// Three families and a key without one, in two databases; strings, a list and a set; three keys with a TTL of a day, and
/// one whose time was up when the file was written.
fn file() -> (TempDir, PathBuf) {
    let mut writer = Writer::new(Vec::new(), Server::redis(7, 0)).unwrap();
    writer.aux(b"redis-ver", b"7.0.15").unwrap();
    writer.aux(b"ctime", WRITTEN_S.to_string().as_bytes()).unwrap();
    let lasting = KeyMeta::default();
    let timed = KeyMeta::default().expiring_at_ms(WRITTEN_MS + DAY_MS);
    for number in 0..10_u8 {
        let meta = if number < 3 { &timed } else { &lasting };
        // Bytes that do not repeat, so that they are not compressed and one more is one more.
        let value: Vec<u8> = (0..100 + number).map(|byte| byte * 2 + 1).collect();
        writer.string(format!("app:search:{number}").as_bytes(), meta, &value).unwrap();
    }
    writer.string(b"app:search:gone", &KeyMeta::default().expiring_at_ms(WRITTEN_MS), b"v").unwrap();
    let items = (0..300).map(|item| format!("item {item}").into_bytes()).collect();
    writer.value(b"app:queue:1", &lasting, &Value::List(items)).unwrap();
    let mut third = KeyMeta::default();
    third.db = 3;
    third.idle_s = Some(90);
    writer.value(b"user:7", &third, &Value::Set(vec![b"a".to_vec(), b"b".to_vec()])).unwrap();
    writer.string(b"lonely", &third, b"v").unwrap();
    save(writer)
}

#[tokio::test]
async fn a_report_counts_everything_once() {
    let (_folder, path) = file();
    let source = dump(&path, WRITTEN_MS + 5 * DAY_MS);
    let report = report(&source, everything(), 0).await.unwrap();
    let read = source.outcome().unwrap();
    assert!(matches!(read.checksum, Checksum::Verified(_)));
    assert_eq!((read.keys, read.expired_keys, read.written_at_ms), (13, 1, Some(WRITTEN_MS)));
    assert_eq!(read.writer, Some(Server::redis(7, 0)));
    let length = fs::metadata(&path).unwrap().len();
    assert_eq!((source.progress().bytes, source.progress().total_bytes), (length, Some(length)));

    assert_eq!((report.total_keys, report.expiring_keys, report.at_ms), (13, Some(3), WRITTEN_MS));
    let types: Vec<_> = report.types.iter().map(|(name, keys)| (name.as_str(), *keys)).collect();
    assert_eq!(types, [("list", 1), ("set", 1), ("string", 11)]);
    let search = family(&report, "app:search:");
    assert_eq!((search.figures.keys, search.figures.without_ttl), (10, Some(7)));
    let ttl = search.ttl.as_ref().unwrap();
    assert_eq!(ttl.histogram.iter().find(|span| span.up_to_s == Some(86_400)).unwrap().keys, 3);
    assert_eq!(search.biggest.as_ref().unwrap().key.to_string(), "app:search:9");
    let queue = family(&report, "app:queue:");
    assert_eq!((queue.figures.keys, queue.elements), (1, Some(300)));
    assert_eq!((family(&report, "user:").figures.keys, family(&report, "(none)").figures.keys), (1, 1));
    assert_eq!(report.families[0].name, "app:queue:", "the one with the most bytes comes first");
    assert_eq!(report.databases.into_iter().collect::<Vec<_>>(), [(0, 11), (3, 2)]);
    let idle = report.idle.unwrap();
    assert_eq!(idle.keys_read, 2, "the file has the idle times of two keys");

    let sum: u64 = report.families.iter().filter_map(|family| family.figures.bytes).sum();
    assert_eq!((report.bytes, report.bytes_source), (Some(sum), BytesSource::Estimated));
    assert_eq!(report.bytes, Some(report.bytes_by_type.values().sum()));
    let serialised = report.serialised_bytes.unwrap();
    assert!(serialised < length && serialised > 1000, "headers are no keys: {serialised}");
    let app = report.tree.iter().find(|node| node.name == "app:").unwrap();
    assert_eq!((app.figures.keys, app.children.len()), (11, 2));
    assert_eq!(report.tree.iter().map(|node| node.figures.keys).sum::<u64>(), 13);
}

#[tokio::test]
async fn only_what_is_wanted_is_there() {
    let (_folder, path) = file();
    let source = dump(&path, 0);
    let chosen = FieldChoice::new(|key| if key == b"user:7" { KeyFields::IDLE } else { KeyFields::empty() });
    let wanted = Wanted::new(KeyFields::TTL).with_choice(chosen);
    let batches: Vec<_> = source.batches(wanted).try_collect().await.unwrap();
    let records: Vec<_> = batches.into_iter().flat_map(|batch| batch.records).collect();
    assert_eq!(records.len(), 13);
    for record in &records {
        assert!(record.kind.is_none() && record.memory_bytes.is_none() && record.elements.is_none());
        assert!(record.encoding.is_none() && record.serialised_bytes.is_none());
        assert_eq!(record.idle.is_some(), record.key == "user:7");
    }
    let left = |name: &str| records.iter().find(|record| record.key == name).unwrap().ttl;
    assert_eq!(left("app:search:0"), Some(Ttl::In(Duration::from_hours(24))));
    assert_eq!(left("lonely"), Some(Ttl::None));

    let report = report(&source, Wanted::new(KeyFields::empty()), 0).await.unwrap();
    assert_eq!((report.total_keys, report.bytes, report.expiring_keys), (13, None, None));
    assert_eq!((report.families[0].figures.without_ttl, report.ttl), (None, None));
    assert!(report.types.is_empty());
}

#[tokio::test]
async fn times_count_from_the_moment_that_is_chosen() {
    let (_folder, path) = file();
    let mut options = DumpOptions::at(WRITTEN_MS + DAY_MS / 2);
    options.time_base = TimeBase::Now;
    let source = DumpSource::open(&path, options.clone()).unwrap();
    let half = report(&source, everything(), 0).await.unwrap();
    assert_eq!((half.expiring_keys, half.at_ms), (Some(3), WRITTEN_MS + DAY_MS / 2));
    options.now_ms = WRITTEN_MS + DAY_MS;
    let source = DumpSource::open(&path, options).unwrap();
    let none = report(&source, everything(), 0).await.unwrap();
    assert_eq!(
        (none.expiring_keys, none.total_keys),
        (Some(0), 10),
        "a server that loads it drops the others"
    );
    assert_eq!(source.outcome().unwrap().expired_keys, 4);
}

#[tokio::test]
async fn the_biggest_keys_are_found_in_both_orders() {
    let (_folder, path) = file();
    let (all, types) = biggest(&dump(&path, 0), 3).await.finish();
    let names = |keys: &[BigKey]| keys.iter().map(|key| key.key.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&all.by_bytes)[0], "app:queue:1");
    assert_eq!(
        names(&all.by_elements),
        ["app:queue:1", "user:7", "app:search:0"],
        "of equals the first stays"
    );
    assert_eq!(names(&types["string"].by_elements), ["app:search:0", "app:search:1", "app:search:2"]);
    assert_eq!(types["string"].by_elements[0].expires_at_ms, Some(WRITTEN_MS + DAY_MS));
    assert_eq!((names(&types["set"].by_elements), types.len()), (vec!["user:7".to_owned()], 3));
    assert_eq!(types["set"].by_elements[0].database, 3);
    assert!(biggest(&dump(&path, 0), 0).await.finish().0.by_bytes.is_empty());
}

#[tokio::test]
async fn a_cut_or_flipped_file_is_refused() {
    let (folder, path) = file();
    let bytes = fs::read(&path).unwrap();
    let damaged = folder.path().join("damaged.rdb");
    let refused = async |bytes: &[u8]| {
        fs::write(&damaged, bytes).unwrap();
        let source = dump(&damaged, 0);
        let read = report(&source, everything(), 0).await;
        matches!(read, Err(Error::Refused { .. })) && source.outcome().is_none()
    };
    for place in (0..bytes.len()).step_by(7) {
        assert!(refused(&bytes[..place]).await, "cut at {place}");
        let mut flipped = bytes.clone();
        flipped[place] ^= 1;
        assert!(refused(&flipped).await, "flipped at {place}");
    }
}

#[tokio::test]
async fn what_is_no_file_is_said_and_a_file_can_be_read_again() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().to_path_buf(), folder.path().join("missing")] {
        assert!(matches!(DumpSource::open(path, DumpOptions::at(0)), Err(Error::Open { .. })));
    }
    let (_folder, path) = file();
    let source = dump(&path, 0);
    for _ in 0..2 {
        assert_eq!(report(&source, everything(), 0).await.unwrap().total_keys, 13);
        assert_eq!(source.progress().bytes, fs::metadata(&path).unwrap().len());
    }
    fs::remove_file(&path).unwrap();
    assert!(matches!(report(&source, everything(), 0).await, Err(Error::Open { .. })));
}

#[tokio::test]
async fn more_families_than_are_told_apart_are_counted_together() {
    let mut writer = Writer::new(Vec::new(), Server::valkey(8, 1)).unwrap();
    for number in 0..10_050 {
        writer.string(format!("f{number}:x").as_bytes(), &KeyMeta::default(), b"v").unwrap();
    }
    let (_folder, path) = save(writer);
    let report = report(&dump(&path, 0), everything(), 0).await.unwrap();
    assert_eq!((report.total_keys, report.other_families_keys), (10_050, 50));
    assert_eq!(family(&report, "(other)").figures.keys, 50);
    assert_eq!(report.tree.iter().map(|node| node.figures.keys).sum::<u64>(), 10_050);
}

#[tokio::test]
async fn a_stream_that_is_dropped_ends_the_reading() {
    let mut writer = Writer::new(Vec::new(), Server::redis(8, 0)).unwrap();
    for number in 0..50_000 {
        writer.string(format!("k:{number}").as_bytes(), &KeyMeta::default(), &[b'v'; 100]).unwrap();
    }
    let (_folder, path) = save(writer);
    let source = dump(&path, 0);
    let mut batches = source.batches(everything());
    let first = batches.try_next().await.unwrap().unwrap();
    assert_eq!(first.records[0].kind, Some(KeyType::String));
    assert!(first.position.shard(&first.shard).is_some() && !first.position.is_done());
    drop(batches);
    assert!(source.outcome().is_none(), "it did not come to the end");
}
