//! The structures that each server keeps keys and elements in, and what they take.

use super::Origin;
use super::alloc::Allocator;
use super::rax::RaxTotals;
use crate::{Server, ServerLine};

/// Which way of keeping things a server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Era {
    /// `dict` everywhere, lists always in quicklists (Redis up to 7.0).
    Redis70,
    /// `dict` everywhere, small lists and sets in listpacks (Redis 7.2 to 8.0; Valkey up to 8.0).
    Redis80,
    /// `hashtable` everywhere, names in the object (Valkey 8.1).
    Valkey81,
    /// Values and members in one piece with what holds them (Valkey 9).
    Valkey90,
}

/// The structures of a server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Structures {
    era: Era,
    pub(super) allocator: Allocator,
    origin: Origin,
}

/// A key's name, and whether the key expires.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub(super) len: u64,
    pub(super) expires: bool,
}

/// Lengths of a field's name and value, and whether the field expires.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: u64,
    pub(super) value: u64,
    pub(super) expires: bool,
}

/// What a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TableOf {
    Members,
    Fields,
}

/// An object's head: type, encoding, use, references and a pointer (`src/server.h`, `struct serverObject`).
const OBJECT: u64 = 16;
/// An entry of a `dict`: key, value, next (`src/dict.h`).
const DICT_ENTRY: u64 = 24;
/// A `dict` itself.
const DICT: u64 = 56;
/// A bucket of a `hashtable`: a cache line (`src/hashtable.c`).
const BUCKET: u64 = 64;
/// Entries of a bucket without a child.
const BUCKET_ENTRIES: u64 = 7;
/// The longest entry of a hash that has its value inside (`EMBED_VALUE_MAX_ALLOC_SIZE`, `src/entry.c`).
const EMBEDDED_FIELD: u64 = 128;
/// The longest string objects that are in one piece.
const EMBEDDED_81: u64 = 64;
const EMBEDDED_90: u64 = 128;
/// What a new node of a stream has room for.
const STREAM_NODE: u64 = 4096;
/// How many steps a growing table takes while an element is added: one each time that one is looked up in it.
pub(super) const STEPS_OF_MEMBER: u64 = 1;
pub(super) const STEPS_OF_FIELD: u64 = 2;
pub(super) const STEPS_OF_SCORED: u64 = 2;
/// Buckets that a step leaves behind, in hundredths: one with elements, and the empty ones before it. With one element a
/// bucket on average that is one of 1 − 1/e.
const BUCKETS_A_STEP_PERCENT: u64 = 158;
/// Names from this length have room for an expiry (`KEY_SIZE_TO_INCLUDE_EXPIRE_THRESHOLD`, `src/object.c`).
const LONG_KEY: u64 = 128;

/// Length of a string's head (`src/sds.h`).
fn sds_head(len: u64) -> u64 {
    match len {
        0..32 => 1,
        32..256 => 3,
        256..65_536 => 5,
        65_536..0x1_0000_0000 => 9,
        _ => 17,
    }
}

fn sds_request(len: u64) -> u64 {
    sds_head(len) + len + 1
}

/// Sum over the levels that a node of a skip list may have (one more with a chance of 1 in 4, at most 32) of the
/// chance times what `size` says, in 1/1024 bytes.
fn expected_over_levels(size: impl Fn(u64) -> u64) -> u64 {
    let mut chance = 0.75;
    let mut expected = 0.0;
    for level in 1..=12u32 {
        #[expect(clippy::cast_precision_loss, reason = "sizes of nodes are small")]
        let bytes = size(u64::from(level)) as f64;
        expected += chance * bytes;
        chance /= 4.0;
    }
    to_count(expected * 1024.0)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "expected numbers are not negative"
)]
fn to_count(expected: f64) -> u64 {
    expected.round() as u64
}

impl Structures {
    pub(super) fn of(server: Server, allocator: Allocator, origin: Origin) -> Self {
        let version = server.version();
        let era = match server.line() {
            ServerLine::Redis if version < (7, 2) => Era::Redis70,
            ServerLine::Valkey if version >= (9, 0) => Era::Valkey90,
            ServerLine::Valkey if version >= (8, 1) => Era::Valkey81,
            _ => Era::Redis80,
        };
        Self { era, allocator, origin }
    }

    fn is_redis(self) -> bool {
        self.era <= Era::Redis80
    }

    fn rounded(self, bytes: u64) -> u64 {
        self.allocator.rounded(bytes)
    }

    /// A string on its own.
    pub(super) fn sds(self, len: u64) -> u64 {
        self.rounded(sds_request(len))
    }

