//! From a history to what would make the cache better.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use larder_analysis::{Optimization, TrendWord};
use larder_cache_client::{CacheClient, ConnectOptions, open};
use larder_maintenance::{JobStatus, OptimizeOptions, OptimizeSources, check_optimize};
use larder_metrics_model::{FamilyFigures, KeyspaceSnapshot, NodeAddress};
use larder_test_support::Measured;

use crate::support::{CACHE, STEP, Stores, at, calm, node, snapshots};

const WEEK: i64 = 7 * 144;

/// A server that nothing listens at.
async fn nobody() -> CacheClient {
    open(&"redis://127.0.0.1:1".parse().unwrap(), &ConnectOptions::default()).await.unwrap()
}

async fn judged(stores: &Stores, now: DateTime<Utc>) -> Vec<(&'static str, Optimization)> {
    let mut judged = Vec::new();
    for (name, store) in &stores.each {
        let sources = OptimizeSources::found(Arc::clone(store), nobody().await).await.unwrap();
        let outcome = check_optimize(&sources, &OptimizeOptions::default(), now).await.unwrap();
        assert_eq!(
            outcome.status,
            JobStatus::Done,
            "{name}: the live server is another one: {:?}",
            outcome.problems
        );
        judged.push((*name, outcome.optimization));
    }
    judged
}

fn ids(found: &Optimization) -> Vec<&'static str> {
    found.findings.iter().map(|finding| finding.id.as_str()).collect()
}

fn wobble(step: i64) -> u64 {
    (step * 7 % 13).unsigned_abs() << 20
}

