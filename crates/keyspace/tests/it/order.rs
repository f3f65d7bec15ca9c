//! What does not matter to a report, and what holds of every one.

use std::time::Duration;

use larder_cache_client::{KeyBatch, KeyRecord, KeyType, Ttl};
use larder_keyspace::{
    About, BytesSource, Classifier, Coverage, FamilyNode, KeyReport, ReportBuilder, ReportOptions,
};
use proptest::prelude::*;

use crate::batches::{batch, family, record};

const AT_MS: i64 = 1_800_000_000_000;

fn reported(builder: &ReportBuilder) -> KeyReport {
    builder.report(&About::new("test", BytesSource::Measured))
}

fn built(batches: &[KeyBatch]) -> ReportBuilder {
    let mut builder = ReportBuilder::new(ReportOptions::default());
    batches.iter().for_each(|batch| builder.add(batch, AT_MS));
    builder
}

fn any_record() -> impl Strategy<Value = KeyRecord> {
    let kinds =
        prop_oneof![Just(KeyType::String), Just(KeyType::Hash), Just(KeyType::Module("mod".to_owned())),];
    let ttl = prop_oneof![
        Just(Ttl::None),
        (0..2_000_000_u64).prop_map(|seconds| Ttl::In(Duration::from_secs(seconds))),
    ];
    let idle = prop::option::of((0..100_000_u64).prop_map(Duration::from_secs));
    ("[ab]{0,2}(:[cd])?(:[e-g]{1,2})?", kinds, ttl, 1..5000_u64, idle, 0..3_u64).prop_map(
        |(name, kind, ttl, bytes, idle, database)| {
            let mut record = record(name.into_bytes());
            (record.kind, record.ttl, record.memory_bytes) = (Some(kind), Some(ttl), Some(bytes));
            (record.idle, record.database) = (idle, database);
            record.encoding = Some("listpack".into());
            record
        },
    )
}

fn any_batch() -> impl Strategy<Value = KeyBatch> {
    (0..3_u8, 0..3_u32, prop::collection::vec(any_record(), 0..30))
        .prop_map(|(shard, round, records)| batch(&format!("shard {shard}"), round, records))
}

fn keys_below(nodes: &[FamilyNode]) -> u64 {
    nodes.iter().map(|node| node.figures.keys).sum()
}

proptest! {
    #[test]
    fn the_order_of_batches_and_shards_does_not_matter(
        batches in prop::collection::vec(any_batch(), 0..12),
        seed: u64,
    ) {
        let mut others = batches.clone();
        let length = others.len().max(1) as u64;
        for place in 0..others.len() {
            let other = usize::try_from(seed.rotate_left(u32::try_from(place).unwrap()) % length).unwrap();
            others.swap(place, other);
        }
        for batch in &mut others {
            batch.records.reverse();
        }
        prop_assert_eq!(reported(&built(&batches)), reported(&built(&others)));
    }

    #[test]
    fn sums_hold(batches in prop::collection::vec(any_batch(), 0..12)) {
        let builder = built(&batches);
        let report = reported(&builder);
        prop_assert_eq!(report.total_keys, builder.keys());
        // Only the last round of a shard counts.
        let last = |shard: &KeyBatch| batches.iter().filter(|it| it.shard == shard.shard).map(|it| it.round).max();
        let counted: Vec<_> = batches.iter().filter(|it| last(it) == Some(it.round)).collect();
        prop_assert_eq!(report.total_keys, counted.iter().map(|it| it.records.len() as u64).sum::<u64>());
        let records = || counted.iter().flat_map(|batch| &batch.records);
        let bytes: u64 = records().filter_map(|record| record.memory_bytes).sum();
        prop_assert_eq!(report.bytes, (report.total_keys > 0 || bytes == 0).then_some(bytes));
        let lasting = records().filter(|record| record.ttl == Some(Ttl::None)).count() as u64;
        prop_assert_eq!(report.expiring_keys, Some(report.total_keys - lasting));
        let families = &report.families;
        prop_assert_eq!(families.iter().map(|family| family.figures.keys).sum::<u64>(), report.total_keys);
        prop_assert_eq!(families.iter().filter_map(|family| family.figures.bytes).sum::<u64>(), bytes);
        for sum in [&report.types, &report.layouts] {
            prop_assert_eq!(sum.values().sum::<u64>(), report.total_keys);
        }
        prop_assert_eq!(report.databases.values().sum::<u64>(), report.total_keys);
        prop_assert_eq!(report.nodes.values().sum::<u64>(), report.total_keys);
        prop_assert_eq!(report.bytes_by_type.values().sum::<u64>(), bytes);
        prop_assert_eq!(keys_below(&report.tree), report.total_keys);
        for node in &report.tree {
            prop_assert!(keys_below(&node.children) <= node.figures.keys);
        }
        let spans: u64 = report.ttl.iter().flat_map(|ttl| &ttl.histogram).map(|span| span.keys).sum();
        prop_assert_eq!(Some(spans), report.expiring_keys);
    }

    #[test]
    fn a_report_is_read_as_it_is_written(batches in prop::collection::vec(any_batch(), 0..6)) {
        let mut about = About::new("a <cache>", BytesSource::Measured);
        about.coverage = Coverage::FirstKeys { of: 1000 };
        let report = built(&batches).report(&about);
        let json = serde_json::to_string(&report).unwrap();
        prop_assert_eq!(serde_json::from_str::<KeyReport>(&json).unwrap(), report);
    }

    #[test]
    fn what_is_written_half_way_goes_on_to_the_same_report(
        batches in prop::collection::vec((0..3_u8, prop::collection::vec(any_record(), 0..30)), 0..8),
        share in 0.0..1.0_f64,
    ) {
        let batches: Vec<_> =
            batches.into_iter().map(|(shard, records)| batch(&format!("shard {shard}"), 0, records)).collect();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place")]
        let half = (batches.len() as f64 * share) as usize;
        let json = serde_json::to_string(&built(&batches[..half])).unwrap();
        let mut resumed: ReportBuilder = serde_json::from_str(&json).unwrap();
        batches[half..].iter().for_each(|batch| resumed.add(batch, AT_MS));
        prop_assert_eq!(reported(&resumed), reported(&built(&batches)));
    }
}

