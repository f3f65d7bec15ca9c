//! Adds up a key's parts as the file is passed by.

use super::MemoryEstimate;
use super::rax::RaxShape;
use super::structures::{Field, Key, STEPS_OF_FIELD, STEPS_OF_MEMBER, STEPS_OF_SCORED, Structures, TableOf};
use crate::packed::{Announced, Packed};
use crate::strings::StringHead;
use crate::walk::{NodeKind, Part, Visit};
use crate::{Kind, ValueType};

/// Most elements and longest strings that servers keep in a listpack (`hash-max-listpack-entries` and the like).
const HASH_ENTRIES: u64 = 512;
const SET_ENTRIES: u64 = 128;
const SORTED_SET_ENTRIES: u64 = 128;
const INTSET_ENTRIES: u64 = 512;
const LISTPACK_VALUE: u64 = 64;
/// Longest node of a list (`list-max-listpack-size -2`).
const LIST_NODE: u64 = 8192;

/// Sizes one key.
#[derive(Debug)]
pub(crate) struct Sizing {
    with: Structures,
    value_type: ValueType,
    key: Key,
    /// Elements so far.
    count: u64,
    /// The string that is the value.
    string: Option<StringHead>,
    /// Name of the field whose value comes next.
    name: Option<u64>,
    /// When that field expires.
    field_expiry: Option<i64>,
    expiring_fields: u64,
    /// What the elements take each in a place of its own, in 1/1024 bytes.
    apart: u64,
    /// What they take in one listpack.
    together: u64,
    longest: u64,
    all_integers: bool,
    widest_integer: i64,
    /// Packed strings and large items: number, length of the last, and what all take as nodes of a list.
    nodes: u64,
    node_len: u64,
    node_bytes: u64,
    /// Whether the next string is a large item, and how many were.
    plain_node: bool,
    plain_nodes: u64,
    packed_bytes: u64,
    tree: RaxShape,
    groups: u64,
    group: Option<RaxShape>,
    consumer: Option<(u64, RaxShape)>,
}

impl Sizing {
    pub(super) fn new(with: Structures, value_type: ValueType, key: Key) -> Self {
        Self {
            with,
            value_type,
            key,
            count: 0,
            string: None,
            name: None,
            field_expiry: None,
            expiring_fields: 0,
            apart: 0,
            together: 7,
            longest: 0,
            all_integers: true,
            widest_integer: 0,
            nodes: 0,
            node_len: 0,
            node_bytes: 0,
            plain_node: false,
            plain_nodes: 0,
            packed_bytes: 0,
            tree: RaxShape::new(with.allocator),
            groups: 0,
            group: None,
            consumer: None,
        }
    }

    fn element(&mut self, head: StringHead) {
        let len = head.plain_len();
        match self.value_type.kind() {
            Kind::String => self.string = Some(head),
            Kind::List => return self.item(len, head),
            Kind::Set => {
                self.count += 1;
                self.apart += 1024 * self.with.set_member(len);
            }
            Kind::SortedSet => {
                self.count += 1;
                self.apart += self.with.sorted_set_member(len);
                // A score takes between two bytes and twenty.
                self.together += 10;
            }
            Kind::Hash => {
                if let Some(name) = self.name.take() {
                    let field_expires = self.field_expiry.take().is_some();
                    self.count += 1;
                    self.apart += 1024 * self.with.field(Field { name, value: len, expires: field_expires });
                    self.expiring_fields += u64::from(field_expires);
                    self.together += if field_expires { 10 } else { 0 };
                } else {
                    self.name = Some(len);
                }
            }
            Kind::Stream | Kind::Array | Kind::Module => self.apart += 1024 * self.with.sds(len),
        }
        self.together += listpack_entry(head);
        self.longest = self.longest.max(len);
        match head {
            StringHead::Int(value) => self.widest_integer = self.widest_integer.max(value.saturating_abs()),
            _ => self.all_integers = false,
        }
    }

    /// An item of a list that is not packed in the file, or a node that is one.
    fn item(&mut self, len: u64, head: StringHead) {
        self.count += 1;
        if std::mem::take(&mut self.plain_node) {
            self.plain_nodes += 1;
            return self.node(len);
        }
        let entry = listpack_entry(head);
        if self.nodes == 0 || self.node_len + entry > LIST_NODE {
            self.close_node();
            self.nodes += 1;
            self.node_len = 7;
        }
        self.node_len += entry;
    }

    /// Counts the node that items were put into.
    fn close_node(&mut self) {
        if self.value_type == ValueType::List && self.nodes > 0 {
            self.node_bytes += self.with.quicklist_node(self.node_len);
        }
    }

    /// A node as it stands in the file.
    fn node(&mut self, len: u64) {
        self.nodes += 1;
        self.node_len = len;
        self.node_bytes += self.with.quicklist_node(len);
    }

    fn packed(&mut self, packed: Packed, len: u64, announced: Announced, group: u64) {
        let (Announced::Exactly(entries) | Announced::AtLeast(entries)) = announced;
        self.count += entries / group.max(1);
        // What older servers packed otherwise is packed again when it is loaded.
        let len = match packed {
            Packed::Ziplist => len.saturating_sub(4),
            Packed::Zipmap => len + entries + 5,
            Packed::Listpack | Packed::Intset => len,
        };
        self.packed_bytes += self.with.allocator.rounded(len);
        self.node(len);
    }

    fn end_consumer(&mut self) {
        if let Some((name, shape)) = self.consumer.take() {
            self.groups += self.with.consumer(name, shape.totals());
        }
    }

    fn end_group(&mut self) {
        self.end_consumer();
        if let Some(shape) = self.group.take() {
            self.groups += self.with.group(shape.totals());
        }
    }

