//! What is brought back, and how.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use larder_cache_client::{FullSpeed, Pace};
use larder_rdb::Kind;
use tokio_util::sync::CancellationToken;

use super::LiveProgress;

/// What is brought back, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LiveRestoreOptions {
    /// Which keys.
    pub filter: KeyFilter,
    /// Other names for keys.
    pub rename: Option<Rename>,
    /// What becomes of TTLs.
    pub ttl: TtlChoice,
    /// What becomes of keys that are there.
    pub existing: Existing,
    /// Whether the cache is to hold what the backup holds: then the plan says which keys the backup does not have, and
    /// [`LiveRestore::remove_others`](super::LiveRestore::remove_others) removes them. Keys that are there have to be
    /// overwritten then, and everything has to come as it is in the backup.
    pub exact: bool,
    /// Into which databases.
    pub databases: DatabaseMap,
    /// Whether function libraries are brought back; those that are there are left, unless keys are overwritten.
    pub functions: bool,
    /// Goes on where the cache seems to have too little room.
    pub force: bool,
    /// How fast.
    pub pace: Arc<dyn Pace>,
    /// Ends it between two steps.
    pub stop: CancellationToken,
    /// Told how far it is.
    pub progress: Arc<LiveProgress>,
}

impl Default for LiveRestoreOptions {
    fn default() -> Self {
        Self {
            filter: KeyFilter::default(),
            rename: None,
            ttl: TtlChoice::default(),
            existing: Existing::default(),
            exact: false,
            databases: DatabaseMap::default(),
            functions: true,
            force: false,
            pace: Arc::new(FullSpeed),
            stop: CancellationToken::new(),
            progress: Arc::default(),
        }
    }
}

/// Which keys are brought back: those for which everything holds that is said.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct KeyFilter {
    /// Of these databases of the backup; `None` for all.
    pub databases: Option<BTreeSet<u64>>,
    /// Of these types; `None` for all.
    pub types: Option<BTreeSet<Kind>>,
    /// With names for which this holds; `None` for all.
    pub keys: Option<Arc<Holds>>,
}

type Holds = dyn Fn(&[u8]) -> bool + Send + Sync;

impl fmt::Debug for KeyFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFilter")
            .field("databases", &self.databases)
            .field("types", &self.types)
            .finish_non_exhaustive()
    }
}

/// Another beginning for the names of keys. Keys that do not begin so keep their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rename {
    /// What names begin with; nothing for every key.
    pub from_prefix: Vec<u8>,
    /// What stands there instead; nothing to take the beginning away.
    pub to_prefix: Vec<u8>,
}

impl Rename {
    /// Returns the name that a key gets.
    #[must_use]
    pub fn of<'k>(&self, key: &'k [u8]) -> Cow<'k, [u8]> {
        match key.strip_prefix(self.from_prefix.as_slice()) {
            Some(rest) if self.from_prefix != self.to_prefix => {
                Cow::Owned([self.to_prefix.as_slice(), rest].concat())
            }
            _ => Cow::Borrowed(key),
        }
    }
}

/// What becomes of the TTLs of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TtlChoice {
    /// Keys end when they would have ended; those whose time is up are not brought back.
    #[default]
    Keep,
    /// The time that a key had left when the backup was taken counts from now.
    Rebase,
    /// Keys get no TTL.
    Drop,
}

/// What becomes of keys that are there. One that is there as it is in the backup is left alone either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Existing {
    /// They stay as they are.
    #[default]
    Leave,
    /// They get value and TTL of the backup.
    Overwrite,
}

/// Into which database of the cache the keys of a database of the backup go: that of the same number, unless it is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatabaseMap {
    /// For single databases.
    pub each: BTreeMap<u64, u64>,
    /// For all others.
    pub into_database: Option<u64>,
}

impl DatabaseMap {
    /// Tells whether the keys of several databases may go into one.
    pub(super) fn may_merge(&self) -> bool {
        self.into_database.is_some() || !self.each.is_empty()
    }

    /// Returns the database that the keys of one of the backup go into.
    #[must_use]
    pub fn of(&self, database: u64) -> u64 {
        self.each.get(&database).copied().or(self.into_database).unwrap_or(database)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_get_another_beginning() {
        for (from, to, key, expected) in [
            ("", "", "k", "k"),
            ("", "old:", "k", "old:k"),
            ("a:", "", "a:k", "k"),
            ("a:", "b:", "a:a:k", "b:a:k"),
            ("a:", "b:", "k", "k"),
            ("a:", "b:", "a", "a"),
            ("a", "", "a", ""),
        ] {
            let rename = Rename { from_prefix: from.into(), to_prefix: to.into() };
            assert_eq!(rename.of(key.as_bytes()).as_ref(), expected.as_bytes(), "{from} {to} {key}");
        }
    }

    #[test]
    fn databases_go_where_it_is_said() {
        let map = DatabaseMap { each: [(1, 5)].into(), into_database: None };
        assert_eq!([0, 1, 2].map(|database| map.of(database)), [0, 5, 2]);
        let map = DatabaseMap { into_database: Some(0), ..map };
        assert_eq!([0, 1, 2].map(|database| map.of(database)), [0, 5, 0]);
    }
}
