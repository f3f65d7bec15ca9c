//! `larder metrics plot`.

use std::fs;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Local, TimeDelta};
use larder_metrics_model::{CacheStats, Info, NodeAddress, NodeKind, NodeSnapshot, Snapshot};
use larder_metrics_store::{Retention, SqliteStore};
use roxmltree::Document;
use serde_json::json;

use crate::larder::Larder;

const NODE: &str = "10.0.0.1:6379";
const CACHE: &str = "redis://10.0.0.1:6379";

/// A day of snapshots, ten minutes apart, up to now: memory that rises, with a restart in the middle and two hours without any.
fn seeded(larder: &Larder, nodes: &[&str]) -> Result<()> {
    let folder = larder.folder().join("metrics");
    fs::create_dir_all(&folder)?;
    let store = SqliteStore::open(folder.join("metrics.sqlite"), Retention::default())?;
    let now = Local::now();
    let wanted = (0..144_u32).filter(|place| !(30..42).contains(place));
    let snapshots: Vec<Snapshot> = wanted
        .map(|place| {
            let at = now - TimeDelta::minutes(10 * i64::from(144 - place));
            let mut snapshot = Snapshot::at(at.fixed_offset());
            snapshot.cache = Some(CACHE.to_owned());
            snapshot.cache_stats = CacheStats::from_counts(
                [Some(900 + u64::from(place) * 90), Some(100 + u64::from(place) * 10), None, None, None],
                None,
            );
            snapshot.nodes = nodes.iter().map(|node| measured(node, place)).collect();
            snapshot
        })
        .collect();
    store.append_all(&snapshots)?;
    Ok(())
}

fn measured(node: &str, place: u32) -> NodeSnapshot {
    let since_restart = if place < 72 { place } else { place - 72 };
    let mut snapshot = NodeSnapshot::new(NodeAddress::new(node), NodeKind::Data);
    snapshot.info = Info::parse(&format!(
        "# Server\nuptime_in_seconds:{}\n# Memory\nused_memory:{}\nmaxmemory:{}\n# Stats\ntotal_commands_processed:{}\n",
        1_000 + since_restart * 600,
        100_000_000 + since_restart * 1_000_000,
        256 << 20,
        since_restart * 6_000,
    ));
    snapshot
}

fn with_history(nodes: &[&str]) -> Result<Larder> {
    let larder = Larder::new();
    seeded(&larder, nodes)?;
    Ok(larder)
}

/// The words on a picture, and the points of its lines in an ink.
fn words(svg: &str) -> Result<String> {
    let document = Document::parse(svg)?;
    let texts = document.descendants().filter(roxmltree::Node::is_text);
    Ok(texts.filter_map(|node| node.text()).map(str::trim).collect::<Vec<_>>().join("\n"))
}

fn lines(svg: &str, ink: &str) -> Result<usize> {
    let document = Document::parse(svg)?;
    Ok(document.descendants().filter(|node| node.attribute("stroke") == Some(ink)).count())
}

#[test]
fn memory_of_a_node_is_drawn_with_its_restart_limit_and_forecast() -> Result<()> {
    let larder = with_history(&[NODE])?;
    let run = larder.ends(0, &["metrics", "plot", "node_used_memory_bytes", "--forecast", "12h"])?;
    let said = words(&run.stdout)?;
    for part in [
        "node_used_memory_bytes of 10.0.0.1:6379",
        "restart",
        "maxmemory: 256 MiB",
        "forecast, 95 %",
        "MiB an hour",
    ] {
        ensure!(said.contains(part), "{part}: {said}");
    }
    run.says("trend and forecast count from")?;
    run.says("nothing was measured once")?;
    // The line is broken by the two hours without any, and the legend has a piece of it.
    ensure!(lines(&run.stdout, "#0072B2")? == 3, "{}", run.stdout);
    Ok(())
}

#[test]
fn a_counter_is_drawn_as_a_rate() -> Result<()> {
    let larder = with_history(&[NODE])?;
    let run = larder.ends(0, &["metrics", "plot", "node_commands", "--node", NODE])?;
    ensure!(words(&run.stdout)?.contains("ops/s"), "{run:#?}");
    let run = larder.ends(0, &["--output", "json", "metrics", "plot", "node_commands"])?;
    let plotted = run.json()?;
    ensure!(plotted["per_second"] == true && plotted["breaks"][0]["what"] == "restarted", "{plotted:#}");
    let rates: Vec<f64> = plotted["points"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|point| point["value"].as_f64())
        .collect();
    // 132 snapshots, without the first, the one behind the gap and the one behind the restart.
    ensure!(rates.len() == 129 && rates.iter().all(|rate| (rate - 10.0).abs() < 0.1), "{rates:?}");
    Ok(())
}

