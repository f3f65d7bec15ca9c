//! What decoding a value gives, element by element.

use std::fmt;
use std::str::FromStr;

use crate::narrow::low_half;
use crate::packed::Packed;
use crate::{ModuleType, Text};

/// One element of a value, borrowed from the reader until the next one is asked for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Element<'a> {
    /// The whole value of a string key.
    String(Text<'a>),
    /// An item of a list, first to last.
    Item(Text<'a>),
    /// A member of a set.
    Member(Text<'a>),
    /// A member of a sorted set with its score.
    Scored {
        /// The member.
        member: Text<'a>,
        /// Its score; never NaN.
        score: f64,
    },
    /// A field of a hash.
    Field {
        /// The field's name.
        name: Text<'a>,
        /// The field's value.
        value: Text<'a>,
        /// When the field expires, in milliseconds since 1970.
        expires_at_ms: Option<i64>,
    },
    /// A slot of an array that is not empty.
    Slot {
        /// The slot's index.
        index: u64,
        /// What is in it.
        value: SlotValue<'a>,
    },
    /// Part of a stream: entries first, then [`StreamPart::Meta`], then the groups one after the other.
    Stream(StreamPart<'a>),
    /// A module's value; what is in it was passed by.
    Module(ModuleType),
}

/// What is in a slot of an array.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum SlotValue<'a> {
    /// A string.
    Text(Text<'a>),
    /// An integer.
    Int(i64),
    /// A double.
    Double(f64),
}

/// Part of a stream, in the order of the file (Redis 7.0 `src/rdb.c`, `rdbSaveObject`).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum StreamPart<'a> {
    /// An entry.
    Entry {
        /// The entry's id.
        id: StreamId,
        /// Its fields.
        fields: StreamFields<'a>,
    },
    /// What is kept about the stream as a whole.
    Meta(StreamMeta),
    /// A consumer group; its pending entries and consumers follow.
    Group {
        /// The group's name.
        name: &'a [u8],
        /// Last entry delivered to the group.
        last_id: StreamId,
        /// Entries that the group has read (since Redis 7.0), where that is known.
        entries_read: Option<u64>,
    },
    /// An entry delivered to the group and not yet acknowledged.
    Pending {
        /// The entry.
        id: StreamId,
        /// When it was last delivered, in milliseconds since 1970.
        delivered_at_ms: i64,
        /// How often it was delivered.
        deliveries: u64,
    },
    /// A consumer of the group; its share of the pending entries follows.
    Consumer {
        /// The consumer's name.
        name: &'a [u8],
        /// When it last tried to read, in milliseconds since 1970.
        seen_at_ms: i64,
        /// When it last got something (since Redis 7.2), in milliseconds since 1970.
        active_at_ms: Option<i64>,
    },
    /// A pending entry that belongs to the consumer.
    ConsumerPending(StreamId),
    /// A pending entry that belongs to nobody any more (Redis 8.8).
    HandedBack(StreamId),
    /// How the stream tells repeated entries of producers (Redis 8.6).
    Repeats {
        /// Seconds for which entries are remembered.
        duration_s: u64,
        /// Most entries remembered for a producer.
        max_entries: u64,
    },
    /// A producer whose entries are remembered; they follow (Redis 8.6).
    Producer {
        /// The producer's name.
        name: &'a [u8],
    },
    /// An entry remembered for the producer (Redis 8.6).
    Produced {
        /// The producer's own id of it.
        producer_id: Text<'a>,
        /// The entry.
        id: StreamId,
    },
    /// Counts over the stream's life (Redis 8.6).
    ProducerTotals {
        /// Entries added with a producer's id.
        added: u64,
        /// Entries refused because they were there already.
        repeated: u64,
    },
}

/// What is kept about a stream as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StreamMeta {
    /// Number of entries.
    pub length: u64,
    /// Highest id ever given out.
    pub last_id: StreamId,
    /// Id of the first entry (since Redis 7.0; zero for an empty stream).
    pub first_id: StreamId,
    /// Highest id of a deleted entry (since Redis 7.0).
    pub max_deleted_id: StreamId,
    /// Entries ever added (since Redis 7.0; before it, the length).
    pub entries_added: u64,
}

/// Id of a stream entry: milliseconds and a number within them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct StreamId {
    /// Milliseconds since 1970, unless the client chose otherwise.
    pub ms: u64,
    /// Number within the millisecond.
    pub seq: u64,
}

impl StreamId {
    /// An id of these two numbers.
    #[must_use]
    pub fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }

    pub(crate) fn from_be_bytes(bytes: [u8; 16]) -> Self {
        let whole = u128::from_be_bytes(bytes);
        Self { ms: low_half(whole >> 64), seq: low_half(whole) }
    }

    pub(crate) fn to_be_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl FromStr for StreamId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (ms, seq) = text.split_once('-').unwrap_or((text, "0"));
        Ok(Self { ms: ms.parse()?, seq: seq.parse()? })
    }
}

/// The fields of a stream entry: an iterator over names and values.
#[derive(Debug, Clone)]
pub struct StreamFields<'a> {
    pub(crate) packed: &'a [u8],
    /// Where the next name is, for an entry that shares its names with the node's first entry.
    pub(crate) names_at: Option<usize>,
    pub(crate) at: usize,
    pub(crate) left: usize,
}

impl<'a> Iterator for StreamFields<'a> {
    type Item = (Text<'a>, Text<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let (name, after_name) =
            Packed::Listpack.entry(self.packed, self.names_at.unwrap_or(self.at), false)?;
        let value_at = if self.names_at.is_some() { self.at } else { after_name };
        let (value, after_value) = Packed::Listpack.entry(self.packed, value_at, false)?;
        self.names_at = self.names_at.map(|_| after_name);
        self.at = after_value;
        Some((name, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for StreamFields<'_> {}

impl PartialEq for StreamFields<'_> {
    fn eq(&self, other: &Self) -> bool {
        Iterator::eq(self.clone(), other.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_the_server_writes_them() {
        let id: StreamId = "1526919030474-55".parse().unwrap();
        assert_eq!(id, StreamId::new(1_526_919_030_474, 55));
        assert_eq!(id.to_string(), "1526919030474-55");
        assert_eq!(StreamId::from_be_bytes(id.to_be_bytes()), id);
        assert!("x-1".parse::<StreamId>().is_err());
    }
}
