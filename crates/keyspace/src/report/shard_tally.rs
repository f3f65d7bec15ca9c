//! What is counted of one shard.

use std::{borrow::Cow, collections::BTreeMap};

use larder_cache_client::{KeyBatch, KeyRecord, KeyType, Ttl};
use larder_metrics_model::NodeAddress;
use serde::{Deserialize, Serialize};

use super::{
    family_table::{FamilyTable, Room},
    family_tally::{Sizes, TYPES, type_index},
    model::Burst,
    options::ReportOptions,
};

/// What is counted of one shard since it was begun anew for the last time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShardTally {
    #[serde(skip)]
    pub(super) round: u32,
    pub(super) families: FamilyTable,
    pub(super) types: TypeTallies,
    encodings: Vec<(Cow<'static, str>, u64)>,
    pub(super) databases: BTreeMap<u64, u64>,
    pub(super) nodes: BTreeMap<NodeAddress, u64>,
}

/// Keys and bytes of one type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct TypeTally {
    pub(super) keys: u64,
    pub(super) sizes: Sizes,
}

/// Keys and bytes by type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct TypeTallies {
    /// In the order of [`TYPES`], without modules.
    core: [TypeTally; TYPES.len() - 1],
    modules: BTreeMap<String, TypeTally>,
}

/// Names of modules' types and of encodings past this many are counted as one.
const MOST_KINDS: usize = 64;
/// A file can name any number of databases; those past this many are counted as the one with the highest number there is.
const MOST_DATABASES: usize = 1024;

/// From which moment times left count, and from which minutes do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) at_ms: i64,
    pub(super) first_minute_ms: i64,
}

impl ShardTally {
    pub(super) fn new(round: u32, options: &ReportOptions, room: &mut Room) -> Self {
        Self { round, families: FamilyTable::new(options, room), ..Self::default() }
    }

    pub(super) fn add(&mut self, batch: &KeyBatch, clock: Clock, options: &ReportOptions, room: &mut Room) {
        if !batch.records.is_empty() {
            *self.nodes.entry(batch.node.clone()).or_default() += batch.records.len() as u64;
        }
        for records in batch.records.chunk_by(|one, other| one.database == other.database) {
            self.count_database(records);
        }
        for record in &batch.records {
            self.add_record(record, clock, options, room);
        }
    }

    #[inline]
    fn add_record(&mut self, record: &KeyRecord, clock: Clock, options: &ReportOptions, room: &mut Room) {
        let place = self.families.place(&record.key, options, room);
        self.families.tally(place).add(record);
        if let Some(minute) = record.ttl.and_then(|ttl| clock.minute(ttl)) {
            self.families.add_due(place, minute, room);
        }
        if let Some(kind) = &record.kind {
            self.types.add(kind, record.memory_bytes);
        }
        if let Some(encoding) = &record.encoding {
            count_name(&mut self.encodings, encoding);
        }
    }

    fn count_database(&mut self, records: &[KeyRecord]) {
        let Some(first) = records.first() else { return };
        let is_known = self.databases.contains_key(&first.database);
        let number =
            if is_known || self.databases.len() < MOST_DATABASES { first.database } else { u64::MAX };
        *self.databases.entry(number).or_default() += records.len() as u64;
    }

    /// Returns the encodings with their keys; one that is told no more is called `(other)`.
    pub(super) fn encodings(&self) -> impl Iterator<Item = (&str, u64)> {
        self.encodings.iter().map(|(name, keys)| (name.as_ref(), *keys))
    }
}

impl Clock {
    /// The minute in which a key is due; `None` for one that is not, or past the horizon.
    #[inline]
    fn minute(self, ttl: Ttl) -> Option<usize> {
        let Ttl::In(left) = ttl else { return None };
        let due = self.at_ms.saturating_add(i64::try_from(left.as_millis()).ok()?);
        let minute = usize::try_from(due.saturating_sub(self.first_minute_ms).max(0) / MINUTE_MS).ok()?;
        (minute < Burst::HORIZON_MINUTES).then_some(minute)
    }
}

pub(super) const MINUTE_MS: i64 = 60_000;

fn count_name(counts: &mut Vec<(Cow<'static, str>, u64)>, name: &Cow<'static, str>) {
    match counts.iter().position(|(known, _)| known == name) {
        Some(place) => counts[place].1 += 1,
        None if counts.len() < MOST_KINDS || *name == OTHER => counts.push((name.clone(), 1)),
        None => count_name(counts, &OTHER),
    }
}

const OTHER: Cow<'static, str> = Cow::Borrowed("(other)");

impl TypeTallies {
    #[inline]
    fn add(&mut self, kind: &KeyType, bytes: Option<u64>) {
        let tally = match (kind, self.core.get_mut(type_index(kind))) {
            (_, Some(tally)) => tally,
            (KeyType::Module(name), None) => module(&mut self.modules, name),
            (_, None) => module(&mut self.modules, "module"),
        };
        tally.keys += 1;
        if let Some(bytes) = bytes {
            tally.sizes.add(bytes);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (tally, more) in self.core.iter_mut().zip(&other.core) {
            tally.merge(more);
        }
        for (name, more) in &other.modules {
            self.modules.entry(name.clone()).or_default().merge(more);
        }
    }

    /// Returns the types that have keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &TypeTally)> {
        let core = TYPES.into_iter().zip(&self.core);
        let modules = self.modules.iter().map(|(name, tally)| (name.as_str(), tally));
        core.chain(modules).filter(|(_, tally)| tally.keys > 0)
    }
}

fn module<'m>(modules: &'m mut BTreeMap<String, TypeTally>, name: &str) -> &'m mut TypeTally {
    let name = if modules.len() < MOST_KINDS || modules.contains_key(name) { name } else { &OTHER };
    modules.entry(name.to_owned()).or_default()
}

impl TypeTally {
    fn merge(&mut self, other: &Self) {
        self.keys += other.keys;
        self.sizes.merge(other.sizes);
    }
}
