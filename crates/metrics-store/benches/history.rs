//! What it takes to store a snapshot, and to sum up ten years of minutes of twenty metrics.

use std::{path::PathBuf, sync::LazyLock, time::Instant};

use chrono::{DateTime, TimeDelta, Utc};
use divan::{Bencher, black_box};
use larder_metrics_model::{Info, MemoryUsage, NodeAddress, NodeKind, NodeSnapshot, Snapshot};
use larder_metrics_store::{DailyFiles, DailyRetention, Resolution, Retention, SeriesQuery, SqliteStore};

const YEARS: i64 = 10;
const MINUTES: i64 = YEARS * 365 * 1440;

fn main() {
    divan::main();
}

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_451_606_400, 0).unwrap_or_default()
}

/// Twenty metrics: a daily wave, growth, and seeded noise (splitmix64 of the minute).
fn snapshot(minute: i64) -> Snapshot {
    let mut noise = minute.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    noise = (noise ^ (noise >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let noise = (noise >> 40) % 1000;
    let of_day = (minute % 1440).unsigned_abs();
    let memory = 1_000_000_000 + minute.unsigned_abs() * 100 + of_day * 1000 + noise;
    let mut snapshot = Snapshot::at((start() + TimeDelta::minutes(minute)).fixed_offset());
    snapshot.cache = Some("redis://cache:6379".to_owned());
    let stats = &mut snapshot.cache_stats;
    let count = Some(minute.unsigned_abs() * 60 + noise);
    (stats.hit_count, stats.miss_count, stats.set_count, stats.delete_count) = (count, count, count, count);
    (stats.total_operations, stats.error_count, stats.hit_rate) = (count, count, Some(0.9));
    let latency = &mut snapshot.performance_metrics;
    (latency.avg_latency_ms, latency.p95_latency_ms) = (Some(0.4), Some(0.9));
    (latency.p99_latency_ms, latency.max_latency_ms) = (Some(1.5), Some(3.0));
    snapshot.health_info.redis_ping_time = Some(0.3);
    let mut usage = MemoryUsage::default();
    usage.used_memory = Some(memory);
    snapshot.health_info.memory_usage = Some(usage);
    let mut node = NodeSnapshot::new(NodeAddress::new("cache:6379"), NodeKind::Data);
    node.info = Info::parse(&format!(
        "# Memory\r\nused_memory:{memory}\r\nused_memory_rss:{memory}\r\nmaxmemory:8000000000\r\n\
         # Clients\r\nconnected_clients:{noise}\r\n# Stats\r\nevicted_keys:{noise}\r\n\
         # Keyspace\r\ndb0:keys={memory},expires={noise},avg_ttl=0\r\n"
    ));
    snapshot.nodes.push(node);
    snapshot
}

fn metrics() -> Vec<(&'static str, Option<NodeAddress>)> {
    let snapshot = snapshot(1);
    snapshot.samples().iter().map(|sample| (sample.metric.name, sample.node.cloned())).collect()
}

/// Ten years, made once and kept in the folder for temporary files of the build.
static TEN_YEARS: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("ten-years.sqlite");
    if !path.exists() {
        let began = Instant::now();
        let making = path.with_extension("making");
        let _ = std::fs::remove_file(&making);
        let store = SqliteStore::open(&making, Retention::default()).expect("the folder can be written");
        let now = start() + TimeDelta::minutes(MINUTES);
        let done = store.import((0..MINUTES).map(snapshot), now).expect("the snapshots are whole");
        drop(store);
        std::fs::rename(&making, &path).expect("the folder can be written");
        let (seconds, metrics) = (began.elapsed().as_secs_f64(), metrics().len());
        let _ = std::io::Write::write_fmt(
            &mut std::io::stderr(),
            format_args!("made {} snapshots of {metrics} metrics in {seconds:.1} s\n", done.new),
        );
    }
    path
});

/// What a capacity report asks for: every metric, all ten years, by day.
#[divan::bench(sample_count = 10)]
fn ten_years_by_day(bencher: Bencher<'_, '_>) {
    let store = SqliteStore::open(TEN_YEARS.as_path(), Retention::default()).expect("it was made");
    let metrics = metrics();
    bencher.bench_local(|| {
        for (metric, node) in &metrics {
            let mut query = SeriesQuery::new(*metric).at(Resolution::Daily);
            query.node.clone_from(node);
            let series = store.series_blocking(&query).expect("it is whole");
            assert_eq!(series.points.len(), 3650);
            black_box(series);
        }
    });
}

#[divan::bench(sample_count = 20)]
fn month_of_minutes(bencher: Bencher<'_, '_>) {
    let store = SqliteStore::open(TEN_YEARS.as_path(), Retention::default()).expect("it was made");
    let query = SeriesQuery::new("hits").at(Resolution::Raw);
    bencher.bench_local(|| black_box(store.series_blocking(&query).expect("it is whole")));
}

#[divan::bench(sample_count = 100, sample_size = 1)]
fn append_to_sqlite(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the folder can be written");
    let path = folder.path().join("history.sqlite");
    let store = SqliteStore::open(path, Retention::default()).expect("the folder can be written");
    let mut minute = 0;
    bencher.bench_local(|| {
        minute += 1;
        store.append_blocking(&snapshot(minute)).expect("there is room")
    });
}

/// A day that has its share of earlier snapshots already.
#[divan::bench(sample_count = 100, sample_size = 1)]
fn append_to_daily_file(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the folder can be written");
    let store = DailyFiles::new(folder.path(), DailyRetention::default());
    for quarter in 0..88 {
        store.append_blocking(&snapshot(quarter * 15)).expect("there is room");
    }
    let mut minute = 88 * 15;
    bencher.bench_local(|| {
        minute += 1;
        store.append_blocking(&snapshot(minute)).expect("there is room")
    });
}
