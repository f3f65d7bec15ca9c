//! Families of keys over time.

use std::{fs, sync::Arc, time::Duration};

use larder_metrics_model::KeyspaceSnapshot;
use larder_metrics_store::{
    DailyFiles, DailyRetention, Error, Histories, MetricsStore, Query, Resolution, Retention, SeriesQuery,
    SqliteStore, import_daily_files,
};

use crate::support::{SmallDisk, at, files, keyspace, keyspace_seconds, snapshot, sqlite};

const DAY: i64 = 86_400;

#[test]
fn the_file_of_a_day_is_the_newest_snapshot_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = files(folder.path());
    for second in [60, 120, 30] {
        assert!(store.append_keyspace_blocking(&keyspace(second)).unwrap().is_new);
    }
    let path = store.folder().join("cache_families_2026-03-14.json");
    let read: KeyspaceSnapshot = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(read, keyspace(120));
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("{\n  \"timestamp\":") && !text.contains("earlier"), "{text}");
    let late = store.append_keyspace_blocking(&keyspace(90)).unwrap();
    assert!(late.written_to.is_empty(), "it is not the newest: {late:?}");

    let mut other = keyspace(50);
    other.cache = None;
    store.append_keyspace_blocking(&other).unwrap();
    let read = store.read_keyspaces_blocking(&Query::default()).unwrap();
    assert_eq!(read.snapshots, [other, keyspace(120)], "each cache has its newest");
    assert_eq!(fs::read_dir(store.folder()).unwrap().count(), 2, "the file and the lock");
}

#[test]
fn a_broken_file_is_named_and_moved_aside() {
    let folder = tempfile::tempdir().unwrap();
    let store = files(folder.path());
    store.append_keyspace_blocking(&keyspace(0)).unwrap();
    store.append_keyspace_blocking(&keyspace(DAY)).unwrap();
    let path = store.folder().join("cache_families_2026-03-14.json");
    fs::write(&path, serde_json::to_vec(&snapshot(0)).unwrap()).unwrap();
    let read = store.read_keyspaces_blocking(&Query::default()).unwrap();
    assert_eq!(keyspace_seconds(&read.snapshots), [DAY]);
    assert!(read.damaged[0].to_string().contains("is no keyspace snapshot"), "{:?}", read.damaged);
    let query = SeriesQuery::new("family_keys").of_family("app:");
    assert_eq!(store.series_blocking(&query).unwrap().damaged.len(), 1);
    let appended = store.append_keyspace_blocking(&keyspace(60)).unwrap();
    assert!(appended.damaged[0].moved_to.as_ref().is_some_and(|path| path.is_file()), "{appended:?}");
    assert_eq!(store.read_keyspaces_blocking(&Query::default()).unwrap().damaged, []);
}

#[test]
fn a_snapshot_without_a_day_belongs_to_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut odd = keyspace(0);
    odd.date = "today".to_owned();
    let refused = files(folder.path()).append_keyspace_blocking(&odd).unwrap_err();
    assert!(matches!(refused, Error::NoDay { .. }), "{refused}");
}

#[test]
fn hours_and_days_outlive_the_samples_of_families() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(folder.path());
    (0..100).for_each(|day| drop(store.append_keyspace_blocking(&keyspace(day * DAY)).unwrap()));
    let outcome = store.apply_retention_blocking(at(100 * DAY)).unwrap();
    assert_eq!((outcome.keyspaces_removed, outcome.samples_removed), (10, 70 * 5), "five figures a day");
    let points = |resolution| {
        let query = SeriesQuery::new("family_keys").of_family("app:").at(resolution);
        store.series_blocking(&query).unwrap().points.len()
    };
    assert_eq!([Resolution::Raw, Resolution::Hourly, Resolution::Daily].map(points), [30, 100, 100]);
    let again = store.append_keyspace_blocking(&keyspace(0)).unwrap();
    assert!(!again.is_new && again.written_to.is_empty(), "what was removed is not counted a second time");
    assert_eq!(points(Resolution::Daily), 100);
}

