//! Families that were seen in a cache, made such that none overlap.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use crate::KeyName;

/// A family that was seen in a cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObservedFamily {
    /// What its keys begin with.
    pub prefix: KeyName,
    /// How many keys it has of its own: those that no longer prefix of the list has.
    pub keys: u64,
    /// How many of them have no TTL.
    pub without_ttl: u64,
    /// How many of them have which type, in the words of TYPE.
    pub types: Vec<(String, u64)>,
    /// The time that is left to the middle one of those that have a TTL.
    pub ttl_p50: Option<Duration>,
    /// The time that 95 % of those that have a TTL have left at the most. What a cache gives a key is near it, as keys
    /// are of any age.
    pub ttl_p95: Option<Duration>,
    /// The longest time that is left to one.
    pub ttl_max: Option<Duration>,
    /// The bytes of the biggest key.
    pub biggest_bytes: Option<u64>,
    /// The bytes of the middle one.
    pub typical_bytes: Option<u64>,
}

impl ObservedFamily {
    /// Takes a prefix and the number of keys that have it.
    #[must_use]
    pub fn new(prefix: KeyName, keys: u64) -> Self {
        Self { prefix, keys, ..Self::default() }
    }

    /// Takes the keys of another family in.
    fn absorb(&mut self, other: &Self) {
        self.keys = self.keys.saturating_add(other.keys);
        self.without_ttl = self.without_ttl.saturating_add(other.without_ttl);
        let mut types: BTreeMap<&str, u64> = BTreeMap::new();
        for (word, keys) in self.types.iter().chain(&other.types) {
            let count = types.entry(word).or_default();
            *count = count.saturating_add(*keys);
        }
        self.types = types.into_iter().map(|(word, keys)| (word.to_owned(), keys)).collect();
        self.ttl_p50 = self.ttl_p50.max(other.ttl_p50);
        self.ttl_p95 = self.ttl_p95.max(other.ttl_p95);
        self.ttl_max = self.ttl_max.max(other.ttl_max);
        self.biggest_bytes = self.biggest_bytes.max(other.biggest_bytes);
        self.typical_bytes = self.typical_bytes.max(other.typical_bytes);
    }
}

/// Families of which no prefix begins with another.
#[derive(Debug, Default)]
pub(super) struct Apart {
    pub(super) kept: Vec<Kept>,
    /// Those whose keys are in no family, and how many keys that are.
    pub(super) left: Vec<(KeyName, u64)>,
}

#[derive(Debug)]
pub(super) struct Kept {
    pub(super) family: ObservedFamily,
    /// Longer prefixes that it took in.
    pub(super) absorbed: Vec<KeyName>,
}

/// Chooses families that do not overlap. Where there are longer prefixes behind one, it takes them in if it has at least
/// as many keys of its own as they have; otherwise they are families, and it is none.
pub(super) fn apart(observed: &[ObservedFamily], longest_prefix: usize, most: usize) -> Apart {
    let mut apart = Apart::default();
    let sorted = sorted(observed);
    let mut rest = sorted.as_slice();
    while let [family, behind @ ..] = rest {
        let prefix = family.prefix.as_bytes();
        let count = behind.partition_point(|other| other.prefix.as_bytes().starts_with(prefix));
        let (inside, after) = behind.split_at(count);
        let inside_keys = inside.iter().fold(0_u64, |sum, other| sum.saturating_add(other.keys));
        let can_be_one = !prefix.is_empty() && prefix.len() <= longest_prefix;
        if can_be_one && (inside.is_empty() || family.keys >= inside_keys) {
            apart.kept.push(together(family, inside));
            rest = after;
        } else {
            apart.left.push((family.prefix.clone(), family.keys));
            rest = behind;
        }
    }
    apart.leave_smallest(most);
    apart
}

/// Puts those that have the same prefix together, in the order of the prefixes.
fn sorted(observed: &[ObservedFamily]) -> Vec<ObservedFamily> {
    let mut families: BTreeMap<&[u8], ObservedFamily> = BTreeMap::new();
    for family in observed {
        families
            .entry(family.prefix.as_bytes())
            .and_modify(|first| first.absorb(family))
            .or_insert_with(|| family.clone());
    }
    families.into_values().collect()
}

