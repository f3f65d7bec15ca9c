//! Keys that come twice.

use std::{
    collections::{HashSet, VecDeque, hash_map::RandomState},
    hash::BuildHasher,
};

/// The keys that came last. SCAN gives a key again soon after where the server makes its table smaller meanwhile; counted twice,
/// a plan would not name exactly the keys that it is of.
#[derive(Debug, Default)]
pub(super) struct Recent {
    state: RandomState,
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

/// How many keys are remembered, by eight bytes each: as many as come while a table changes its size by a step.
const MOST: usize = 200_000;

impl Recent {
    /// Tells whether a key did not come lately in this round of this shard, and remembers it.
    pub(super) fn is_new(&mut self, shard: u32, round: u32, key: &[u8]) -> bool {
        let hash = self.state.hash_one((shard, round, key));
        if !self.known.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_new_once_and_again_when_its_shard_is_begun_anew() {
        let mut recent = Recent::default();
        assert!(recent.is_new(0, 0, b"k") && !recent.is_new(0, 0, b"k"));
        assert!(recent.is_new(1, 0, b"k") && recent.is_new(0, 1, b"k") && recent.is_new(0, 0, b""));
        for number in 0..MOST {
            assert!(recent.is_new(2, 0, &number.to_le_bytes()));
        }
        assert!(recent.is_new(0, 0, b"k"), "memory has a bound");
        assert_eq!(recent.known.len(), recent.order.len());
    }
}
