//! The biggest keys.

use std::{cmp::Reverse, collections::BTreeMap, collections::BinaryHeap};

use larder_cache_client::{KeyBatch, KeyRecord, Ttl};
use serde::Serialize;

use crate::{KeyName, report::elements};

/// One of the biggest keys. What was not fetched is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BigKey {
    /// Its name, and of one that is longer than 1,024 bytes the beginning.
    pub key: KeyName,
    /// The bytes of its whole name.
    pub key_bytes: u64,
    /// The number of its database.
    pub database: u64,
    /// Its type, as TYPE answers.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// How the server stores it; in a file, how its value lies there.
    pub layout: Option<String>,
    /// What it costs in memory.
    pub bytes: Option<u64>,
    /// What it takes in the file, name and expiry included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serialised_bytes: Option<u64>,
    /// Its elements; of a string 1.
    pub elements: Option<u64>,
    /// When it expires, in milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
}

/// The biggest keys in two orders, biggest first; equals in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Biggest {
    /// By bytes.
    pub by_bytes: Vec<BigKey>,
    /// By elements.
    pub by_elements: Vec<BigKey>,
}

/// Finds the biggest keys of a keyspace, of all types together and of each. Memory is bounded by what is asked for.
#[derive(Debug)]
pub struct TopKeys {
    count: usize,
    all: Heaps,
    types: BTreeMap<String, Heaps>,
    /// Keys that came so far.
    keys: u64,
}

#[derive(Debug, Default)]
struct Heaps {
    by_bytes: BinaryHeap<Reverse<Ranked>>,
    by_elements: BinaryHeap<Reverse<Ranked>>,
}

/// A key with what it is ranked by; of equals the one that came first is the bigger.
#[derive(Debug)]
struct Ranked {
    size: u64,
    came: u64,
    key: BigKey,
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ranked {}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.size.cmp(&other.size).then_with(|| other.came.cmp(&self.came))
    }
}

/// More types are not told apart: modules name theirs as they like.
const MOST_TYPES: usize = 64;

impl TopKeys {
    /// Begins to look for this many keys in each order.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self { count, all: Heaps::default(), types: BTreeMap::new(), keys: 0 }
    }

    /// Takes a batch into account, whose times left count from `counted_from_ms`. Only a key that is big enough costs an
    /// allocation; one that comes twice is told once.
    pub fn add(&mut self, batch: &KeyBatch, counted_from_ms: i64) {
        for record in &batch.records {
            self.keys += 1;
            let offer = Offer { record, came: self.keys, counted_from_ms, count: self.count };
            self.all.add(&offer);
            if let Some(heaps) = self.of_type(record) {
                heaps.add(&offer);
            }
        }
    }

    fn of_type(&mut self, record: &KeyRecord) -> Option<&mut Heaps> {
        let name = record.kind.as_ref()?.as_str();
        if !self.types.contains_key(name) && self.types.len() < MOST_TYPES {
            self.types.insert(name.to_owned(), Heaps::default());
        }
        self.types.get_mut(name)
    }

    /// Returns how many keys came.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.keys
    }

    /// Returns the biggest of all types together, and of each by the word that TYPE answers.
    #[must_use]
    pub fn finish(self) -> (Biggest, BTreeMap<String, Biggest>) {
        let types = self.types.into_iter().map(|(kind, heaps)| (kind, heaps.finish()));
        (self.all.finish(), types.collect())
    }
}

/// A key that may be one of the biggest.
struct Offer<'r> {
    record: &'r KeyRecord,
    came: u64,
    counted_from_ms: i64,
    count: usize,
}

impl Heaps {
    fn add(&mut self, offer: &Offer<'_>) {
        if let Some(bytes) = offer.record.memory_bytes {
            offer.to(&mut self.by_bytes, bytes);
        }
        if let Some(elements) = elements(offer.record) {
            offer.to(&mut self.by_elements, elements);
        }
    }

    fn finish(self) -> Biggest {
        Biggest { by_bytes: ranked(self.by_bytes), by_elements: ranked(self.by_elements) }
    }
}

impl Offer<'_> {
    fn to(&self, heap: &mut BinaryHeap<Reverse<Ranked>>, size: u64) {
        // Of equals the first stays, so only a bigger one comes in.
        let fits = heap.len() < self.count || heap.peek().is_some_and(|Reverse(least)| size > least.size);
        if !fits || self.count == 0 {
            return;
        }
        let key = self.key();
        // A shard that is begun anew, and a table that grows, give keys again.
        let again = |known: &BigKey| {
            (&known.key, known.key_bytes, known.database) == (&key.key, key.key_bytes, key.database)
        };
        if heap.iter().any(|Reverse(known)| again(&known.key)) {
            return;
        }
        if heap.len() == self.count {
            heap.pop();
        }
        heap.push(Reverse(Ranked { size, came: self.came, key }));
    }

    fn key(&self) -> BigKey {
        let record = self.record;
        let expires = |left: std::time::Duration| {
            self.counted_from_ms.saturating_add(i64::try_from(left.as_millis()).unwrap_or(i64::MAX))
        };
        BigKey {
            key: KeyName::new(record.key.get(..MOST_KEPT_BYTES).unwrap_or(&record.key)),
            key_bytes: record.key.len() as u64,
            database: record.database,
            kind: record.kind.as_ref().map(|kind| kind.as_str().to_owned()),
            layout: record.encoding.as_ref().map(ToString::to_string),
            bytes: record.memory_bytes,
            serialised_bytes: record.serialised_bytes,
            elements: elements(record),
            expires_at_ms: match record.ttl {
                Some(Ttl::In(left)) => Some(expires(left)),
                Some(Ttl::None) | None => None,
            },
        }
    }
}

fn ranked(heap: BinaryHeap<Reverse<Ranked>>) -> Vec<BigKey> {
    heap.into_sorted_vec().into_iter().map(|Reverse(ranked)| ranked.key).collect()
}

/// How much of a name is kept: names can be as long as values.
const MOST_KEPT_BYTES: usize = 1024;