#[test]
fn families_that_are_gone_are_forgotten_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.sqlite");
    let mut retention = Retention::default();
    retention.daily = Some(Duration::from_hours(24 * 1000));
    let store = SqliteStore::open(&path, retention).unwrap();
    let mut old = keyspace(0);
    old.families[0].name = "gone:".to_owned();
    store.append_keyspace_blocking(&old).unwrap();
    store.append_keyspace_blocking(&keyspace(900 * DAY)).unwrap();
    store.apply_retention_blocking(at(1001 * DAY)).unwrap();
    let series: i64 = rusqlite::Connection::open(&path)
        .unwrap()
        .query_row("SELECT count(*) FROM series", [], |row| row.get(0))
        .unwrap();
    assert_eq!(series, 5, "those of the family that is still there");
    store.append_keyspace_blocking(&keyspace(1002 * DAY)).unwrap();
    assert_eq!(store.check().unwrap(), []);
}

#[test]
fn daily_files_of_families_are_brought_in_once() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (files(folder.path()), sqlite(folder.path()));
    (0..45).for_each(|day| drop(from.append_keyspace_blocking(&keyspace(day * DAY)).unwrap()));
    fs::write(from.folder().join("cache_families_2026-01-01.json"), "{").unwrap();
    for (new, known) in [(45, 0), (0, 45)] {
        let imported = import_daily_files(&from, &to, at(45 * DAY)).unwrap();
        assert_eq!((imported.new, imported.known, imported.damaged.len()), (new, known, 1));
    }
    let [a, b] = [&from as &dyn AsKeyspaces, &to].map(AsKeyspaces::keyspaces);
    assert_eq!(a, b);
}

trait AsKeyspaces {
    fn keyspaces(&self) -> Vec<KeyspaceSnapshot>;
}

impl AsKeyspaces for DailyFiles {
    fn keyspaces(&self) -> Vec<KeyspaceSnapshot> {
        self.read_keyspaces_blocking(&Query::default()).unwrap().snapshots
    }
}

impl AsKeyspaces for SqliteStore {
    fn keyspaces(&self) -> Vec<KeyspaceSnapshot> {
        self.read_keyspaces_blocking(&Query::default()).unwrap().snapshots
    }
}

#[tokio::test]
async fn one_store_that_fails_does_not_keep_the_other_from_its_work() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "no folder").unwrap();
    let broken: Arc<dyn MetricsStore> =
        Arc::new(DailyFiles::new(folder.path().join("file"), DailyRetention::default()));
    let both = Histories::new([broken, Arc::new(sqlite(folder.path()))]);
    let outcome = both.append_keyspace(&keyspace(1)).await.unwrap();
    assert_eq!((outcome.failed.len(), outcome.written_to.len()), (1, 1), "{outcome:?}");
    let read = both.read_keyspaces(&Query::default()).await.unwrap();
    assert_eq!((read.snapshots, read.damaged.len()), (vec![keyspace(1)], 1));
}

#[tokio::test]
async fn a_full_disk_loses_nothing_that_was_stored() {
    let Some(disk) = SmallDisk::new() else { return };
    let daily = files(disk.path());
    daily.append_keyspace(&keyspace(0)).await.unwrap();
    let series = sqlite(disk.path());
    let mut stored = vec![0];
    series.append_keyspace(&keyspace(0)).await.unwrap();
    let ballast = disk.path().join("ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    while std::io::Write::write_all(&mut file, &[7; 512]).is_ok() {}
    let full = daily.append_keyspace(&keyspace(1)).await.unwrap_err();
    assert!(full.is_disk_full(), "{full:?}");
    let mut refused = 0;
    for second in 1..400 {
        match series.append_keyspace(&keyspace(second)).await {
            Ok(_) => stored.push(second),
            Err(error) if error.is_disk_full() => refused += 1,
            Err(error) => panic!("{error:?}"),
        }
        if refused == 5 {
            break;
        }
    }
    assert_eq!(refused, 5, "the disk did get full");
    let found = |read: Vec<KeyspaceSnapshot>| keyspace_seconds(&read);
    assert_eq!((found(daily.keyspaces()), found(series.keyspaces())), (vec![0], stored.clone()));
    drop(file);
    fs::remove_file(&ballast).unwrap();
    stored.push(1000);
    for store in [&daily as &dyn MetricsStore, &series] {
        store.append_keyspace(&keyspace(1000)).await.unwrap();
    }
    assert_eq!((found(daily.keyspaces()), found(series.keyspaces())), (vec![1000], stored));
    assert_eq!(series.check().unwrap(), []);
}
