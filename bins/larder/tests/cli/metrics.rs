//! The metrics history.

use std::process::Stdio;

use anyhow::{Context, Result};
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
    assert_eq!(lines[0], "timestamp,date,cache,metric,node,value");
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
