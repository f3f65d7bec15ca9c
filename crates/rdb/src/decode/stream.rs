//! Decodes streams (Redis 7.0 `src/rdb.c`, `rdbLoadObject`).

use std::io::Read;

use super::Room;
use super::node::{Node, check_node, next_entry};
use crate::input::Input;
use crate::packed::Packed;
use crate::text::Slot;
use crate::{Error, Result, StreamFields, StreamId, StreamMeta, StreamPart, ValueType};

/// Where decoding a stream stands.
#[derive(Debug)]
pub(super) struct StreamDecoder {
    value_type: ValueType,
    phase: Phase,
    nodes: u64,
    last_node: Option<StreamId>,
    /// Live entries seen in the nodes.
    entries: u64,
    groups: u64,
    last_group: Option<Vec<u8>>,
    consumers: u64,
    last_consumer: Option<Vec<u8>>,
    last_pending: Option<StreamId>,
    /// Pending entries of the group less those of its consumers: nothing is left over at its end.
    unowned: Balance,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Nodes,
    Node(Node),
    Groups,
    Pending { left: u64 },
    Consumers,
    ConsumerPending { left: u64 },
    HandedBack { left: u64 },
    Producers { left: u64 },
    Produced { left: u64, producers: u64 },
    Done,
}

/// A part without its borrowed strings, which are in the room.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Entry { id: StreamId, names_at: Option<usize>, at: usize, fields: usize },
    Group { last_id: StreamId, entries_read: Option<u64> },
    Consumer { seen_at_ms: i64, active_at_ms: Option<i64> },
    Producer,
    Produced(StreamId),
    Other(StreamPart<'static>),
}

impl Step {
    /// The part, with its strings.
    pub(super) fn part(self, room: &Room) -> StreamPart<'_> {
        match self {
            Self::Entry { id, names_at, at, fields } => {
                let packed = &room.packed.bytes;
                StreamPart::Entry { id, fields: StreamFields { packed, names_at, at, left: fields } }
            }
            Self::Group { last_id, entries_read } => {
                StreamPart::Group { name: &room.first.bytes, last_id, entries_read }
            }
            Self::Consumer { seen_at_ms, active_at_ms } => {
                StreamPart::Consumer { name: &room.first.bytes, seen_at_ms, active_at_ms }
            }
            Self::Producer => StreamPart::Producer { name: &room.first.bytes },
            Self::Produced(id) => StreamPart::Produced { producer_id: room.first.text(), id },
            Self::Other(part) => part,
        }
    }
}

/// A set of ids of which only number and sum are kept: what was put in and taken out again leaves nothing.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Balance {
    count: i128,
    sum: u128,
}

impl Balance {
    fn put(&mut self, id: StreamId) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(mixed(id));
    }

    fn take(&mut self, id: StreamId) {
        self.count -= 1;
        self.sum = self.sum.wrapping_sub(mixed(id));
    }
}

/// Spreads an id over 128 bits, so that sums of different ids differ.
fn mixed(id: StreamId) -> u128 {
    let spread = |mut x: u64| {
        // SplitMix64 (Steele, Lea, Flood 2014).
        x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    };
    let (a, b) = (spread(id.ms), spread(id.seq.rotate_left(32)));
    u128::from(spread(a ^ b.rotate_left(17))) << 64 | u128::from(spread(b.wrapping_add(a.rotate_left(29))))
}

impl StreamDecoder {
    pub(super) fn start<R: Read>(input: &mut Input<R>, value_type: ValueType) -> Result<Self> {
        Ok(Self {
            value_type,
            phase: Phase::Nodes,
            nodes: input.count(2, "a number of stream nodes")?,
            last_node: None,
            entries: 0,
            groups: 0,
            last_group: None,
            consumers: 0,
            last_consumer: None,
            last_pending: None,
            unowned: Balance::default(),
        })
    }

