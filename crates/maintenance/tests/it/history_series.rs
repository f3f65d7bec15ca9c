//! The history as series that can be judged.

use std::{fs, sync::Arc};

use chrono::TimeDelta;
use larder_maintenance::HistorySeries;
use larder_metrics_model::{Break, FamilyFigures, KeyspaceSnapshot, NodeAddress};
use larder_metrics_store::{Retention, SqliteStore};
use larder_test_support::Measured;

use crate::support::{CACHE, STEP, Stores, at, calm, node, snapshots};

/// Started anew before step 20, reset before step 30, flushed before step 40.
fn troubled(step: i64) -> Measured {
    let seconds = |from: i64| ((step - from) * STEP).unsigned_abs() + 60;
    let mut measured = if step < 20 { calm(step) } else { Measured::after(seconds(20)) };
    if step >= 30 {
        let uptime = measured.uptime_seconds;
        measured = Measured { uptime_seconds: uptime, ..Measured::after(seconds(30)) };
    }
    if step >= 40 {
        (measured.keys, measured.keys_with_ttl, measured.used_memory) = (5, 5, 10 << 20);
    }
    measured
}

#[tokio::test]
async fn caches_nodes_and_families_are_told() {
    let mut other = snapshots(0..2, calm);
    for snapshot in &mut other {
        snapshot.cache = Some("redis://other:1".to_owned());
        snapshot.nodes[0].node = NodeAddress::new("other:1");
    }
    let stores = Stores::of(&[snapshots(0..2, calm), other].concat());
    for (name, store) in &stores.each {
        let mut keyspace = KeyspaceSnapshot::at(at(1).fixed_offset());
        keyspace.cache = Some(CACHE.to_owned());
        keyspace.families = vec![FamilyFigures::new("app:", 3), FamilyFigures::new(FamilyFigures::OTHER, 2)];
        store.append_keyspace(&keyspace).await.unwrap();
        let history = HistorySeries::new(Arc::clone(store), Some(CACHE.to_owned()));
        assert_eq!(history.caches().await.unwrap(), [CACHE, "redis://other:1"], "{name}");
        assert_eq!(history.nodes().await.unwrap(), [node()], "{name}");
        assert_eq!(history.families().await.unwrap(), ["app:"], "{name}");
        let keys = history.family("family_keys", "app:", None, None).await.unwrap();
        assert_eq!(keys.values().collect::<Vec<_>>(), [3.0], "{name}");
        let all = HistorySeries::new(Arc::clone(store), None);
        assert_eq!(all.nodes().await.unwrap().len(), 2, "{name}");
        let kept = history.last_keyspace(at(0), at(2)).await.unwrap().unwrap();
        assert_eq!(kept.families[0].name, "app:", "{name}");
        assert_eq!(history.last_keyspace(at(2), at(3)).await.unwrap(), None, "{name}");
        let last = history.last_snapshot(at(0), at(9)).await.unwrap().unwrap();
        assert_eq!((last.cache.as_deref(), last.time()), (Some(CACHE), Some(at(1))), "{name}");
    }
}

