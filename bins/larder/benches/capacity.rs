//! `larder capacity` as a whole process, over ten years of minutes of twenty metrics in SQLite.
//!
//! ```text
//! cargo bench -p larder --bench capacity
//! ```
//!
//! The history is made once a day, in the folder for temporary files of the build, through the store's own import: hours and days sum
//! up every minute; single minutes are kept as long as retention keeps them. Set by the environment:
//!
//! - `LARDER_BENCH_YEARS`: 10;
//! - `LARDER_BENCH_ROUNDS`: how often it is done, 5, of which the median counts.
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use larder_metrics_model::{Info, MemoryUsage, NodeAddress, NodeKind, NodeSnapshot, Snapshot};
use larder_metrics_store::{Retention, SqliteStore};

/// The program that is measured.
const LARDER: &str = env!("CARGO_BIN_EXE_larder");
/// Nothing listens there: what the history says of limits counts.
const NODE: &str = "127.0.0.1:1";

fn main() -> Result<()> {
    let number = |name: &str, default: u32| -> u32 {
        env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
    };
    let (years, rounds) = (number("LARDER_BENCH_YEARS", 10), number("LARDER_BENCH_ROUNDS", 5));
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("capacity-{years}-years"));
    make(&folder, years)?;
    let size = fs::metadata(folder.join("metrics/metrics.sqlite"))?.len();
    let mut runs = Vec::new();
    for _ in 0..rounds.max(1) {
        runs.push(run(&folder)?);
    }
    runs.sort_unstable();
    let (median, _) = runs[runs.len() / 2];
    let peak_kib = runs.iter().map(|(_, peak)| *peak).max().unwrap_or_default();
    println!(
        "larder capacity, {years} years of minutes of {} metrics, {} MB: {:.2} s ({:.2} to {:.2}), peak {} MiB",
        metrics(),
        size / 1_000_000,
        median.as_secs_f64(),
        runs[0].0.as_secs_f64(),
        runs[runs.len() - 1].0.as_secs_f64(),
        peak_kib >> 10
    );
    Ok(())
}

/// Makes the history where there is none of today.
fn make(folder: &Path, years: u32) -> Result<()> {
    let metrics = folder.join("metrics");
    let file = metrics.join("metrics.sqlite");
    let age = fs::metadata(&file).and_then(|it| it.modified()).ok().and_then(|it| it.elapsed().ok());
    if age.is_some_and(|age| age < Duration::from_hours(24)) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(&metrics)?;
    fs::write(folder.join("larder.toml"), "[metrics]\ndaily_files = false\n[machine]\nenabled = false\n")?;
    let begun = Instant::now();
    let minutes = i64::from(years) * 365 * 1440;
    let now = Utc::now().duration_trunc(TimeDelta::minutes(1))?;
    let start = now - TimeDelta::minutes(minutes);
    let making = metrics.join("making.sqlite");
    let store = SqliteStore::open(&making, Retention::default())?;
    let done = store.import((0..minutes).map(|minute| snapshot(start, minute)), now)?;
    drop(store);
    fs::rename(&making, &file)?;
    println!("made {} snapshots in {:.0} s", done.new, begun.elapsed().as_secs_f64());
    Ok(())
}

/// Growth, waves of the day, the week and the year, and seeded noise (splitmix64 of the minute).
fn snapshot(start: DateTime<Utc>, minute: i64) -> Snapshot {
    let mut noise = minute.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    noise = (noise ^ (noise >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let noise = (noise >> 40) % 1000;
    let passed = minute.unsigned_abs();
    let wave = |period: u64, height: u64| (passed % period).min(period - passed % period) * height / period;
    let busy = wave(1440, 1000) + wave(7 * 1440, 400) + wave(365 * 1440, 600) + noise / 4;
    let memory = 1_000_000_000 + passed * 1_000 + busy * 200_000;
    let count = passed * 60 + busy;
    let mut snapshot = Snapshot::at((start + TimeDelta::minutes(minute)).fixed_offset());
    snapshot.cache = Some(format!("redis://{NODE}"));
    let stats = &mut snapshot.cache_stats;
    (stats.hit_count, stats.miss_count, stats.total_operations) =
        (Some(count), Some(passed), Some(count * 2));
    stats.hit_rate = Some(0.9);
    snapshot.health_info.redis_ping_time = Some(0.3);
    let mut usage = MemoryUsage::default();
    usage.used_memory = Some(memory);
    snapshot.health_info.memory_usage = Some(usage);
    let mut node = NodeSnapshot::new(NodeAddress::new(NODE), NodeKind::Data);
    node.info = Info::parse(&format!(
        "# Server\r\nuptime_in_seconds:{}\r\n# Clients\r\nconnected_clients:{}\r\nmaxclients:10000\r\n\
         # Memory\r\nused_memory:{memory}\r\nused_memory_rss:{memory}\r\nmaxmemory:8000000000\r\n\
         maxmemory_policy:noeviction\r\nmem_fragmentation_ratio:1.1\r\n# Stats\r\ntotal_connections_received:{passed}\r\n\
         total_commands_processed:{count}\r\nkeyspace_hits:{count}\r\nkeyspace_misses:{passed}\r\n\
         total_net_input_bytes:{}\r\ntotal_net_output_bytes:{}\r\nexpired_keys:{passed}\r\nevicted_keys:0\r\n\
         # Keyspace\r\ndb0:keys={},expires={busy},avg_ttl=0\r\n",
        passed * 60,
        100 + busy,
        count * 200,
        count * 900,
        memory / 500,
    ));
    snapshot.nodes.push(node);
    snapshot
}

fn metrics() -> usize {
    snapshot(DateTime::UNIX_EPOCH, 1).samples().len()
}

/// Runs it once: how long that took, and the most memory that it had at once.
fn run(folder: &Path) -> Result<(Duration, u64)> {
    let begun = Instant::now();
    let mut child = Command::new(LARDER)
        .args(["--quiet", "--output", "json", "--cache", &format!("redis://{NODE}"), "capacity"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0;
    let ended = loop {
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        peak = peak.max(peak_kib(&status).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    };
    let took = begun.elapsed();
    ensure!(ended.success(), "larder capacity: {ended}");
    let report = format!("metrics/capacity_report_{}.json", chrono::Local::now().format("%Y-%m"));
    let report = fs::read_to_string(folder.join(report)).context("the report is not there")?;
    let report: serde_json::Value = serde_json::from_str(&report)?;
    let foretold = report["resources"].as_array().context("resources")?.iter();
    ensure!(foretold.clone().count() == 6, "{report:#}");
    ensure!(foretold.into_iter().all(|it| !it["model"].is_null()), "{report:#}");
    Ok((took, peak))
}

fn peak_kib(status: &Path) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok())
}