    /// Goes on to the next part; `None` at the end.
    pub(super) fn step<R: Read>(&mut self, input: &mut Input<R>, room: &mut Room) -> Result<Option<Step>> {
        loop {
            match self.phase {
                Phase::Nodes if self.nodes == 0 => {
                    let meta = self.read_meta(input)?;
                    self.phase = Phase::Groups;
                    return Ok(Some(Step::Other(StreamPart::Meta(meta))));
                }
                Phase::Nodes => {
                    self.nodes -= 1;
                    self.phase = Phase::Node(self.read_node(input, room)?);
                }
                Phase::Node(Node { left: 0, .. }) => self.phase = Phase::Nodes,
                Phase::Node(node) => {
                    let (step, node) = next_entry(&room.packed.bytes, node)
                        .ok_or_else(|| Error::malformed(input.offset(), "a stream's node ends early"))?;
                    self.phase = Phase::Node(node);
                    if let Some(step) = step {
                        return Ok(Some(step));
                    }
                }
                Phase::Groups if self.groups == 0 => return self.after_groups(input),
                Phase::Groups => {
                    self.groups -= 1;
                    return self.read_group(input, room).map(Some);
                }
                Phase::Pending { left: 0 } => {
                    self.consumers = input.count(10, "a number of consumers")?;
                    self.last_consumer = None;
                    self.phase = Phase::Consumers;
                }
                Phase::Pending { left } => {
                    self.phase = Phase::Pending { left: left - 1 };
                    return self.read_pending(input).map(Some);
                }
                Phase::Consumers if self.consumers == 0 => self.after_consumers(input)?,
                Phase::Consumers => {
                    self.consumers -= 1;
                    return self.read_consumer(input, room).map(Some);
                }
                Phase::ConsumerPending { left: 0 } => self.phase = Phase::Consumers,
                Phase::ConsumerPending { left } => {
                    self.phase = Phase::ConsumerPending { left: left - 1 };
                    let id = self.read_owned(input)?;
                    return Ok(Some(Step::Other(StreamPart::ConsumerPending(id))));
                }
                Phase::HandedBack { left: 0 } => self.end_group(input)?,
                Phase::HandedBack { left } => {
                    self.phase = Phase::HandedBack { left: left - 1 };
                    // These stand in the order in which they were handed back.
                    self.last_pending = None;
                    let id = self.read_owned(input)?;
                    return Ok(Some(Step::Other(StreamPart::HandedBack(id))));
                }
                Phase::Producers { left: 0 } => {
                    self.phase = Phase::Done;
                    let added = input.plain_length("a stream's producers")?;
                    let repeated = input.plain_length("a stream's producers")?;
                    return Ok(Some(Step::Other(StreamPart::ProducerTotals { added, repeated })));
                }
                Phase::Producers { left } => {
                    input.read_name(&mut room.first, &mut room.lzf, "a producer's name")?;
                    let entries = input.count(3, "a number of a producer's entries")?;
                    self.phase = Phase::Produced { left: entries, producers: left - 1 };
                    return Ok(Some(Step::Producer));
                }
                Phase::Produced { left: 0, producers } => self.phase = Phase::Producers { left: producers },
                Phase::Produced { left, producers } => {
                    input.read_string(&mut room.first, &mut room.lzf, "a producer's id")?;
                    let id = read_id(input)?;
                    self.phase = Phase::Produced { left: left - 1, producers };
                    return Ok(Some(Step::Produced(id)));
                }
                Phase::Done => return Ok(None),
            }
        }
    }

    fn read_node<R: Read>(&mut self, input: &mut Input<R>, room: &mut Room) -> Result<Node> {
        let start = input.offset();
        input.read_string(&mut room.first, &mut room.lzf, "a stream node's id")?;
        let id = match (room.first.int, <[u8; 16]>::try_from(&room.first.bytes[..])) {
            (None, Ok(bytes)) => StreamId::from_be_bytes(bytes),
            _ => return Err(Error::malformed(start, "a stream node's id is not 16 bytes long")),
        };
        if self.last_node.is_some_and(|last| last >= id) {
            return Err(Error::malformed(start, "the nodes of a stream are not in order"));
        }
        self.last_node = Some(id);
        let start = input.offset();
        room.read_packed(input, Packed::Listpack)?;
        let (node, live) = check_node(id, &room.packed.bytes)
            .ok_or_else(|| Error::malformed(start, "the entries in a stream's node are damaged"))?;
        self.entries += live;
        Ok(node)
    }

    fn read_meta<R: Read>(&mut self, input: &mut Input<R>) -> Result<StreamMeta> {
        let length = input.plain_length("a stream's length")?;
        let mut meta =
            StreamMeta { length, last_id: read_id(input)?, entries_added: length, ..Default::default() };
        if self.value_type != ValueType::StreamListpacks {
            meta.first_id = read_id(input)?;
            meta.max_deleted_id = read_id(input)?;
            meta.entries_added = input.plain_length("a stream's length")?;
        }
        // A stream trimmed by a development version of Redis 5.0 says more entries than it has, and servers take it.
        if length > 0 && self.entries == 0 {
            return Err(Error::malformed(input.offset(), "a stream does not hold the entries that it says"));
        }
        if self.last_node.is_some_and(|last| last > meta.last_id) {
            return Err(Error::malformed(input.offset(), "a stream holds an entry past its last id"));
        }
        self.groups = input.count(5, "a number of groups")?;
        Ok(meta)
    }

