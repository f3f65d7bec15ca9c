//! Files of the first schema: read as they are, and brought up to date by whoever writes.

use std::{fs, path::Path};

use larder_metrics_model::NodeAddress;
use larder_metrics_store::{Query, Resolution, Retention, SeriesQuery, SqliteStore};
use rusqlite::Connection;

use crate::support::{SmallDisk, at, keyspace, keyspace_seconds, seconds, sqlite, with_node};

/// The first schema, as it was.
const FIRST: &str = "
    CREATE TABLE caches (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE series (
        id INTEGER PRIMARY KEY, cache INTEGER NOT NULL REFERENCES caches, metric TEXT NOT NULL, node TEXT NOT NULL,
        UNIQUE (metric, node, cache));
    CREATE TABLE moments (cache INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (cache, at)) WITHOUT ROWID;
    CREATE TABLE snapshots (
        at INTEGER NOT NULL, cache INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (at, cache));
    CREATE TABLE samples (
        series INTEGER NOT NULL, at INTEGER NOT NULL, value REAL NOT NULL, PRIMARY KEY (series, at)) WITHOUT ROWID;
    CREATE TABLE hourly (
        series INTEGER NOT NULL, start INTEGER NOT NULL, count INTEGER NOT NULL,
        lowest REAL NOT NULL, mean REAL NOT NULL, highest REAL NOT NULL,
        first_at INTEGER NOT NULL, first REAL NOT NULL, last_at INTEGER NOT NULL, last REAL NOT NULL,
        PRIMARY KEY (series, start)) WITHOUT ROWID;
    CREATE TABLE daily (
        series INTEGER NOT NULL, start INTEGER NOT NULL, count INTEGER NOT NULL,
        lowest REAL NOT NULL, mean REAL NOT NULL, highest REAL NOT NULL,
        first_at INTEGER NOT NULL, first REAL NOT NULL, last_at INTEGER NOT NULL, last REAL NOT NULL,
        PRIMARY KEY (series, start)) WITHOUT ROWID;
    CREATE TABLE horizons (name TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
    PRAGMA application_id = 0x4c524452;
    PRAGMA user_version = 1;
";
const MINUTES: i64 = 500;

/// Minutes of a node in a file of the first schema.
fn first_schema(path: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let newest = sqlite(folder.path());
    newest.append_all(&(0..MINUTES).map(|minute| with_node(minute * 60)).collect::<Vec<_>>()).unwrap();
    let old = Connection::open(path).unwrap();
    old.execute_batch(FIRST).unwrap();
    old.execute("ATTACH ?1 AS newest", [newest.path().to_str().unwrap()]).unwrap();
    for table in ["caches", "series", "moments", "snapshots", "samples", "hourly", "daily"] {
        old.execute(&format!("INSERT INTO main.{table} SELECT * FROM newest.{table}"), []).unwrap();
    }
}

fn reads(store: &SqliteStore) {
    let history = store.read_blocking(&Query::default()).unwrap();
    assert_eq!(seconds(&history.snapshots), (0..MINUTES).map(|minute| minute * 60).collect::<Vec<_>>());
    let node = SeriesQuery::new("node_used_memory_bytes").of_node(NodeAddress::new("cache:6379"));
    assert_eq!(store.series_blocking(&node.at(Resolution::Raw)).unwrap().points.len(), 500);
    assert_eq!(store.check().unwrap(), []);
}

fn has_no_families(store: &SqliteStore) {
    let keyspaces = store.read_keyspaces_blocking(&Query::default()).unwrap();
    assert!(keyspaces.snapshots.is_empty() && keyspaces.damaged.is_empty(), "{keyspaces:?}");
    let query = SeriesQuery::new("family_keys").of_family("app:");
    assert!(store.series_blocking(&query).unwrap().points.is_empty());
    assert!(store.series_names_blocking().unwrap().iter().all(|name| name.family.is_none()));
}

#[test]
fn it_is_read_without_writing_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.sqlite");
    first_schema(&path);
    let before = fs::read(&path).unwrap();
    let store = SqliteStore::open_to_read(&path).unwrap();
    reads(&store);
    has_no_families(&store);
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was made beside it");
}

#[test]
fn it_is_read_where_nothing_can_be_written() {
    let Some(disk) = SmallDisk::new() else { return };
    let path = disk.path().join("history.sqlite");
    first_schema(&path);
    disk.make_read_only();
    let store = SqliteStore::open_to_read(&path).unwrap();
    reads(&store);
    has_no_families(&store);
    let refused = SqliteStore::open(&path, Retention::default()).unwrap_err();
    assert_eq!(refused.path(), Some(path.as_path()), "it cannot be brought up to date: {refused}");
}

#[test]
fn whoever_writes_brings_it_up_to_date_and_readers_follow() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.sqlite");
    first_schema(&path);
    let reader = SqliteStore::open_to_read(&path).unwrap();
    has_no_families(&reader);
    let old_writer = Connection::open(&path).unwrap();
    let mut old_insert =
        old_writer.prepare("INSERT INTO series (cache, metric, node) VALUES (1, ?1, '')").unwrap();
    old_insert.execute(["before"]).unwrap();

    let store = sqlite(folder.path());
    reads(&store);
    has_no_families(&store);
    assert!(!store.append_blocking(&with_node(0)).unwrap().is_new, "its moments are known");
    assert!(store.append_keyspace_blocking(&keyspace(0)).unwrap().is_new);
    assert!(!store.append_keyspace_blocking(&keyspace(0)).unwrap().is_new);
    for store in [&store, &reader] {
        let read = store.read_keyspaces_blocking(&Query::default()).unwrap();
        assert_eq!(keyspace_seconds(&read.snapshots), [0]);
    }
    old_insert.execute(["after"]).unwrap();
    assert_eq!(store.check().unwrap(), []);
}

