//! From what was counted to the report.

use std::{borrow::Cow, cmp::Reverse, collections::BTreeMap};

use super::{
    bursts::bursts,
    estimate::{Estimate, Estimator},
    family_table::MOST_FAMILIES,
    family_tally::{FamilyTally, TYPES},
    histogram::Histogram,
    minutes::Minutes,
    model::{
        Coverage, FamilyIntervals, FamilyReport, Figures, IdleReport, Interval, KeyReport, NamedBytes,
        SampleReport, TtlReport,
    },
    number::share,
    options::{About, ReportOptions},
    shard_tally::{ShardTally, TypeTallies},
    tree::tree,
};
use crate::KeyName;

/// All shards together.
#[derive(Debug, Default)]
pub(super) struct Merged<'s> {
    pub(super) families: Vec<(&'s [u8], FamilyTally)>,
    pub(super) other: FamilyTally,
    pub(super) rest_due: Minutes,
    types: TypeTallies,
    encodings: BTreeMap<&'s str, u64>,
    databases: BTreeMap<u64, u64>,
    nodes: BTreeMap<String, u64>,
}

impl<'s> Merged<'s> {
    fn of(shards: impl Iterator<Item = &'s ShardTally>) -> Self {
        let mut merged = Self::default();
        let mut families: BTreeMap<&[u8], Cow<'_, FamilyTally>> = BTreeMap::new();
        for shard in shards {
            for (name, tally) in shard.families.iter() {
                let merge = |known: &mut Cow<'_, FamilyTally>| known.to_mut().merge(tally);
                families.entry(name).and_modify(merge).or_insert(Cow::Borrowed(tally));
            }
            merged.take(shard);
        }
        let mut families: Vec<_> = families.into_iter().filter(|(_, tally)| tally.keys > 0).collect();
        if families.len() > MOST_FAMILIES {
            families.sort_by_key(|(name, tally)| (Reverse(tally.keys), *name));
            families.drain(MOST_FAMILIES..).for_each(|(_, tally)| merged.other.merge(&tally));
        }
        merged.families = families.into_iter().map(|(name, tally)| (name, tally.into_owned())).collect();
        merged
    }

    fn take(&mut self, shard: &'s ShardTally) {
        self.other.merge(&shard.families.other);
        self.rest_due.merge(&shard.families.rest_due);
        self.types.merge(&shard.types);
        for (name, keys) in shard.encodings() {
            *self.encodings.entry(name).or_default() += keys;
        }
        for (number, keys) in &shard.databases {
            *self.databases.entry(*number).or_default() += keys;
        }
        for (node, keys) in &shard.nodes {
            *self.nodes.entry(node.to_string()).or_default() += keys;
        }
    }

    pub(super) fn tallies(&self) -> impl Iterator<Item = &FamilyTally> {
        self.families.iter().map(|(_, tally)| tally).chain([&self.other])
    }

    fn total(&self) -> FamilyTally {
        let mut total = FamilyTally::default();
        self.tallies().for_each(|tally| total.merge_counts(tally));
        total
    }
}

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
        families: families(&merged, whole, estimator),
        family_rule: options.classifier.is_none().then(|| options.rule.clone()),
        other_families_keys: scaled(merged.other.keys),
        tree: tree(&merged, options, |tally| figures(tally, whole, estimator)),
        due,
        bursts,
        sample: None,
        skipped: about.skipped.clone(),
        not_seen: about.not_seen.clone(),
        ..KeyReport::default()
    };
    fill_kinds(&mut report, &merged, &total, (whole, estimator, about.coverage));
    report
}

/// What shares are shares of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole {
    keys: u64,
    bytes: Estimate,
}

impl Whole {
    fn of(total: &FamilyTally, estimator: Estimator) -> Self {
        Self { keys: estimator.population(), bytes: estimator.bytes(total.sizes, total.keys) }
    }
}

fn expiring(total: &FamilyTally, estimator: Estimator) -> Estimate {
    estimator.count(total.timed - total.without_ttl, total.timed, total.keys)
}

fn serialised(tally: &FamilyTally, estimator: Estimator) -> Option<u64> {
    if tally.serialised.keys == 0 { None } else { estimator.bytes(tally.serialised, tally.keys).value }
}

fn fill_kinds(
    report: &mut KeyReport,
    merged: &Merged<'_>,
    total: &FamilyTally,
    (whole, estimator, coverage): (Whole, Estimator, Coverage),
) {
    let mut sample = SampleReport {
        coverage,
        keys_read: total.timed.max(total.sizes.keys),
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
            let seen = seen_of_type(tally.keys, typed, total.keys);
            note(
                &mut report.bytes_by_type,
                &mut sample.bytes_by_type,
                name,
                estimator.bytes(tally.sizes, seen),
            );
        }
    }
    let encoded = merged.encodings.values().sum();
    for (name, keys) in &merged.encodings {
        note(&mut report.layouts, &mut sample.layouts, name, estimator.count(*keys, encoded, total.keys));
    }
    report.sample = (coverage != Coverage::Whole).then_some(sample);
    if report.sample.is_some() {
        report.bytes_source = report.bytes_source.sampled();
    }
}

/// How many keys of a type there are among those whose names were seen, when the type is known of some of them.
fn seen_of_type(keys: u64, typed: u64, seen: u64) -> u64 {
    if typed == 0 { keys } else { super::number::rounded(super::number::precise(seen) * share(keys, typed)) }
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

fn families(merged: &Merged<'_>, whole: Whole, estimator: Estimator) -> Vec<FamilyReport> {
    let named = merged.families.iter().map(|(name, tally)| (shown_name(name), tally));
    let other = (merged.other.keys > 0).then(|| ("(other)".to_owned(), &merged.other));
    let mut families: Vec<FamilyReport> =
        named.chain(other).map(|(name, tally)| family(name, tally, whole, estimator)).collect();
    families.sort_by(|one, other| {
        let rank = |family: &FamilyReport| (Reverse(family.figures.bytes), Reverse(family.figures.keys));
        rank(one).cmp(&rank(other)).then_with(|| one.name.cmp(&other.name))
    });
    families
}

fn family(name: String, tally: &FamilyTally, whole: Whole, estimator: Estimator) -> FamilyReport {
    let biggest = (tally.sizes.keys > 0)
        .then(|| NamedBytes { key: KeyName::new(tally.biggest.as_bytes()), bytes: tally.biggest_bytes });
    let typed = tally.types.iter().sum();
    let types = TYPES.iter().zip(tally.types).filter(|(_, keys)| *keys > 0);
    FamilyReport {
        name,
        figures: figures(tally, whole, estimator),
        serialised_bytes: serialised(tally, estimator),
        elements: (tally.counted > 0).then_some(tally.elements),
        biggest_bytes: biggest.as_ref().map(|biggest| biggest.bytes),
        biggest,
        types: types
            .filter_map(|(name, keys)| {
                Some(((*name).to_owned(), estimator.count(keys, typed, tally.keys).value?))
            })
            .collect(),
        ttl: ttl(tally),
        idle: idle(tally.idle.as_deref()),
    }
}

/// Counts and bytes of a part of the keyspace.
fn figures(tally: &FamilyTally, whole: Whole, estimator: Estimator) -> Figures {
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