#[tokio::test]
async fn a_calm_week_has_no_findings() {
    let stores = Stores::of(&snapshots(0..WEEK, |step| {
        let mut measured = calm(step);
        measured.used_memory += wobble(step);
        measured
    }));
    for (name, found) in judged(&stores, at(WEEK)).await {
        assert_eq!(ids(&found), [""; 0], "{name}");
        let hit_rate = found.hit_rate_analysis.known().unwrap();
        assert!((hit_rate.average_hit_rate - 0.9).abs() < 1e-9, "{name}");
        assert_eq!(hit_rate.trend, TrendWord::Stable, "{name}");
        let operations = found.operation_analysis.known().unwrap();
        assert!((operations.average_operations_per_second - 110.0).abs() < 1e-6, "{name}");
        assert!(found.notes.is_empty(), "{name}: {:?}", found.notes);
        let slow_log = found.skipped.iter().find(|skipped| skipped.what == "slow log of cache:6379").unwrap();
        assert!(
            slow_log.reason.contains("no cache is named, and the history is of redis://cache:6379"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_restart_is_left_out_and_told_and_is_the_cause_of_the_anomaly() {
    let restart = 6 * 144;
    let stores = Stores::of(&snapshots(0..WEEK, |step| {
        let mut measured = if step < restart {
            calm(step)
        } else {
            Measured::after(((step - restart) * STEP).unsigned_abs() + 60)
        };
        measured.used_memory += wobble(step);
        if step >= restart {
            (measured.used_memory, measured.rss) = (measured.used_memory / 10, measured.rss / 10);
            // Whoever asks finds nothing yet.
            let cold = measured.hits.min(90 * 3_600 * 3) / 2;
            measured.hits -= cold;
            measured.misses += cold;
        }
        measured
    }));
    for (name, found) in judged(&stores, at(WEEK)).await {
        assert!(ids(&found).iter().all(|id| *id == "optimize.anomaly"), "{name}: {:?}", ids(&found));
        let words: Vec<&str> = found.findings.iter().map(|finding| finding.message.as_str()).collect();
        for figure in ["the hit rate went down to", "the memory went down to"] {
            let told = words
                .iter()
                .find(|words| words.contains(figure))
                .unwrap_or_else(|| panic!("{name}: {words:#?}"));
            assert!(
                told.contains("The likely cause on cache:6379: the server was started anew before"),
                "{told}"
            );
        }
        let memory = found.memory_analysis.known().unwrap();
        assert!(memory.max_used_memory_bytes < 60e6, "{name}: only what lies behind the restart is judged");
        for words in [
            "is left out, because the server started anew then",
            "1 interval in which the counting began anew is left out",
        ] {
            assert!(found.notes.iter().any(|note| note.contains(words)), "{name}: {:#?}", found.notes);
        }
    }
}

#[tokio::test]
async fn memory_of_a_server_that_restarts_and_keeps_its_data_goes_on() {
    // Each night at three it is started anew; memory grows by 12 MiB a day through all of them.
    let night = |step: i64| (step - 18).rem_euclid(144);
    let stores = Stores::of(&snapshots(-21 * 144..WEEK, |step| {
        let mut measured = Measured::after((night(step) * STEP).unsigned_abs() + 60);
        measured.used_memory = (800 << 20) + ((step + 21 * 144).unsigned_abs() << 20) / 12;
        measured
    }));
    for (name, found) in judged(&stores, at(WEEK)).await {
        let memory = found.memory_analysis.known().unwrap();
        assert_eq!(memory.trend, TrendWord::Increasing, "{name}");
        let growth = memory.growth_bytes_per_day.unwrap() / f64::from(1 << 20);
        assert!((growth - 12.0).abs() < 0.5, "{name}: {growth}");
        let told: Vec<&String> =
            found.notes.iter().filter(|note| note.contains("the server started anew")).collect();
        let of_memory = told.iter().filter(|note| note.starts_with("cache:6379: "));
        assert_eq!(of_memory.count(), 1, "{name}: {told:#?}");
        assert!(
            told[0].contains("7 times, first after ") && told[0].ends_with(", and kept what it had"),
            "{name}: {told:#?}"
        );
        assert!(!told.iter().any(|note| note.contains("used_memory_bytes")), "{name}: {told:#?}");
    }
}

#[tokio::test]
async fn memory_that_fills_again_since_a_flush_does_not_grow() {
    let flush = 6 * 144;
    let stores = Stores::of(&snapshots(-21 * 144..WEEK, |step| {
        let mut measured = calm(step + 21 * 144);
        let filled = (step - flush).unsigned_abs();
        if step >= flush {
            (measured.used_memory, measured.keys) = ((5 + filled) << 20, filled * 2);
        }
        measured
    }));
    for (name, found) in judged(&stores, at(WEEK)).await {
        let memory = found.memory_analysis.known().unwrap();
        assert_eq!((memory.trend, memory.growth_bytes_per_day), (TrendWord::NotEnoughData, None), "{name}");
        assert_eq!(memory.filling_since, Some(at(flush)), "{name}");
    }
}

#[tokio::test]
async fn each_part_of_the_history_gets_to_its_finding() {
    let stores = Stores::of(&snapshots(0..WEEK, |step| {
        let mut measured = calm(step);
        let seconds = measured.uptime_seconds;
        (measured.hits, measured.misses) = (seconds * 50, seconds * 50);
        measured.used_memory = (980 << 20) + wobble(step);
        measured.rss = 2 << 30;
        measured.policy = "volatile-lru";
        measured.keys_with_ttl = 100;
        measured.evicted = seconds;
        measured.connections = seconds * 20;
        measured.latency_ms = 60.0;
        measured
    }));
    for (_, store) in &stores.each {
        let mut keyspace = KeyspaceSnapshot::at(at(WEEK - 1).fixed_offset());
        keyspace.cache = Some(CACHE.to_owned());
        keyspace.families = ["a:", "b:", "c:", "d:"].map(|name| FamilyFigures::new(name, 1_000)).to_vec();
        for family in &mut keyspace.families {
            family.bytes = Some(50 << 20);
            family.idle_median_s = Some(if family.name == "d:" { 20.0 * 86_400.0 } else { 600.0 });
        }
        store.append_keyspace(&keyspace).await.unwrap();
    }
    for (name, found) in judged(&stores, at(WEEK)).await {
        let mut ids = ids(&found);
        ids.sort_unstable();
        let expected = [
            "optimize.connection_churn",
            "optimize.eviction_pressure",
            "optimize.fragmentation",
            "optimize.hit_rate_low",
            "optimize.latency_high",
            "optimize.memory_pressure",
            "optimize.policy_few_ttls",
            "optimize.ttl_longer_than_use",
        ];
        assert_eq!(ids, expected, "{name}");
        assert_eq!(found.recommendations.len(), 3, "{name}");
    }
}

#[tokio::test]
async fn one_measurement_is_said_to_be_too_few() {
    for (name, found) in judged(&Stores::of(&snapshots(0..1, calm)), at(1)).await {
        assert!(found.findings.is_empty(), "{name}");
        assert!(
            found.notes[0].starts_with("not enough data, with 1 measurement in this time"),
            "{name}: {:?}",
            found.notes
        );
        assert!(
            found.notes.iter().any(|note| note.contains("too few to tell a trend, which takes 5")),
            "{:?}",
            found.notes
        );
        assert!(found.skipped.iter().any(|skipped| skipped.what == "analysis of the operations"), "{name}");
    }
}

#[tokio::test]
async fn without_history_and_server_there_is_nothing_to_judge() {
    for (name, store) in &Stores::of(&[]).each {
        let sources = OptimizeSources::found(Arc::clone(store), nobody().await).await.unwrap();
        let outcome = check_optimize(&sources, &OptimizeOptions::default(), at(0)).await.unwrap();
        assert_eq!(outcome.status, JobStatus::Failed, "{name}");
        assert!(outcome.problems[0].contains("`larder collect` measures"), "{name}: {:?}", outcome.problems);
        assert!(outcome.problems[1].contains("cannot be asked"), "{name}: {:?}", outcome.problems);
    }
}

#[tokio::test]
async fn which_cache_is_meant_has_to_be_clear() {
    let mut other = snapshots(2..4, calm);
    for snapshot in &mut other {
        snapshot.cache = Some("redis://other:1".to_owned());
    }
    let stores = Stores::of(&[snapshots(0..2, calm), other].concat());
    for (name, store) in &stores.each {
        let error = OptimizeSources::found(Arc::clone(store), nobody().await).await.unwrap_err();
        assert!(error.to_string().contains("redis://cache:6379, redis://other:1"), "{name}: {error}");
        let error = OptimizeSources::of(Arc::clone(store), nobody().await).await.unwrap_err();
        assert!(error.to_string().contains("has nothing of redis://127.0.0.1:1"), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_failover_is_no_million_of_hits() {
    // The first server has counted for months; from step 500 to 900 the second one is the primary.
    let other = NodeAddress::new("other:6379");
    let old =
        |step: i64| Measured::after(90 * 86_400 + (step.min(500) + (step - 900).max(0)).unsigned_abs() * 600);
    let young = |step: i64| Measured::after(60 + ((step - 500).clamp(0, 400)).unsigned_abs() * 600);
    let made: Vec<_> = (0..WEEK)
        .map(|step| {
            let (primary, replica) =
                if (501..=900).contains(&step) { (young(step), old(step)) } else { (old(step), young(step)) };
            let (name, second) =
                if (501..=900).contains(&step) { (&other, node()) } else { (&node(), other.clone()) };
            let mut snapshot = primary.snapshot(Some(CACHE), name, at(step));
            snapshot.nodes.extend(replica.snapshot(None, &second, at(step)).nodes);
            snapshot
        })
        .collect();
    for (name, found) in judged(&Stores::of(&made), at(WEEK)).await {
        let hit_rate = found.hit_rate_analysis.known().unwrap();
        let counted = 100.0 * 600.0 * 1_010.0;
        assert!(hit_rate.lookups.is_some_and(|lookups| lookups < counted), "{name}: {hit_rate:?}");
        let operations = found.operation_analysis.known().unwrap();
        assert!(operations.max_operations_per_second < 111.0, "{name}: {operations:?}");
        assert!(
            found.notes.iter().any(|note| note.contains("2 intervals in which the counting began anew")),
            "{name}: {:#?}",
            found.notes
        );
    }
}