    pub(super) fn finish(mut self) -> MemoryEstimate {
        self.end_group();
        self.close_node();
        let (with, key) = (self.with, self.key);
        let (usage_bytes, uncounted_key_bytes) = match self.string {
            Some(StringHead::Int(_)) => with.integer(key),
            Some(StringHead::Raw(len) | StringHead::Lzf { plain: len, .. }) => with.string(key, len),
            None => (with.object(key) + self.value(), with.uncounted(key)),
        };
        MemoryEstimate {
            usage_bytes,
            uncounted_key_bytes,
            table_bytes: with.key_slot(),
            expires_bytes: if key.expires { with.expires_slot() } else { 0 },
            is_known: !matches!(self.value_type.kind(), Kind::Module | Kind::Array),
        }
    }

    /// A value that is not a string, without its object.
    fn value(&self) -> u64 {
        match self.value_type.kind() {
            Kind::List => self.list(),
            Kind::Set => self.set(),
            Kind::SortedSet if self.is_packed(SORTED_SET_ENTRIES) => self.packed_value(),
            Kind::SortedSet => {
                let before = self.with.table_before(self.count, STEPS_OF_SCORED);
                self.with.sorted_set(self.count) + before + self.apart.div_ceil(1024)
            }
            Kind::Hash => self.hash(),
            Kind::Stream => {
                let tree = self.tree.clone().totals();
                let room = match self.nodes {
                    0 => 0,
                    _ => {
                        self.with.last_stream_node(self.node_len) - self.with.allocator.rounded(self.node_len)
                    }
                };
                Structures::stream() + self.with.rax(tree) + self.packed_bytes + room + self.groups
            }
            Kind::String | Kind::Array | Kind::Module => self.apart.div_ceil(1024),
        }
    }

    /// True if the value is packed in the file, or the server would pack it.
    fn is_packed(&self, most: u64) -> bool {
        self.packed_bytes > 0 || self.count <= most && self.longest <= LISTPACK_VALUE
    }

    fn packed_value(&self) -> u64 {
        if self.packed_bytes > 0 { self.packed_bytes } else { self.with.allocator.rounded(self.together) }
    }

    fn list(&self) -> u64 {
        let is_short = self.nodes == 1 && self.node_len <= LIST_NODE && self.plain_nodes == 0;
        if is_short && self.with.has_listpack_lists() {
            return self.with.allocator.rounded(self.node_len);
        }
        Structures::quicklist() + self.node_bytes
    }

    fn set(&self) -> u64 {
        if self.packed_bytes > 0 {
            return self.packed_bytes;
        }
        if self.all_integers && self.count <= INTSET_ENTRIES {
            let width = match self.widest_integer {
                ..=0x7fff => 2,
                0x8000..=0x7fff_ffff => 4,
                _ => 8,
            };
            return self.with.allocator.rounded(8 + width * self.count);
        }
        if self.with.has_listpack_sets() && self.is_packed(SET_ENTRIES) {
            return self.packed_value();
        }
        let before = self.with.table_before(self.count, STEPS_OF_MEMBER);
        self.with.table(self.count, TableOf::Members) + before + self.apart.div_ceil(1024)
    }

    fn hash(&self) -> u64 {
        let with_expiry = self.expiring_fields > 0 || self.value_type == ValueType::HashListpackEx;
        // Valkey keeps hashes with expiring fields in tables.
        let is_packed = self.is_packed(HASH_ENTRIES) && self.value_type != ValueType::ValkeyHash2;
        if is_packed && with_expiry {
            let len = if self.packed_bytes > 0 { self.node_len } else { self.together };
            return self.with.listpack_with_expiry(len);
        }
        if is_packed {
            return self.packed_value();
        }
        self.with.table(self.count, TableOf::Fields)
            + self.with.table_before(self.count, STEPS_OF_FIELD)
            + self.apart.div_ceil(1024)
            + self.with.expiring_fields(self.expiring_fields)
    }
}

/// Bytes of an entry of a listpack.
fn listpack_entry(head: StringHead) -> u64 {
    match head {
        StringHead::Int(0..=127) => 2,
        StringHead::Int(-4096..=4095) => 3,
        StringHead::Int(-32_768..=32_767) => 4,
        StringHead::Int(-8_388_608..=8_388_607) => 5,
        StringHead::Int(-2_147_483_648..=2_147_483_647) => 6,
        StringHead::Int(_) => 10,
        StringHead::Raw(len) | StringHead::Lzf { plain: len, .. } => match len {
            0..=63 => len + 2,
            64..=125 => len + 3,
            126..=4095 => len + 4,
            _ => len + 8,
        },
    }
}

impl Visit for Sizing {
    const READS_DIGITS: bool = true;

    fn part(&mut self, part: Part) {
        match part {
            Part::String(head) => self.element(head),
            Part::FieldExpiry(at) => self.field_expiry = at,
            Part::Packed { packed, len, announced, group } => self.packed(packed, len, announced, group),
            Part::Node(NodeKind::Plain) => self.plain_node = true,
            Part::Count(_) | Part::Node(NodeKind::Packed) => {}
            Part::Node(NodeKind::Stream(id)) => self.tree.add(id),
            Part::StreamLength(length) => self.count = length,
            Part::Group => {
                self.end_group();
                self.group = Some(RaxShape::new(self.with.allocator));
            }
            Part::Pending(id) => {
                if let Some(group) = &mut self.group {
                    group.add(id);
                }
            }
            Part::Consumer(name) => {
                self.end_consumer();
                self.consumer = Some((name, RaxShape::new(self.with.allocator)));
            }
            Part::ConsumerPending(id) => {
                if let Some((_, shape)) = &mut self.consumer {
                    shape.add(id);
                }
            }
        }
    }
}