fn together(family: &ObservedFamily, inside: &[ObservedFamily]) -> Kept {
    let mut family = family.clone();
    for other in inside {
        family.absorb(other);
    }
    Kept { family, absorbed: inside.iter().map(|other| other.prefix.clone()).collect() }
}

impl Apart {
    fn leave_smallest(&mut self, most: usize) {
        if self.kept.len() <= most {
            return;
        }
        self.kept.sort_by_key(|kept| Reverse(kept.family.keys));
        let smallest = self.kept.split_off(most);
        self.left.extend(smallest.into_iter().map(|kept| (kept.family.prefix, kept.family.keys)));
        self.kept.sort_by(|one, other| one.family.prefix.cmp(&other.family.prefix));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type List = Vec<(String, u64)>;

    fn chosen(families: &[(&str, u64)], most: usize) -> (List, List) {
        let observed: Vec<ObservedFamily> = families
            .iter()
            .map(|(prefix, keys)| ObservedFamily::new(KeyName::new(prefix.as_bytes()), *keys))
            .collect();
        let apart = apart(&observed, 20, most);
        let kept = apart.kept.into_iter().map(|kept| (kept.family.prefix.to_string(), kept.family.keys));
        let left = apart.left.into_iter().map(|(prefix, keys)| (prefix.to_string(), keys));
        (kept.collect(), left.collect())
    }

    fn list(families: &[(&str, u64)]) -> List {
        families.iter().map(|(prefix, keys)| ((*prefix).to_owned(), *keys)).collect()
    }

    type Case<'a> = (&'a [(&'a str, u64)], &'a [(&'a str, u64)], &'a [(&'a str, u64)]);

    #[test]
    fn nested_prefixes_become_one_family_or_several() {
        let cases: [Case<'_>; 8] = [
            (&[], &[], &[]),
            (&[("b", 1), ("a", 2)], &[("a", 2), ("b", 1)], &[]),
            (&[("a", 1), ("a", 2)], &[("a", 3)], &[]),
            (&[("a:", 5), ("a:b:", 3), ("a:c:", 2)], &[("a:", 10)], &[]),
            (&[("a:", 4), ("a:b:", 3), ("a:c:", 2)], &[("a:b:", 3), ("a:c:", 2)], &[("a:", 4)]),
            (&[("a:", 1), ("a:b:", 9), ("a:b:c:", 9)], &[("a:b:", 18)], &[("a:", 1)]),
            (&[("", 99), ("a", 1)], &[("a", 1)], &[("", 99)]),
            (&[("aaaaaaaaaaaaaaaaaaaaa", 1), ("b", 1)], &[("b", 1)], &[("aaaaaaaaaaaaaaaaaaaaa", 1)]),
        ];
        for (observed, kept, left) in cases {
            assert_eq!(chosen(observed, 10), (list(kept), list(left)), "{observed:?}");
        }
    }

    #[test]
    fn of_too_many_the_smallest_are_left() {
        let (kept, left) = chosen(&[("a", 2), ("b", 1), ("c", 3)], 2);
        assert_eq!((kept, left), (list(&[("a", 2), ("c", 3)]), list(&[("b", 1)])));
    }

    #[test]
    fn what_is_taken_in_adds_up() {
        let mut one = ObservedFamily::new(KeyName::new(b"a"), u64::MAX);
        one.types = vec![("string".to_owned(), 2)];
        one.ttl_max = Some(Duration::from_secs(1));
        let mut other = ObservedFamily::new(KeyName::new(b"ab"), 1);
        other.types = vec![("hash".to_owned(), 1), ("string".to_owned(), 1)];
        other.biggest_bytes = Some(7);
        one.absorb(&other);
        assert_eq!(
            (one.keys, one.biggest_bytes, one.ttl_max),
            (u64::MAX, Some(7), Some(Duration::from_secs(1)))
        );
        assert_eq!(one.types, [("hash".to_owned(), 1), ("string".to_owned(), 3)]);
    }
}
