//! From what was counted to the report.

use std::{cmp::Reverse, collections::BTreeMap};

use super::{
    bursts::bursts,
    certainty::{Coverage, FamilyIntervals, Interval, SampleReport},
    estimate::{Estimate, Estimator},
    family_tally::{FamilyTally, TYPES},
    histogram::Histogram,
    merged::Merged,
    model::{FamilyReport, Figures, IdleReport, KeyReport, NamedBytes, TtlReport},
    number::share,
    options::{About, ReportOptions},
    shard_tally::ShardTally,
    tree::tree,
};
use crate::KeyName;

/// Makes the report of what was counted.
pub(super) fn report<'s>(
    shards: impl Iterator<Item = &'s ShardTally>,
    options: &ReportOptions,
    at_ms: i64,
    first_minute_ms: Option<i64>,
    about: &About,
) -> KeyReport {
    let merged = Merged::of(shards);
    let total = merged.total();
    let estimator = Estimator::new(about.coverage, total.keys);
    let whole = Whole::of(&total, estimator);
    let scaled = |keys: u64| estimator.keys(keys).value.unwrap_or(keys);
    let (bursts, due) =
        first_minute_ms.map_or_else(Default::default, |first| bursts(&merged, first, estimator));
    let mut report = KeyReport {
        source: about.source.clone(),
        format: about.dump.map(|dump| dump.format.to_string()),
        at_ms,
        complete: about.complete && about.not_seen.is_empty(),
        total_keys: whole.keys,
        expiring_keys: expiring(&total, estimator).value,
        bytes: whole.bytes.value,
        bytes_source: about.bytes_source,
        serialised_bytes: serialised(&total, estimator),
        expired_keys: about.dump.map(|dump| dump.expired_keys),
        databases: merged.databases.iter().map(|(number, keys)| (*number, scaled(*keys))).collect(),
        nodes: merged.nodes.iter().map(|(node, keys)| (node.clone(), scaled(*keys))).collect(),
        ttl: ttl(&total),
        idle: idle(total.idle.as_deref()),
        families: families(&merged, whole),
        family_rule: options.classifier.is_none().then(|| options.rule.clone()),
        other_families_keys: scaled(merged.other.keys),
        tree: tree(&merged, options, |tally| figures(tally, whole)),
        due,
        bursts,
        sample: None,
        skipped: about.skipped.clone(),
        not_seen: about.not_seen.clone(),
        ..KeyReport::default()
    };
    fill_kinds(&mut report, &merged, &total, whole);
    report
}

/// What shares are shares of.
#[derive(Clone, Copy, Debug)]
struct Whole {
    keys: u64,
    bytes: Estimate,
    estimator: Estimator,
}

impl Whole {
    fn of(total: &FamilyTally, estimator: Estimator) -> Self {
        let bytes = estimator.bytes(total.sizes, total.keys);
        Self { keys: estimator.population(), bytes, estimator }
    }
}

fn expiring(total: &FamilyTally, estimator: Estimator) -> Estimate {
    estimator.count(total.timed - total.without_ttl, total.timed, total.keys)
}

fn serialised(tally: &FamilyTally, estimator: Estimator) -> Option<u64> {
    if tally.serialised.keys == 0 { None } else { estimator.bytes(tally.serialised, tally.keys).value }
}

/// Fills in types and encodings, and how sure the figures of a sample are.
fn fill_kinds(report: &mut KeyReport, merged: &Merged<'_>, total: &FamilyTally, whole: Whole) {
    let estimator = whole.estimator;
    let mut sample = SampleReport {
        coverage: estimator.coverage(),
        keys_read: keys_read(merged, total, estimator.coverage()),
        of_keys: whole.keys,
        expiring_keys: expiring(total, estimator).interval,
        bytes: whole.bytes.interval,
        ..SampleReport::default()
    };
    let typed = total.types.iter().sum();
    for (name, tally) in merged.types.iter() {
        let keys = estimator.count(tally.keys, typed, total.keys);
        note(&mut report.types, &mut sample.types, name, keys);
        if tally.sizes.keys > 0 {
            let bytes = estimator.bytes_of_some(tally.sizes, total.sizes.keys);
            note(&mut report.bytes_by_type, &mut sample.bytes_by_type, name, bytes);
        }
    }
    let encoded = merged.encodings.values().sum();
    for (name, keys) in &merged.encodings {
        note(&mut report.layouts, &mut sample.layouts, name, estimator.count(*keys, encoded, total.keys));
    }
    if estimator.coverage() != Coverage::Whole {
        report.bytes_source = report.bytes_source.sampled();
        report.sample = Some(sample);
    }
}

