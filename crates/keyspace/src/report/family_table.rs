//! The families of one shard.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use super::{family_tally::FamilyTally, minutes::Minutes, options::ReportOptions};
use crate::KeyName;

/// The families of one shard. Memory is bounded: each has a name of 512 bytes at the most, and there is a most of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub(super) struct FamilyTable {
    places: HashMap<Box<[u8]>, usize, RandomState>,
    tallies: Vec<FamilyTally>,
    /// Keys of families past the most that are told apart.
    pub(super) other: FamilyTally,
    /// Keys that are due in minutes that their family has no room for.
    pub(super) rest_due: Minutes,
}

/// What may still be taken, by all shards together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// Families.
    pub(super) families: usize,
    /// Minutes of families.
    pub(super) minutes: usize,
}

/// More prefixes than this are no families but names.
pub(super) const MOST_FAMILIES: usize = 10_000;
/// The most of all shards together; shards mostly have the same ones.
const MOST_OF_ALL_SHARDS: usize = 4 * MOST_FAMILIES;
/// Minutes of all families together: 8 MiB.
const MOST_MINUTES: usize = 2 << 20;

impl Default for Room {
    fn default() -> Self {
        Self { families: MOST_OF_ALL_SHARDS, minutes: MOST_MINUTES }
    }
}

impl Room {
    /// Takes what a table holds.
    pub(super) fn take(&mut self, table: &FamilyTable) {
        self.families = self.families.saturating_sub(table.tallies.len());
        self.minutes = self.minutes.saturating_sub(table.minutes());
    }

    /// Gets back what a table held.
    pub(super) fn give_back(&mut self, table: &FamilyTable) {
        self.families += table.tallies.len();
        self.minutes += table.minutes();
    }
}

impl FamilyTable {
    /// The families that a classifier knows come first, in its order, and then that of the keys that have none.
    pub(super) fn new(options: &ReportOptions, room: &mut Room) -> Self {
        let mut table = Self::default();
        if let Some(classifier) = &options.classifier {
            let names = classifier.names().iter().map(String::as_bytes).chain([&b""[..]]);
            for (place, name) in names.enumerate() {
                table.places.insert(name.into(), place);
                table.tallies.push(FamilyTally::default());
            }
            room.families = room.families.saturating_sub(table.tallies.len());
        }
        table
    }

    fn minutes(&self) -> usize {
        self.tallies.iter().map(|tally| tally.due.len()).sum()
    }

    /// Returns the place of a key's family; `None` for one that is not told apart. A family is looked up before it is
    /// inserted, so that no key costs an allocation.
    #[inline]
    pub(super) fn place(&mut self, key: &[u8], options: &ReportOptions, room: &mut Room) -> Option<usize> {
        if let Some(classifier) = &options.classifier {
            let nameless = self.tallies.len() - 1;
            return Some(classifier.place(key).filter(|place| *place < nameless).unwrap_or(nameless));
        }
        let name = options.rule.family_of(key);
        if let Some(place) = self.places.get(name) {
            return Some(*place);
        }
        self.insert(name, room)
    }

    #[cold]
    fn insert(&mut self, name: &[u8], room: &mut Room) -> Option<usize> {
        if self.tallies.len() >= MOST_FAMILIES || room.families == 0 {
            return None;
        }
        room.families -= 1;
        self.places.insert(name.into(), self.tallies.len());
        self.tallies.push(FamilyTally::default());
        Some(self.tallies.len() - 1)
    }

    #[inline]
    pub(super) fn tally(&mut self, place: Option<usize>) -> &mut FamilyTally {
        match place {
            Some(place) => &mut self.tallies[place],
            None => &mut self.other,
        }
    }

    /// Counts a key that is due in a minute.
    #[inline]
    pub(super) fn add_due(&mut self, place: Option<usize>, minute: usize, room: &mut Room) {
        let Some(tally) = place.map(|place| &mut self.tallies[place]) else {
            return add_anyway(&mut self.rest_due, minute);
        };
        if tally.due.add_in_place(minute) {
            return;
        }
        let more = (minute + 1).saturating_sub(tally.due.len());
        if more > room.minutes {
            return add_anyway(&mut self.rest_due, minute);
        }
        room.minutes -= more;
        add_anyway(&mut tally.due, minute);
    }

    /// Returns the families with their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &FamilyTally)> {
        self.places.iter().map(|(name, place)| (&**name, &self.tallies[*place]))
    }

    pub(super) fn keys(&self) -> u64 {
        self.tallies.iter().map(|tally| tally.keys).sum::<u64>() + self.other.keys
    }
}

fn add_anyway(minutes: &mut Minutes, minute: usize) {
    minutes.grow(minute);
    minutes.add_in_place(minute);
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    families: Vec<(KeyName, FamilyTally)>,
    other: FamilyTally,
    rest_due: Minutes,
}

impl From<Written> for FamilyTable {
    fn from(written: Written) -> Self {
        let mut table = Self { other: written.other, rest_due: written.rest_due, ..Self::default() };
        for (name, tally) in written.families {
            table.places.insert(name.as_bytes().into(), table.tallies.len());
            table.tallies.push(tally);
        }
        table
    }
}

impl From<FamilyTable> for Written {
    fn from(table: FamilyTable) -> Self {
        let mut names: Vec<(Box<[u8]>, usize)> = table.places.into_iter().collect();
        names.sort_unstable_by_key(|(_, place)| *place);
        let names = names.into_iter().map(|(name, _)| KeyName::new(&name));
        Self { families: names.zip(table.tallies).collect(), other: table.other, rest_due: table.rest_due }
    }
}