    fn read_group<R: Read>(&mut self, input: &mut Input<R>, room: &mut Room) -> Result<Step> {
        input.read_name(&mut room.first, &mut room.lzf, "a group's name")?;
        check_after(&mut self.last_group, &room.first, input, "the groups of a stream are not in order")?;
        let last_id = read_id(input)?;
        let mut entries_read = None;
        if self.value_type != ValueType::StreamListpacks {
            let count = input.plain_length("a group's entries read")?;
            // The server keeps "not known" as -1.
            entries_read = (count != u64::MAX).then_some(count);
        }
        let left = input.count(25, "a number of pending entries")?;
        self.phase = Phase::Pending { left };
        self.last_pending = None;
        self.unowned = Balance::default();
        Ok(Step::Group { last_id, entries_read })
    }

    fn read_pending<R: Read>(&mut self, input: &mut Input<R>) -> Result<Step> {
        let id = self.read_raw_id(input)?;
        self.unowned.put(id);
        let delivered_at_ms = input.milliseconds("a delivery time")?;
        let deliveries = input.plain_length("a delivery count")?;
        Ok(Step::Other(StreamPart::Pending { id, delivered_at_ms, deliveries }))
    }

    fn read_consumer<R: Read>(&mut self, input: &mut Input<R>, room: &mut Room) -> Result<Step> {
        input.read_name(&mut room.first, &mut room.lzf, "a consumer's name")?;
        check_after(
            &mut self.last_consumer,
            &room.first,
            input,
            "the consumers of a group are not in order",
        )?;
        let seen_at_ms = input.milliseconds("a consumer's time")?;
        let mut active_at_ms = None;
        if self.value_type >= ValueType::StreamListpacks3 {
            // The server keeps "never" as -1.
            active_at_ms = Some(input.milliseconds("a consumer's time")?).filter(|ms| *ms >= 0);
        }
        self.phase = Phase::ConsumerPending { left: input.count(16, "a number of pending entries")? };
        self.last_pending = None;
        Ok(Step::Consumer { seen_at_ms, active_at_ms })
    }

    /// Reads the id of a pending entry that somebody has.
    fn read_owned<R: Read>(&mut self, input: &mut Input<R>) -> Result<StreamId> {
        let id = self.read_raw_id(input)?;
        self.unowned.take(id);
        Ok(id)
    }

    /// Reads an id of 16 bytes, which must be after the one before.
    fn read_raw_id<R: Read>(&mut self, input: &mut Input<R>) -> Result<StreamId> {
        let id = StreamId::from_be_bytes(input.array("a pending entry")?);
        if self.last_pending.is_some_and(|last| last >= id) {
            return Err(Error::malformed(input.offset(), "pending entries are not in order"));
        }
        self.last_pending = Some(id);
        Ok(id)
    }

    fn after_consumers<R: Read>(&mut self, input: &mut Input<R>) -> Result<()> {
        if self.value_type == ValueType::StreamListpacks5 {
            let left = input.count(16, "a number of entries handed back")?;
            self.phase = Phase::HandedBack { left };
            return Ok(());
        }
        self.end_group(input)
    }

    fn end_group<R: Read>(&mut self, input: &mut Input<R>) -> Result<()> {
        if self.unowned != Balance::default() {
            return Err(Error::malformed(
                input.offset(),
                "pending entries and those of the consumers are not the same",
            ));
        }
        self.phase = Phase::Groups;
        Ok(())
    }

    fn after_groups<R: Read>(&mut self, input: &mut Input<R>) -> Result<Option<Step>> {
        if self.value_type < ValueType::StreamListpacks4 {
            self.phase = Phase::Done;
            return Ok(None);
        }
        let what = "a stream's producers";
        let duration_s = input.plain_length(what)?;
        let max_entries = input.plain_length(what)?;
        self.phase = Phase::Producers { left: input.count(2, what)? };
        Ok(Some(Step::Other(StreamPart::Repeats { duration_s, max_entries })))
    }
}

/// Refuses a name that is not after the one before it; names stand in the order of their bytes.
fn check_after<R: Read>(
    last: &mut Option<Vec<u8>>,
    name: &Slot,
    input: &Input<R>,
    what: &'static str,
) -> Result<()> {
    if last.as_ref().is_some_and(|last| *last >= name.bytes) {
        return Err(Error::malformed(input.offset(), what));
    }
    *last = Some(name.bytes.clone());
    Ok(())
}

fn read_id<R: Read>(input: &mut Input<R>) -> Result<StreamId> {
    Ok(StreamId::new(input.plain_length("a stream's ids")?, input.plain_length("a stream's ids")?))
}