    /// An object with its key, as far as `MEMORY USAGE` counts it.
    pub(super) fn object(self, key: Key) -> u64 {
        match self.era {
            Era::Redis70 | Era::Redis80 => OBJECT + self.sds(key.len) + DICT_ENTRY,
            Era::Valkey81 => OBJECT,
            Era::Valkey90 => self.keyed_object(key),
        }
    }

    /// What `MEMORY USAGE` does not count of the key.
    pub(super) fn uncounted(self, key: Key) -> u64 {
        match self.era {
            Era::Valkey81 => self.keyed_object(key) - OBJECT,
            _ => 0,
        }
    }

    fn keyed_object(self, key: Key) -> u64 {
        self.rounded(OBJECT + Self::key_inside(key))
    }

    /// A key inside its object: one byte that says how long its head is, the name, and perhaps an expiry.
    fn key_inside(key: Key) -> u64 {
        1 + sds_request(key.len) + if key.expires || key.len >= LONG_KEY { 8 } else { 0 }
    }

    /// A string key: what is counted and what is not.
    pub(super) fn string(self, key: Key, len: u64) -> (u64, u64) {
        let apart = (self.object(key) + self.sds(len), self.uncounted(key));
        // In one piece with its object a string has a head of three bytes.
        let inside = 3 + len + 1;
        match self.era {
            Era::Redis70 | Era::Redis80 | Era::Valkey81 if len > 44 => apart,
            Era::Redis70 | Era::Redis80 => {
                (self.rounded(OBJECT + inside) + self.sds(key.len) + DICT_ENTRY, 0)
            }
            Era::Valkey81 => {
                let expiry = if key.expires { 8 } else { 0 };
                let whole = OBJECT + 1 + sds_request(key.len) + expiry + inside;
                if whole <= EMBEDDED_81 { (self.rounded(whole), 0) } else { apart }
            }
            Era::Valkey90 => {
                let name = Self::key_inside(key);
                // The value takes the place of the pointer.
                let whole = OBJECT - 8 + name + inside;
                if whole <= EMBEDDED_90 { (self.rounded(whole.max(OBJECT + name)), 0) } else { apart }
            }
        }
    }

    /// An integer key.
    pub(super) fn integer(self, key: Key) -> (u64, u64) {
        (self.object(key), self.uncounted(key))
    }

    /// A list in one listpack, where the server has that.
    pub(super) fn has_listpack_lists(self) -> bool {
        self.era != Era::Redis70
    }

    /// Whether the server keeps small sets of strings in listpacks.
    pub(super) fn has_listpack_sets(self) -> bool {
        self.era != Era::Redis70
    }

    /// A table of `count` elements, without them.
    pub(super) fn table(self, count: u64, of: TableOf) -> u64 {
        if self.is_redis() {
            return DICT + 8 * count.max(4).next_power_of_two();
        }
        let head = match (self.era, of) {
            (Era::Valkey81, _) => 72,
            (_, TableOf::Members) => 80,
            // A hash keeps track of the fields that expire.
            (_, TableOf::Fields) => 88,
        };
        let buckets = (count.saturating_mul(5)).div_ceil(32).max(1).next_power_of_two();
        head + BUCKET * (buckets + expected_children(count, buckets))
    }

    /// The smaller table that one which has grown still has, when it takes so many steps an element to move out of it
    /// (`dictRehash`, Redis 7.0 `src/dict.c`).
    pub(super) fn table_before(self, count: u64, steps: u64) -> u64 {
        let before = count.max(4).next_power_of_two() / 2;
        let moved = count.saturating_sub(before).saturating_mul(steps * BUCKETS_A_STEP_PERCENT) / 100;
        let is_moving = self.origin == Origin::Grown && self.era == Era::Redis70 && count > 4;
        if is_moving && moved < before { 8 * before } else { 0 }
    }

    /// The node of a stream that new entries go to.
    pub(super) fn last_stream_node(self, len: u64) -> u64 {
        match self.origin {
            Origin::Loaded => self.rounded(len),
            Origin::Grown => self.rounded(len.max(STREAM_NODE)),
        }
    }

    /// A member of a set in a table.
    pub(super) fn set_member(self, len: u64) -> u64 {
        self.sds(len) + if self.is_redis() { DICT_ENTRY } else { 0 }
    }

    /// A sorted set in a table and a skip list, without its members.
    pub(super) fn sorted_set(self, count: u64) -> u64 {
        // The sorted set, the skip list, and the node that the list starts with: it has all 32 levels.
        let start = if self.era == Era::Valkey90 { 536 } else { self.rounded(24 + 32 * 16) };
        16 + 32 + start + self.table(count, TableOf::Members)
    }

