//! Finds the end of a value without keeping or decompressing what is in it, and reports its shape on the way.

use std::io::Read;

use crate::input::Input;
use crate::lzf;
use crate::module;
use crate::narrow::in_memory;
use crate::packed::{Announced, HEAD_LEN, Packed};
use crate::strings::StringHead;
use crate::template::Templates;
use crate::text::parse_int;
use crate::{Error, Result, StreamId, ValueType};

/// Part of a value's shape, in the order of the file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    /// That many elements are announced (fields, members, items, array slots).
    Count(u64),
    /// A string: the value, an item, a member, or a field's name and then its value.
    String(StringHead),
    /// The field whose name comes next expires or does not.
    FieldExpiry(Option<i64>),
    /// A packed string of `len` bytes; `group` entries make an element.
    Packed { packed: Packed, len: u64, announced: Announced, group: u64 },
    /// A node of a quicklist or a stream that stands on its own.
    Node(NodeKind),
    /// A stream's length in entries.
    StreamLength(u64),
    /// A consumer group.
    Group,
    /// A pending entry of the group.
    Pending(StreamId),
    /// A consumer with a name of that many bytes.
    Consumer(u64),
    /// A pending entry of the consumer.
    ConsumerPending(StreamId),
}

/// What a node is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum NodeKind {
    /// One large item of a list.
    Plain,
    /// A packed part of a list.
    Packed,
    /// A packed part of a stream, starting at this entry.
    Stream(StreamId),
}

/// Takes the parts of a value.
pub(crate) trait Visit {
    /// True to be given the integer that a string spells, where it is stored as its digits.
    const READS_DIGITS: bool = false;

    fn part(&mut self, part: Part);
}

/// Takes nothing: for a value that is only passed by.
impl Visit for () {
    #[inline]
    fn part(&mut self, _: Part) {}
}

/// Passes by one value of type `value_type`.
pub(crate) fn walk<R: Read, V: Visit>(
    input: &mut Input<R>,
    value_type: ValueType,
    templates: &Templates,
    visit: &mut V,
) -> Result<()> {
    use ValueType as T;
    match value_type {
        T::String => string(input, visit, "a string"),
        T::List | T::Set => strings(input, 1, "an element", visit),
        T::Hash => strings(input, 2, "a field", visit),
        T::SortedSet => {
            let count = counted(input, 2, visit)?;
            for _ in 0..count {
                string(input, visit, "a member")?;
                input.decimal_double("a score")?;
            }
            Ok(())
        }
        T::SortedSet2 => {
            let count = counted(input, 9, visit)?;
            for _ in 0..count {
                string(input, visit, "a member")?;
                input.skip(8, "a score")?;
            }
            Ok(())
        }
        T::HashZipmap => packed(input, Packed::Zipmap, 2, visit),
        T::ListZiplist => packed(input, Packed::Ziplist, 1, visit),
        T::SetIntset => packed(input, Packed::Intset, 1, visit),
        T::SortedSetZiplist | T::HashZiplist => packed(input, Packed::Ziplist, 2, visit),
        T::HashListpack | T::SortedSetListpack => packed(input, Packed::Listpack, 2, visit),
        T::SetListpack => packed(input, Packed::Listpack, 1, visit),
        T::HashListpackExPreGa => packed(input, Packed::Listpack, 3, visit),
        T::HashListpackEx => {
            let earliest = input.milliseconds("a field's expiry")?;
            visit.part(Part::FieldExpiry(Some(earliest)));
            packed(input, Packed::Listpack, 3, visit)
        }
        T::ListQuicklist | T::ListQuicklist2 => quicklist(input, value_type, visit),
        T::HashMetadataPreGa | T::HashMetadata => hash_metadata(input, value_type, visit),
        T::ValkeyHash2 => {
            let count = counted(input, 10, visit)?;
            for _ in 0..count {
                let name = input.skip_string("a field")?;
                let value = input.skip_string("a field's value")?;
                let expiry = input.milliseconds("a field's expiry")?;
                visit.part(Part::FieldExpiry((expiry >= 0).then_some(expiry)));
                visit.part(Part::String(name));
                visit.part(Part::String(value));
            }
            Ok(())
        }
        T::StreamListpacks
        | T::StreamListpacks2
        | T::StreamListpacks3
        | T::StreamListpacks4
        | T::StreamListpacks5 => stream(input, value_type, visit),
        T::Array => array(input, visit),
        T::HashTemplateListpack => {
            let count = template_fields(input)?;
            visit.part(Part::Count(count));
            let (len, announced) = packed_string(input, Packed::Listpack)?;
            visit.part(Part::Packed { packed: Packed::Listpack, len, announced, group: 0 });
            Ok(())
        }
        T::HashTemplateListpackRef => {
            let (len, announced) = packed_string(input, Packed::Listpack)?;
            // The first entry is the number of the template.
            let (Announced::Exactly(entries) | Announced::AtLeast(entries)) = announced;
            visit.part(Part::Count(entries.saturating_sub(1)));
            visit.part(Part::Packed { packed: Packed::Listpack, len, announced, group: 0 });
            Ok(())
        }
        T::HashTemplateArray => {
            let count = template_fields(input)?;
            visit.part(Part::Count(count));
            (0..count).try_for_each(|_| string(input, visit, "a field's value"))
        }
        T::HashTemplateArrayRef => {
            let fields = templates.next_named(input)?;
            visit.part(Part::Count(fields.len() as u64));
            (0..fields.len()).try_for_each(|_| string(input, visit, "a field's value"))
        }
        T::Module2 => {
            visit.part(Part::Count(1));
            module::skip_module(input).map(|_| ())
        }
        T::ModulePreGa => Err(module::opaque(input)),
    }
}

