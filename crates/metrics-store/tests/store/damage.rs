//! Files that were truncated, flipped, emptied or overwritten: named, and the rest goes on.

use std::{collections::BTreeSet, fs};

use larder_metrics_store::{Error, Query, Resolution, Retention, SeriesQuery, SqliteStore};

use crate::support::{Seeded, at, files, seconds, snapshot, sqlite, with_node};

const DAY: i64 = 86_400;

#[test]
fn a_damaged_daily_file_is_named_and_the_rest_read() {
    for (what, damage) in [
        ("empty", Box::new(|_: &[u8]| Vec::new()) as Box<dyn Fn(&[u8]) -> Vec<u8>>),
        ("garbage", Box::new(|_: &[u8]| b"\xff\x00\xfe{{{".to_vec())),
        ("truncated", Box::new(|whole: &[u8]| whole[..whole.len() / 2].to_vec())),
        ("another object", Box::new(|_: &[u8]| b"{\"a\": 1}".to_vec())),
        ("a list", Box::new(|_: &[u8]| b"[]".to_vec())),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = files(folder.path());
        for day in 0..3 {
            store.append_blocking(&snapshot(day * DAY)).unwrap();
        }
        let path = store.folder().join("cache_metrics_2026-03-15.json");
        let damaged = damage(&fs::read(&path).unwrap());
        fs::write(&path, &damaged).unwrap();

        let history = store.read_blocking(&Query::default()).unwrap();
        assert_eq!(seconds(&history.snapshots), [0, 2 * DAY], "{what}");
        assert_eq!(history.damaged.len(), 1, "{what}");
        assert_eq!(history.damaged[0].path, path, "{what}");
        assert_eq!(store.series_blocking(&SeriesQuery::new("hits")).unwrap().damaged.len(), 1, "{what}");

        let appended = store.append_blocking(&snapshot(DAY + 60)).unwrap();
        assert!(appended.is_new, "{what}");
        let aside = appended.damaged[0].moved_to.as_ref().unwrap();
        assert_eq!(aside.file_name().unwrap(), "cache_metrics_2026-03-15.json.damaged-1", "{what}");
        assert_eq!(fs::read(aside).unwrap(), damaged, "{what}: kept as it was found");
        let history = store.read_blocking(&Query::default()).unwrap();
        assert_eq!(seconds(&history.snapshots), [0, DAY + 60, 2 * DAY], "{what}");
        assert_eq!(history.damaged, [], "{what}");
    }
}

#[test]
fn what_is_whole_in_a_truncated_daily_file_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = files(folder.path());
    for second in 0..5 {
        store.append_blocking(&snapshot(second)).unwrap();
    }
    let path = store.folder().join("cache_metrics_2026-03-14.json");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 20]).unwrap();
    let appended = store.append_blocking(&snapshot(9)).unwrap();
    assert!(appended.damaged[0].moved_to.is_some());
    let read = store.read_blocking(&Query::default()).unwrap();
    assert_eq!(seconds(&read.snapshots), [0, 1, 2, 4, 9], "only the last of the list was cut");
}

#[test]
fn what_killed_writers_left_is_cleared_away() {
    let folder = tempfile::tempdir().unwrap();
    let store = files(folder.path());
    store.append_blocking(&snapshot(0)).unwrap();
    let remains = store.folder().join(".cache_metrics_2026-03-14.json.AbCdEf.tmp");
    fs::write(&remains, "half").unwrap();
    let outcome = store.apply_retention_blocking(at(0)).unwrap();
    assert_eq!(outcome.remains_removed, std::slice::from_ref(&remains));
    fs::write(&remains, "half").unwrap();
    store.append_blocking(&snapshot(1)).unwrap();
    assert!(!remains.exists());
}

#[test]
fn a_file_that_is_no_history_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes");
    let text = "not a database ".repeat(1000);
    fs::write(&path, &text).unwrap();
    let refused = SqliteStore::open(&path, Retention::default()).unwrap_err();
    assert!(matches!(refused, Error::NotADatabase { .. }) && refused.is_damage(), "{refused}");
    assert!(refused.to_string().contains("notes"), "{refused}");
    assert!(matches!(SqliteStore::salvage(&path).unwrap_err(), Error::NotADatabase { .. }));
    assert_eq!(fs::read_to_string(&path).unwrap(), text);

    let foreign = folder.path().join("foreign");
    let other = rusqlite::Connection::open(&foreign).unwrap();
    other.execute_batch("CREATE TABLE theirs (a)").unwrap();
    drop(other);
    let before = fs::read(&foreign).unwrap();
    let refused = SqliteStore::open(&foreign, Retention::default()).unwrap_err();
    assert!(matches!(refused, Error::ForeignDatabase { .. }), "{refused}");
    assert_eq!(fs::read(&foreign).unwrap(), before);

    let newer = folder.path().join("newer");
    drop(SqliteStore::open(&newer, Retention::default()).unwrap());
    let connection = rusqlite::Connection::open(&newer).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let refused = SqliteStore::open(&newer, Retention::default()).unwrap_err();
    assert!(matches!(refused, Error::NewerSchema { found: 99, .. }), "{refused}");
}

#[test]
fn an_empty_file_becomes_a_history() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("history.sqlite"), "").unwrap();
    assert!(sqlite(folder.path()).append_blocking(&snapshot(0)).unwrap().is_new);
}

