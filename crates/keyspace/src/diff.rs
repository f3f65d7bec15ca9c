//! Two moments of a keyspace compared.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use serde::{Deserialize, Serialize};

use crate::{BytesSource, Error, FamilyReport, Figures, KeyReport, Result};

/// What became of a keyspace between two reports.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeyDiff {
    /// The first report.
    pub before: DiffSide,
    /// The second one.
    pub after: DiffSide,
    /// All keys.
    pub keys: Change,
    /// Bytes of all keys.
    pub bytes: Change,
    /// Keys that have no TTL.
    pub without_ttl: Change,
    /// The families that are not what they were, the one whose bytes changed most first.
    pub families: Vec<FamilyChange>,
    /// Families that are what they were.
    pub unchanged_families: u64,
}

/// Where a report is from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DiffSide {
    /// Where its keys came from.
    pub source: String,
    /// The moment that it is of, in milliseconds since 1970.
    pub at_ms: i64,
    /// How its bytes came about.
    pub bytes_source: BytesSource,
    /// Whether every key was seen.
    pub complete: bool,
    /// Whether its figures are estimates from a sample.
    pub sampled: bool,
}

/// A figure at two moments; `None` where it is not known, or the two were not found in the same way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Change {
    /// In the first report.
    pub before: Option<u64>,
    /// In the second one.
    pub after: Option<u64>,
    /// By how much it grew; less than nothing where it shrank.
    pub by: Option<i64>,
}

/// What became of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChangeKind {
    /// It was not there.
    New,
    /// It is not there any more.
    Gone,
    /// It has more bytes; where these are not known or the same, more keys.
    Grown,
    /// It has fewer bytes; where these are not known or the same, fewer keys.
    Shrunk,
    /// Only its keys without TTL are more or fewer.
    Changed,
}

/// A family that is not what it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FamilyChange {
    /// The prefix; `(none)` for keys without one.
    pub name: String,
    /// What became of it.
    pub change: ChangeKind,
    /// Its keys.
    pub keys: Change,
    /// Bytes of its keys.
    pub bytes: Change,
    /// Its keys that have no TTL.
    pub without_ttl: Change,
}

impl KeyReport {
    /// Compares this report with a later one, family by family.
    ///
    /// # Errors
    /// [`Error::FamilyRules`] where the two tell families differently.
    pub fn diff(&self, after: &Self) -> Result<KeyDiff> {
        if let (Some(one), Some(other)) = (&self.family_rule, &after.family_rule)
            && one != other
        {
            return Err(Error::FamilyRules { before: self.source.clone(), after: after.source.clone() });
        }
        let comparable = is_serialised(self) == is_serialised(after);
        let (old, new) = (by_name(self), by_name(after));
        let names: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
        let families = names.iter().map(|name| {
            let [before, after] = [old.get(name), new.get(name)].map(|family| family.map(|it| it.figures));
            family_change(name, before, after, comparable)
        });
        let mut families: Vec<FamilyChange> = families.flatten().collect();
        families.sort_by_key(|family| {
            let weight = |change: Change| change.by.map_or(0, i64::unsigned_abs);
            Reverse((weight(family.bytes), weight(family.keys)))
        });
        let without_ttl =
            |report: &Self| report.expiring_keys.map(|expiring| report.total_keys.saturating_sub(expiring));
        Ok(KeyDiff {
            before: DiffSide::of(self),
            after: DiffSide::of(after),
            keys: Change::between(Some(self.total_keys), Some(after.total_keys), true),
            bytes: Change::between(self.bytes, after.bytes, comparable),
            without_ttl: Change::between(without_ttl(self), without_ttl(after), true),
            unchanged_families: (names.len() - families.len()) as u64,
            families,
        })
    }
}

/// Bytes in a file are not bytes in memory.
fn is_serialised(report: &KeyReport) -> bool {
    report.bytes_source == BytesSource::Serialised
}

fn by_name(report: &KeyReport) -> BTreeMap<&str, &FamilyReport> {
    report.families.iter().map(|family| (family.name.as_str(), family)).collect()
}