/// Keys of which at least one field was read.
fn keys_read(merged: &Merged<'_>, total: &FamilyTally, coverage: Coverage) -> u64 {
    match coverage {
        Coverage::ChosenByName => {
            let (typed, encoded) = (total.types.iter().sum(), merged.encodings.values().sum());
            [total.timed, total.sizes.keys, typed, encoded].into_iter().max().unwrap_or(0)
        }
        _ => total.keys,
    }
}

fn note(
    values: &mut BTreeMap<String, u64>,
    intervals: &mut BTreeMap<String, Interval>,
    name: &str,
    estimate: Estimate,
) {
    if let Some(value) = estimate.value {
        values.insert(name.to_owned(), value);
    }
    if let Some(interval) = estimate.interval {
        intervals.insert(name.to_owned(), interval);
    }
}

fn families(merged: &Merged<'_>, whole: Whole) -> Vec<FamilyReport> {
    let named = merged.families.iter().map(|(name, tally)| (shown_name(name), tally));
    let other = (merged.other.keys > 0).then(|| ("(other)".to_owned(), &merged.other));
    let mut families: Vec<FamilyReport> =
        named.chain(other).map(|(name, tally)| family(name, tally, whole)).collect();
    families.sort_by(|one, other| {
        let rank = |family: &FamilyReport| (Reverse(family.figures.bytes), Reverse(family.figures.keys));
        rank(one).cmp(&rank(other)).then_with(|| one.name.cmp(&other.name))
    });
    families
}

fn family(name: String, tally: &FamilyTally, whole: Whole) -> FamilyReport {
    let estimator = whole.estimator;
    let biggest = (tally.sizes.keys > 0)
        .then(|| NamedBytes { key: KeyName::new(tally.biggest.as_bytes()), bytes: tally.biggest_bytes });
    let known = tally.types.iter().sum();
    let types = TYPES.iter().zip(tally.types).filter(|(_, keys)| *keys > 0);
    FamilyReport {
        name,
        figures: figures(tally, whole),
        serialised_bytes: serialised(tally, estimator),
        elements: (tally.counted > 0).then_some(tally.elements),
        biggest_bytes: biggest.as_ref().map(|biggest| biggest.bytes),
        biggest,
        types: types
            .filter_map(|(name, keys)| {
                Some(((*name).to_owned(), estimator.count(keys, known, tally.keys).value?))
            })
            .collect(),
        ttl: ttl(tally),
        idle: idle(tally.idle.as_deref()),
    }
}

/// Counts and bytes of a part of the keyspace.
fn figures(tally: &FamilyTally, whole: Whole) -> Figures {
    let estimator = whole.estimator;
    let keys = estimator.keys(tally.keys);
    let bytes = estimator.bytes(tally.sizes, tally.keys);
    let without_ttl = estimator.count(tally.without_ttl, tally.timed, tally.keys);
    let intervals =
        FamilyIntervals { keys: keys.interval, bytes: bytes.interval, without_ttl: without_ttl.interval };
    let count = keys.value.unwrap_or(tally.keys);
    Figures {
        keys: count,
        bytes: bytes.value,
        without_ttl: without_ttl.value,
        share_of_keys: share(count, whole.keys),
        share_of_bytes: bytes.value.zip(whole.bytes.value).map(|(part, all)| share(part, all)),
        intervals: (intervals != FamilyIntervals::default()).then_some(intervals),
    }
}

fn ttl(tally: &FamilyTally) -> Option<TtlReport> {
    let times: &Histogram = tally.ttl.as_deref()?;
    Some(TtlReport { median_s: times.quantile(0.5)?, p90_s: times.quantile(0.9)?, histogram: times.spans() })
}

fn idle(times: Option<&Histogram>) -> Option<IdleReport> {
    let times = times?;
    Some(IdleReport { keys_read: times.total(), median_s: times.quantile(0.5)?, histogram: times.spans() })
}

/// A family as it is shown; `(none)` for keys without one.
pub(super) fn shown_name(name: &[u8]) -> String {
    if name.is_empty() { "(none)".to_owned() } else { KeyName::new(name).to_string() }
}
