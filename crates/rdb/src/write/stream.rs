//! Serialises streams, packing entries into nodes as servers do (`stream-node-max-entries`, `-max-bytes`).

use super::encode::{Encoder, length, raw_string};
use crate::packed::ListpackBuilder;
use crate::{Stream, StreamEntry, StreamGroup, StreamId, Text, ValueType};

/// Entries and bytes of a node, from the servers' defaults.
const NODE_ENTRIES: usize = 100;
const NODE_BYTES: usize = 4096;

const SAME_FIELDS: i64 = 2;

pub(super) fn encode(
    encoder: &mut Encoder,
    stream: &Stream,
    value_type: ValueType,
    out: &mut Vec<u8>,
) -> Result<(), &'static str> {
    if !stream.entries.is_sorted_by(|a, b| a.id < b.id) {
        return Err("the entries of a stream are not in the order of their ids");
    }
    let mut nodes = Vec::new();
    let mut rest = &stream.entries[..];
    while !rest.is_empty() {
        let taken;
        (nodes, taken) = node(nodes, rest)?;
        rest = &rest[taken..];
    }
    length(nodes.len() as u64, out);
    for (id, packed) in &nodes {
        raw_string(&id.to_be_bytes(), out);
        encoder.string(packed, out);
    }
    let meta = &stream.meta;
    let last = stream.entries.last().map_or(StreamId::default(), |entry| entry.id);
    length(stream.entries.len() as u64, out);
    id(meta.last_id.max(last), out);
    if value_type != ValueType::StreamListpacks {
        id(stream.entries.first().map_or(StreamId::default(), |entry| entry.id), out);
        id(meta.max_deleted_id, out);
        length(meta.entries_added.max(stream.entries.len() as u64), out);
    }
    if !stream.groups.is_sorted_by(|a, b| a.name < b.name) {
        return Err("the groups of a stream are not in the order of their names");
    }
    length(stream.groups.len() as u64, out);
    for group in &stream.groups {
        encode_group(encoder, group, value_type, out)?;
    }
    Ok(())
}

type Nodes = Vec<(StreamId, Vec<u8>)>;

/// Packs as many entries as go into a node; gives their number.
fn node(mut nodes: Nodes, entries: &[StreamEntry]) -> Result<(Nodes, usize), &'static str> {
    let first = &entries[0];
    let mut taken = 0;
    let mut body = ListpackBuilder::new();
    for entry in entries.iter().take(NODE_ENTRIES) {
        if taken > 0 && body.len() >= NODE_BYTES {
            break;
        }
        push_entry(&mut body, first, entry);
        taken += 1;
    }
    let mut whole = ListpackBuilder::new();
    push_int(&mut whole, taken);
    push_int(&mut whole, 0);
    push_int(&mut whole, first.fields.len());
    for (name, _) in &first.fields {
        whole.push(Text::Bytes(name));
    }
    push_int(&mut whole, 0);
    for entry in &entries[..taken] {
        push_entry(&mut whole, first, entry);
    }
    let packed = whole.finish().ok_or("an entry of a stream is too long for a node")?;
    nodes.push((first.id, packed));
    Ok((nodes, taken))
}

fn push_entry(packed: &mut ListpackBuilder, first: &StreamEntry, entry: &StreamEntry) {
    let same = first.fields.len() == entry.fields.len()
        && first.fields.iter().zip(&entry.fields).all(|((a, _), (b, _))| a == b);
    packed.push(Text::Int(if same { SAME_FIELDS } else { 0 }));
    packed.push(Text::Int(entry.id.ms.wrapping_sub(first.id.ms).cast_signed()));
    packed.push(Text::Int(entry.id.seq.wrapping_sub(first.id.seq).cast_signed()));
    if same {
        for (_, value) in &entry.fields {
            packed.push(Text::Bytes(value));
        }
        push_int(packed, entry.fields.len() + 3);
        return;
    }
    push_int(packed, entry.fields.len());
    for (name, value) in &entry.fields {
        packed.push(Text::Bytes(name));
        packed.push(Text::Bytes(value));
    }
    push_int(packed, 2 * entry.fields.len() + 4);
}

fn push_int(packed: &mut ListpackBuilder, value: usize) {
    packed.push(Text::Int(i64::try_from(value).unwrap_or(i64::MAX)));
}

fn id(id: StreamId, out: &mut Vec<u8>) {
    length(id.ms, out);
    length(id.seq, out);
}

fn encode_group(
    encoder: &mut Encoder,
    group: &StreamGroup,
    value_type: ValueType,
    out: &mut Vec<u8>,
) -> Result<(), &'static str> {
    check_pending(group)?;
    encoder.string(&group.name, out);
    id(group.last_id, out);
    if value_type != ValueType::StreamListpacks {
        // The server keeps "not known" as -1.
        length(group.entries_read.unwrap_or(u64::MAX), out);
    }
    length(group.pending.len() as u64, out);
    for pending in &group.pending {
        out.extend_from_slice(&pending.id.to_be_bytes());
        out.extend_from_slice(&pending.delivered_at_ms.to_le_bytes());
        length(pending.deliveries, out);
    }
    length(group.consumers.len() as u64, out);
    for consumer in &group.consumers {
        encoder.string(&consumer.name, out);
        out.extend_from_slice(&consumer.seen_at_ms.to_le_bytes());
        if value_type == ValueType::StreamListpacks3 {
            out.extend_from_slice(&consumer.active_at_ms.unwrap_or(-1).to_le_bytes());
        }
        length(consumer.pending.len() as u64, out);
        for id in &consumer.pending {
            out.extend_from_slice(&id.to_be_bytes());
        }
    }
    Ok(())
}

/// Refuses a group in which the consumers' pending entries are not exactly the group's.
fn check_pending(group: &StreamGroup) -> Result<(), &'static str> {
    if !group.consumers.is_sorted_by(|a, b| a.name < b.name) {
        return Err("the consumers of a group are not in the order of their names");
    }
    if !group.pending.is_sorted_by(|a, b| a.id < b.id) {
        return Err("the pending entries of a group are not in the order of their ids");
    }
    let mut owned: Vec<StreamId> =
        group.consumers.iter().flat_map(|consumer| consumer.pending.clone()).collect();
    owned.sort_unstable();
    if owned.iter().eq(group.pending.iter().map(|pending| &pending.id)) {
        Ok(())
    } else {
        Err("the pending entries of a group are not those of its consumers")
    }
}
