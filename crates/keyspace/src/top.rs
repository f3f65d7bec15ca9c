//! The biggest keys.

use std::{cmp::Reverse, collections::BTreeMap, collections::BinaryHeap};

use larder_rdb::{Kind, Skimmed};
use serde::Serialize;

use crate::KeyName;

/// One of the biggest keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BigKey {
    /// Its name, and of one that is longer than 1,024 bytes the beginning; `offset` says where the whole is.
    pub key: KeyName,
    /// The bytes of its whole name.
    pub key_bytes: u64,
    /// The number of its database.
    pub database: u64,
    /// Its type, as TYPE answers.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// How its value lies in the file.
    pub layout: &'static str,
    /// Bytes of the file that it takes, name and expiry included.
    pub bytes: u64,
    /// Its elements; of a string 1.
    pub elements: u64,
    /// Whether `elements` is exact; otherwise it has at least so many.
    pub elements_exact: bool,
    /// When it expires, in milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
    /// Where its record starts in the file.
    pub offset: u64,
}

/// The biggest keys in two orders, biggest first; equals in the order of the file.
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
    types: BTreeMap<Kind, Heaps>,
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
        self.size.cmp(&other.size).then_with(|| other.key.offset.cmp(&self.key.offset))
    }
}

impl TopKeys {
    /// Begins to look for this many keys in each order.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self { count, all: Heaps::default(), types: BTreeMap::new() }
    }

    /// Takes a key into account. Only one that is big enough costs an allocation.
    pub fn add(&mut self, key: &Skimmed<'_>) {
        self.all.add(key, self.count);
        self.types.entry(key.kind()).or_default().add(key, self.count);
    }

    /// Returns the biggest of all types together, and of each by the word that TYPE answers.
    #[must_use]
    pub fn finish(self) -> (Biggest, BTreeMap<&'static str, Biggest>) {
        let types = self.types.into_iter().map(|(kind, heaps)| (kind.as_str(), heaps.finish()));
        (self.all.finish(), types.collect())
    }
}

impl Heaps {
    fn add(&mut self, key: &Skimmed<'_>, count: usize) {
        offer(&mut self.by_bytes, key.record_bytes(), key, count);
        offer(&mut self.by_elements, key.elements, key, count);
    }

    fn finish(self) -> Biggest {
        Biggest { by_bytes: ranked(self.by_bytes), by_elements: ranked(self.by_elements) }
    }
}

fn offer(heap: &mut BinaryHeap<Reverse<Ranked>>, size: u64, key: &Skimmed<'_>, count: usize) {
    // Of equals the first stays, so only a bigger one comes in.
    let fits = heap.len() < count || heap.peek().is_some_and(|Reverse(least)| size > least.size);
    if !fits || count == 0 {
        return;
    }
    if heap.len() == count {
        heap.pop();
    }
    heap.push(Reverse(Ranked { size, key: BigKey::from(key) }));
}

fn ranked(heap: BinaryHeap<Reverse<Ranked>>) -> Vec<BigKey> {
    heap.into_sorted_vec().into_iter().map(|Reverse(ranked)| ranked.key).collect()
}

/// How much of a name is kept: names can be as long as values.
const MOST_KEPT_BYTES: usize = 1024;

impl From<&Skimmed<'_>> for BigKey {
    fn from(key: &Skimmed<'_>) -> Self {
        Self {
            key: KeyName::new(key.key.get(..MOST_KEPT_BYTES).unwrap_or(key.key)),
            key_bytes: key.key.len() as u64,
            database: key.db,
            kind: key.kind().as_str(),
            layout: key.value_type.layout().as_str(),
            bytes: key.record_bytes(),
            elements: key.elements,
            elements_exact: key.elements_exact,
            expires_at_ms: key.expires_at_ms,
            offset: key.offset,
        }
    }
}
