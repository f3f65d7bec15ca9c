//! Keys of one name in several databases that go into one.

use std::collections::{BTreeMap, HashSet};

use foldhash::fast::FixedState;

use super::{
    LiveRestoreOptions,
    choice::{Fate, SAME_NAME},
};

/// The names that came already, where several databases may go into one; of keys of one name the first one comes, each time.
/// Keys of one name are in one shard, so that each shard is told apart by itself.
#[derive(Debug)]
pub(super) struct FirstNames(Option<BTreeMap<u64, Names>>);

/// Names of one database.
type Names = HashSet<Box<[u8]>, FixedState>;

impl FirstNames {
    pub(super) fn of(options: &LiveRestoreOptions) -> Self {
        Self(options.databases.may_merge().then(BTreeMap::new))
    }

    /// What becomes of a key, by what became of those before it.
    pub(super) fn only_first(&mut self, fate: Fate, key: &[u8]) -> Fate {
        let (Some(names), Fate::Comes { database, .. }) = (&mut self.0, fate) else { return fate };
        let is_first = names.entry(database).or_default().insert(key.into());
        if is_first { fate } else { Fate::LeftOut(SAME_NAME) }
    }
}
