//! The families of a policy file, read one after the other.

use std::collections::HashMap;

use toml::Spanned;

use super::{
    error::{PolicyError, Quoted, Source},
    family::{Family, Selector},
    file::FamilyTable,
    matcher::Matcher,
    selectors::{NewSelector, Selectors, prefix_of},
    tables,
};

/// Most families of a policy.
pub(super) const MOST_FAMILIES: usize = 10_000;

/// Reads families one after the other, each checked against those before it.
pub(super) struct Reader<'a> {
    source: &'a Source<'a>,
    families: Vec<Family>,
    /// The names, and where they are.
    names: HashMap<String, usize>,
    selectors: Selectors,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a Source<'a>) -> Self {
        Self { source, families: Vec::new(), names: HashMap::new(), selectors: Selectors::default() }
    }

    pub(super) fn add(&mut self, table: Spanned<FamilyTable>) -> Result<(), PolicyError> {
        let place = table.span().start;
        let table = table.into_inner();
        if self.families.len() == MOST_FAMILIES {
            let what = format!("there are more than {MOST_FAMILIES} families");
            return Err(self.source.error(place, what, "put several into one, with a shorter prefix"));
        }
        let ttl = tables::ttl(self.source, &table.ttl)?;
        let (selector, offset) = self.selector(&table, place)?;
        let has_ttl = ttl.default.is_some() || ttl.longest.is_some();
        self.selectors.add(self.source, NewSelector { selector: selector.clone(), offset, has_ttl })?;
        let family = Family {
            name: self.name(table.name.as_ref(), &selector, offset)?,
            selector,
            ttl,
            max_bytes: table.max_bytes.map(|size| size.0),
            types: tables::types(self.source, table.types)?,
            values: table.values,
            owner: table.owner,
            protected: table.protected,
            line: self.source.line(offset),
        };
        self.families.push(family);
        Ok(())
    }

    /// Returns the families and what finds them.
    pub(super) fn finish(self) -> Result<(Vec<Family>, Matcher), PolicyError> {
        if self.families.is_empty() {
            let remedy = "describe one under `[[family]]`, with a `prefix` or a `pattern`";
            return Err(self.source.error(0, "there is no family", remedy));
        }
        let matcher = self.selectors.finish(self.source)?;
        Ok((self.families, matcher))
    }

    fn selector(&self, table: &FamilyTable, place: usize) -> Result<(Selector, usize), PolicyError> {
        match (&table.prefix, &table.pattern) {
            (Some(prefix), None) => {
                Ok((Selector::Prefix(prefix_of(self.source, prefix)?), prefix.span().start))
            }
            (None, Some(pattern)) => Ok((Selector::Pattern(pattern.get_ref().clone()), pattern.span().start)),
            (Some(_), Some(pattern)) => Err(self.source.error(
                pattern.span().start,
                "the family has a prefix and a pattern",
                "keep one of them, or make two families",
            )),
            (None, None) => Err(self.source.error(
                place,
                "the family has neither a prefix nor a pattern",
                "add one of them, as prefix = \"user:\"",
            )),
        }
    }

    fn name(
        &mut self,
        name: Option<&Spanned<String>>,
        selector: &Selector,
        offset: usize,
    ) -> Result<String, PolicyError> {
        let (name, offset) = match name {
            Some(name) => (name.get_ref().clone(), name.span().start),
            None => (selector.to_string(), offset),
        };
        if name.trim().is_empty() || name.chars().any(char::is_control) {
            let what = format!("{} is no name", Quoted(&name));
            return Err(self.source.error(offset, what, "write one that can be seen, or leave the key out"));
        }
        if let Some(first) = self.names.insert(name.clone(), offset) {
            let line = self.source.line(first);
            let what = format!("the name {} is that of the family of line {line}", Quoted(&name));
            return Err(self.source.error(offset, what, "give each family a name of its own"));
        }
        Ok(name)
    }
}