#[tokio::test]
async fn what_names_no_cache_is_taken_along_where_there_is_no_other() {
    let mut unnamed = snapshots(0..3, calm);
    for snapshot in &mut unnamed {
        snapshot.cache = None;
    }
    let named = snapshots(3..6, calm);
    let stores = Stores::of(&[unnamed, named].concat());
    for (name, history) in stores.series() {
        assert_eq!(history.metric("hits", None, None, None).await.unwrap().len(), 6, "{name}");
    }
    for (name, store) in &stores.each {
        let other = HistorySeries::new(Arc::clone(store), Some("redis://other:1".to_owned()));
        assert!(other.metric("hits", None, None, None).await.unwrap().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_metric_is_of_its_range_and_ordered() {
    let mut shuffled = snapshots(0..10, calm);
    shuffled.reverse();
    for (name, history) in Stores::of(&shuffled).series() {
        let hits = history.metric("hits", None, Some(at(2)), Some(at(5))).await.unwrap();
        let expected: Vec<_> = (2..5).map(|step| (at(step), calm(step).hits)).collect();
        let found: Vec<_> = hits
            .observations()
            .iter()
            .map(|it| (it.at, format!("{:.0}", it.value).parse::<u64>().unwrap()))
            .collect();
        assert_eq!(found, expected, "{name}");
        let memory = history.metric("node_used_memory_bytes", Some(&node()), None, None).await.unwrap();
        assert_eq!(memory.len(), 10, "{name}");
        assert!(history.metric("nonsense", None, None, None).await.unwrap().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_restart_a_reset_and_a_flush_are_told() {
    for (name, history) in Stores::of(&snapshots(0..50, troubled)).series() {
        let breaks = history.breaks(&node(), None, None).await.unwrap();
        let told: Vec<_> =
            breaks.iter().map(|found| (found.what.clone(), found.after, found.until)).collect();
        let expected = [
            (Break::Restarted, at(19), at(20)),
            (Break::CountersReset, at(29), at(30)),
            (Break::Flushed, at(39), at(40)),
        ];
        assert_eq!(told, expected, "{name}");
        let some = history.breaks(&node(), Some(at(25)), Some(at(35))).await.unwrap();
        assert_eq!(some.len(), 1, "{name}");
    }
}

#[tokio::test]
async fn memory_begins_anew_with_what_empties_it() {
    for (name, history) in Stores::of(&snapshots(0..50, troubled)).series() {
        let breaks = history.breaks(&node(), None, None).await.unwrap();
        let metric = "node_used_memory_bytes";
        let told = history.since_break(metric, &node(), &breaks, None, None).await.unwrap();
        assert_eq!((told.series.first().unwrap().at, told.series.len()), (at(40), 10), "{name}");
        assert!(
            told.notes[0].ends_with("is left out, because all keys were removed then"),
            "{:?}",
            told.notes
        );
        let told = history.since_break(metric, &node(), &breaks[..2], None, None).await.unwrap();
        assert_eq!(told.series.len(), 50, "{name}: a restart that kept its data, and a reset, empty nothing");
        let told = history.since_break(metric, &node(), &breaks, Some(at(45)), None).await.unwrap();
        assert!(told.series.len() == 5 && told.notes.is_empty(), "{name}: {:?}", told.notes);
    }
}

#[tokio::test]
async fn a_rate_leaves_out_where_the_counting_began_anew() {
    for (name, history) in Stores::of(&snapshots(0..50, troubled)).series() {
        let breaks = history.breaks(&node(), None, None).await.unwrap();
        let told = history.rate("node_hits", Some(&node()), &breaks, None, None).await.unwrap();
        assert_eq!((told.rates.series.len(), told.rates.resets), (47, 2), "{name}");
        assert!(told.rates.series.values().all(|rate| (rate - 90.0).abs() < 1e-9), "{name}");
        assert_eq!(
            told.notes,
            ["node_hits of cache:6379: 2 intervals in which the counting began anew are left out"],
            "{name}"
        );
        // A counter of the cache may rise over a restart of one of its servers; that it began anew is known from the server.
        let risen =
            history.rate("node_expired_keys", Some(&node()), &breaks, Some(at(25)), Some(at(29))).await;
        assert_eq!(risen.unwrap().rates.resets, 0, "{name}");
    }
}

#[tokio::test]
async fn gaps_are_noted_and_no_part_of_a_rate() {
    let steps = (0..20).chain(40..60).chain(90..99);
    for (name, history) in Stores::of(&snapshots(steps, calm)).series() {
        let told = history.noted("hits", None, None, None).await.unwrap();
        assert_eq!(
            told.notes,
            ["hits: nothing was measured 2 times, at most from 2026-03-14 09:50 to 2026-03-14 15:00 UTC"],
            "{name}"
        );
        let told = history.rate("hits", None, &[], None, None).await.unwrap();
        assert_eq!((told.rates.gaps, told.rates.series.len()), (2, 19 + 19 + 8), "{name}");
    }
}

#[tokio::test]
async fn points_that_sum_up_keep_counters_and_breaks_true() {
    // More than 76 days of ten minutes are read as hours.
    let days = 90 * 144;
    let restarted = |step: i64| {
        if step < 5_003 { calm(step) } else { Measured::after(((step - 5_003) * STEP).unsigned_abs() + 1) }
    };
    let folder = tempfile::tempdir().unwrap();
    let sqlite = SqliteStore::open(folder.path().join("m.sqlite"), Retention::default()).unwrap();
    sqlite.append_all(&snapshots(0..days, restarted)).unwrap();
    let history = HistorySeries::new(Arc::new(sqlite), Some(CACHE.to_owned()));
    let memory = history.metric("node_used_memory_bytes", Some(&node()), None, None).await.unwrap();
    assert_eq!(memory.typical_step(), Some(TimeDelta::hours(1)));
    let breaks = history.breaks(&node(), None, None).await.unwrap();
    assert_eq!(breaks.len(), 1, "{breaks:?}");
    let told = history.rate("node_hits", Some(&node()), &breaks, None, None).await.unwrap();
    assert_eq!(told.rates.resets, 1);
    assert!(
        told.rates.series.values().all(|rate| (rate - 90.0).abs() < 1e-6),
        "no hour is made up over the restart"
    );
}

#[tokio::test]
async fn the_guides_files_are_read_whatever_order_they_come_in() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("metrics")).unwrap();
    for day in [16, 14, 15] {
        let (hits, stamp) = (day * 1_000, 1_773_446_400 + (day - 14) * 86_400 + 60);
        let text = format!(
            r#"{{"timestamp": {stamp}, "date": "2026-03-{day}T00:01:00", "cache_stats": {{"hit_rate": 0.5, "miss_rate": 0.5,
            "total_operations": {hits}, "hit_count": {hits}, "miss_count": 7, "set_count": 0, "delete_count": 0,
            "error_count": 0}}, "health_info": {{"status": "healthy", "redis_connected": true, "redis_ping_time": 0.4,
            "memory_usage": {{"used_memory": 1024}}, "connection_pool_stats": null}}, "tier_stats": null,
            "performance_metrics": {{"avg_latency_ms": 1.0, "max_latency_ms": 2.0, "min_latency_ms": 0.5}}}}"#
        );
        fs::write(folder.path().join(format!("metrics/cache_metrics_2026-03-{day}.json")), text).unwrap();
    }
    let history = HistorySeries::new(Arc::new(crate::support::daily_files(folder.path())), None);
    assert_eq!((history.caches().await.unwrap().len(), history.nodes().await.unwrap().len()), (0, 0));
    let hits = history.metric("hits", None, None, None).await.unwrap();
    assert_eq!(hits.values().collect::<Vec<_>>(), [14_000.0, 15_000.0, 16_000.0]);
    let told = history.rate("hits", None, &[], None, None).await.unwrap();
    assert!((told.rates.gained - 2_000.0).abs() < 1e-9 && told.notes.is_empty(), "{told:?}");
}