#[inline]
fn string<R: Read, V: Visit>(input: &mut Input<R>, visit: &mut V, what: &'static str) -> Result<()> {
    let head = if V::READS_DIGITS { spelled_out(input, what)? } else { input.skip_string(what)? };
    visit.part(Part::String(head));
    Ok(())
}

/// Skips a string; one that spells an integer is told as that.
fn spelled_out<R: Read>(input: &mut Input<R>, what: &'static str) -> Result<StringHead> {
    let mut head = input.string_head(what)?;
    match head {
        // No integer of 64 bits has more than 20 digits.
        StringHead::Raw(len) if len <= 20 => {
            let len = in_memory(len);
            input.need(len, what)?;
            if let Some(value) = parse_int(&input.peek()[..len]) {
                head = StringHead::Int(value);
            }
            input.consume(len);
        }
        StringHead::Raw(len) | StringHead::Lzf { packed: len, .. } => input.skip(len, what)?,
        StringHead::Int(_) => {}
    }
    Ok(head)
}

fn counted<R: Read>(input: &mut Input<R>, each: u64, visit: &mut impl Visit) -> Result<u64> {
    let count = input.count(each, "a number of elements")?;
    visit.part(Part::Count(count));
    Ok(count)
}

fn strings<R: Read>(
    input: &mut Input<R>,
    each: u64,
    what: &'static str,
    visit: &mut impl Visit,
) -> Result<()> {
    let count = counted(input, each, visit)?;
    for _ in 0..count.saturating_mul(each) {
        string(input, visit, what)?;
    }
    Ok(())
}

fn hash_metadata<R: Read>(input: &mut Input<R>, value_type: ValueType, visit: &mut impl Visit) -> Result<()> {
    let mut earliest = 0;
    if value_type == ValueType::HashMetadata {
        earliest = input.milliseconds("a field's expiry")?;
    }
    let count = counted(input, 3, visit)?;
    for _ in 0..count {
        let said = input.plain_length("a field's expiry")?;
        visit.part(Part::FieldExpiry(field_expiry(said, earliest, value_type)));
        string(input, visit, "a field")?;
        string(input, visit, "a field's value")?;
    }
    Ok(())
}

/// Absolute expiry of a field: 0 is none; since 7.4.0 it counts from one before the earliest.
pub(crate) fn field_expiry(said: u64, earliest: i64, value_type: ValueType) -> Option<i64> {
    let in_time = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    match value_type {
        _ if said == 0 => None,
        ValueType::HashMetadata => Some(in_time(said - 1).saturating_add(earliest)),
        _ => Some(in_time(said)),
    }
}

fn packed<R: Read>(input: &mut Input<R>, packed: Packed, group: u64, visit: &mut impl Visit) -> Result<()> {
    let (len, announced) = packed_string(input, packed)?;
    visit.part(Part::Packed { packed, len, announced, group });
    Ok(())
}

/// Skips a packed string; gives its length and the number of entries in its header.
fn packed_string<R: Read>(input: &mut Input<R>, packed: Packed) -> Result<(u64, Announced)> {
    let what = "a packed string";
    let (len, announced) = match input.string_head(what)? {
        StringHead::Raw(len) => {
            let head_len = in_memory(len).min(HEAD_LEN);
            input.need(head_len, what)?;
            let announced = packed.announced(&input.peek()[..head_len]);
            input.skip(len, what)?;
            (len, announced)
        }
        StringHead::Lzf { packed: packed_len, plain } => {
            // Commands take 33 bytes at most, so 64 are enough for the ten bytes of a header.
            let sample = in_memory(packed_len).min(64);
            input.need(sample, what)?;
            let mut start = Vec::new();
            lzf::decompress_start(&input.peek()[..sample], HEAD_LEN, &mut start);
            let announced = packed.announced(&start);
            input.skip(packed_len, what)?;
            (plain, announced)
        }
        StringHead::Int(_) => (0, None),
    };
    // What is too short for a header is for decoding to complain about.
    Ok((len, announced.unwrap_or(Announced::AtLeast(0))))
}

