//! A policy as a whole.

use std::sync::Arc;

use super::{
    error::{PolicyError, Source},
    family::Family,
    file,
    limits::{OrphanRule, PolicyLimits},
    matcher::{FamilyId, Matcher},
    prefixes::Prefixes,
    reader::Reader,
    tables,
};
use crate::KeyName;

/// What a cache should hold: families of keys with their TTL, size and type, what becomes of other keys, and how much
/// may be done at once. The crate's documentation describes the file. Clones share everything.
#[derive(Clone, Debug)]
pub struct Policy {
    rules: Arc<Rules>,
    matcher: Matcher,
}

#[derive(Debug)]
struct Rules {
    origin: String,
    families: Vec<Family>,
    orphans: Option<OrphanRule>,
    /// The prefixes of the orphans; it finds nothing where there are none.
    within: Prefixes,
    limits: PolicyLimits,
}

const GUIDE: &str = include_str!("guide.toml");

impl Policy {
    /// Reads a policy. `origin` is what errors call it, the path of the file as a rule.
    ///
    /// # Errors
    ///
    /// Fails at the first thing that is wrong: text that is no TOML, a key or a word that is not known, a time, size or
    /// share without a known unit or out of bounds, a family that is not told by exactly one prefix or pattern, families
    /// that overlap or have the same name, a pattern that matches every key without a TTL or is too long, a required
    /// TTL without a default, a default over the longest, or no family at all.
    pub fn parse(text: &str, origin: &str) -> Result<Self, PolicyError> {
        let source = Source::new(text, origin);
        let tables = file::read(&source)?;
        let mut reader = Reader::new(&source);
        for family in tables.family {
            reader.add(family)?;
        }
        let (families, matcher) = reader.finish()?;
        let orphans = tables.orphans.map(|table| tables::orphans(&source, table)).transpose()?;
        let limits = tables::limits(&source, &tables.limits)?;
        let within = within(orphans.as_ref());
        let rules = Rules { origin: origin.to_owned(), families, orphans, within, limits };
        Ok(Self { rules: Arc::new(rules), matcher })
    }

    /// Returns the built-in policy, which is the operations guide's: the six kinds of keys that its applications have,
    /// and the TTLs that its clean-up gives them.
    #[expect(clippy::missing_panics_doc, reason = "the text is a part of the program, and a test reads it")]
    #[must_use]
    pub fn guide() -> Self {
        Self::parse(GUIDE, "guide").expect("a test reads the built-in policy")
    }

    /// Returns the text of the built-in policy, an example to begin with.
    #[must_use]
    pub fn guide_text() -> &'static str {
        GUIDE
    }

    /// Returns what the policy came from, as it was named.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.rules.origin
    }

    /// Returns the families, in the order of the file.
    #[must_use]
    pub fn families(&self) -> impl ExactSizeIterator<Item = (FamilyId, &Family)> {
        self.rules.families.iter().enumerate().map(|(index, family)| (FamilyId::new(index), family))
    }

    /// Returns a family, or `None` where the id is of another policy.
    #[must_use]
    pub fn family(&self, id: FamilyId) -> Option<&Family> {
        self.rules.families.get(id.index())
    }

    /// Returns what becomes of keys of no family; without a rule they are left alone.
    #[must_use]
    pub fn orphans(&self) -> Option<&OrphanRule> {
        self.rules.orphans.as_ref()
    }

    /// Returns how much may be done without a word from the operator.
    #[must_use]
    pub fn limits(&self) -> &PolicyLimits {
        &self.rules.limits
    }

    /// Returns what tells the family of a key.
    #[must_use]
    pub fn matcher(&self) -> &Matcher {
        &self.matcher
    }

    /// Tells whether a key of no family lies where orphans are looked for.
    pub(super) fn is_within(&self, orphans: &OrphanRule, key: &[u8]) -> bool {
        orphans.within.is_empty() || self.rules.within.find(key).is_some()
    }
}

/// Puts the prefixes of the orphans into a tree. One that begins with another adds nothing to it.
fn within(orphans: Option<&OrphanRule>) -> Prefixes {
    let mut prefixes: Vec<&[u8]> =
        orphans.map_or_else(Vec::new, |rule| rule.within.iter().map(KeyName::as_bytes).collect());
    prefixes.sort_unstable();
    let mut tree = Prefixes::default();
    for prefix in prefixes {
        // Shorter ones come first, so what is refused here is covered already.
        let _ = tree.insert(prefix, FamilyId::new(0));
    }
    tree
}
