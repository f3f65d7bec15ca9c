//! What is counted of one family.

use std::time::Duration;

use larder_cache_client::{KeyRecord, KeyType, Ttl};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{histogram::Histogram, minutes::Minutes};
use crate::KeyName;

/// How much of a name is kept: names can be as long as values.
const MOST_KEPT_BYTES: usize = 1024;

/// Bytes of keys, and what their spread is told from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sizes {
    /// The keys whose bytes are known.
    pub(super) keys: u64,
    pub(super) bytes: u64,
    /// The sum of the squares of their bytes.
    pub(super) squares: u128,
}

/// What is counted of one family.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FamilyTally {
    pub(super) keys: u64,
    /// Keys whose time left is known.
    pub(super) timed: u64,
    pub(super) without_ttl: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ttl: Option<Box<Histogram>>,
    /// Keys by the minute in which they are due.
    #[serde(default, skip_serializing_if = "Minutes::is_empty")]
    pub(super) due: Minutes,
    pub(super) sizes: Sizes,
    pub(super) serialised: Sizes,
    /// Keys whose elements are known, and these.
    pub(super) counted: u64,
    pub(super) elements: u64,
    pub(super) biggest_bytes: u64,
    pub(super) biggest: KeptName,
    /// Keys by type, in the order of [`TYPES`].
    pub(super) types: [u64; TYPES.len()],
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) idle: Option<Box<Histogram>>,
}

/// The words that TYPE answers; all modules are one.
pub(super) const TYPES: [&str; 7] = ["string", "list", "set", "zset", "hash", "stream", "module"];

/// A name, or the beginning of one; the room is used again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KeptName(Vec<u8>);

impl FamilyTally {
    /// Takes a key into account, but not when it is due.
    #[inline]
    pub(super) fn add(&mut self, record: &KeyRecord) {
        self.keys += 1;
        match record.ttl {
            Some(Ttl::None) => {
                self.timed += 1;
                self.without_ttl += 1;
            }
            Some(Ttl::In(left)) => {
                self.timed += 1;
                self.ttl.get_or_insert_default().add(milliseconds(left));
            }
            None => {}
        }
        if let Some(bytes) = record.memory_bytes {
            self.sizes.add(bytes);
            self.keep_biggest(&record.key, bytes);
        }
        if let Some(bytes) = record.serialised_bytes {
            self.serialised.add(bytes);
        }
        if let Some(kind) = &record.kind {
            self.types[type_index(kind)] += 1;
        }
        if let Some(elements) = elements(record) {
            self.counted += 1;
            self.elements = self.elements.saturating_add(elements);
        }
        if let Some(idle) = record.idle {
            self.idle.get_or_insert_default().add(milliseconds(idle));
        }
    }

    /// Of equals the one whose name comes first stays, so that the order of keys does not matter.
    #[inline]
    fn keep_biggest(&mut self, name: &[u8], bytes: u64) {
        if bytes < self.biggest_bytes {
            return;
        }
        let name = name.get(..MOST_KEPT_BYTES).unwrap_or(name);
        if bytes > self.biggest_bytes || self.sizes.keys == 1 || name < self.biggest.as_bytes() {
            self.biggest_bytes = bytes;
            self.biggest.0.clear();
            self.biggest.0.extend_from_slice(name);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.merge_counts(other);
        self.due.merge(&other.due);
    }

    /// Merges everything but the minutes in which keys are due, which take room.
    pub(super) fn merge_counts(&mut self, other: &Self) {
        let first_sizes = self.sizes.keys == 0;
        self.keys += other.keys;
        self.timed += other.timed;
        self.without_ttl += other.without_ttl;
        merge_histograms(&mut self.ttl, other.ttl.as_deref());
        self.sizes.merge(other.sizes);
        self.serialised.merge(other.serialised);
        self.counted += other.counted;
        self.elements = self.elements.saturating_add(other.elements);
        let is_bigger = other.biggest_bytes > self.biggest_bytes
            || (other.biggest_bytes == self.biggest_bytes && other.biggest.0 < self.biggest.0);
        if other.sizes.keys > 0 && (first_sizes || is_bigger) {
            self.biggest_bytes = other.biggest_bytes;
            self.biggest.clone_from(&other.biggest);
        }
        for (count, more) in self.types.iter_mut().zip(other.types) {
            *count += more;
        }
        merge_histograms(&mut self.idle, other.idle.as_deref());
    }
}

fn merge_histograms(own: &mut Option<Box<Histogram>>, other: Option<&Histogram>) {
    if let Some(other) = other {
        own.get_or_insert_default().merge(other);
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The elements of a value, a string being one.
pub(crate) fn elements(record: &KeyRecord) -> Option<u64> {
    let elements = record.elements?;
    Some(if record.kind == Some(KeyType::String) { 1 } else { elements })
}

pub(super) fn type_index(kind: &KeyType) -> usize {
    match kind {
        KeyType::String => 0,
        KeyType::List => 1,
        KeyType::Set => 2,
        KeyType::SortedSet => 3,
        KeyType::Hash => 4,
        KeyType::Stream => 5,
        _ => 6,
    }
}

impl Sizes {
    #[inline]
    pub(super) fn add(&mut self, bytes: u64) {
        self.keys += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        self.squares = self.squares.saturating_add(u128::from(bytes) * u128::from(bytes));
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.keys += other.keys;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.squares = self.squares.saturating_add(other.squares);
    }
}

impl KeptName {
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// JSON has no numbers of 128 bits, so the squares are in two parts.
impl Serialize for Sizes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let high = u64::try_from(self.squares >> 64).unwrap_or(u64::MAX);
        let low = u64::try_from(self.squares & u128::from(u64::MAX)).unwrap_or(u64::MAX);
        (self.keys, self.bytes, high, low).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Sizes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (keys, bytes, high, low) = <(u64, u64, u64, u64)>::deserialize(deserializer)?;
        Ok(Self { keys, bytes, squares: u128::from(high) << 64 | u128::from(low) })
    }
}

impl Serialize for KeptName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        KeyName::new(&self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for KeptName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(KeyName::deserialize(deserializer)?.as_bytes().to_vec()))
    }
}
