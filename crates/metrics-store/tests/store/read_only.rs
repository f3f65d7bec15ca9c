//! Reading writes nothing, and works where nothing can be written.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use larder_metrics_store::{
    Error, Histories, MetricsStore, Query, Resolution, Retention, SeriesQuery, SqliteStore,
};

use crate::support::{SmallDisk, at, files, keyspace, removed, seconds, snapshot, sqlite, with_node};

fn names(folder: &Path) -> Vec<PathBuf> {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

fn reads(store: &SqliteStore, expected: &[i64]) {
    let history = store.read_blocking(&Query::default()).unwrap();
    assert_eq!((seconds(&history.snapshots), history.damaged), (expected.to_vec(), vec![]));
    let series = store.series_blocking(&SeriesQuery::new("hits").at(Resolution::Raw)).unwrap();
    assert_eq!(series.points.len(), expected.len());
    assert_eq!(store.series_names_blocking().unwrap().is_empty(), expected.is_empty());
    assert_eq!(store.check().unwrap(), []);
}

fn refuses_to_write(store: &SqliteStore) {
    let is_read_only = |error: Error| {
        assert!(matches!(error, Error::ReadOnly { .. }), "{error:?}");
        assert!(error.to_string().contains("open for reading only"), "{error}");
        assert_eq!(error.path(), Some(store.path()));
    };
    is_read_only(store.append_blocking(&snapshot(7)).unwrap_err());
    is_read_only(store.import([snapshot(7)], at(8)).unwrap_err());
    is_read_only(store.apply_retention_blocking(at(8)).unwrap_err());
}

#[test]
fn a_history_that_is_not_there_is_empty_and_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics").join("history.sqlite");
    let store = SqliteStore::open_to_read(&path).unwrap();
    reads(&store, &[]);
    refuses_to_write(&store);
    let daily = files(folder.path());
    assert!(daily.read_blocking(&Query::default()).unwrap().snapshots.is_empty());
    assert!(daily.series_blocking(&SeriesQuery::new("hits")).unwrap().points.is_empty());
    assert!(daily.series_names_blocking().unwrap().is_empty());
    assert!(daily.apply_retention_blocking(at(0)).unwrap().failed.is_empty());
    for plan in [daily.plan_retention_blocking(at(0)), store.plan_retention_blocking(at(0))] {
        assert_eq!(removed(&plan.unwrap()), ([0; 5], vec![]));
    }
    assert!(names(folder.path()).is_empty(), "no folder was made");

    fs::create_dir(path.parent().unwrap()).unwrap();
    fs::write(&path, "").unwrap();
    reads(&store, &[]);
    assert_eq!(fs::read(&path).unwrap(), b"", "an empty file stays empty");
}

#[test]
fn what_others_write_meanwhile_is_read_and_nothing_is_left_behind() {
    // A name that means something in a URI.
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("100 %41?mode=rw#ü");
    let path = folder.join("history.sqlite");
    let reader = SqliteStore::open_to_read(&path).unwrap();
    reads(&reader, &[]);
    let writer = sqlite(&folder);
    writer.append_blocking(&snapshot(1)).unwrap();
    reads(&reader, &[1]);
    drop(writer);
    let alone = names(&folder);
    assert_eq!(alone, [path.as_path()], "the writer cleans up");
    reads(&reader, &[1]);
    assert_eq!(names(&folder), alone, "the reader makes nothing");
    sqlite(&folder).append_blocking(&snapshot(2)).unwrap();
    reads(&reader, &[1, 2]);
    refuses_to_write(&reader);
    assert_eq!(names(&folder), alone);
}

#[test]
fn a_log_that_was_copied_without_its_index_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let writer = sqlite(folder.path());
    writer.append_blocking(&snapshot(1)).unwrap();
    let copy = folder.path().join("copy");
    fs::create_dir(&copy).unwrap();
    for name in ["history.sqlite", "history.sqlite-wal"] {
        fs::copy(folder.path().join(name), copy.join(name)).unwrap();
    }
    let before = names(&copy);
    reads(&SqliteStore::open_to_read(copy.join("history.sqlite")).unwrap(), &[1]);
    assert_eq!(names(&copy), before);
}

