//! The names of the keys that a backup holds.

use std::{collections::HashSet, hash::BuildHasher, ops::ControlFlow};

use foldhash::fast::FixedState;
use larder_rdb::{Record, Server};

use crate::{
    Error, Result,
    restore::live::{
        LiveRestore,
        choice::{Choice, Fate},
        reading::each_record,
    },
};

/// Names of keys with their databases, eight bytes of hash for each.
///
/// A key whose name has the hash of another is taken for one that the backup has, and stays although it could go: among a
/// billion keys on either side that is to be expected for less than one key. The other way round nothing can happen: a key that
/// the backup has is always found here, and never removed.
#[derive(Clone, Debug, Default)]
pub(in crate::restore::live) struct KeyNames(HashSet<u64, FixedState>);

impl KeyNames {
    pub(in crate::restore::live) fn insert(&mut self, database: u64, key: &[u8]) {
        self.0.insert(hash(database, key));
    }

    pub(in crate::restore::live) fn add(&mut self, other: Self) {
        // The smaller one goes into the larger one.
        let (mut large, small) = if self.0.len() < other.0.len() {
            (other.0, std::mem::take(&mut self.0))
        } else {
            (std::mem::take(&mut self.0), other.0)
        };
        large.extend(small);
        self.0 = large;
    }

    /// Tells whether the backup has the key. Where it does, the answer is always yes.
    pub(super) fn has(&self, database: u64, key: &[u8]) -> bool {
        self.0.contains(&hash(database, key))
    }

    /// Notes a key, and tells whether it was not noted before.
    pub(super) fn is_new(&mut self, database: u64, key: &[u8]) -> bool {
        self.0.insert(hash(database, key))
    }

    /// Reads the names of a backup to its end. A dump that is not sound is an error, never a part of the names.
    pub(super) fn of(restore: &LiveRestore, server: Option<Server>, choice: &Choice) -> Result<Self> {
        let mut names = Self::default();
        for shard in 0..restore.source.shards() {
            each_record(restore, shard, server, |record, dated| {
                if let Record::Key(entry) = record {
                    let fate = choice.fate(entry.key(), entry.kind(), &entry.meta(), dated.taken_at_ms);
                    if let Fate::Comes { database, .. } = fate {
                        names.insert(database, entry.key());
                    }
                }
                let is_stopped = restore.options.stop.is_cancelled();
                Ok(if is_stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            })?;
        }
        if restore.options.stop.is_cancelled() { Err(Error::Stopped) } else { Ok(names) }
    }
}

fn hash(database: u64, key: &[u8]) -> u64 {
    FixedState::default().hash_one((database, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_by_database_and_bytes() {
        let (mut names, mut more) = (KeyNames::default(), KeyNames::default());
        names.insert(0, b"a");
        more.insert(1, b"b");
        more.insert(1, b"c");
        names.add(more);
        for (database, key, is_there) in [(0, "a", true), (1, "a", false), (1, "b", true), (1, "", false)] {
            assert_eq!(names.has(database, key.as_bytes()), is_there, "{database} {key}");
        }
        assert!(names.is_new(0, b"b") && !names.is_new(0, b"b"));
    }
}
