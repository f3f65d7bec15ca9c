//! Entries in the nodes of a stream (Redis 7.0 `src/t_stream.c`, `streamAppendItem`).
//!
//! A node is a listpack. It starts with the number of live and of deleted entries and the field names of its first
//! entry. An entry is flags, the differences of its id to the node's, fields (only values if it has the names of
//! the first one), and the number of listpack entries it took.

use super::stream::Step;
use crate::packed::Packed;
use crate::{StreamId, Text};

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;

/// The node that entries are taken from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) id: StreamId,
    pub(super) names_at: usize,
    pub(super) names: usize,
    pub(super) at: usize,
    pub(super) left: u64,
}

fn int(packed: &[u8], at: usize) -> Option<(i64, usize)> {
    match Packed::Listpack.entry(packed, at, false)? {
        (Text::Int(value), next) => Some((value, next)),
        (Text::Bytes(_), _) => None,
    }
}

fn pass(packed: &[u8], mut at: usize, entries: usize) -> Option<usize> {
    for _ in 0..entries {
        at = Packed::Listpack.entry(packed, at, false)?.1;
    }
    Some(at)
}

/// Checks every entry of a node; gives where its entries start and how many are live.
pub(super) fn check_node(id: StreamId, packed: &[u8]) -> Option<(Node, u64)> {
    let (live, at) = int(packed, Packed::Listpack.first())?;
    let (deleted, at) = int(packed, at)?;
    let (names, names_at) = int(packed, at)?;
    let live = u64::try_from(live).ok()?;
    let names = usize::try_from(names).ok()?;
    let left = live.checked_add(u64::try_from(deleted).ok()?)?;
    let (end_of_names, at) = int(packed, pass(packed, names_at, names)?)?;
    let start = Node { id, names_at, names, at, left };
    if end_of_names != 0 {
        return None;
    }
    let mut node = start;
    let mut seen = 0;
    while node.left > 0 {
        let (entry, next) = next_entry(packed, node)?;
        seen += u64::from(entry.is_some());
        node = next;
    }
    (node.at == packed.len() - 1 && seen == live).then_some((start, live))
}

/// Reads the entry that `node` stands at (`None` for a deleted one) and moves on to the next.
pub(super) fn next_entry(packed: &[u8], mut node: Node) -> Option<(Option<Step>, Node)> {
    let (flags, at) = int(packed, node.at)?;
    let (ms, at) = int(packed, at)?;
    let (seq, at) = int(packed, at)?;
    let id = StreamId::new(node.id.ms.wrapping_add_signed(ms), node.id.seq.wrapping_add_signed(seq));
    let (names_at, fields, fields_at, after, expected) = if flags & SAME_FIELDS != 0 {
        let after = pass(packed, at, node.names)?;
        (Some(node.names_at), node.names, at, after, node.names.checked_add(3)?)
    } else {
        let (fields, at) = int(packed, at)?;
        let fields = usize::try_from(fields).ok()?;
        let entries = fields.checked_mul(2)?;
        (None, fields, at, pass(packed, at, entries)?, entries.checked_add(4)?)
    };
    let (taken, after) = int(packed, after)?;
    if usize::try_from(taken).ok()? != expected {
        return None;
    }
    node.at = after;
    node.left -= 1;
    let live = flags & DELETED == 0;
    Some((live.then_some(Step::Entry { id, names_at, at: fields_at, fields }), node))
}
