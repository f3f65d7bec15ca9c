//! `larder optimize`, on real servers with a history that is made.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, TimeDelta, Timelike as _, Utc};
use larder_metrics_model::{NodeAddress, Snapshot};
use larder_metrics_store::{Retention, SqliteStore};
use larder_test_support::{Measured, TestServer, free_port, on_every_server};
use serde_json::Value;

use crate::larder::{Larder, findings, skipped};

/// Ten minutes between two measurements, for eight days.
const STEP: i64 = 600;
const STEPS: i64 = 8 * 144;
/// Some hours ago the server was started anew.
const RESTART: i64 = STEPS - 40;

/// When a step was measured; the last one some minutes ago.
fn at(step: i64) -> DateTime<Utc> {
    let now = Utc::now().with_nanosecond(0).unwrap_or_default();
    now - TimeDelta::minutes(2) - TimeDelta::seconds((STEPS - step) * STEP)
}

/// Half of what is asked for is not found, the memory is full, and clients keep no connection.
fn poor(step: i64) -> Measured {
    let seconds = if step < RESTART { 86_400 + step * STEP } else { (step - RESTART) * STEP + 60 };
    let seconds = seconds.unsigned_abs();
    let mut measured = Measured::after(seconds);
    (measured.hits, measured.misses) = (seconds * 50, seconds * 50);
    measured.used_memory = (960 << 20) + ((step * 7 % 13).unsigned_abs() << 20);
    measured.rss = 1_100 << 20;
    measured.policy = "noeviction";
    measured.connections = seconds * 20;
    measured
}

fn snapshots(cache: Option<&str>, node: &NodeAddress, measured: fn(i64) -> Measured) -> Vec<Snapshot> {
    (0..STEPS).map(|step| measured(step).snapshot(cache, node, at(step))).collect()
}

fn remember(larder: &Larder, snapshots: &[Snapshot]) -> Result<()> {
    let folder = larder.folder().join("metrics");
    fs::create_dir_all(&folder)?;
    let series = SqliteStore::open(folder.join("metrics.sqlite"), Retention::default())?;
    series.append_all(snapshots)?;
    Ok(())
}

/// With a history of a server that does poorly.
fn larder_of(server: &TestServer) -> Result<Larder> {
    let larder = Larder::of(&server.url());
    remember(&larder, &snapshots(Some(&server.url()), &server.node(), poor))?;
    Ok(larder)
}

fn report_path(larder: &Larder) -> std::path::PathBuf {
    let today = chrono::Local::now().format("%Y-%m-%d");
    larder.folder().join(format!("metrics/optimization_report_{today}.json"))
}

fn ids(found: &Value) -> Vec<&str> {
    let list = found["findings"].as_array().into_iter().flatten();
    list.filter_map(|finding| finding["id"].as_str()).collect()
}

