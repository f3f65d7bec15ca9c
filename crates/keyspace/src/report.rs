//! What a keyspace is made of.

use std::collections::{BTreeMap, HashMap};

use larder_rdb::Skimmed;
use serde::Serialize;

use crate::{DumpRead, KeyName, family_of};

/// What a keyspace is made of.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct KeyReport {
    /// Where the keys came from.
    pub source: String,
    /// Who wrote the file, and in which version.
    pub format: String,
    /// All keys.
    pub total_keys: u64,
    /// Keys that have a TTL.
    pub expiring_keys: u64,
    /// Bytes of all keys with their names and values, as `bytes_source` says.
    pub bytes: u64,
    /// How bytes were measured: `serialised`, as they lie in the file.
    pub bytes_source: &'static str,
    /// How many keys of each type there are, by the words that TYPE answers.
    pub types: BTreeMap<&'static str, u64>,
    /// Bytes of the keys of each type.
    pub bytes_by_type: BTreeMap<&'static str, u64>,
    /// How many keys of each layout there are; the server's encoding where the file says it.
    pub layouts: BTreeMap<&'static str, u64>,
    /// How many keys each database has.
    pub databases: BTreeMap<u64, u64>,
    /// The families, the one with the most bytes first.
    pub families: Vec<FamilyReport>,
    /// Keys of families past the most that are told apart; they are in the family `(other)`.
    pub other_families_keys: u64,
}

/// The keys of one family.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FamilyReport {
    /// The prefix; `(none)` for keys without one.
    pub name: String,
    /// Its keys.
    pub keys: u64,
    /// Bytes of its keys with their names and values.
    pub bytes: u64,
    /// Its keys that have no TTL.
    pub without_ttl: u64,
    /// Elements of its values.
    pub elements: u64,
    /// Bytes of the biggest.
    pub biggest_bytes: u64,
}

/// Makes a report, key by key. Memory is bounded: 10,000 families are told apart, and none has more than 512 bytes.
#[derive(Debug, Default)]
pub struct ReportBuilder {
    families: HashMap<Box<[u8]>, FamilyReport>,
    other: FamilyReport,
    types: BTreeMap<&'static str, (u64, u64)>,
    layouts: BTreeMap<&'static str, u64>,
    databases: BTreeMap<u64, u64>,
}

/// More prefixes than this are no families but names.
const MOST_FAMILIES: usize = 10_000;

impl ReportBuilder {
    /// Begins a report.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a key into account.
    pub fn add(&mut self, key: &Skimmed<'_>) {
        let bytes = key.record_bytes();
        let (keys, of_type) = self.types.entry(key.kind().as_str()).or_default();
        *keys += 1;
        *of_type += bytes;
        *self.layouts.entry(key.value_type.layout().as_str()).or_default() += 1;
        *self.databases.entry(key.db).or_default() += 1;
        let family = self.family(family_of(key.key));
        family.keys += 1;
        family.bytes += bytes;
        family.without_ttl += u64::from(key.expires_at_ms.is_none());
        family.elements += key.elements;
        family.biggest_bytes = family.biggest_bytes.max(bytes);
    }

    /// Looked up before it is inserted, so that no key costs an allocation.
    fn family(&mut self, name: &[u8]) -> &mut FamilyReport {
        if !self.families.contains_key(name) {
            if self.families.len() >= MOST_FAMILIES {
                return &mut self.other;
            }
            self.families.insert(name.into(), FamilyReport::default());
        }
        self.families.get_mut(name).unwrap_or(&mut self.other)
    }

    /// Ends the report on a file that was read to its end.
    #[must_use]
    pub fn finish(self, source: &str, read: &DumpRead) -> KeyReport {
        let other_families_keys = self.other.keys;
        let mut families: Vec<FamilyReport> = self.families.into_iter().map(named).collect();
        if other_families_keys > 0 {
            families.push(FamilyReport { name: "(other)".to_owned(), ..self.other });
        }
        families.sort_by(|one, other| other.bytes.cmp(&one.bytes).then_with(|| one.name.cmp(&other.name)));
        let sum = |read: fn(&FamilyReport) -> u64| families.iter().map(read).sum();
        let total_keys = sum(|family| family.keys);
        let without_ttl: u64 = sum(|family| family.without_ttl);
        KeyReport {
            source: source.to_owned(),
            format: read.format.to_string(),
            total_keys,
            expiring_keys: total_keys - without_ttl,
            bytes: sum(|family| family.bytes),
            bytes_source: "serialised",
            types: self.types.iter().map(|(name, (keys, _))| (*name, *keys)).collect(),
            bytes_by_type: self.types.iter().map(|(name, (_, bytes))| (*name, *bytes)).collect(),
            layouts: self.layouts,
            databases: self.databases,
            families,
            other_families_keys,
        }
    }
}

fn named((name, family): (Box<[u8]>, FamilyReport)) -> FamilyReport {
    let name = if name.is_empty() { "(none)".to_owned() } else { KeyName::new(&name).to_string() };
    FamilyReport { name, ..family }
}
