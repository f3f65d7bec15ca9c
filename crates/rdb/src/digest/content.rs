//! What a value holds, hashed: in order where order counts, added up where it does not.

use std::io::Read;

use xxhash_rust::xxh3::xxh3_128;

use super::message::Message;
use super::stream::put_part;
use crate::decode::Decoder;
use crate::input::Input;
use crate::module;
use crate::narrow::in_memory;
use crate::strings::StringHead;
use crate::template::Templates;
use crate::text::{Decimal, Slot};
use crate::{Element, Kind, Result, SlotValue, StreamPart, Text, ValueType};

/// A raw string up to this length is hashed where it lies in the input's buffer.
const IN_PLACE_LEN: u64 = 64 << 10;

/// The hash of a value, and how many elements it has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content {
    pub(super) hash: u128,
    pub(super) elements: u64,
}

/// Buffers that are used again from value to value.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub(super) message: Message,
    text: Slot,
    packed: Vec<u8>,
}

/// Decodes a whole value and hashes it.
pub(super) fn content<R: Read>(
    input: &mut Input<R>,
    decoder: &mut Decoder,
    value_type: ValueType,
    templates: &Templates,
    room: &mut Room,
) -> Result<Content> {
    match value_type {
        ValueType::String => Ok(Content { hash: string(input, room)?, elements: 1 }),
        ValueType::Module2 => Ok(Content { hash: module_value(input, room)?, elements: 1 }),
        _ => {
            decoder.start(input, value_type, templates)?;
            elements(input, decoder, value_type.kind(), &mut room.message)
        }
    }
}

/// Hashes a string, if possible where it lies.
#[inline]
fn string<R: Read>(input: &mut Input<R>, room: &mut Room) -> Result<u128> {
    let what = "a string";
    match input.string_head(what)? {
        StringHead::Int(value) => Ok(xxh3_128(Decimal::new(value).as_bytes())),
        StringHead::Raw(len) if len <= IN_PLACE_LEN => {
            input.check_len(len, what)?;
            let len = in_memory(len);
            input.need(len, what)?;
            let hash = xxh3_128(&input.peek()[..len]);
            input.consume(len);
            Ok(hash)
        }
        StringHead::Raw(len) => long_string(input, len, &mut room.message),
        head @ StringHead::Lzf { .. } => {
            input.read_string_body(head, &mut room.text, &mut room.packed, what)?;
            Ok(xxh3_128(&room.text.bytes))
        }
    }
}

/// Hashes a long string as it comes, without keeping it.
fn long_string<R: Read>(input: &mut Input<R>, len: u64, message: &mut Message) -> Result<u128> {
    let what = "a string";
    input.check_len(len, what)?;
    message.start();
    let mut left = len;
    while left > 0 {
        input.need(1, what)?;
        let step = in_memory(left).min(input.peek().len());
        message.put(&input.peek()[..step]);
        input.consume(step);
        left -= step as u64;
    }
    Ok(message.finish())
}

/// Hashes a module's type and the parts of its value, with their marks.
fn module_value<R: Read>(input: &mut Input<R>, room: &mut Room) -> Result<u128> {
    let Room { message, text, packed } = room;
    message.start();
    let module = module::read_module(input, text, packed, |mark, bytes| {
        message.put(&[mark]);
        message.put_counted(bytes);
    })?;
    message.put(&module.id().to_le_bytes());
    Ok(message.finish())
}

fn elements<R: Read>(
    input: &mut Input<R>,
    decoder: &mut Decoder,
    kind: Kind,
    message: &mut Message,
) -> Result<Content> {
    let is_ordered = matches!(kind, Kind::List | Kind::Stream);
    let (mut elements, mut sum) = (0, 0u128);
    message.start();
    while let Some(element) = decoder.next(input)? {
        if !is_ordered {
            message.start();
        }
        // Of a stream's parts only the entries are elements.
        elements += u64::from(!matches!(
            &element,
            Element::Stream(part) if !matches!(part, StreamPart::Entry { .. })
        ));
        put_element(element, message);
        if !is_ordered {
            sum = sum.wrapping_add(message.finish());
        }
    }
    Ok(Content { hash: if is_ordered { message.finish() } else { sum }, elements })
}

fn put_element(element: Element<'_>, message: &mut Message) {
    match element {
        // Its only element, or the last piece of a message: nothing follows that it could run into.
        Element::String(text) | Element::Member(text) => text.with_bytes(|bytes| message.put(bytes)),
        Element::Item(text) => text.with_bytes(|bytes| message.put_counted(bytes)),
        Element::Scored { member, score } => {
            message.put(&score_bits(score).to_le_bytes());
            member.with_bytes(|bytes| message.put(bytes));
        }
        Element::Field { name, value, expires_at_ms } => {
            message.put(&[u8::from(expires_at_ms.is_some())]);
            message.put(&expires_at_ms.unwrap_or(0).to_le_bytes());
            name.with_bytes(|bytes| message.put_counted(bytes));
            value.with_bytes(|bytes| message.put(bytes));
        }
        Element::Slot { index, value } => {
            message.put(&index.to_le_bytes());
            put_slot(value, message);
        }
        Element::Stream(part) => put_part(part, message),
        // Hashed by its parts, elsewhere.
        Element::Module(module) => message.put(&module.id().to_le_bytes()),
    }
}

fn put_slot(value: SlotValue<'_>, message: &mut Message) {
    let text = match value {
        SlotValue::Double(value) => {
            message.put(b"d");
            return message.put(&value.to_bits().to_le_bytes());
        }
        SlotValue::Int(value) => Text::Int(value),
        SlotValue::Text(text) => text,
    };
    message.put(b"t");
    text.with_bytes(|bytes| message.put(bytes));
}

/// The bits of a score; a listpack has no negative zero where a skip list has one.
fn score_bits(score: f64) -> u64 {
    if score == 0.0 { 0 } else { score.to_bits() }
}
