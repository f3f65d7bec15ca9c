//! The files of the guide's own collector.

use std::{fs, path::Path};

use larder_metrics_model::Snapshot;
use larder_metrics_store::{DailyFiles, DailyRetention, Error, Query};
use serde_json::{Value, json};

use crate::support::{files, seconds, snapshot};

/// Built by hand in the collector's field names, with an integer where it may write one and a field of its own.
fn collected(timestamp: i64, date: &str) -> Value {
    json!({
        "timestamp": timestamp, "date": date,
        "cache_stats": {
            "hit_rate": 1, "miss_rate": 0.146_788_990_825_688_07, "total_operations": 1090,
            "hit_count": 930, "miss_count": 160, "set_count": 155, "delete_count": 12, "error_count": 0
        },
        "health_info": {
            "status": "healthy", "redis_connected": true, "redis_ping_time": 0.412,
            "memory_usage": {"used_memory": 1_048_576, "used_memory_human": "1.00M"},
            "connection_pool_stats": {"created_connections": 4}
        },
        "tier_stats": null,
        "performance_metrics": {"avg_latency_ms": 0.61, "max_latency_ms": 1.9, "min_latency_ms": 0.3},
        "deployment": {"region": "eu-west-1", "odd": null}
    })
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn its_file_is_read_and_added_to_without_loss() {
    let folder = tempfile::tempdir().unwrap();
    let store = files(folder.path());
    fs::create_dir(store.folder()).unwrap();
    let path = store.folder().join("cache_metrics_2026-03-14.json");
    let before = collected(1_773_446_400, "2026-03-14T00:00:00.000001");
    fs::write(&path, serde_json::to_string_pretty(&before).unwrap()).unwrap();
    fs::write(store.folder().join("capacity_report_2026-03.json"), "{}").unwrap();
    fs::write(store.folder().join("notes.txt"), "not ours").unwrap();

    let history = store.read_blocking(&Query::default()).unwrap();
    let expected: Snapshot = serde_json::from_value(before.clone()).unwrap();
    assert_eq!((history.snapshots, history.damaged), (vec![expected], vec![]));

    store.append_blocking(&snapshot(60)).unwrap();
    store.append_blocking(&snapshot(120)).unwrap();
    let after = json_of(&path);
    assert_eq!(after["earlier"][0], before, "to the letter");
    let mut newest = after.clone();
    newest.as_object_mut().unwrap().remove("earlier");
    assert_eq!(newest, serde_json::to_value(snapshot(120)).unwrap(), "what the guide's scripts read");
    assert_eq!(fs::read_to_string(store.folder().join("notes.txt")).unwrap(), "not ours");
    let read = store.read_blocking(&Query::default()).unwrap();
    assert_eq!(seconds(&read.snapshots), [0, 60, 120]);
}

#[test]
fn the_day_is_the_local_one_of_whoever_measured() {
    let folder = tempfile::tempdir().unwrap();
    let store = files(folder.path());
    for (date, file) in [
        ("2026-03-13T19:00:01", Some("cache_metrics_2026-03-13.json")),
        ("2026-03-14", Some("cache_metrics_2026-03-14.json")),
        ("2026-03-1", None),
        ("../../../etc", None),
        ("2026-02-30T00:00:00", None),
        ("", None),
        ("äöüäöüäöü", None),
    ] {
        let mut measured = snapshot(file.map_or(0, |file| i64::from(file.contains("14"))));
        measured.date = date.to_owned();
        match (store.append_blocking(&measured), file) {
            (Ok(_), Some(file)) => assert!(store.folder().join(file).exists(), "{date}"),
            (Err(Error::NoDay { .. }), None) => {}
            (other, _) => panic!("{date}: {other:?}"),
        }
    }
    let first_second = Query::default().until(crate::support::at(1));
    assert_eq!(store.read_blocking(&first_second).unwrap().snapshots.len(), 1, "found by its time in UTC");
}

#[test]
fn a_field_that_the_file_needs_itself_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut odd = snapshot(1);
    odd.extra.insert("earlier".to_owned(), json!([]));
    let refused = files(folder.path()).append_blocking(&odd).unwrap_err();
    assert!(matches!(refused, Error::ReservedField { field: "earlier" }), "{refused}");
}

#[test]
fn earlier_snapshots_are_thinned_and_old_files_removed_only_as_configured() {
    let folder = tempfile::tempdir().unwrap();
    let store = DailyFiles::new(folder.path(), DailyRetention::default());
    for minute in 0..60 {
        store.append_blocking(&snapshot(minute * 60)).unwrap();
    }
    let kept = store.read_blocking(&Query::default()).unwrap();
    assert_eq!(seconds(&kept.snapshots), [0, 900, 1800, 2700, 59 * 60], "one in 15 minutes, and the newest");
    let late = store.append_blocking(&snapshot(61)).unwrap();
    assert!(late.is_new && late.written_to.is_empty(), "thinned out at once: {late:?}");

    let years_later = crate::support::at(20 * 365 * 86_400);
    assert!(store.apply_retention_blocking(years_later).unwrap().files_removed.is_empty(), "kept for ever");
    let mut retention = DailyRetention::default();
    retention.keep = Some(std::time::Duration::from_hours(24 * 30));
    let store = DailyFiles::new(folder.path(), retention);
    assert_eq!(
        store.apply_retention_blocking(crate::support::at(86_400 * 30)).unwrap().files_removed.len(),
        0
    );
    assert_eq!(store.apply_retention_blocking(years_later).unwrap().files_removed.len(), 1);
    assert_eq!(store.read_blocking(&Query::default()).unwrap().snapshots, []);
}
