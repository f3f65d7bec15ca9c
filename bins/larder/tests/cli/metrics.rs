//! The metrics history.

use std::process::Stdio;

use anyhow::{Context, Result};
use larder_metrics_model::{FamilyFigures, KeyspaceSnapshot};
use larder_metrics_store::{DailyFiles, DailyRetention, Retention, SqliteStore};
use serde_json::json;

use crate::larder::Larder;

fn collected() -> Result<Larder> {
    let larder = Larder::of("memory:sample");
    larder.ends(0, &["collect"])?;
    Ok(larder)
}

#[test]
fn the_history_is_shown_and_exported() -> Result<()> {
    let larder = collected()?;
    larder.ends(0, &["metrics", "show"])?.says("hit_ratio")?;
    larder.ends(0, &["metrics", "show", "hit_ratio", "--points", "--since", "1h"])?.says("0.91")?;
    let run = larder.ends(0, &["--output", "json", "metrics", "show", "node_keys"])?;
    assert_eq!(run.json()?["node"], "memory:sample");

    let run = larder.ends(0, &["metrics", "export", "--metric", "hits", "--metric", "misses"])?;
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines[0], "timestamp,date,cache,metric,node,value,family");
    assert_eq!(lines.len(), 3, "{run:#?}");
    let run = larder.ends(0, &["--output", "json", "metrics", "export", "--metric", "hits"])?;
    assert_eq!(run.json()?["metric"], "hits");
    let run = larder.ends(0, &["metrics", "export", "--since", "2999-01-01"])?;
    assert_eq!(run.stdout.lines().count(), 0, "{run:#?}");
    Ok(())
}

#[test]
fn a_wrong_question_is_answered() -> Result<()> {
    let larder = collected()?;
    larder.ends(2, &["metrics", "show", "hit_rate"])?.says("hit_ratio")?;
    larder.ends(2, &["metrics", "export", "--since", "yesterday"])?.says("an age such as 7d")?;
    larder.ends(2, &["--cache", "redis://other", "metrics", "show"])?.says("it has memory:sample")?;
    larder.ends(0, &["--cache", "redis://other", "metrics", "show", "--all-caches"])?.says("hit_ratio")?;
    larder.ends(0, &["metrics", "list"])?.says("used_memory_bytes")?;
    Ok(())
}

/// A collected history that knows families too: those that are named, and as many small ones.
fn with_families(small: u64) -> Result<Larder> {
    let larder = collected()?;
    let folder = larder.folder().join("metrics");
    let series = SqliteStore::open(folder.join("metrics.sqlite"), Retention::default())?;
    let files = DailyFiles::new(&folder, DailyRetention::default());
    for minutes_ago in [2, 1] {
        let at = chrono::Local::now() - chrono::TimeDelta::minutes(minutes_ago);
        let mut snapshot = KeyspaceSnapshot::at(at.fixed_offset());
        snapshot.cache = Some("memory:sample".to_owned());
        let mut search = FamilyFigures::new("app:search:", 300 / minutes_ago.unsigned_abs());
        (search.bytes, search.without_ttl, search.idle_median_s) = (Some(3 << 20), Some(7), Some(12.5));
        let mut queue = FamilyFigures::new("app:queue:", 2);
        queue.bytes = Some(5 << 20);
        snapshot.families = vec![search, queue];
        snapshot.families.extend((0..small).map(|number| {
            let mut family = FamilyFigures::new(format!("small:{number}:"), 1);
            family.bytes = Some(100 + number);
            family
        }));
        snapshot.total_keys = snapshot.families.iter().map(|family| family.keys).sum();
        series.append_keyspace_blocking(&snapshot)?;
        files.append_keyspace_blocking(&snapshot)?;
    }
    Ok(larder)
}

#[test]
fn families_are_shown_listed_and_exported() -> Result<()> {
    let larder = with_families(0)?;
    let run = larder.ends(0, &["metrics", "show", "family_bytes", "--family", "app:search:"])?;
    run.says("FAMILY")?;
    run.says("3.0 MiB")?;
    run.hides("app:queue:")?;
    let run = larder.ends(0, &["metrics", "show", "family_keys", "family_bytes"])?;
    assert_eq!(run.stdout.lines().count(), 1 + 4, "{run:#?}");
    let run = larder.ends(0, &["metrics", "show", "--family", "app:search:", "--points"])?;
    run.says("family_idle_median_seconds")?;
    assert_eq!(run.stdout.lines().count(), 1 + 4 * 2, "four figures at two moments: {run:#?}");
    let run =
        larder.ends(0, &["--output", "json", "metrics", "show", "family_keys", "--family", "app:search:"])?;
    let shown = run.json()?;
    assert_eq!(
        (&shown["family"], &shown["unit"], &shown["node"]),
        (&json!("app:search:"), &json!("count"), &json!(null))
    );
    assert_eq!((&shown["points"][0]["last"], &shown["points"][1]["last"]), (&json!(150.0), &json!(300.0)));

    let run = larder.ends(0, &["metrics", "show"])?;
    assert!(!run.stdout.contains("family_"), "{run:#?}");
    run.says("2 families of keys are not shown")?;
    let run = larder.ends(2, &["metrics", "show", "--family", "app:serch:"])?;
    run.says("is `app:search:` meant?")?;
    larder.ends(2, &["metrics", "show", "--family", "app:search:", "--node", "memory:sample"])?;

    let run = larder.ends(0, &["metrics", "export", "--metric", "family_keys", "--family", "app:queue:"])?;
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!((lines[0], lines.len()), ("timestamp,date,cache,metric,node,value,family", 3), "{run:#?}");
    assert!(lines[1].ends_with(",memory:sample,family_keys,,2.0,app:queue:"), "{run:#?}");
    larder.ends(2, &["metrics", "export", "--format", "snapshots", "--family", "app:queue:"])?;
    let run = larder.ends(0, &["metrics", "check"])?;
    run.says("1 snapshots and 1 keyspace snapshots in daily files")?;
    Ok(())
}