    /// A member of a sorted set in a table and a skip list, in 1/1024 bytes.
    pub(super) fn sorted_set_member(self, len: u64) -> u64 {
        if self.era == Era::Valkey90 {
            return expected_over_levels(|level| self.rounded(16 + 16 * level + 1 + sds_request(len)));
        }
        let entry = if self.is_redis() { DICT_ENTRY } else { 0 };
        1024 * (self.sds(len) + entry) + expected_over_levels(|level| self.rounded(24 + 16 * level))
    }

    /// A field of a hash in a table.
    pub(super) fn field(self, field: Field) -> u64 {
        let Field { name, value, expires } = field;
        let expiry = if expires { 8 } else { 0 };
        if self.is_redis() {
            // The expiry in front of the name, and what links the fields by it (`src/ebuckets.h`).
            return DICT_ENTRY + self.rounded(2 * expiry + sds_request(name)) + self.sds(value);
        }
        let head = if expires { sds_head(name).max(3) } else { sds_head(name) };
        let whole = expiry + head + name + 1 + 3 + value + 1;
        if whole <= EMBEDDED_FIELD {
            return self.rounded(whole);
        }
        self.rounded(expiry + 8 + sds_head(name).max(3) + name + 1) + self.sds(value)
    }

    /// What keeps track of the fields of a hash that expire.
    pub(super) fn expiring_fields(self, count: u64) -> u64 {
        match (self.era, count) {
            // One is pointed to, up to 127 are in a vector, more are in a tree of vectors (`src/vset.c`).
            (Era::Valkey90, 2..=127) => self.rounded(8 + 8 * count),
            (Era::Valkey90, 128..) => 19 * count,
            _ => 0,
        }
    }

    /// A listpack of a hash with expiring fields.
    pub(super) fn listpack_with_expiry(self, len: u64) -> u64 {
        32 + self.rounded(len)
    }

    /// A quicklist, without its nodes.
    pub(super) fn quicklist() -> u64 {
        40
    }

    /// A node of a quicklist.
    pub(super) fn quicklist_node(self, len: u64) -> u64 {
        40 + self.rounded(len)
    }

    /// A stream, without what its trees hold.
    pub(super) fn stream() -> u64 {
        80
    }

    /// A radix tree as the server counts it.
    pub(super) fn rax(self, tree: RaxTotals) -> u64 {
        if self.is_redis() {
            // An assumption of 30 pointers a node (`streamRadixTreeMemoryUsage`).
            return tree.elements * 16 + tree.nodes * (4 + 30 * 8);
        }
        tree.bytes
    }

    /// A consumer group with its pending entries; `tree` is that of their ids.
    pub(super) fn group(self, tree: RaxTotals) -> u64 {
        40 + 24 * tree.elements + self.rax(tree)
    }

    /// A consumer; `tree` is that of the ids of its pending entries.
    pub(super) fn consumer(self, name: u64, tree: RaxTotals) -> u64 {
        let own = if self.era == Era::Redis70 { 24 } else { 32 };
        own + name + self.rax(tree)
    }

    /// A key's share of the table of keys, on average over how full it may be.
    pub(super) fn key_slot(self) -> u64 {
        // A `dict` has one to two places of eight bytes a key; a `hashtable` a seventh of 64 bytes, nine tenths to
        // half full.
        if self.is_redis() { 12 } else { 14 }
    }

    /// A key's entry in the table of expiring keys, on average.
    pub(super) fn expires_slot(self) -> u64 {
        if self.is_redis() { DICT_ENTRY + 12 } else { 14 }
    }
}

/// How many buckets are expected to have overflowed into a child, if `count` elements fall into `buckets` at random.
fn expected_children(count: u64, buckets: u64) -> u64 {
    #[expect(clippy::cast_precision_loss, reason = "an expectation")]
    let (n, b) = (count as f64, buckets as f64);
    if buckets == 1 {
        return u64::from(count > BUCKET_ENTRIES);
    }
    // Binomial chances of 0, 1, 2, … elements in a bucket, each from the one before.
    let mut chance = (n * (-1.0 / b).ln_1p()).exp();
    let mut expected = 0.0;
    for in_bucket in 0..60u32 {
        // A bucket with a child has room for one less.
        let over = (u64::from(in_bucket)).saturating_sub(BUCKET_ENTRIES).div_ceil(BUCKET_ENTRIES - 1);
        #[expect(clippy::cast_precision_loss, reason = "at most nine")]
        let over = over as f64;
        expected += chance * over;
        chance *= (n - f64::from(in_bucket)).max(0.0) / (f64::from(in_bucket) + 1.0) / (b - 1.0);
    }
    to_count(expected * b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_elements_need_no_children_and_full_tables_some() {
        assert_eq!(expected_children(5, 1), 0);
        assert_eq!(expected_children(0, 4), 0);
        assert!((10..=24).contains(&expected_children(400, 64)));
        assert!((1..=3).contains(&expected_children(129, 32)));
    }
}
