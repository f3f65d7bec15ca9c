//! A value in memory, whole.

use crate::{Element, Kind, ModuleType, SlotValue, StreamId, StreamMeta, StreamPart};

/// A value of any kind, decoded whole and owned.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// One string.
    String(Vec<u8>),
    /// Items in order.
    List(Vec<Vec<u8>>),
    /// Members in the order of the file.
    Set(Vec<Vec<u8>>),
    /// Members with their scores, in the order of the file.
    SortedSet(Vec<(Vec<u8>, f64)>),
    /// Fields in the order of the file.
    Hash(Vec<HashField>),
    /// A stream.
    Stream(Box<Stream>),
    /// Slots of an array that are not empty.
    Array(Vec<(u64, ArraySlot)>),
    /// A module's value, of which only the type is known.
    Module(Option<ModuleType>),
}

/// A field of a hash.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct HashField {
    /// The field's name.
    pub name: Vec<u8>,
    /// The field's value.
    pub value: Vec<u8>,
    /// When the field expires, in milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
}

impl HashField {
    /// A field that does not expire.
    #[must_use]
    pub fn new(name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), value: value.into(), expires_at_ms: None }
    }

    /// The same field with an expiry, in milliseconds since 1970.
    #[must_use]
    pub fn expiring_at_ms(mut self, at: i64) -> Self {
        self.expires_at_ms = Some(at);
        self
    }
}

/// What is in a slot of an array.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ArraySlot {
    /// A string.
    Text(Vec<u8>),
    /// An integer.
    Int(i64),
    /// A double.
    Double(f64),
}

/// A stream with its groups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stream {
    /// Entries, the oldest first.
    pub entries: Vec<StreamEntry>,
    /// What is kept about the stream as a whole.
    pub meta: StreamMeta,
    /// Consumer groups, in the order of their names.
    pub groups: Vec<StreamGroup>,
}

/// An entry of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StreamEntry {
    /// The entry's id.
    pub id: StreamId,
    /// Names and values of its fields.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
}

impl StreamEntry {
    /// An entry of these fields.
    #[must_use]
    pub fn new(id: StreamId, fields: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        Self { id, fields }
    }
}

/// A consumer group of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StreamGroup {
    /// The group's name.
    pub name: Vec<u8>,
    /// Last entry delivered to the group.
    pub last_id: StreamId,
    /// Entries that the group has read, where that is known.
    pub entries_read: Option<u64>,
    /// Entries delivered and not acknowledged, in the order of their ids.
    pub pending: Vec<StreamPending>,
    /// Consumers, in the order of their names.
    pub consumers: Vec<StreamConsumer>,
}

/// An entry delivered to a group and not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StreamPending {
    /// The entry.
    pub id: StreamId,
    /// When it was last delivered, in milliseconds since 1970.
    pub delivered_at_ms: i64,
    /// How often it was delivered.
    pub deliveries: u64,
}

/// A consumer of a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StreamConsumer {
    /// The consumer's name.
    pub name: Vec<u8>,
    /// When it last tried to read, in milliseconds since 1970.
    pub seen_at_ms: i64,
    /// When it last got something, in milliseconds since 1970.
    pub active_at_ms: Option<i64>,
    /// The group's pending entries that are this consumer's.
    pub pending: Vec<StreamId>,
}

impl Value {
    /// An empty value of a kind, to push elements to.
    #[must_use]
    pub fn empty(kind: Kind) -> Self {
        match kind {
            Kind::String => Self::String(Vec::new()),
            Kind::List => Self::List(Vec::new()),
            Kind::Set => Self::Set(Vec::new()),
            Kind::SortedSet => Self::SortedSet(Vec::new()),
            Kind::Hash => Self::Hash(Vec::new()),
            Kind::Stream => Self::Stream(Box::default()),
            Kind::Array => Self::Array(Vec::new()),
            Kind::Module => Self::Module(None),
        }
    }

    /// What the value is to the user of a server.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::String(_) => Kind::String,
            Self::List(_) => Kind::List,
            Self::Set(_) => Kind::Set,
            Self::SortedSet(_) => Kind::SortedSet,
            Self::Hash(_) => Kind::Hash,
            Self::Stream(_) => Kind::Stream,
            Self::Array(_) => Kind::Array,
            Self::Module(_) => Kind::Module,
        }
    }

    /// Adds an element; one that does not belong to this kind of value is ignored.
    ///
    /// Of a stream's parts, those that only Redis 8.6 and later have are not kept.
    pub fn push(&mut self, element: Element<'_>) {
        match (self, element) {
            (Self::String(value), Element::String(text)) => {
                value.clear();
                text.append_to(value);
            }
            (Self::List(items), Element::Item(text)) => items.push(text.to_vec()),
            (Self::Set(members), Element::Member(text)) => members.push(text.to_vec()),
            (Self::SortedSet(members), Element::Scored { member, score }) => {
                members.push((member.to_vec(), score));
            }
            (Self::Hash(fields), Element::Field { name, value, expires_at_ms }) => {
                fields.push(HashField { name: name.to_vec(), value: value.to_vec(), expires_at_ms });
            }
            (Self::Stream(stream), Element::Stream(part)) => stream.push(part),
            (Self::Array(slots), Element::Slot { index, value }) => slots.push((
                index,
                match value {
                    SlotValue::Text(text) => ArraySlot::Text(text.to_vec()),
                    SlotValue::Int(value) => ArraySlot::Int(value),
                    SlotValue::Double(value) => ArraySlot::Double(value),
                },
            )),
            (Self::Module(module), Element::Module(found)) => *module = Some(found),
            _ => {}
        }
    }
}

impl Stream {
    fn push(&mut self, part: StreamPart<'_>) {
        match part {
            StreamPart::Entry { id, fields } => {
                let fields = fields.map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
                self.entries.push(StreamEntry { id, fields });
            }
            StreamPart::Meta(meta) => self.meta = meta,
            StreamPart::Group { name, last_id, entries_read } => {
                let name = name.to_vec();
                self.groups.push(StreamGroup { name, last_id, entries_read, ..StreamGroup::default() });
            }
            StreamPart::Pending { id, delivered_at_ms, deliveries } => {
                if let Some(group) = self.groups.last_mut() {
                    group.pending.push(StreamPending { id, delivered_at_ms, deliveries });
                }
            }
            StreamPart::Consumer { name, seen_at_ms, active_at_ms } => {
                if let Some(group) = self.groups.last_mut() {
                    let name = name.to_vec();
                    group.consumers.push(StreamConsumer {
                        name,
                        seen_at_ms,
                        active_at_ms,
                        pending: Vec::new(),
                    });
                }
            }
            StreamPart::ConsumerPending(id) => {
                if let Some(consumer) = self.groups.last_mut().and_then(|group| group.consumers.last_mut()) {
                    consumer.pending.push(id);
                }
            }
            StreamPart::HandedBack(_)
            | StreamPart::Repeats { .. }
            | StreamPart::Producer { .. }
            | StreamPart::Produced { .. }
            | StreamPart::ProducerTotals { .. } => {}
        }
    }
}