/// A family that is not in a report has no keys in it.
fn family_change(
    name: &str,
    before: Option<Figures>,
    after: Option<Figures>,
    comparable: bool,
) -> Option<FamilyChange> {
    let nothing = Figures { bytes: Some(0), without_ttl: Some(0), ..Figures::default() };
    let (old, new) = (before.unwrap_or(nothing), after.unwrap_or(nothing));
    let keys = Change::between(Some(old.keys), Some(new.keys), true);
    let bytes = Change::between(old.bytes, new.bytes, comparable);
    let without_ttl = Change::between(old.without_ttl, new.without_ttl, true);
    let by = bytes.by.filter(|by| *by != 0).or(keys.by).unwrap_or(0);
    let change = match (before, after) {
        (None, _) => ChangeKind::New,
        (_, None) => ChangeKind::Gone,
        _ if by > 0 => ChangeKind::Grown,
        _ if by < 0 => ChangeKind::Shrunk,
        _ if without_ttl.by.is_some_and(|by| by != 0) => ChangeKind::Changed,
        _ => return None,
    };
    Some(FamilyChange { name: name.to_owned(), change, keys, bytes, without_ttl })
}

impl Change {
    fn between(before: Option<u64>, after: Option<u64>, comparable: bool) -> Self {
        let by = before.zip(after).filter(|_| comparable).map(|(before, after)| {
            i64::try_from(i128::from(after) - i128::from(before)).unwrap_or(if after > before {
                i64::MAX
            } else {
                i64::MIN
            })
        });
        Self { before, after, by }
    }
}

impl DiffSide {
    fn of(report: &KeyReport) -> Self {
        Self {
            source: report.source.clone(),
            at_ms: report.at_ms,
            bytes_source: report.bytes_source,
            complete: report.complete,
            sampled: report.sample.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FamilyRule;

    fn report(families: &[(&str, u64, Option<u64>, u64)]) -> KeyReport {
        let families: Vec<_> = families
            .iter()
            .map(|(name, keys, bytes, without_ttl)| FamilyReport {
                name: (*name).to_owned(),
                figures: Figures {
                    keys: *keys,
                    bytes: *bytes,
                    without_ttl: Some(*without_ttl),
                    ..Figures::default()
                },
                ..FamilyReport::default()
            })
            .collect();
        let total_keys = families.iter().map(|family| family.figures.keys).sum();
        KeyReport { total_keys, families, complete: true, ..KeyReport::default() }
    }

    #[test]
    fn families_are_new_gone_grown_and_shrunk() {
        let before = report(&[
            ("a:", 1, Some(10), 0),
            ("b:", 5, Some(900), 1),
            ("c:", 2, Some(20), 0),
            ("d:", 3, None, 1),
        ]);
        let after = report(&[
            ("a:", 1, Some(10), 0),
            ("b:", 4, Some(100), 1),
            ("c:", 2, Some(20), 2),
            ("d:", 4, None, 1),
            ("e:", 1, Some(50), 0),
        ]);
        let diff = before.diff(&after).unwrap();
        let seen: Vec<_> =
            diff.families.iter().map(|it| (it.name.as_str(), it.change, it.keys.by, it.bytes.by)).collect();
        assert_eq!(
            seen,
            [
                ("b:", ChangeKind::Shrunk, Some(-1), Some(-800)),
                ("e:", ChangeKind::New, Some(1), Some(50)),
                ("d:", ChangeKind::Grown, Some(1), None),
                ("c:", ChangeKind::Changed, Some(0), Some(0)),
            ]
        );
        assert_eq!((diff.unchanged_families, diff.keys.by), (1, Some(1)));
        let back = after.diff(&before).unwrap();
        assert_eq!(back.families[1].change, ChangeKind::Gone);
        assert!(before.diff(&before).unwrap().families.is_empty());
    }

    #[test]
    fn what_cannot_be_compared_is_not() {
        let (mut old, new) = (report(&[("a:", 1, Some(10), 0)]), report(&[("a:", 1, Some(70), 0)]));
        old.bytes_source = BytesSource::Serialised;
        let diff = old.diff(&new).unwrap();
        assert!(
            diff.families.is_empty() && diff.bytes.by.is_none(),
            "bytes in a file are not bytes in memory"
        );
        let mut deeper = new.clone();
        deeper.family_rule = Some(FamilyRule::new(":", 3).unwrap());
        let mut usual = new;
        usual.family_rule = Some(FamilyRule::default());
        assert!(matches!(usual.diff(&deeper), Err(Error::FamilyRules { .. })));
    }

    #[test]
    fn changes_do_not_overflow() {
        assert_eq!(Change::between(Some(0), Some(u64::MAX), true).by, Some(i64::MAX));
        assert_eq!(Change::between(Some(u64::MAX), Some(0), true).by, Some(i64::MIN));
        assert_eq!(Change::between(None, Some(0), true).by, None);
    }
}