#[tokio::test]
async fn a_history_and_a_live_server_give_findings_and_a_report() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let larder = larder_of(&server)?;
        server.run::<()>(&["CONFIG", "SET", "slowlog-log-slower-than", "0"])?;
        let busy = "local n = 0 for i = 1, 2000000 do n = n + i end return n";
        server.run::<u64>(&["EVAL", busy, "1", "secret:1", "value"])?;
        // No one waits for what takes microseconds.
        server.run::<()>(&["MSET", "secret:1", "value", "secret:2", "value"])?;
        server.run::<()>(&["CONFIG", "SET", "slowlog-log-slower-than", "10000000"])?;
        let run = larder.ends(0, &["--output", "json", "optimize"])?;
        run.hides("secret")?;
        let found = run.json()?;
        for analysis in ["hit_rate_analysis", "latency_analysis", "memory_analysis", "operation_analysis"] {
            ensure!(found[analysis]["trend"] == "stable", "{analysis}: {found:#}");
        }
        let hit_rate = found["hit_rate_analysis"]["average_hit_rate"].as_f64().context("a hit rate")?;
        ensure!((hit_rate - 0.5).abs() < 1e-6, "{found:#}");
        // INFO of the live server says noeviction too, which is the default of every version.
        let of_node = findings(&found, server.node().as_str());
        for id in ["optimize.policy_refuses_writes", "optimize.connection_churn", "optimize.slow_commands"] {
            ensure!(of_node.iter().any(|known| known == id), "{id}: {found:#}");
        }
        ensure!(
            found["findings"][0]["severity"] == "warning" || found["findings"][0]["severity"] == "critical"
        );
        let slow: Vec<&str> = found["findings"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|finding| finding["id"] == "optimize.slow_commands")
            .filter_map(|finding| finding["message"].as_str())
            .collect();
        ensure!(slow.len() == 1 && slow[0].starts_with("EVAL with 2 to 9 arguments"), "{slow:#?}");
        let notes = found["notes"].to_string();
        ensure!(notes.contains("1 interval in which the counting began anew is left out"), "{notes}");

        let report: Value = serde_json::from_str(&fs::read_to_string(report_path(&larder))?)?;
        ensure!(report == found, "{report:#}");
        let page = fs::read_to_string(report_path(&larder).with_extension("html"))?;
        ensure!(page.contains("<h2>Findings</h2>") && page.contains("<svg "), "{page}");
        let first = found["findings"][0]["id"].as_str().context("a finding")?;
        ensure!(page.contains(&format!("[{first}]")), "{first} is not on the page");
        run.says("optimization_report_")?;

        let people = larder.ends(0, &["optimize"])?;
        for words in
            ["hit rate", "50.0 %", "stable", "seen: ", "do: ", "then: ", "risk: ", "notes\n", "skipped\n"]
        {
            people.says(words)?;
        }
        people.says("the commands of clients were not looked at; `larder optimize --sample-traffic` does")
    })
    .await;
}

