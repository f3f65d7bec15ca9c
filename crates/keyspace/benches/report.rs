//! What a key costs in a report: counted from a batch, and read from a file of string keys.
//!
//! ```text
//! LARDER_BENCH_KEYS=5000000 cargo bench -p larder-keyspace --bench report
//! ```
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on stops")]

use std::{fs::File, io::BufWriter, path::PathBuf, time::Duration};

use bytes::Bytes;
use divan::{Bencher, counter::ItemsCount};
use futures_util::TryStreamExt;
use larder_cache_client::{KeyBatch, KeyFields, KeyRecord, KeyType, ScanPosition, Ttl};
use larder_keyspace::{
    About, BytesSource, DumpOptions, DumpSource, KeyReport, KeySource, ReportBuilder, ReportOptions, TopKeys,
    Wanted,
};
use larder_metrics_model::NodeAddress;
use larder_rdb::{KeyMeta, Server, Writer};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const AT_MS: i64 = 1_800_000_000_000;
const FAMILIES: [&str; 6] =
    ["app:search:", "app:embedding:", "session:", "user:profile:", "rate:", "doc:chunk:"];

fn main() {
    divan::main();
}

/// Numbers that look random.
fn mixed(number: u64) -> u64 {
    let mixed = (number ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 29)
}

fn name(number: u64) -> String {
    let family = FAMILIES[usize::try_from(mixed(number) % 6).unwrap()];
    format!("{family}{:016x}", mixed(number))
}

/// Batches as a sweep gives them, with what a report asks for by default.
fn batches(keys: u64) -> Vec<KeyBatch> {
    let record = |number: u64| {
        let mut record = KeyRecord::new(Bytes::from(name(number)));
        record.kind = Some(KeyType::String);
        let left = Duration::from_millis(mixed(number + 1) % 86_400_000);
        record.ttl = Some(if number % 10 < 6 { Ttl::In(left) } else { Ttl::None });
        record.memory_bytes = Some(100 + mixed(number) % 1000);
        record.idle = number.is_multiple_of(20).then(|| Duration::from_secs(mixed(number) % 3600));
        record
    };
    let numbers: Vec<u64> = (0..keys).collect();
    numbers
        .chunks(1000)
        .map(|chunk| {
            let records = chunk.iter().copied().map(record).collect();
            KeyBatch::new(NodeAddress::new("127.0.0.1:6379"), records, ScanPosition::default())
        })
        .collect()
}

#[divan::bench]
fn count_keys(bencher: Bencher<'_, '_>) {
    let batches = batches(200_000);
    bencher.counter(ItemsCount::new(200_000_u64)).bench_local(|| {
        let mut builder = ReportBuilder::new(ReportOptions::default());
        batches.iter().for_each(|batch| builder.add(batch, AT_MS));
        builder
    });
}

#[divan::bench]
fn find_biggest(bencher: Bencher<'_, '_>) {
    let batches = batches(200_000);
    bencher.counter(ItemsCount::new(200_000_u64)).bench_local(|| {
        let mut top = TopKeys::new(10);
        batches.iter().for_each(|batch| top.add(batch, AT_MS));
        top
    });
}

fn file() -> (TempDir, PathBuf, u64) {
    let keys = std::env::var("LARDER_BENCH_KEYS").ok().and_then(|keys| keys.parse().ok()).unwrap_or(200_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.rdb");
    let file = BufWriter::new(File::create(&path).unwrap());
    let mut writer = Writer::new(file, Server::redis(7, 0)).unwrap();
    writer.aux(b"ctime", (AT_MS / 1000).to_string().as_bytes()).unwrap();
    for number in 0..keys {
        let left = i64::try_from(mixed(number + 1) % 86_400_000).unwrap();
        let meta = KeyMeta::default();
        let meta = if number % 10 < 6 { meta.expiring_at_ms(AT_MS + 1 + left) } else { meta };
        let value = vec![b'x'; usize::try_from(100 + mixed(number) % 500).unwrap()];
        writer.string(name(number).as_bytes(), &meta, &value).unwrap();
    }
    writer.finish().unwrap().into_inner().unwrap().sync_all().unwrap();
    (folder, path, keys)
}

async fn report(path: &PathBuf, fields: KeyFields) -> KeyReport {
    let source = DumpSource::open(path, DumpOptions::at(AT_MS)).unwrap();
    let mut builder = ReportBuilder::new(ReportOptions::default());
    let mut batches = source.batches(Wanted::new(fields));
    while let Some(batch) = batches.try_next().await.unwrap() {
        builder.add(&batch, source.counted_from_ms(AT_MS));
    }
    builder.report(&About::new("bench", BytesSource::Estimated))
}

fn report_of_file(bencher: Bencher<'_, '_>, fields: KeyFields) {
    let (_folder, path, keys) = file();
    let runtime = Runtime::new().unwrap();
    bencher.counter(ItemsCount::new(keys)).bench_local(|| {
        let report = runtime.block_on(report(&path, fields));
        assert_eq!(report.total_keys, keys);
    });
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn report_of_file_with_everything(bencher: Bencher<'_, '_>) {
    report_of_file(bencher, KeyFields::all());
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn report_of_file_with_ttl_type_bytes(bencher: Bencher<'_, '_>) {
    report_of_file(bencher, KeyFields::TTL | KeyFields::TYPE | KeyFields::BYTES);
}
