//! The shape of a radix tree of 16-byte ids (`src/rax.c`), worked out from the ids in ascending order.

use super::Allocator;
use crate::StreamId;

const LEN: usize = 16;

/// Counts nodes and bytes of the tree while ids are added; only the path to the last one is kept.
#[derive(Debug, Clone)]
pub(super) struct RaxShape {
    allocator: Allocator,
    last: Option<[u8; LEN]>,
    /// Children of the node at each depth of the path to the last id.
    children: [u64; LEN],
    elements: u64,
    /// Nodes, and their bytes, that no id to come can change.
    nodes: u64,
    bytes: u64,
}

/// Nodes and bytes of a finished tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RaxTotals {
    pub(super) elements: u64,
    pub(super) nodes: u64,
    pub(super) bytes: u64,
}

impl RaxShape {
    pub(super) fn new(allocator: Allocator) -> Self {
        Self { allocator, last: None, children: [0; LEN], elements: 0, nodes: 0, bytes: 0 }
    }

    /// Adds an id, which is after all those before.
    pub(super) fn add(&mut self, id: StreamId) {
        let id = id.to_be_bytes();
        self.elements += 1;
        let common = match &self.last {
            None => 0,
            Some(last) => last.iter().zip(&id).take_while(|(a, b)| a == b).count(),
        };
        if common >= LEN {
            // The same id again does not change the tree.
            self.elements -= 1;
            return;
        }
        if self.last.is_some() {
            self.settle(common + 1);
        }
        self.children[common] += 1;
        self.children[common + 1..].fill(1);
        self.last = Some(id);
    }

    /// Counts the nodes below a depth on the path to the last id, its leaf included.
    fn settle(&mut self, depth: usize) {
        let mut at = depth;
        while at < LEN {
            let run = self.children[at..].iter().take_while(|children| **children == 1).count();
            if run > 1 {
                self.node(run as u64, 1);
                at += run;
            } else {
                self.node(self.children[at], self.children[at]);
                at += 1;
            }
        }
        // A leaf has no children and points to what belongs to the id.
        self.node(0, 1);
    }

    /// A node: four bytes of head, its characters, padding to eight, and pointers.
    fn node(&mut self, characters: u64, pointers: u64) {
        self.nodes += 1;
        self.bytes += self.allocator.rounded((4 + characters).next_multiple_of(8) + 8 * pointers);
    }

    pub(super) fn totals(mut self) -> RaxTotals {
        if self.last.is_some() {
            self.settle(0);
        } else {
            self.node(0, 0);
        }
        // The tree itself: root, number of ids, number of nodes.
        let bytes = self.bytes + self.allocator.rounded(24);
        RaxTotals { elements: self.elements, nodes: self.nodes, bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(ids: &[(u64, u64)]) -> RaxTotals {
        let mut shape = RaxShape::new(Allocator::System);
        for (ms, seq) in ids {
            shape.add(StreamId::new(*ms, *seq));
        }
        shape.totals()
    }

    #[test]
    fn nodes_are_those_of_the_servers_tree() {
        // DEBUG HTSTATS has nothing of the kind; numbers from MEMORY USAGE of Redis 7.0 and Valkey 8.1.
        assert_eq!(totals(&[]), RaxTotals { elements: 0, nodes: 1, bytes: 40 });
        assert_eq!(totals(&[(1, 0)]), RaxTotals { elements: 1, nodes: 2, bytes: 80 });
        // A run of 15 bytes, a branch, and two leaves.
        assert_eq!(totals(&[(1, 0), (1, 1)]).nodes, 4);
        // A run of 7, a branch, two runs of 8, and two leaves.
        assert_eq!(totals(&[(1, 0), (2, 0)]).nodes, 6);
        // A branch in the last but one byte, one child with a leaf, one with two.
        assert_eq!(totals(&[(1, 5), (1, 256), (1, 257)]).nodes, 7);
        assert_eq!(totals(&[(1, 5), (1, 5)]), totals(&[(1, 5)]));
    }
}