#[test]
fn a_thousand_families_are_summed_up() -> Result<()> {
    let larder = with_families(1_200)?;
    let list = larder.ends(0, &["metrics", "list"])?;
    let line = list
        .stdout
        .lines()
        .find(|line| line.trim_start().starts_with("family_keys"))
        .context("it is listed")?;
    assert!(line.contains("1001"), "a thousand and (other): {line}");
    list.hides("app:search:")?;
    let all = larder.ends(0, &["--output", "json", "metrics", "list"])?.json()?;
    let bytes = all.as_array().into_iter().flatten().find(|metric| metric["name"] == "family_bytes");
    assert_eq!(bytes.context("it is listed")?["series"], 1001);

    let families = larder.ends(0, &["metrics", "list", "--families"])?;
    let lines: Vec<&str> = families.stdout.lines().map(str::trim_start).collect();
    assert_eq!(lines.len(), 1 + 1001, "{lines:?}");
    assert!(
        lines[1].starts_with("app:queue:") && lines[1].contains("5.0 MiB"),
        "the biggest first: {}",
        lines[1]
    );
    assert!(lines[2].starts_with("app:search:") && lines[2].contains("12.500 s"), "{}", lines[2]);
    let families = larder.ends(0, &["--output", "json", "metrics", "list", "--families"])?.json()?;
    assert_eq!((&families[0]["family"], &families[0]["keys"]), (&json!("app:queue:"), &json!(2)));

    let run = larder.ends(0, &["metrics", "show", "family_bytes"])?;
    assert_eq!(run.stdout.lines().count(), 1 + 20, "{run:#?}");
    run.says("981 smaller families are left out")?;
    let run = larder.ends(0, &["--output", "json", "metrics", "show", "family_bytes"])?;
    assert_eq!(run.stdout.lines().count(), 1001, "programs get all");
    Ok(())
}

#[test]
fn reports_are_removed_past_their_time_only() -> Result<()> {
    let larder = collected()?;
    let old = ["optimization_report_2020-01-01.json", "capacity_report_2020-01.json"];
    for name in old {
        larder.write(&format!("metrics/{name}"), "{}");
    }
    let left = |larder: &Larder| {
        old.iter().filter(|name| larder.folder().join("metrics").join(name).exists()).count()
    };
    larder.ends(0, &["collect"])?;
    assert_eq!(left(&larder), 2, "kept for ever");
    larder.configure("[metrics.retention]\nreports = \"30days\"\n");
    larder.ends(0, &["collect"])?;
    assert_eq!(left(&larder), 0);
    Ok(())
}

#[test]
fn files_of_the_guides_collector_are_brought_in() -> Result<()> {
    let larder = Larder::new();
    std::fs::create_dir(larder.folder().join("metrics"))?;
    let day = chrono::Local::now().format("%Y-%m-%d").to_string();
    let file = json!({
        "timestamp": chrono::Utc::now().timestamp(), "date": format!("{day}T00:00:01.000001"),
        "cache_stats": {"hit_rate": 0.5, "miss_rate": 0.5, "total_operations": 4, "hit_count": 1, "miss_count": 1,
            "set_count": 1, "delete_count": 1, "error_count": 0},
        "health_info": {"status": "healthy", "redis_connected": true, "redis_ping_time": 0.4,
            "memory_usage": {"used_memory": 1024}, "connection_pool_stats": null},
        "tier_stats": null,
        "performance_metrics": {"avg_latency_ms": 1.0, "max_latency_ms": 2.0, "min_latency_ms": 0.5},
    });
    larder.write(&format!("metrics/cache_metrics_{day}.json"), &serde_json::to_string_pretty(&file)?);
    larder.ends(0, &["metrics", "import"])?.says("1 snapshots brought in")?;
    larder.ends(0, &["metrics", "import"])?.says("1 were there already")?;
    larder.ends(0, &["metrics", "show", "used_memory_bytes"])?.says("1.0 KiB")?;
    Ok(())
}

#[test]
fn a_reader_that_goes_away_is_no_error() -> Result<()> {
    let larder = collected()?;
    for words in [["metrics", "export"].as_slice(), &["metrics", "show"], &["health"], &["man"]] {
        let mut child = larder.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        drop(child.stdout.take());
        let output = child.wait_with_output()?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("error") && !stderr.contains("panicked"), "{words:?}: {stderr}");
        assert_eq!(output.status.code().context("a signal ended it")?, 0, "{words:?}");
    }
    Ok(())
}