fn quicklist<R: Read>(input: &mut Input<R>, value_type: ValueType, visit: &mut impl Visit) -> Result<()> {
    let form = if value_type == ValueType::ListQuicklist2 { Packed::Listpack } else { Packed::Ziplist };
    let nodes = input.count(1, "a number of nodes")?;
    for _ in 0..nodes {
        if value_type == ValueType::ListQuicklist2 && input.plain_length("a node's form")? == PLAIN_NODE {
            visit.part(Part::Node(NodeKind::Plain));
            string(input, visit, "a list item")?;
        } else {
            visit.part(Part::Node(NodeKind::Packed));
            packed(input, form, 1, visit)?;
        }
    }
    Ok(())
}

/// A quicklist node that is one item (`QUICKLIST_NODE_CONTAINER_PLAIN`, Redis 7.0 `src/quicklist.h`).
pub(crate) const PLAIN_NODE: u64 = 1;
/// A quicklist node that is a listpack (`QUICKLIST_NODE_CONTAINER_PACKED`).
pub(crate) const PACKED_NODE: u64 = 2;

fn stream<R: Read>(input: &mut Input<R>, value_type: ValueType, visit: &mut impl Visit) -> Result<()> {
    let nodes = input.count(2, "a number of stream nodes")?;
    for _ in 0..nodes {
        let head = input.string_head("a stream node's id")?;
        if head != StringHead::Raw(16) {
            return Err(Error::malformed(input.offset(), "a stream node's id is not 16 bytes long"));
        }
        let id = input.array("a stream node's id")?;
        visit.part(Part::Node(NodeKind::Stream(StreamId::from_be_bytes(id))));
        packed(input, Packed::Listpack, 1, visit)?;
    }
    visit.part(Part::StreamLength(input.plain_length("a stream's length")?));
    let numbers = if value_type == ValueType::StreamListpacks { 2 } else { 7 };
    for _ in 0..numbers {
        input.plain_length("a stream's ids")?;
    }
    let groups = input.count(5, "a number of groups")?;
    for _ in 0..groups {
        group(input, value_type, visit)?;
    }
    if value_type >= ValueType::StreamListpacks4 {
        producers(input)?;
    }
    Ok(())
}

fn group<R: Read>(input: &mut Input<R>, value_type: ValueType, visit: &mut impl Visit) -> Result<()> {
    input.skip_string("a group's name")?;
    visit.part(Part::Group);
    let numbers = if value_type == ValueType::StreamListpacks { 2 } else { 3 };
    for _ in 0..numbers {
        input.plain_length("a group's place")?;
    }
    for _ in 0..input.count(25, "a number of pending entries")? {
        visit.part(Part::Pending(StreamId::from_be_bytes(input.array("a pending entry")?)));
        input.skip(8, "a delivery time")?;
        input.plain_length("a delivery count")?;
    }
    for _ in 0..input.count(10, "a number of consumers")? {
        let name = input.skip_string("a consumer's name")?;
        visit.part(Part::Consumer(name.plain_len()));
        input.skip(if value_type >= ValueType::StreamListpacks3 { 16 } else { 8 }, "a consumer's times")?;
        for _ in 0..input.count(16, "a number of pending entries")? {
            visit.part(Part::ConsumerPending(StreamId::from_be_bytes(input.array("a pending entry")?)));
        }
    }
    if value_type == ValueType::StreamListpacks5 {
        let count = input.count(16, "a number of entries handed back")?;
        input.skip(count.saturating_mul(16), "an entry handed back")?;
    }
    Ok(())
}

fn producers<R: Read>(input: &mut Input<R>) -> Result<()> {
    let what = "a stream's producers";
    input.plain_length(what)?;
    input.plain_length(what)?;
    for _ in 0..input.count(2, what)? {
        input.skip_string(what)?;
        for _ in 0..input.count(3, what)? {
            input.skip_string(what)?;
            input.plain_length(what)?;
            input.plain_length(what)?;
        }
    }
    input.plain_length(what)?;
    input.plain_length(what)?;
    Ok(())
}

fn array<R: Read>(input: &mut Input<R>, visit: &mut impl Visit) -> Result<()> {
    let count = counted(input, 3, visit)?;
    if input.plain_length("an array's mark")? != 0 {
        input.plain_length("an array's insert index")?;
    }
    for _ in 0..count {
        input.plain_length("an array's index")?;
        match input.plain_length("an array element's form")? {
            0 | 3 => string(input, visit, "an array's element")?,
            1 | 2 => input.skip(8, "an array's element")?,
            _ => return Err(Error::malformed(input.offset(), "an array's element has an unknown form")),
        }
    }
    Ok(())
}

/// Skips the field names in front of a template's values, in a listpack (mark 0) or one by one (mark 1); gives
/// their number.
fn template_fields<R: Read>(input: &mut Input<R>) -> Result<u64> {
    match input.plain_length("a template's form")? {
        0 => match packed_string(input, Packed::Listpack)? {
            (_, Announced::Exactly(count)) => Ok(count),
            _ => Err(Error::malformed(input.offset(), "a template has too many fields")),
        },
        1 => {
            let count = input.count(1, "a number of fields")?;
            (0..count).try_for_each(|_| input.skip_string("a field").map(|_| ()))?;
            Ok(count)
        }
        _ => Err(Error::malformed(input.offset(), "a template has an unknown form")),
    }
}
