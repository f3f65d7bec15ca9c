//! Bringing daily files into a SQLite history.

use std::fs;

use larder_metrics_store::{Query, Resolution, SeriesQuery, import_daily_files};

use crate::support::{at, files, seconds, snapshot, sqlite};

const DAY: i64 = 86_400;

#[test]
fn daily_files_are_brought_in_once() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (files(folder.path()), sqlite(folder.path()));
    for number in 0..10 {
        from.append_blocking(&snapshot(number * 40_000)).unwrap();
    }
    fs::write(from.folder().join("cache_metrics_2026-01-01.json"), "{").unwrap();
    let now = at(10 * DAY);
    let first = import_daily_files(&from, &to, now).unwrap();
    assert_eq!((first.new, first.known, first.damaged.len()), (10, 0, 1));
    let second = import_daily_files(&from, &to, now).unwrap();
    assert_eq!((second.new, second.known), (0, 10));
    let all = to.read_blocking(&Query::default()).unwrap();
    assert_eq!(seconds(&all.snapshots), (0..10).map(|number| number * 40_000).collect::<Vec<_>>());
}

#[test]
fn an_import_leaves_what_appending_and_retention_would() {
    let folder = tempfile::tempdir().unwrap();
    let (imported, appended) = (sqlite(&folder.path().join("a")), sqlite(&folder.path().join("b")));
    let snapshots: Vec<_> = (0..450 * 4).map(|quarter| snapshot(quarter * DAY / 4 + 7)).collect();
    let now = at(450 * DAY + 12_345);
    imported.import(snapshots.clone(), now).unwrap();
    appended.append_all(&snapshots).unwrap();
    appended.apply_retention_blocking(now).unwrap();
    for resolution in [Resolution::Raw, Resolution::Hourly, Resolution::Daily] {
        let query = SeriesQuery::new("hits").at(resolution);
        let [a, b] = [&imported, &appended].map(|store| store.series_blocking(&query).unwrap());
        assert!(!a.points.is_empty());
        assert_eq!(a, b);
    }
    let known = appended.append_blocking(&snapshots[0]).unwrap();
    assert!(
        !known.is_new && known.written_to.is_empty(),
        "it was stored, and is past its retention: {known:?}"
    );
    let query = SeriesQuery::new("hits");
    assert_eq!(imported.series_blocking(&query).unwrap(), appended.series_blocking(&query).unwrap());
    let [a, b] = [&imported, &appended].map(|store| store.read_blocking(&Query::default()).unwrap());
    assert_eq!(a, b);
}
