//! The parts of a stream, as they are hashed: one after the other, each with a mark and lengths, so that no two streams
//! put together the same bytes.

use super::message::Message;
use crate::{StreamId, StreamPart};

/// Puts a part of a stream; nothing for what some server in use does not keep.
pub(super) fn put_part(part: StreamPart<'_>, message: &mut Message) {
    match part {
        StreamPart::Entry { id, fields } => {
            message.put(b"e");
            put_id(id, message);
            message.put(&(fields.len() as u64).to_le_bytes());
            for (name, value) in fields {
                name.with_bytes(|bytes| message.put_counted(bytes));
                value.with_bytes(|bytes| message.put_counted(bytes));
            }
        }
        // The length is that of the entries; the rest came with Redis 7.0 and is not known of a stream from before.
        StreamPart::Meta(meta) => {
            message.put(b"m");
            put_id(meta.last_id, message);
        }
        StreamPart::Group { name, last_id, entries_read: _ } => {
            message.put(b"g");
            message.put_counted(name);
            put_id(last_id, message);
        }
        StreamPart::Pending { id, delivered_at_ms, deliveries } => {
            message.put(b"p");
            put_id(id, message);
            message.put(&delivered_at_ms.to_le_bytes());
            message.put(&deliveries.to_le_bytes());
        }
        StreamPart::Consumer { name, seen_at_ms: _, active_at_ms: _ } => {
            message.put(b"c");
            message.put_counted(name);
        }
        StreamPart::ConsumerPending(id) => {
            message.put(b"o");
            put_id(id, message);
        }
        StreamPart::HandedBack(id) => {
            message.put(b"h");
            put_id(id, message);
        }
        StreamPart::Repeats { .. }
        | StreamPart::Producer { .. }
        | StreamPart::Produced { .. }
        | StreamPart::ProducerTotals { .. } => {}
    }
}

fn put_id(id: StreamId, message: &mut Message) {
    message.put(&id.to_be_bytes());
}
