//! `larder collect` on real servers.

use std::fs;

use anyhow::{Result, ensure};
use larder_test_support::{TestCluster, TestServer, on_every_server};

use crate::larder::Larder;

#[tokio::test]
async fn every_figure_has_a_source_or_a_reason() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        for words in [
            ["SET", "k", "v"].as_slice(),
            &["GET", "k"],
            &["GET", "k"],
            &["GET", "k"],
            &["GET", "missing"],
            &["DEL", "k"],
        ] {
            server.run::<redis::Value>(words)?;
        }
        ensure!(server.run::<redis::Value>(&["NO-SUCH-COMMAND"]).is_err());
        let snapshot = Larder::of(&server.url()).ends(0, &["--output", "json", "collect"])?.json()?;
        let stats = &snapshot["cache_stats"];
        for (field, value) in [
            ("hit_count", 3),
            ("miss_count", 1),
            ("set_count", 1),
            ("delete_count", 1),
            ("total_operations", 6),
        ] {
            ensure!(stats[field] == value, "{field}: {stats:#}");
        }
        ensure!(stats["hit_rate"] == 0.75 && stats["error_count"].as_u64() > Some(0), "{stats:#}");
        ensure!(snapshot["health_info"]["status"] == "healthy", "{:#}", snapshot["health_info"]);
        ensure!(snapshot["health_info"]["memory_usage"]["used_memory"].as_u64() > Some(0));
        ensure!(snapshot["health_info"]["connection_pool_stats"]["connected_clients"].as_u64() > Some(0));
        ensure!(snapshot["performance_metrics"]["avg_latency_ms"].as_f64() > Some(0.0));
        ensure!(snapshot["nodes"][0]["info"]["server"]["run_id"].is_string(), "all of INFO is kept");

        // Measuring again has changed nothing that is measured.
        let again = Larder::of(&server.url()).ends(0, &["--output", "json", "collect"])?.json()?;
        ensure!(again["cache_stats"] == *stats, "{:#} is not {stats:#}", again["cache_stats"]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_cluster_is_summed_up_and_not_without_one_of_its_parts() {
    on_every_server(async |program| {
        let mut cluster = TestCluster::start(program, 0)?;
        let larder = Larder::of(&cluster.url());
        let snapshot = larder.ends(0, &["--output", "json", "collect"])?.json()?;
        ensure!(snapshot["nodes"].as_array().map(Vec::len) == Some(3));
        ensure!(snapshot["cache_stats"]["origin"]["instances"].as_array().map(Vec::len) == Some(3));
        let used: u64 = snapshot["nodes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|node| node["info"]["memory"]["used_memory"].as_str()?.parse::<u64>().ok())
            .sum();
        ensure!(snapshot["health_info"]["memory_usage"]["used_memory"] == used);

        cluster.servers[0].kill()?;
        let down = cluster.servers[0].node().to_string();
        let run = larder.ends(4, &["--output", "json", "collect"])?;
        run.says(&down)?;
        let snapshot = run.json()?;
        ensure!(snapshot["health_info"]["redis_connected"] == false);
        ensure!(
            snapshot["health_info"]["memory_usage"].is_null(),
            "a sum without a part would look like a fall"
        );
        ensure!(snapshot["cache_stats"]["hit_count"].is_null());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_restart_between_two_looks_is_seen() {
    on_every_server(async |program| {
        let mut server = TestServer::start(program)?;
        let larder = Larder::of(&server.url());
        let one = larder.ends(0, &["--output", "json", "collect"])?.json()?;
        server.restart()?;
        let other = larder.ends(0, &["--output", "json", "collect"])?.json()?;
        ensure!(one["cache_stats"]["origin"]["instances"] != other["cache_stats"]["origin"]["instances"]);
        Ok(())
    })
    .await;
}

#[test]
fn snapshots_of_one_day_are_all_kept() -> Result<()> {
    let larder = Larder::of("memory:sample");
    for _ in 0..3 {
        larder.ends(0, &["collect"])?;
    }
    let run = larder.ends(0, &["metrics", "export", "--format", "snapshots"])?;
    assert_eq!(run.stdout.lines().count(), 3, "{run:#?}");
    Ok(())
}

#[test]
fn a_damaged_database_costs_nothing_and_is_named() -> Result<()> {
    let larder = Larder::of("memory:sample");
    larder.ends(0, &["collect"])?;
    fs::write(larder.folder().join("metrics/metrics.sqlite"), "this is no database at all")?;
    let run = larder.ends(4, &["collect"])?;
    run.says("metrics.sqlite")?;
    run.says("written to metrics/cache_metrics_")?;
    let run = larder.ends(4, &["metrics", "check"])?;
    run.says("metrics.sqlite")?;
    Ok(())
}

#[test]
fn a_damaged_daily_file_is_moved_aside_and_named() -> Result<()> {
    let larder = Larder::of("memory:sample");
    larder.ends(0, &["collect"])?;
    let daily = fs::read_dir(larder.folder().join("metrics"))?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|kind| kind == "json"))
        .expect("a daily file");
    fs::write(&daily, "{\"timestamp\": 17")?;
    let run = larder.ends(4, &["collect"])?;
    run.says("damaged")?;
    let file: serde_json::Value = serde_json::from_str(&fs::read_to_string(&daily)?)?;
    assert!(file["cache_stats"]["hit_rate"].is_number());
    Ok(())
}
