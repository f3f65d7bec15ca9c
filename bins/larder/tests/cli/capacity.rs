//! `larder capacity`: seeded histories of real servers, whose days are known.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, DurationRound as _, NaiveDate, TimeDelta, Utc};
use larder_metrics_model::{Info, MemoryUsage, NodeAddress, NodeKind, NodeSnapshot, Snapshot};
use larder_metrics_store::{Retention, SqliteStore};
use larder_test_support::{ServerProgram, TestCluster, TestServer, TestServerBuilder, on_every_server};
use serde_json::Value;

use crate::larder::{Larder, skipped};

const MIB: f64 = 1_048_576.0;

fn limited(program: &ServerProgram) -> TestServerBuilder {
    TestServer::builder(program).config("maxmemory 100mb").config("maxmemory-policy noeviction")
}

/// What was measured of nodes each hour of so many days up to now: each has so many MiB on a day, and twice as many clients.
fn seed(larder: &Larder, cache: &str, nodes: &[&str], days: i32, mib: impl Fn(f64) -> f64) -> Result<()> {
    let now = Utc::now().duration_trunc(TimeDelta::hours(1))?;
    let snapshots = (0..days * 24).map(|hour| {
        let day = f64::from(hour) / 24.0;
        // Seeded, so that it is no straight line.
        let noise = (f64::from(hour) * 12.9898).sin() * 43_758.547 % 1.0;
        let at = now - TimeDelta::hours((days * 24 - hour).into());
        snapshot(at, cache, nodes, f64::from(hour), mib(day) + noise)
    });
    let folder = larder.folder().join("metrics");
    let store = SqliteStore::open(folder.join("metrics.sqlite"), Retention::default())?;
    store.import(snapshots, now)?;
    Ok(())
}

fn snapshot(at: DateTime<Utc>, cache: &str, nodes: &[&str], hour: f64, mib: f64) -> Snapshot {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some megabytes")]
    let (bytes, hour) = ((mib * MIB) as u64, hour as u64);
    let mut snapshot = Snapshot::at(at.fixed_offset());
    snapshot.cache = Some(cache.to_owned());
    snapshot.cache_stats.total_operations = Some(hour * 360_000);
    let mut usage = MemoryUsage::default();
    usage.used_memory = Some(bytes * nodes.len() as u64);
    snapshot.health_info.memory_usage = Some(usage);
    for node in nodes {
        let mut measured = NodeSnapshot::new(NodeAddress::new(*node), NodeKind::Data);
        measured.info = Info::parse(&format!(
            "# Server\r\nuptime_in_seconds:{}\r\n# Clients\r\nconnected_clients:{}\r\nmaxclients:5000\r\n\
             # Memory\r\nused_memory:{bytes}\r\nmaxmemory:209715200\r\nmaxmemory_policy:noeviction\r\n\
             # Stats\r\ntotal_commands_processed:{}\r\ntotal_net_input_bytes:{}\r\ntotal_net_output_bytes:{}\r\n\
             # Replication\r\nrole:master\r\n# Keyspace\r\ndb0:keys={},expires=0,avg_ttl=0\r\n",
            hour * 3_600,
            bytes / 524_288,
            hour * 360_000,
            hour * 36_000_000,
            hour * 72_000_000,
            bytes / 1_000,
        ));
        snapshot.nodes.push(measured);
    }
    snapshot
}

fn seeded(server: &TestServer, days: i32, mib: impl Fn(f64) -> f64) -> Result<Larder> {
    let larder = Larder::of(&server.url());
    seed(&larder, &server.url(), &[server.node().as_str()], days, mib)?;
    Ok(larder)
}

fn resource<'v>(planned: &'v Value, kind: &str) -> Result<&'v Value> {
    let resources = planned["resources"].as_array().context("resources")?;
    resources.iter().find(|it| it["resource"] == kind).with_context(|| format!("no {kind}: {planned:#}"))
}

fn ids(planned: &Value) -> Vec<&str> {
    let findings = planned["findings"].as_array().into_iter().flatten();
    findings.filter_map(|finding| finding["id"].as_str()).collect()
}

fn report() -> String {
    format!("metrics/capacity_report_{}.json", chrono::Local::now().format("%Y-%m"))
}

