//! Families as rows of a history.

use crate::{FamilyReport, KeyReport};

/// What of a family is worth following over time.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct FamilyRow {
    /// The prefix; empty for keys without one.
    pub name: String,
    /// Its keys.
    pub keys: u64,
    /// Bytes of its keys.
    pub bytes: Option<u64>,
    /// Its keys that have no TTL.
    pub without_ttl: Option<u64>,
    /// Half of its keys that were asked were not used for longer, in seconds.
    pub idle_median_s: Option<f64>,
    /// Bytes of the biggest of its keys.
    pub biggest_bytes: Option<u64>,
}

impl KeyReport {
    /// Returns the families as rows of a history, the one with the most bytes first.
    #[must_use]
    pub fn family_rows(&self) -> Vec<FamilyRow> {
        self.families.iter().map(FamilyRow::from).collect()
    }
}

impl From<&FamilyReport> for FamilyRow {
    fn from(family: &FamilyReport) -> Self {
        Self {
            name: if family.name == "(none)" { String::new() } else { family.name.clone() },
            keys: family.figures.keys,
            bytes: family.figures.bytes,
            without_ttl: family.figures.without_ttl,
            idle_median_s: family.idle.as_ref().map(|idle| idle.median_s),
            biggest_bytes: family.biggest_bytes,
        }
    }
}
