//! What is in a dump: read once, whole, decoded to the last element.

use std::{borrow::Cow, collections::HashMap, fmt, io::Read, sync::Arc};

use foldhash::fast::FixedState;
use larder_rdb::{Checksum, DataDigest, Format, KeyHasher, Kind, ReadOptions, Reader, Record};

use crate::{Counts, FamilyCount};

/// Tells families by the names of keys.
#[derive(Clone)]
pub struct KeyFamilies(Arc<FamilyOf>);

type FamilyOf = dyn for<'k> Fn(&'k [u8]) -> Cow<'k, str> + Send + Sync;

/// What is in a dump.
#[derive(Clone, Debug)]
pub(crate) struct Census {
    pub(crate) format: Format,
    pub(crate) bytes: u64,
    pub(crate) counts: Counts,
    pub(crate) digest: DataDigest,
    pub(crate) values_digest: DataDigest,
    pub(crate) checksum: Checksum,
    /// The digests of its function libraries, which are in those above.
    pub(crate) functions: Vec<DataDigest>,
}

/// Families beyond that many are counted as one: their names are of the shape of keys, and say nothing.
const MOST_FAMILIES: usize = 1000;
const OTHERS: &str = "(others)";

impl KeyFamilies {
    /// Tells families by this function, which gives the family of a key.
    pub fn new(family_of: impl for<'k> Fn(&'k [u8]) -> Cow<'k, str> + Send + Sync + 'static) -> Self {
        Self(Arc::new(family_of))
    }
}

impl fmt::Debug for KeyFamilies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyFamilies(…)")
    }
}

/// Reads a dump to its end.
pub(crate) fn take(source: impl Read, families: Option<&KeyFamilies>) -> larder_rdb::Result<Census> {
    let mut reader = Reader::with_options(source, ReadOptions::default())?;
    let mut tally = Tally::default();
    let mut hasher = KeyHasher::default();
    while let Some(record) = reader.next_record()? {
        match record {
            Record::Key(entry) => tally.key(entry, &mut hasher, families)?,
            Record::Function { code } => {
                tally.counts.functions += 1;
                tally.function(DataDigest::of_function(code));
            }
            Record::FunctionPreGa { .. } => tally.counts.functions += 1,
            _ => {}
        }
    }
    Ok(tally.finish(&reader))
}

#[derive(Default)]
struct Tally {
    counts: Counts,
    digest: DataDigest,
    values_digest: DataDigest,
    functions: Vec<DataDigest>,
    by_kind: HashMap<Kind, u64, FixedState>,
    families: HashMap<Box<str>, usize, FixedState>,
    by_family: Vec<FamilyCount>,
    database: u64,
    keys_of_database: u64,
}

impl Tally {
    fn key<R: Read>(
        &mut self,
        entry: larder_rdb::Entry<'_, R>,
        hasher: &mut KeyHasher,
        families: Option<&KeyFamilies>,
    ) -> larder_rdb::Result<()> {
        let meta = entry.meta();
        self.counts.keys += 1;
        self.counts.expiring += u64::from(meta.expires_at_ms.is_some());
        self.of_database(meta.db);
        *self.by_kind.entry(entry.kind()).or_default() += 1;
        let family = families.map(|families| self.family(&(families.0)(entry.key())));
        let digest = entry.digest(hasher)?;
        self.digest += digest.whole;
        self.values_digest += digest.value;
        if let Some(count) = family.and_then(|family| self.by_family.get_mut(family)) {
            count.keys += 1;
            count.bytes += digest.value_bytes;
        }
        Ok(())
    }

    /// The place at which a family is counted.
    fn family(&mut self, family: &str) -> usize {
        if let Some(place) = self.families.get(family) {
            return *place;
        }
        let is_one_more = self.families.len() < MOST_FAMILIES;
        let next = self.by_family.len();
        let name: Box<str> = if is_one_more { family } else { OTHERS }.into();
        let place = *self.families.entry(name).or_insert(next);
        self.by_family.resize(self.by_family.len().max(place + 1), FamilyCount::default());
        place
    }

    fn function(&mut self, digest: DataDigest) {
        self.digest += digest;
        self.values_digest += digest;
        self.functions.push(digest);
    }

    fn of_database(&mut self, database: u64) {
        if database != self.database {
            self.close_database();
            self.database = database;
        }
        self.keys_of_database += 1;
    }

    fn close_database(&mut self) {
        let keys = std::mem::take(&mut self.keys_of_database);
        if keys > 0 {
            *self.counts.by_database.entry(self.database).or_default() += keys;
        }
    }

    fn finish<R: Read>(mut self, reader: &Reader<R>) -> Census {
        self.close_database();
        let Self { mut counts, digest, values_digest, functions, .. } = self;
        counts.by_type = self.by_kind.into_iter().map(|(kind, keys)| (kind.to_string(), keys)).collect();
        let count_of =
            |(family, place): (Box<str>, usize)| Some((family.into_string(), *self.by_family.get(place)?));
        counts.by_family = self.families.into_iter().filter_map(count_of).collect();
        Census {
            format: reader.format(),
            bytes: reader.offset(),
            counts,
            digest,
            values_digest,
            checksum: reader.checksum(),
            functions,
        }
    }
}