#[tokio::test]
async fn a_damaged_file_is_named_and_hides_nothing_else() {
    let stores = Stores::of(&snapshots(0..300, calm));
    let path = stores.folder.path().join("metrics/cache_metrics_2026-03-15.json");
    fs::write(&path, "{").unwrap();
    let (_, files) = stores.series().nth(1).unwrap();
    let told = files.noted("hits", None, None, None).await.unwrap();
    assert_eq!(told.series.len(), 144 + 12, "the days before and behind are there");
    assert!(told.damaged.len() == 1 && told.damaged[0].path == path, "{told:?}");
    assert!(told.notes.iter().any(|note| note.contains("cache_metrics_2026-03-15.json")), "{:?}", told.notes);
    let told = files.rate("hits", None, &[], None, None).await.unwrap();
    assert_eq!((told.damaged.len(), told.rates.gaps), (1, 1));
}

#[tokio::test]
async fn where_there_is_no_history_there_is_nothing() {
    for (name, history) in Stores::of(&[]).series() {
        assert!(history.caches().await.unwrap().is_empty(), "{name}");
        assert!(history.nodes().await.unwrap().is_empty(), "{name}");
        assert!(history.families().await.unwrap().is_empty(), "{name}");
        assert!(history.breaks(&node(), None, None).await.unwrap().is_empty(), "{name}");
        let told = history.rate("hits", None, &[], None, None).await.unwrap();
        assert!(told.rates.series.is_empty() && told.notes.is_empty(), "{name}: {told:?}");
        assert_eq!(history.last_snapshot(at(0), at(9)).await.unwrap(), None, "{name}");
    }
}
