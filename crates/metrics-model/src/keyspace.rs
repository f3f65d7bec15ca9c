//! What a keyspace was found to be made of at one instant: its families and their figures.

use std::{cmp::Reverse, collections::BTreeMap};

use chrono::{DateTime, FixedOffset, Utc};
use serde::{Deserialize, Serialize};

use crate::instant;

/// The keyspace of a cache at one instant, family by family.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeyspaceSnapshot {
    /// When, seconds since the Unix epoch.
    pub timestamp: f64,
    /// When, as ISO 8601 in the local time of whoever looked.
    pub date: String,
    /// Which cache: its URL without credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<String>,
    /// Keys in all families.
    pub total_keys: u64,
    /// Whether the figures are estimated from a sample; otherwise every key was counted.
    #[serde(default)]
    pub sampled: bool,
    /// How the bytes came about, such as `measured` or `estimated`; `None` where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_source: Option<String>,
    /// The families.
    pub families: Vec<FamilyFigures>,
}

/// The figures of one family of keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FamilyFigures {
    /// What the family is called.
    pub name: String,
    /// Its keys.
    pub keys: u64,
    /// The bytes that its keys take.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// Its keys that have no TTL.
    #[serde(default)]
    pub without_ttl: Option<u64>,
    /// Median of the seconds since a key was last used.
    #[serde(default)]
    pub idle_median_s: Option<f64>,
    /// The bytes that the biggest of its keys takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub biggest_bytes: Option<u64>,
}

impl KeyspaceSnapshot {
    /// Begins a snapshot of a keyspace that was looked through at `at`; the day it belongs to is the day in the time zone
    /// of `at`.
    #[must_use]
    pub fn at(at: DateTime<FixedOffset>) -> Self {
        Self { timestamp: instant::timestamp(at), date: instant::date(at), ..Self::default() }
    }

    /// Returns when the keyspace was looked through; `None` where the timestamp is no time.
    #[must_use]
    pub fn time(&self) -> Option<DateTime<Utc>> {
        instant::time(self.timestamp)
    }

    /// Returns the same with the `most` biggest families by bytes, by keys where bytes are not known, and all others
    /// summed up in [`FamilyFigures::OTHER`].
    ///
    /// Families of one name become one; whatever is called [`FamilyFigures::OTHER`] already is part of the sum.
    #[must_use]
    pub fn bounded(&self, most: usize) -> Self {
        let mut by_name: BTreeMap<&str, FamilyFigures> = BTreeMap::new();
        for family in &self.families {
            let merge = |known: &mut FamilyFigures| known.absorb(family);
            by_name.entry(&family.name).and_modify(merge).or_insert_with(|| family.clone());
        }
        let mut other = by_name.remove(FamilyFigures::OTHER);
        let mut families: Vec<FamilyFigures> = by_name.into_values().collect();
        families.sort_by_key(|family| Reverse((family.bytes, family.keys)));
        for family in families.drain(most.min(families.len())..) {
            match &mut other {
                Some(other) => other.absorb(&family),
                None => other = Some(FamilyFigures { name: FamilyFigures::OTHER.to_owned(), ..family }),
            }
        }
        families.extend(other);
        Self { families, ..self.clone() }
    }
}

impl FamilyFigures {
    /// The name of what sums up the families that are too many to be told one by one.
    pub const OTHER: &str = "(other)";

    /// Begins the figures of a family.
    pub fn new(name: impl Into<String>, keys: u64) -> Self {
        Self { name: name.into(), keys, ..Self::default() }
    }

