//! Which keys the families of a policy are, checked against each other.

use toml::Spanned;

use super::{
    error::{PolicyError, Quoted, Source},
    escape::unescape,
    family::Selector,
    glob::{Glob, GlobFault},
    matcher::{FamilyId, Matcher},
    prefixes::Prefixes,
};
use crate::KeyName;

/// Most bytes of a prefix.
pub(super) const LONGEST_PREFIX_BYTES: usize = 1024;
/// Most bytes of a pattern. Comparing and matching patterns takes time that grows with them.
const LONGEST_PATTERN_BYTES: usize = 512;
/// Most bytes of all patterns.
const MOST_PATTERN_BYTES: usize = 128 << 10;

/// Prefixes and patterns of which no two overlap.
#[derive(Debug, Default)]
pub(super) struct Selectors {
    all: Vec<Placed>,
    prefixes: Prefixes,
    globs: Vec<(FamilyId, Glob)>,
    pattern_bytes: usize,
}

#[derive(Debug)]
struct Placed {
    selector: Selector,
    offset: usize,
}

/// A prefix or a pattern as it is in the file.
#[derive(Debug)]
pub(super) struct NewSelector {
    pub(super) selector: Selector,
    pub(super) offset: usize,
    /// Whether the family has a TTL, so that it may be all keys.
    pub(super) has_ttl: bool,
}

impl Selectors {
    /// Adds a prefix or a pattern, if it keeps clear of the others.
    pub(super) fn add(&mut self, source: &Source<'_>, new: NewSelector) -> Result<(), PolicyError> {
        let id = FamilyId::new(self.all.len());
        let clash = match &new.selector {
            Selector::Prefix(prefix) => self.add_prefix(prefix.as_bytes(), id),
            Selector::Pattern(pattern) => {
                self.pattern_bytes += pattern.len();
                let glob = self
                    .glob(pattern, new.has_ttl)
                    .map_err(|(what, remedy)| source.error(new.offset, what, remedy))?;
                self.add_glob(glob, id)
            }
        };
        if let Some(other) = clash.and_then(|other| self.all.get(other.index())) {
            let [new_text, other_text] = [&new.selector, &other.selector].map(ToString::to_string);
            let line = source.line(other.offset);
            let what = format!("{} overlaps with {} of line {line}", Quoted(&new_text), Quoted(&other_text));
            return Err(source.error(new.offset, what, "make them so that no key can belong to both"));
        }
        self.all.push(Placed { selector: new.selector, offset: new.offset });
        Ok(())
    }

    /// Returns what finds the family of a key.
    pub(super) fn finish(self, source: &Source<'_>) -> Result<Matcher, PolicyError> {
        Matcher::new(self.prefixes, &self.globs).map_err(|family| {
            let offset = self.all.get(family.index()).map_or(0, |placed| placed.offset);
            source.error(offset, "with this, the patterns are too many", "write shorter ones, or fewer")
        })
    }

    fn add_prefix(&mut self, prefix: &[u8], id: FamilyId) -> Option<FamilyId> {
        let pattern = self.globs.iter().find(|(_, glob)| glob.meets_prefix(prefix)).map(|(other, _)| *other);
        self.prefixes.insert(prefix, id).err().or(pattern)
    }

    fn add_glob(&mut self, glob: Glob, id: FamilyId) -> Option<FamilyId> {
        let meets = |placed: &Placed| match &placed.selector {
            Selector::Prefix(prefix) => glob.meets_prefix(prefix.as_bytes()),
            Selector::Pattern(_) => false,
        };
        let prefix = self.all.iter().position(meets).map(FamilyId::new);
        let pattern = || self.globs.iter().find(|(_, other)| other.meets(&glob)).map(|(other, _)| *other);
        let clash = prefix.or_else(pattern);
        self.globs.push((id, glob));
        clash
    }

    /// Reads a pattern, or tells what is wrong and what to do.
    fn glob(&self, pattern: &str, has_ttl: bool) -> Result<Glob, (String, &'static str)> {
        if pattern.is_empty() {
            return Err(("the pattern is empty".to_owned(), "write which keys belong to the family"));
        }
        if pattern.len() > LONGEST_PATTERN_BYTES {
            let what = format!("the pattern is longer than {LONGEST_PATTERN_BYTES} bytes");
            return Err((what, "write a shorter one, or a prefix"));
        }
        if self.pattern_bytes > MOST_PATTERN_BYTES {
            let what = format!("with this, the patterns are longer than {MOST_PATTERN_BYTES} bytes together");
            return Err((what, "write shorter ones, or prefixes"));
        }
        let glob = Glob::parse(pattern.as_bytes()).map_err(describe)?;
        if glob.is_everything() && !has_ttl {
            let what = format!("{} matches every key and has no TTL", Quoted(pattern));
            return Err((what, "give it a `ttl`, or write what the keys of the family have in common"));
        }
        Ok(glob)
    }
}

fn describe(fault: GlobFault) -> (String, &'static str) {
    match fault {
        GlobFault::Unclosed(at) => (
            format!("the bracket at byte {} of the pattern is never closed", at + 1),
            "close it with `]`, or write `\\[` for a bracket in a key",
        ),
        GlobFault::EmptySet(at) => (
            format!("the brackets at byte {} of the pattern hold nothing, so no key matches", at + 1),
            "write what may stand there, or `\\[` for a bracket in a key",
        ),
    }
}

/// Reads a prefix.
pub(super) fn prefix_of(source: &Source<'_>, text: &Spanned<String>) -> Result<KeyName, PolicyError> {
    let refuse = |what: String, remedy: &str| source.error(text.span().start, what, remedy);
    let bytes = unescape(text.get_ref()).map_err(|(what, remedy)| refuse(what, &remedy))?;
    if bytes.len() > LONGEST_PREFIX_BYTES {
        let what = format!("the prefix is longer than {LONGEST_PREFIX_BYTES} bytes");
        return Err(refuse(what, "write a shorter one"));
    }
    if bytes.is_empty() {
        let remedy = "write what the keys begin with, or for every key pattern = \"*\" with a TTL";
        return Err(refuse("the prefix is empty".to_owned(), remedy));
    }
    Ok(KeyName::new(&bytes))
}
