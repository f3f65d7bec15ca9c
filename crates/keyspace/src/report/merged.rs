//! All shards together.

use std::{borrow::Cow, cmp::Reverse, collections::BTreeMap};

use super::{
    family_table::MOST_FAMILIES,
    family_tally::FamilyTally,
    minutes::Minutes,
    shard_tally::{ShardTally, TypeTallies},
};

/// All shards together.
#[derive(Debug, Default)]
pub(super) struct Merged<'s> {
    pub(super) families: Vec<(&'s [u8], FamilyTally)>,
    pub(super) other: FamilyTally,
    pub(super) rest_due: Minutes,
    pub(super) types: TypeTallies,
    pub(super) encodings: BTreeMap<&'s str, u64>,
    pub(super) databases: BTreeMap<u64, u64>,
    pub(super) nodes: BTreeMap<String, u64>,
}

impl<'s> Merged<'s> {
    pub(super) fn of(shards: impl Iterator<Item = &'s ShardTally>) -> Self {
        let mut merged = Self::default();
        let mut families: BTreeMap<&[u8], Cow<'_, FamilyTally>> = BTreeMap::new();
        for shard in shards {
            for (name, tally) in shard.families.iter() {
                let merge = |known: &mut Cow<'_, FamilyTally>| known.to_mut().merge(tally);
                families.entry(name).and_modify(merge).or_insert(Cow::Borrowed(tally));
            }
            merged.take(shard);
        }
        let mut families: Vec<_> = families.into_iter().filter(|(_, tally)| tally.keys > 0).collect();
        if families.len() > MOST_FAMILIES {
            families.sort_by_key(|(name, tally)| (Reverse(tally.keys), *name));
            families.drain(MOST_FAMILIES..).for_each(|(_, tally)| merged.other.merge(&tally));
        }
        merged.families = families.into_iter().map(|(name, tally)| (name, tally.into_owned())).collect();
        merged
    }

    fn take(&mut self, shard: &'s ShardTally) {
        self.other.merge(&shard.families.other);
        self.rest_due.merge(&shard.families.rest_due);
        self.types.merge(&shard.types);
        for (name, keys) in shard.encodings() {
            *self.encodings.entry(name).or_default() += keys;
        }
        for (number, keys) in &shard.databases {
            *self.databases.entry(*number).or_default() += keys;
        }
        for (node, keys) in &shard.nodes {
            *self.nodes.entry(node.to_string()).or_default() += keys;
        }
    }

    pub(super) fn tallies(&self) -> impl Iterator<Item = &FamilyTally> {
        self.families.iter().map(|(_, tally)| tally).chain([&self.other])
    }

    pub(super) fn total(&self) -> FamilyTally {
        let mut total = FamilyTally::default();
        self.tallies().for_each(|tally| total.merge_counts(tally));
        total
    }
}
