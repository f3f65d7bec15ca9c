//! What is known of a key without looking at its elements.

use crate::packed::Announced;
use crate::walk::{NodeKind, Part, Visit};
use crate::{Kind, ValueType};

/// A key as skimming finds it: nothing but its own name was copied, and nothing but that and the heads of packed
/// strings, which say how many elements they have, was decompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skimmed<'r> {
    /// The key's name.
    pub key: &'r [u8],
    /// Number of its database.
    pub db: u64,
    /// Type and layout of its value.
    pub value_type: ValueType,
    /// When it expires, in milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
    /// Seconds since it was last used, where the server kept that (LRU policies).
    pub idle_s: Option<u64>,
    /// How often it is used on the server's logarithmic scale, where the server kept that (LFU policies).
    pub frequency: Option<u8>,
    /// Elements: items, members, fields, entries of a stream; 1 for a string or a module's value.
    pub elements: u64,
    /// False where a packed string has more elements than its header can say; [`Self::elements`] is the least then.
    pub elements_exact: bool,
    /// Bytes of all strings in the value before compression; packed strings count whole.
    pub plain_bytes: u64,
    /// Where the key's record starts, its expiry included.
    pub offset: u64,
    /// Where its value starts.
    pub value_offset: u64,
    /// Serialised length of the value, as in a DUMP payload without type and footer.
    pub value_bytes: u64,
}

impl Skimmed<'_> {
    /// What the value is to the user of the server.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.value_type.kind()
    }

    /// Bytes of the file that the key takes, with its name, expiry and value.
    #[must_use]
    pub fn record_bytes(&self) -> u64 {
        self.value_offset + self.value_bytes - self.offset
    }
}

/// Counts elements and bytes while a value is passed by.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) elements: u64,
    pub(crate) exact: bool,
    pub(crate) plain_bytes: u64,
    /// True where elements are announced and strings are not counted.
    announced: bool,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self { elements: 0, exact: true, plain_bytes: 0, announced: false }
    }
}

impl Visit for Tally {
    #[inline]
    fn part(&mut self, part: Part) {
        match part {
            Part::String(head) => {
                self.elements += u64::from(!self.announced);
                self.plain_bytes = self.plain_bytes.saturating_add(head.plain_len());
            }
            Part::Count(count) => {
                self.elements = count;
                self.announced = true;
            }
            Part::Packed { len, announced, group, .. } => {
                self.plain_bytes = self.plain_bytes.saturating_add(len);
                let (Announced::Exactly(entries) | Announced::AtLeast(entries)) = announced;
                if group > 0 && !self.announced {
                    self.elements += entries / group;
                    self.exact &= matches!(announced, Announced::Exactly(_));
                }
            }
            Part::StreamLength(length) => {
                self.elements = length;
                self.exact = true;
            }
            Part::Consumer(len) => self.plain_bytes = self.plain_bytes.saturating_add(len),
            Part::Node(NodeKind::Stream(_)) => self.plain_bytes = self.plain_bytes.saturating_add(16),
            Part::Group
            | Part::Node(_)
            | Part::FieldExpiry(_)
            | Part::Pending(_)
            | Part::ConsumerPending(_) => {}
        }
    }
}
