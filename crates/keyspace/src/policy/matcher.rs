//! Which family a key belongs to.

use std::sync::Arc;

use super::{glob::Glob, patterns::Patterns, prefixes::Prefixes};

/// One of the families of a policy: which one, in the order of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FamilyId(u32);

impl FamilyId {
    pub(super) fn new(index: usize) -> Self {
        Self(u32::try_from(index).expect("a policy has few families"))
    }

    /// Returns the place of the family in the policy, from 0 on: what is counted a family can be kept in a `Vec`.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Tells which family a key belongs to.
///
/// What it costs depends on the key, not on how many families there are: a step for each place of a prefix at which
/// others part from it, and, for keys that have no family's prefix where the policy has patterns, one for each byte.
/// Nothing is allocated a key. Clones share everything; threads may ask at the same time.
#[derive(Clone, Debug)]
pub struct Matcher {
    families: Arc<Families>,
}

#[derive(Debug)]
struct Families {
    prefixes: Prefixes,
    patterns: Option<Patterns>,
}

impl Matcher {
    /// Puts prefixes and patterns together; if the patterns are too much, names one that is.
    pub(super) fn new(prefixes: Prefixes, globs: &[(FamilyId, Glob)]) -> Result<Self, FamilyId> {
        let patterns = if globs.is_empty() { None } else { Some(Patterns::new(globs)?) };
        Ok(Self { families: Arc::new(Families { prefixes, patterns }) })
    }

    /// Returns the family that a key belongs to, or `None` for a key of no family. No two families overlap, so there is
    /// no order among them.
    #[must_use]
    pub fn family(&self, key: &[u8]) -> Option<FamilyId> {
        let Families { prefixes, patterns } = &*self.families;
        prefixes.find(key).or_else(|| patterns.as_ref()?.find(key))
    }
}