#[test]
fn the_picture_is_written_to_a_file() -> Result<()> {
    let larder = with_history(&[NODE])?;
    let run = larder.ends(0, &["metrics", "plot", "hit_ratio", "--to", "hit.svg", "--since", "6h"])?;
    run.says("written to hit.svg")?;
    ensure!(run.stdout.is_empty(), "{run:#?}");
    let svg = fs::read_to_string(larder.folder().join("hit.svg"))?;
    let said = words(&svg)?;
    ensure!(said.contains("hit_ratio of redis://10.0.0.1:6379") && said.contains("90 %"), "{said}");
    let left: Vec<_> = fs::read_dir(larder.folder())?.flatten().map(|entry| entry.file_name()).collect();
    ensure!(left.iter().all(|name| !name.to_string_lossy().starts_with(".larder-")), "{left:?}");
    let run = larder.ends(1, &["metrics", "plot", "hit_ratio", "--to", "no/such/hit.svg"])?;
    run.says("no/such/hit.svg cannot be written: there is no folder no/such")?;
    Ok(())
}

#[test]
fn files_of_the_guides_collector_are_drawn() -> Result<()> {
    let larder = Larder::new();
    fs::create_dir(larder.folder().join("metrics"))?;
    for day in 0..12_i32 {
        let at: DateTime<Local> = Local::now() - TimeDelta::days(i64::from(12 - day));
        let date = at.format("%Y-%m-%d").to_string();
        let file = json!({
            "timestamp": at.timestamp(), "date": format!("{date}T00:00:01.000001"),
            "cache_stats": {"hit_rate": 0.9 - 0.01 * f64::from(day), "miss_rate": 0.1, "total_operations": 4,
                "hit_count": 1, "miss_count": 1, "set_count": 1, "delete_count": 1, "error_count": 0},
            "health_info": {"status": "healthy", "redis_connected": true, "redis_ping_time": 0.4,
                "memory_usage": {"used_memory": 1024}, "connection_pool_stats": null},
            "tier_stats": null,
            "performance_metrics": {"avg_latency_ms": 1.0, "max_latency_ms": 2.0, "min_latency_ms": 0.5},
        });
        larder.write(&format!("metrics/cache_metrics_{date}.json"), &serde_json::to_string(&file)?);
    }
    let run = larder.ends(0, &["metrics", "plot", "hit_ratio"])?;
    let said = words(&run.stdout)?;
    ensure!(said.contains("trend: declining") && said.contains("12 values"), "{said}");
    ensure!(run.stderr.contains("since the server's start"), "{}", run.stderr);
    Ok(())
}

#[test]
fn a_wrong_question_is_answered() -> Result<()> {
    let larder = with_history(&[NODE, "10.0.0.2:6379"])?;
    let plot = |code, words: &[&str]| larder.ends(code, &[&["metrics", "plot"], words].concat());
    plot(2, &["hit_rate"])?.says("is `hit_ratio` meant?")?;
    plot(2, &["node_keys"])?.says("--node names one: 10.0.0.1:6379, 10.0.0.2:6379")?;
    plot(2, &["node_keys", "--node", "10.0.0.3:6379"])?.says("it has 10.0.0.1:6379, 10.0.0.2:6379")?;
    plot(2, &["hit_ratio", "--node", NODE])?.says("leave --node out")?;
    plot(2, &["family_keys"])?.says("--family names one")?;
    plot(2, &["family_keys", "--family", "app:"])?.says("no family `app:`")?;
    plot(2, &["hit_ratio", "--limit", "much"])?.says("--limit much")?;
    plot(2, &["hit_ratio", "--forecast", "30years"])?.says("five years at most")?;
    plot(2, &["hit_ratio", "--forecast", "soon"])?.says("--forecast")?;
    plot(2, &["hit_ratio", "--width", "10"])?.says("--width")?;
    plot(1, &["hit_ratio", "--since", "2999-01-01"])?.says("nothing of hit_ratio in that time")?;
    plot(1, &["latency_p99_ms"])?.says("`larder collect` measures")?;
    let run = larder.ends(2, &["--cache", "redis://other", "metrics", "plot", "hit_ratio"])?;
    run.says("it has redis://10.0.0.1:6379")?;
    Ok(())
}

#[test]
fn a_forecast_that_cannot_be_made_is_said_and_the_rest_is_drawn() -> Result<()> {
    let larder = Larder::of("memory:sample");
    larder.ends(0, &["collect"])?;
    let run = larder.ends(4, &["metrics", "plot", "hit_ratio", "--forecast", "30d"])?;
    run.says("there is no forecast")?;
    ensure!(words(&run.stdout)?.contains("hit_ratio of memory:sample"), "{run:#?}");
    let empty = Larder::new();
    empty
        .ends(1, &["metrics", "plot", "hit_ratio"])?
        .says("`larder collect` measures")
        .context("nothing at all")?;
    Ok(())
}
