//! Reports of sources, and of batches that are made here.

use bytes::Bytes;
use futures_util::TryStreamExt;
use larder_cache_client::{KeyBatch, KeyFields, KeyRecord, ScanPosition};
use larder_keyspace::{
    About, DumpOptions, DumpSource, FamilyReport, KeyReport, KeySource, ReportBuilder, ReportOptions, Result,
    TopKeys, Wanted,
};
use larder_metrics_model::NodeAddress;

/// Reads a source to its end.
pub(crate) async fn report(source: &dyn KeySource, wanted: Wanted, now_ms: i64) -> Result<KeyReport> {
    let builder = counted(source, wanted, now_ms, ReportOptions::default()).await?;
    Ok(builder.report(&About::new("test", source.bytes_source())))
}

pub(crate) async fn counted(
    source: &dyn KeySource,
    wanted: Wanted,
    now_ms: i64,
    options: ReportOptions,
) -> Result<ReportBuilder> {
    let mut builder = ReportBuilder::new(options);
    let mut batches = source.batches(wanted);
    while let Some(batch) = batches.try_next().await? {
        builder.add(&batch, source.counted_from_ms(now_ms));
    }
    Ok(builder)
}

pub(crate) async fn biggest(source: &dyn KeySource, count: usize) -> TopKeys {
    let mut top = TopKeys::new(count);
    let mut batches = source.batches(Wanted::new(KeyFields::all()));
    while let Some(batch) = batches.try_next().await.unwrap() {
        top.add(&batch, source.counted_from_ms(0));
    }
    top
}

pub(crate) fn dump(path: &std::path::Path, now_ms: i64) -> DumpSource {
    DumpSource::open(path, DumpOptions::at(now_ms)).unwrap()
}

pub(crate) fn everything() -> Wanted {
    Wanted::new(KeyFields::all())
}

pub(crate) fn family<'r>(report: &'r KeyReport, name: &str) -> &'r FamilyReport {
    let found = report.families.iter().find(|family| family.name == name);
    found.unwrap_or_else(|| panic!("there is no family {name}: {:?}", report.families))
}

pub(crate) fn record(key: impl Into<Bytes>) -> KeyRecord {
    KeyRecord::new(key.into())
}

pub(crate) fn batch(shard: &str, round: u32, records: Vec<KeyRecord>) -> KeyBatch {
    let mut batch = KeyBatch::new(NodeAddress::new(shard), records, ScanPosition::default());
    batch.round = round;
    batch
}