#[tokio::test]
async fn what_is_blocked_is_skipped_with_the_reason() {
    on_every_server(async |program| {
        let server = TestServer::builder(program).user("user blind on >secret +ping +info").start()?;
        let larder = larder_of(&server)?.with("LARDER_USERNAME", "blind").with("LARDER_PASSWORD", "secret");
        let found = larder.ends(0, &["--output", "json", "optimize"])?.json()?;
        let skipped = skipped(&found);
        let slow_log = format!("slow log of {}", server.node());
        ensure!(
            skipped.iter().any(|(what, why)| *what == slow_log && why.contains("SLOWLOG")),
            "{skipped:#?}"
        );
        ensure!(ids(&found).contains(&"optimize.policy_refuses_writes"), "INFO has the policy: {found:#}");

        let renamed = TestServer::builder(program)
            .config("rename-command CONFIG \"\"")
            .config("rename-command SLOWLOG \"\"")
            .start()?;
        let found = larder_of(&renamed)?.ends(0, &["--output", "json", "optimize"])?.json()?;
        ensure!(self::skipped(&found).iter().any(|(what, _)| what.starts_with("slow log of")), "{found:#}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_down_leaves_the_history_to_judge() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let larder = larder_of(&server)?;
        drop(server);
        let run = larder.ends(4, &["optimize"])?;
        run.says("cannot be asked")?;
        run.says("optimize.hit_rate_low")?;
        ensure!(report_path(&larder).exists());

        let live = TestServer::start(program)?;
        let nothing = Larder::of(&live.url());
        nothing.ends(4, &["optimize"])?.says("`larder collect` measures")?;
        nothing.ends(0, &["collect"])?;
        let run = nothing.ends(0, &["optimize"])?;
        run.says("not enough data, with 1 measurement in this time: most findings and a trend take 5")?;
        run.says("too few to tell a trend, which takes 5")
    })
    .await;
}

#[test]
fn without_history_and_server_it_fails_and_writes_nothing() -> Result<()> {
    let larder = Larder::of(&format!("redis://127.0.0.1:{}", free_port()?));
    let run = larder.ends(1, &["optimize"])?;
    run.says("the history has no measurement of this time")?;
    ensure!(!larder.folder().join("metrics").exists(), "{run:#?}");
    Ok(())
}

#[test]
fn the_cache_that_is_meant_is_told_or_asked_for() -> Result<()> {
    let node = NodeAddress::new("far.example:6379");
    let larder = Larder::new();
    remember(&larder, &snapshots(Some("redis://far.example:6379"), &node, poor))?;
    let run = larder.ends(0, &["optimize"])?;
    run.says("redis://far.example:6379, ")?;
    run.says("no cache is named, and the history is of redis://far.example:6379; --cache names it")?;
    larder
        .ends(2, &["--cache", "redis://other.example", "optimize"])?
        .says("the history has nothing of redis://other.example:6379; it has redis://far.example:6379")?;
    remember(&larder, &snapshots(Some("redis://near.example:6379"), &node, poor))?;
    larder
        .ends(2, &["optimize"])?
        .says("the history is of several: redis://far.example:6379, redis://near.example:6379 with --cache")
}

#[test]
fn how_much_is_judged_and_what_is_recommended_can_be_chosen() -> Result<()> {
    let node = NodeAddress::new("far.example:6379");
    let larder = Larder::new();
    remember(&larder, &snapshots(Some("redis://far.example:6379"), &node, poor))?;
    larder.ends(0, &["optimize", "--no-report"])?;
    ensure!(!report_path(&larder).exists());
    let lookups = |days: &str| -> Result<f64> {
        let found =
            larder.ends(0, &["--output", "json", "optimize", "--no-report", "--days", days])?.json()?;
        found["hit_rate_analysis"]["lookups"].as_f64().context("look-ups")
    };
    let (day, week) = (lookups("1")?, lookups("7")?);
    ensure!((6.5..7.5).contains(&(week / day)), "{day} {week}");
    // Where the report would be, there is a folder.
    fs::create_dir(report_path(&larder))?;
    larder.ends(4, &["optimize"])?.says("the report is not written")?;
    fs::remove_dir(report_path(&larder))?;
    for wrong in ["0", "3651", "a"] {
        larder.ends(2, &["optimize", "--days", wrong])?;
    }
    larder.ends(2, &["--output", "nagios", "optimize"])?.says("have the form nagios")?;

    larder.configure("[optimize.thresholds]\nhit_rate_min = 0.4\nmemory_pressure = 0.99\n");
    let found = larder.ends(0, &["--output", "json", "optimize"])?.json()?;
    ensure!(ids(&found) == ["optimize.connection_churn"], "{found:#}");
    let shown = larder.ends(0, &["config", "show"])?.json()?;
    ensure!(shown["optimize"]["thresholds"]["hit_rate_min"] == 0.4, "{shown:#}");
    larder.configure("[optimize.thresholds]\nhit_rate = 0.4\n");
    larder.ends(2, &["optimize"])?.says("unknown key `hit_rate`; is `hit_rate_min` meant?")?;
    Ok(())
}

#[test]
fn a_hit_rate_that_fell_is_named_with_its_day_and_judged_by_what_it_is_now() -> Result<()> {
    fn fell(step: i64) -> Measured {
        let seconds = (86_400 + step * STEP).unsigned_abs();
        let low = ((step - (STEPS - 3 * 144)).max(0) * STEP).unsigned_abs();
        let mut measured = Measured::after(seconds);
        (measured.hits, measured.misses) = (seconds * 95 - low * 35, seconds * 5 + low * 35);
        measured
    }
    let node = NodeAddress::new("far.example:6379");
    let larder = Larder::new();
    remember(&larder, &snapshots(Some("redis://far.example:6379"), &node, fell))?;
    let run = larder.ends(0, &["optimize", "--no-report"])?;
    run.says("declining: 60.0 % since ")?;
    run.says("The hit rate fell from 95.0 % to 60.0 % at ")?;
    run.says("and has stayed there. [optimize.level_changed]")?;
    run.says("60.0 % of the look-ups found a value since ")?;
    let found = larder.ends(0, &["--output", "json", "optimize", "--no-report"])?.json()?;
    let hit_rate = &found["hit_rate_analysis"];
    ensure!(hit_rate["average_hit_rate"].as_f64().is_some_and(|mean| mean > 0.7), "{hit_rate:#}");
    let since: DateTime<Utc> = hit_rate["change_of_level"]["since"].as_str().context("a moment")?.parse()?;
    ensure!((since - at(STEPS - 3 * 144)).abs() <= TimeDelta::hours(1), "{hit_rate:#}");
    ensure!(
        hit_rate["change_of_level"]["changes"].as_array().is_some_and(|all| all.len() == 1),
        "{hit_rate:#}"
    );
    ensure!(ids(&found).contains(&"optimize.hit_rate_low"), "{found:#}");
    Ok(())
}

#[test]
fn a_damaged_part_of_the_history_is_named() -> Result<()> {
    let node = NodeAddress::new("far.example:6379");
    let larder = Larder::new();
    larder.configure("[metrics]\nseries = false\n");
    let folder = larder.folder().join("metrics");
    fs::create_dir(&folder)?;
    for days_ago in 0..6 {
        let snapshot = poor(STEPS - 1 - days_ago * 144).snapshot(None, &node, at(STEPS - 1 - days_ago * 144));
        let day = snapshot.date.get(..10).context("a day")?;
        fs::write(folder.join(format!("cache_metrics_{day}.json")), serde_json::to_string(&snapshot)?)?;
    }
    let broken =
        folder.join(format!("cache_metrics_{}.json", (Utc::now() - TimeDelta::days(3)).format("%Y-%m-%d")));
    fs::write(&broken, "{")?;
    let run = larder.run(&["optimize"])?;
    ensure!(run.code == 4, "{run:#?}");
    run.says(&broken.file_name().unwrap_or_default().to_string_lossy())?;
    run.says("optimize.memory_pressure")
}

#[test]
fn the_week_is_judged_by_maintain() -> Result<()> {
    let larder = Larder::of("memory:sample");
    larder.ends(0, &["collect"])?;
    let run = larder.ends(0, &["maintain", "weekly"])?;
    run.says("== optimize: done")?;
    run.says("not enough data")?;
    ensure!(!run.stdout.contains("== verify"), "{run:#?}");
    ensure!(report_path(&larder).exists());
    let outcome = larder.ends(0, &["--output", "json", "maintain", "weekly"])?.json()?;
    ensure!(outcome["jobs"][0]["report"]["optimize"]["window"]["cache"] == "memory:sample", "{outcome:#}");
    // The history has no such cache: the job is not even put together, and has nothing to report under its name.
    let elsewhere = ["--cache", "redis://other.example", "--output", "json", "maintain", "weekly"];
    let outcome = larder.ends(1, &elsewhere)?.json()?;
    ensure!(outcome["jobs"][0]["report"] == serde_json::json!({"optimize": null}), "{outcome:#}");
    Ok(())
}

#[tokio::test]
async fn a_big_key_among_small_ones_is_found_by_the_report_of_the_keys() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let larder = Larder::of(&server.url());
        for number in 0..50 {
            server.run::<()>(&["SET", &format!("page:{number}"), "small"])?;
        }
        server.run::<()>(&["SET", "page:big", &"x".repeat(2 << 20)])?;
        larder.ends(0, &["collect"])?;
        larder.ends(0, &["keys", "report", "--store"])?;
        let found = larder.ends(0, &["--output", "json", "optimize", "--no-report"])?.json()?;
        let list = found["findings"].as_array().context("findings")?;
        let big = list.iter().find(|finding| finding["id"] == "optimize.big_keys");
        let words =
            big.and_then(|finding| finding["message"].as_str()).with_context(|| format!("{found:#}"))?;
        ensure!(words.starts_with("The biggest key of this family takes 2."), "{words}");
        Ok(())
    })
    .await;
}