/// Two days of minutes, closed, so that all of it is in the one file.
fn two_days(folder: &std::path::Path) -> std::path::PathBuf {
    let store = sqlite(folder);
    let snapshots: Vec<_> = (0..2 * 1440).map(|minute| with_node(minute * 60)).collect();
    store.append_all(&snapshots).unwrap();
    store.path().to_owned()
}

#[test]
fn a_truncated_database_is_named_and_salvaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = two_days(folder.path());
    let whole = fs::read(&path).unwrap();
    for share in [10, 50, 90, 99] {
        fs::write(&path, &whole[..whole.len() * share / 100]).unwrap();
        let opened = SqliteStore::open(&path, Retention::default());
        let named = match &opened {
            Err(error) => error.is_damage() && error.path() == Some(path.as_path()),
            Ok(store) => {
                let read = store.read_blocking(&Query::default());
                let append = store.append_blocking(&snapshot(-60));
                let is_named = read.as_ref().map_or_else(Error::is_damage, |read| !read.damaged.is_empty());
                is_named || append.is_err_and(|error| error.is_damage()) || !store.check().unwrap().is_empty()
            }
        };
        assert!(named, "{share} %: {opened:?}");
        drop(opened);
        let salvaged = SqliteStore::salvage(&path).unwrap();
        assert!(!salvaged.lost.is_empty(), "{share} %");
        let named: BTreeSet<String> = salvaged.lost.iter().map(ToString::to_string).collect();
        assert_eq!(named.len(), salvaged.lost.len(), "each once: {:?}", salvaged.lost);
        assert!(named.iter().all(|words| !words.contains("1684") && !words.contains("2255")), "{named:?}");
        assert!(salvaged.moved_to.exists());
        let store = SqliteStore::open(&path, Retention::default()).unwrap();
        assert_eq!(store.check().unwrap(), [], "{share} %");
        assert!(store.append_blocking(&snapshot(-60)).unwrap().is_new, "{share} %");
        if share >= 50 {
            assert!(salvaged.snapshots > 500, "{share} %: {salvaged:?}");
        }
    }
}

#[test]
fn a_first_page_that_is_gone_costs_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = two_days(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes[..4096].fill(0xa5);
    fs::write(&path, &bytes).unwrap();
    let refused = SqliteStore::open(&path, Retention::default()).unwrap_err();
    assert!(refused.is_damage(), "{refused}");
    assert!(SqliteStore::open_to_read(&path).unwrap_err().is_damage());
    let salvaged = SqliteStore::salvage(&path).unwrap();
    assert_eq!((salvaged.snapshots, salvaged.hours, salvaged.days), (2880, 48 * 5, 2 * 5), "{salvaged:?}");
    assert_eq!(fs::read(&salvaged.moved_to).unwrap(), bytes);
    assert_eq!(salvaged.lost.len(), 1);
}

#[test]
fn damaged_pages_cost_what_was_on_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = two_days(folder.path());
    let whole = fs::read(&path).unwrap();
    let daily = SeriesQuery::new("hits").at(Resolution::Daily);
    let expected = SqliteStore::open(&path, Retention::default()).unwrap().series_blocking(&daily).unwrap();
    let pages = (whole.len() / 4096) as u64;
    let mut seeded = Seeded(6);
    for round in 0..12 {
        let mut bytes = whole.clone();
        for _ in 0..3 {
            // Pages 2 to 19 are the roots of the tables and their first pages.
            let page = usize::try_from(20 + seeded.below(pages - 20)).unwrap();
            bytes[page * 4096..(page + 1) * 4096].fill(0xff);
        }
        fs::write(&path, &bytes).unwrap();
        let store = SqliteStore::open(&path, Retention::default()).unwrap();
        let found = store.check().unwrap();
        assert!((1..=8).contains(&found.len()), "{round}: {found:?}");
        let parts: BTreeSet<_> = found.iter().map(|damage| &damage.part).collect();
        assert_eq!(parts.len(), found.len(), "{round}: each part once: {found:?}");
        let read_only = SqliteStore::open_to_read(&path).unwrap();
        assert_eq!(read_only.check().unwrap(), found, "{round}");
        let read = store.read_blocking(&Query::default()).unwrap();
        assert!(read.snapshots.len() > 2500, "{round}: {} {:?}", read.snapshots.len(), read.damaged);
        drop(store);
        let salvaged = SqliteStore::salvage(&path).unwrap();
        assert!(salvaged.snapshots > 2500, "{round}: {salvaged:?}");
        assert!(salvaged.lost.len() <= 6, "three pages are told as three places or so: {:?}", salvaged.lost);
        let store = SqliteStore::open(&path, Retention::default()).unwrap();
        assert_eq!(store.check().unwrap(), [], "{round}");
        let mended = store.series_blocking(&daily).unwrap();
        assert_eq!(mended.points.len(), expected.points.len(), "{round}: days are made again");
        assert_eq!(mended.points[0].first, expected.points[0].first, "{round}");
    }
}

#[test]
fn a_snapshot_that_was_scribbled_on_is_named_and_the_rest_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = two_days(folder.path());
    let connection = rusqlite::Connection::open(&path).unwrap();
    let second = at(60).timestamp_micros();
    let scribble = "UPDATE snapshots SET body = substr(body, 5) WHERE at = ?1";
    assert_eq!(connection.execute(scribble, [second]).unwrap(), 1);
    drop(connection);
    let history = sqlite(folder.path()).read_blocking(&Query::default()).unwrap();
    assert_eq!(history.snapshots.len(), 2879);
    assert!(
        history.damaged[0].to_string().contains("snapshot of 2026-03-14 00:01:00"),
        "{}",
        history.damaged[0]
    );
}