#[test]
fn readers_and_writers_do_not_disturb_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let reader = SqliteStore::open_to_read(folder.path().join("history.sqlite")).unwrap();
    std::thread::scope(|scope| {
        // Each opens and ends, so that the log comes and goes.
        let writer = scope.spawn(|| {
            (0..40)
                .for_each(|second| drop(sqlite(folder.path()).append_blocking(&with_node(second)).unwrap()));
        });
        let mut seen = 0;
        while !writer.is_finished() {
            let history = reader.read_blocking(&Query::default()).unwrap();
            assert_eq!(history.damaged, []);
            assert_eq!(
                seconds(&history.snapshots),
                (0..).take(history.snapshots.len()).collect::<Vec<i64>>()
            );
            assert!(history.snapshots.len() >= seen, "what was there once stays");
            seen = history.snapshots.len();
        }
    });
    reads(&reader, &(0..40).collect::<Vec<_>>());
}

#[test]
fn a_file_of_another_kind_is_refused_for_reading_too() {
    let folder = tempfile::tempdir().unwrap();
    let notes = folder.path().join("notes");
    fs::write(&notes, "not a database ".repeat(1000)).unwrap();
    assert!(matches!(SqliteStore::open_to_read(&notes).unwrap_err(), Error::NotADatabase { .. }));
    let foreign = folder.path().join("foreign");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    assert!(matches!(SqliteStore::open_to_read(&foreign).unwrap_err(), Error::ForeignDatabase { .. }));
    let refused = SqliteStore::open_to_read(folder.path()).unwrap_err();
    assert_eq!(refused.path(), Some(folder.path()), "{refused}");
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_is_read() {
    let Some(disk) = SmallDisk::new() else { return };
    let daily = files(disk.path());
    for second in [1, 2] {
        sqlite(disk.path()).append_blocking(&snapshot(second)).unwrap();
        daily.append_blocking(&snapshot(second)).unwrap();
    }
    let killed = disk.path().join("killed");
    let writer = sqlite(&killed);
    writer.append_blocking(&snapshot(3)).unwrap();
    let copy = disk.path().join("copy");
    fs::create_dir(&copy).unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("history.sqlite{suffix}");
        fs::copy(killed.join(&name), copy.join(&name)).unwrap();
    }
    drop(writer);
    disk.make_read_only();

    let path = disk.path().join("history.sqlite");
    let store = SqliteStore::open_to_read(&path).unwrap();
    reads(&store, &[1, 2]);
    refuses_to_write(&store);
    reads(&SqliteStore::open_to_read(copy.join("history.sqlite")).unwrap(), &[3]);
    reads(&SqliteStore::open_to_read(disk.path().join("none")).unwrap(), &[]);
    let stores: [Arc<dyn MetricsStore>; 2] = [Arc::new(store), Arc::new(daily.clone())];
    let both = Histories::new(stores);
    assert_eq!(seconds(&both.read(&Query::default()).await.unwrap().snapshots), [1, 2]);

    let soon = at(60 * 86_400);
    assert_eq!(
        removed(&both.plan_retention(soon).await.unwrap()),
        ([0, 0, 2, 0, 0], vec![]),
        "it can be said"
    );
    let failed = both.append_keyspace(&keyspace(9)).await.unwrap_err();
    assert!(failed.to_string().contains("open for reading only"), "{failed}");
    let failed = both.append(&snapshot(9)).await.unwrap_err();
    let words = failed.to_string();
    assert!(words.contains("open for reading only"), "{words}");
    assert!(words.contains("Read-only file system"), "{words}");
    assert_eq!(both.apply_retention(at(9)).await.unwrap().failed.len(), 2, "one for each store");
    for path in [path, disk.path().join("none")] {
        let refused = SqliteStore::open(&path, Retention::default()).unwrap_err();
        assert_eq!(refused.path(), Some(path.as_path()));
        assert!(
            matches!(&refused, Error::Io { source, .. } if source.to_string().contains("Read-only")),
            "{refused:?}"
        );
    }
}