    /// Adds another family to this one. A sum is known where both parts are; a median of both is not known; the biggest is that of those
    /// that were looked at.
    fn absorb(&mut self, other: &Self) {
        let sum = |a: Option<u64>, b: Option<u64>| a.zip(b).map(|(a, b)| a.saturating_add(b));
        self.keys = self.keys.saturating_add(other.keys);
        self.bytes = sum(self.bytes, other.bytes);
        self.without_ttl = sum(self.without_ttl, other.without_ttl);
        self.idle_median_s = None;
        self.biggest_bytes = self.biggest_bytes.max(other.biggest_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(name: &str, keys: u64, bytes: Option<u64>) -> FamilyFigures {
        let idle_median_s = Some(1.0);
        FamilyFigures { bytes, without_ttl: Some(1), idle_median_s, ..FamilyFigures::new(name, keys) }
    }

    fn bounded(families: &[FamilyFigures], most: usize) -> Vec<(String, u64, Option<u64>, Option<u64>)> {
        let snapshot = KeyspaceSnapshot { families: families.to_vec(), ..KeyspaceSnapshot::default() };
        let bounded = snapshot.bounded(most).families.into_iter();
        bounded.map(|family| (family.name, family.keys, family.bytes, family.without_ttl)).collect()
    }

    fn row(
        name: &str,
        keys: u64,
        bytes: Option<u64>,
        without_ttl: u64,
    ) -> (String, u64, Option<u64>, Option<u64>) {
        (name.to_owned(), keys, bytes, Some(without_ttl))
    }

    #[test]
    fn the_biggest_stay_and_the_rest_is_summed_up() {
        let families = [family("a:", 9, Some(10)), family("b:", 1, Some(30)), family("c:", 5, Some(20))];
        let by_size = [row("b:", 1, Some(30), 1), row("c:", 5, Some(20), 1), row("a:", 9, Some(10), 1)];
        assert_eq!(bounded(&families, 3), by_size, "none is left over");
        assert_eq!(bounded(&families, 1), [row("b:", 1, Some(30), 1), row("(other)", 14, Some(30), 2)]);
        assert_eq!(bounded(&families, 0), [row("(other)", 15, Some(60), 3)]);
        assert_eq!(bounded(&[], 1), []);
    }

    #[test]
    fn without_bytes_the_keys_decide() {
        let families = [family("a:", 1, None), family("b:", 3, None), family("c:", 2, None)];
        assert_eq!(bounded(&families, 1), [row("b:", 3, None, 1), row("(other)", 3, None, 2)]);
    }

    #[test]
    fn what_is_not_known_of_a_part_is_not_known_of_the_sum() {
        let families = [family("a:", 1, Some(u64::MAX)), family("b:", 1, Some(2)), family("c:", 1, None)];
        assert_eq!(bounded(&families, 1), [row("a:", 1, Some(u64::MAX), 1), row("(other)", 2, None, 2)]);
        let one = KeyspaceSnapshot { families: families.to_vec(), ..KeyspaceSnapshot::default() }.bounded(1);
        assert_eq!(one.families[0].idle_median_s, Some(1.0), "it is still one family");
        assert_eq!(one.families[1].idle_median_s, None);
    }

    #[test]
    fn names_are_unique_and_the_other_ones_are_summed_once() {
        let families = [
            family("(other)", 100, Some(900)),
            family("a:", 1, Some(1)),
            family("b:", 2, Some(2)),
            family("a:", 3, Some(3)),
        ];
        assert_eq!(bounded(&families, 1), [row("a:", 4, Some(4), 2), row("(other)", 102, Some(902), 2)]);
        let again =
            KeyspaceSnapshot { families: families.to_vec(), ..KeyspaceSnapshot::default() }.bounded(1);
        assert_eq!(again.bounded(1), again);
    }

    #[test]
    fn it_reads_as_it_was_written_and_a_snapshot_of_metrics_is_none() {
        let at = DateTime::parse_from_rfc3339("2026-03-14T23:30:00.5+02:00").unwrap();
        let mut snapshot = KeyspaceSnapshot::at(at);
        snapshot.families.push(family("a:", 1, None));
        assert_eq!(snapshot.date, "2026-03-14T23:30:00.500000");
        assert_eq!(snapshot.time(), Some(at.to_utc()));
        let text = serde_json::to_string(&snapshot).unwrap();
        assert_eq!(serde_json::from_str::<KeyspaceSnapshot>(&text).unwrap(), snapshot);
        let other = serde_json::to_string(&crate::Snapshot::at(at)).unwrap();
        assert!(serde_json::from_str::<KeyspaceSnapshot>(&other).is_err());
    }
}