#[tokio::test]
async fn a_history_that_grows_is_full_on_the_day_that_it_is() {
    on_every_server(async |program| {
        let server = limited(program).start()?;
        // 40 MiB and half a MiB a day: 85 % of 100 MiB 30 days from now, all of it in 60.
        let larder = seeded(&server, 60, |day| 40.0 + day / 2.0)?;
        let run = larder.ends(0, &["--output", "json", "capacity"])?;
        let planned = run.json()?;
        let memory = resource(&planned, "memory")?;
        ensure!(memory["limit"] == 104_857_600.0 && memory["limit_source"] == "maxmemory", "{memory:#}");
        ensure!(memory["subject"] == server.node().as_str(), "{memory:#}");
        for (passing, days) in [(0, 30), (1, 60)] {
            let passing = &memory["passings"][passing];
            let day = |field: &str| -> Result<NaiveDate> {
                Ok(passing[field].as_str().with_context(|| format!("{passing:#}"))?.parse()?)
            };
            let expected = (Utc::now() + TimeDelta::days(days)).date_naive();
            ensure!((day("expected")? - expected).num_days().abs() <= 4, "{expected}: {memory:#}");
            ensure!(
                day("earliest")? <= day("expected")? && day("expected")? <= day("latest")?,
                "{passing:#}"
            );
        }
        let growth = memory["growth"]["per_month"].as_f64().context("growth")? / MIB;
        ensure!((growth - 15.2).abs() < 0.5, "{growth} MiB a month: {memory:#}");
        let clients = resource(&planned, "connections")?;
        ensure!(clients["limit_source"] == "maxclients" && clients["passings"][1]["state"] == "not_within");
        let operations = resource(&planned, "operations")?["latest"].as_f64().context("operations")?;
        ensure!((operations - 100.0).abs() < 1.0, "{operations}");
        ensure!(
            (resource(&planned, "network_out")?["latest"].as_f64().context("bytes")? - 20_000.0).abs() < 10.0
        );
        ensure!(ids(&planned) == ["capacity.memory_growth", "capacity.memory_limit"], "{planned:#}");
        ensure!(planned["memory_trends"]["trend"] == "increasing", "{planned:#}");
        ensure!(planned["capacity_recommendations"][0]["category"] == "memory", "{planned:#}");

        let written: Value = serde_json::from_str(&fs::read_to_string(larder.folder().join(report()))?)?;
        ensure!(written == planned, "the report is another one");
        let page = fs::read_to_string(larder.folder().join(report()).with_extension("html"))?;
        ensure!(page.contains("<h2>Limits</h2>") && page.contains("maxmemory"), "{page}");
        let charts = planned["resources"].as_array().map_or(0, Vec::len);
        ensure!(page.matches("<svg ").count() == charts, "{charts} charts are not on the page");
        let run = larder.ends(0, &["capacity", "--explain", "--horizon", "90d"])?;
        for words in ["100.0 MiB (maxmemory)", "(between ", "backtest: 3 times", "risk:", "90 days ahead"] {
            run.says(words)?;
        }
        // What evicts refuses nothing.
        server.run::<()>(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"])?;
        larder.ends(0, &["capacity"])?.says("Keys are evicted from then on")
    })
    .await;
}

#[tokio::test]
async fn without_maxmemory_the_machine_is_the_limit_and_no_report_is_written_unasked() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let larder = seeded(&server, 60, |_| 40.0)?;
        let planned = larder.ends(0, &["--output", "json", "capacity", "--no-report"])?.json()?;
        ensure!(!larder.folder().join(report()).exists());
        let memory = resource(&planned, "memory")?;
        ensure!(memory["limit_source"] == "machine", "{memory:#}");
        let machine: f64 = server.info("total_system_memory")?.context("the machine")?.parse()?;
        ensure!(memory["limit"] == machine && ids(&planned).is_empty(), "{planned:#}");
        larder.ends(0, &["capacity"])?.says("(memory of the machine)")
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_down_has_the_limits_of_its_history() {
    on_every_server(async |program| {
        let mut server = limited(program).start()?;
        let larder = seeded(&server, 60, |day| 40.0 + day)?;
        server.kill()?;
        let planned = larder.ends(4, &["--output", "json", "capacity"])?.json()?;
        let memory = resource(&planned, "memory")?;
        ensure!(memory["limit"] == 209_715_200.0, "{memory:#}");
        ensure!(resource(&planned, "connections")?["limit"] == 5_000.0, "{planned:#}");
        ensure!(skipped(&planned).iter().any(|(what, _)| what.contains("for its limits")), "{planned:#}");
        larder.ends(4, &["capacity"])?.says("because the node does not answer now")
    })
    .await;
}

#[tokio::test]
async fn each_node_of_a_cluster_is_full_by_itself_and_keys_are_of_all() {
    on_every_server(async |program| {
        let cluster = TestCluster::configured(program, &["maxmemory 100mb"])?;
        let larder = Larder::of(&cluster.url());
        let collected = larder.ends(0, &["--output", "json", "collect"])?.json()?;
        let cache = collected["cache"].as_str().context("a name")?.to_owned();
        let nodes: Vec<String> = collected["nodes"]
            .as_array()
            .context("nodes")?
            .iter()
            .filter_map(|node| Some(node["node"].as_str()?.to_owned()))
            .collect();
        fs::remove_dir_all(larder.folder().join("metrics"))?;
        let names: Vec<&str> = nodes.iter().map(String::as_str).collect();
        seed(&larder, &cache, &names, 30, |day| 40.0 + day)?;
        let planned = larder.ends(0, &["--output", "json", "capacity"])?.json()?;
        let of = |kind: &str| {
            let resources = planned["resources"].as_array().into_iter().flatten();
            resources.filter(|it| it["resource"] == kind).collect::<Vec<_>>()
        };
        ensure!(
            of("memory").len() == 3 && of("connections").len() == 3 && of("keys").len() == 1,
            "{planned:#}"
        );
        for memory in of("memory") {
            ensure!(memory["passings"][1]["state"] == "passes", "{memory:#}");
        }
        // 70 MiB of keys of 1,000 bytes on each of three nodes.
        let keys = of("keys")[0]["latest"].as_f64().context("keys")?;
        ensure!((keys - 3.0 * 70.0 * MIB / 1_000.0).abs() < 10_000.0, "{keys}");
        Ok(())
    })
    .await;
}

#[test]
fn what_is_configured_counts_and_what_makes_no_sense_is_refused() -> Result<()> {
    let url = "redis://127.0.0.1:1";
    let larder = Larder::of(url);
    seed(&larder, url, &["127.0.0.1:1"], 30, |day| 40.0 + day)?;
    larder.configure("[capacity]\nhorizon = \"30days\"\nkeys_max = 75000\noperations_max = 100\nnetwork_in_max = \"1MiB\"\n");
    let planned = larder.ends(4, &["--output", "json", "capacity"])?.json()?;
    ensure!(planned["horizon_days"] == 30, "{planned:#}");
    ensure!(resource(&planned, "keys")?["passings"][1]["state"] == "passes", "{planned:#}");
    ensure!(resource(&planned, "network_in")?["limit"] == 1_048_576.0, "{planned:#}");
    ensure!(ids(&planned).contains(&"capacity.operations_limit"), "{planned:#}");
    let shown = larder.ends(0, &["config", "show"])?.json()?;
    ensure!(shown["capacity"]["near_share"] == 0.85 && shown["capacity"]["keys_max"] == 75_000, "{shown:#}");

    for wrong in ["soon", "1h", "11y"] {
        larder.ends(2, &["capacity", "--horizon", wrong])?.says("--horizon")?;
    }
    for (text, words) in [
        ("near_shar = 0.9", "is `near_share` meant?"),
        ("near_share = 85", "between 0 and 1"),
        ("near_share = 0", "capacity.near_share"),
        ("horizon = \"1h\"", "capacity.horizon is `1h`"),
        ("keys_max = 0", "capacity.keys_max"),
        ("soon = \"1d\"\nurgent = \"2d\"", "capacity.urgent has to be no more than capacity.soon"),
        ("network_in_max = \"much\"", "larder.toml:2:"),
    ] {
        larder.configure(&format!("[capacity]\n{text}\n"));
        larder.ends(2, &["capacity"])?.says(words)?;
        larder.ends(2, &["config", "check"])?.says(words)?;
    }
    larder.configure("");
    larder.ends(2, &["--output", "nagios", "capacity"])?.says("have the form nagios")?;
    Ok(())
}

#[test]
fn a_history_that_is_empty_of_another_or_damaged_is_said() -> Result<()> {
    let larder = Larder::of("redis://127.0.0.1:1");
    let run = larder.ends(1, &["capacity"])?;
    run.says("the history is empty: `larder collect` measures once")?;
    run.says("not enough data")?;
    ensure!(!larder.folder().join(report()).exists(), "a report of nothing was written");
    seed(&larder, "redis://other:6379", &["other:6379"], 5, |_| 40.0)?;
    larder
        .ends(1, &["capacity", "--no-report"])?
        .says("nothing of redis://127.0.0.1:1, but of redis://other:6379")?;

    larder.write("metrics/metrics.sqlite", "no database at all, and longer than a header of one would be");
    larder.ends(1, &["capacity", "--no-report"])?.says("`larder metrics check` says what is damaged")?;
    // Where the report cannot be written, it is shown all the same.
    let larder = Larder::of("memory:sample");
    larder.ends(0, &["collect"])?;
    let month = report();
    fs::create_dir(larder.folder().join(&month))?;
    let run = larder.ends(4, &["capacity"])?;
    run.says("16.0 MiB (maxmemory)")?;
    run.says("capacity_report_")
}

#[test]
fn daily_files_are_read_only_where_there_is_nothing_else() -> Result<()> {
    let url = "redis://127.0.0.1:1";
    let larder = Larder::of(url);
    seed(&larder, url, &["127.0.0.1:1"], 5, |_| 40.0)?;
    let day = chrono::Local::now().date_naive() - TimeDelta::days(40);
    let file = format!("metrics/cache_metrics_{day}.json");
    // A file that is damaged is said by whoever reads it.
    larder.write(&file, "{");
    let run = larder.ends(4, &["capacity", "--no-report"])?;
    ensure!(!run.stderr.contains(&file), "{run:#?}");
    fs::remove_file(larder.folder().join("metrics/metrics.sqlite"))?;
    larder.ends(1, &["capacity", "--no-report"])?.says(&file)
}