#[test]
fn it_is_salvaged_whatever_page_is_gone() {
    for was_brought_up_to_date in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.sqlite");
        first_schema(&path);
        if was_brought_up_to_date {
            let store = sqlite(folder.path());
            store.append_keyspace_blocking(&keyspace(0)).unwrap();
        }
        let whole = fs::read(&path).unwrap();
        for page in [0, whole.len() / 4096 - 1] {
            let mut bytes = whole.clone();
            bytes[page * 4096..(page + 1) * 4096].fill(0xa5);
            fs::write(&path, &bytes).unwrap();
            let salvaged = SqliteStore::salvage(&path).unwrap();
            assert!(!salvaged.lost.is_empty(), "{page}");
            let store = sqlite(folder.path());
            assert_eq!(store.check().unwrap(), [], "{page}");
            if page == 0 {
                reads(&store);
                let words = salvaged.lost[0].to_string();
                assert!(words.contains("does not name the tables that a newer version has added"), "{words}");
            }
            let query = SeriesQuery::new("family_keys").of_family("app:").at(Resolution::Daily);
            let families = store.series_blocking(&query).unwrap().points.len();
            assert_eq!(families, usize::from(was_brought_up_to_date), "{page}: {salvaged:?}");
            assert!(store.append_keyspace_blocking(&keyspace(86_400)).unwrap().is_new, "{page}");
        }
    }
}

#[test]
fn a_first_page_that_is_gone_costs_no_keyspaces_of_a_newer_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(folder.path());
    (0..50).for_each(|day| drop(store.append_keyspace_blocking(&keyspace(day * 86_400)).unwrap()));
    store.apply_retention_blocking(at(50 * 86_400)).unwrap();
    let path = store.path().to_owned();
    drop(store);
    let mut bytes = fs::read(&path).unwrap();
    bytes[..4096].fill(0xa5);
    fs::write(&path, &bytes).unwrap();
    let salvaged = SqliteStore::salvage(&path).unwrap();
    assert_eq!((salvaged.keyspaces, salvaged.samples, salvaged.days), (50, 150, 250), "{salvaged:?}");
    assert_eq!(salvaged.lost.len(), 1, "{salvaged:?}");
    let store = sqlite(folder.path());
    assert!(!store.append_keyspace_blocking(&keyspace(0)).unwrap().is_new, "its moments are known");
}