#[test]
fn a_shard_that_is_begun_anew_is_counted_anew() {
    let keys = |names: &[&'static str]| names.iter().map(|name| record(name.as_bytes())).collect();
    let mut builder = built(&[
        batch("a", 0, keys(&["x:1", "x:2", "y:1"])),
        batch("b", 0, keys(&["x:3"])),
        batch("a", 1, keys(&["x:1"])),
        batch("a", 0, keys(&["late:1"])),
        batch("a", 1, keys(&["x:2"])),
    ]);
    let report = reported(&builder);
    assert_eq!((report.total_keys, family(&report, "x:").figures.keys, report.families.len()), (3, 3, 1));
    // What was written and read again is of round 0, and a shard that is lost then is counted anew all the same.
    builder = serde_json::from_str(&serde_json::to_string(&builder).unwrap()).unwrap();
    builder.add(&batch("a", 0, keys(&["x:4"])), AT_MS);
    assert_eq!(builder.keys(), 4);
    builder.add(&batch("a", 1, keys(&["z:1"])), AT_MS);
    assert_eq!(builder.keys(), 2);
}

#[test]
fn a_caller_knows_families_better() {
    let classify = |key: &[u8]| match key.first() {
        Some(b'a') => Some(0),
        Some(b'b') => Some(1),
        Some(b'x') => Some(77),
        _ => None,
    };
    let names = vec!["answers".to_owned(), "blobs".to_owned()];
    let mut builder = ReportBuilder::new(ReportOptions::by_classifier(Classifier::new(names, classify)));
    let keys = ["a:1", "a:2:3", "b", "c:1", "x"].map(|name| record(name.as_bytes())).to_vec();
    builder.add(&batch("s", 0, keys), AT_MS);
    let report = reported(&builder);
    let count = |name| family(&report, name).figures.keys;
    assert_eq!((count("answers"), count("blobs"), count("(none)")), (2, 1, 2));
    assert_eq!((report.tree.len(), report.tree.iter().all(|node| node.children.is_empty())), (3, true));
}

#[test]
fn many_keys_that_are_due_at_once_are_told() {
    let due = |name: String, seconds: u64| {
        let mut record = record(name.into_bytes());
        record.ttl = Some(Ttl::In(Duration::from_secs(seconds)));
        record
    };
    let steady = (0..6000).map(|number| due(format!("steady:{number}"), number * 36 / 60));
    let at_once = (0..3000).map(|number| due(format!("batch:{number}"), 1800));
    let report = reported(&built(&[batch("s", 0, steady.chain(at_once).collect())]));
    let [burst] = report.bursts.as_slice() else { panic!("one burst: {:?}", report.bursts) };
    assert_eq!((burst.begins_at_ms - AT_MS, burst.minutes, burst.keys), (1_800_000, 1, 3100));
    assert_eq!((burst.usual_per_minute, burst.families[0].name.as_str()), (100, "batch:"));
    assert_eq!(burst.families[0].keys, 3000);
    assert!((1700.0..3600.0).contains(&burst.usual_ttl_s), "{burst:?}");
    assert!((burst.jitter_s - 660.0).abs() < 1.0, "eleven minutes of 300 more each: {burst:?}");
    assert!((burst.jitter_share - burst.jitter_s / burst.usual_ttl_s).abs() < 1e-9);
}

#[test]
fn figures_of_hostile_servers_do_not_overflow() {
    let mut huge = record(b"k".as_slice());
    huge.memory_bytes = Some(u64::MAX);
    huge.elements = Some(u64::MAX);
    huge.ttl = Some(Ttl::In(Duration::MAX));
    huge.idle = Some(Duration::MAX);
    huge.database = u64::MAX;
    let report = reported(&built(&[batch("s", 0, vec![huge.clone(), huge.clone(), huge])]));
    assert_eq!((report.bytes, report.families[0].elements), (Some(u64::MAX), Some(u64::MAX)));
}
