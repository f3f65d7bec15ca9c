//! What clients ask servers for, looked at for a short time.

use std::{
    cmp::Reverse,
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

use bytes::Bytes;

/// How much of the traffic is looked at.
///
/// A server writes every command that it runs to whoever looks (MONITOR), which costs it about as much as running a small one. So each
/// primary is looked at in several short rounds, spread over a time, and each round ends with its share of the commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrafficOptions {
    /// How many commands of each primary at the most; 10,000.
    pub commands: u64,
    /// Over how long; 10 seconds. It takes that long whatever the traffic is.
    pub time: Duration,
    /// In how many rounds, each on a connection of its own; 10.
    pub rounds: u32,
}

/// A part of what clients asked one server for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrafficSample {
    /// The commands that were seen, those without a key and those that scripts ran as well.
    pub commands: u64,
    /// How long was looked, all rounds together.
    pub time: Duration,
    /// In how many rounds.
    pub rounds: u32,
    /// How often each key was named.
    pub uses: HashMap<UsedKey, KeyUses>,
    /// Uses of keys that are not in `uses`, because it held enough other keys already.
    pub uncounted: u64,
}

/// A key that was used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct UsedKey {
    /// The number of its database.
    pub database: u32,
    /// Its name; of a long one the first 1,024 bytes.
    pub name: Bytes,
}

/// How often a key was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyUses {
    /// By commands.
    pub commands: u64,
    /// By commands that may change it.
    pub writes: u64,
    /// In how many of the rounds.
    pub rounds: u32,
    last_round: u32,
}

impl Default for TrafficOptions {
    fn default() -> Self {
        Self { commands: 10_000, time: Duration::from_secs(10), rounds: 10 }
    }
}

/// So many keys are counted; a hot one is among the first.
const MOST_KEYS: usize = 100_000;
const MOST_KEPT_BYTES: usize = 1024;

impl TrafficSample {
    /// Returns the keys that were used most, those of the same number by name.
    #[must_use]
    pub fn hottest(&self, most: usize) -> Vec<(UsedKey, KeyUses)> {
        let mut all: Vec<_> = self.uses.iter().collect();
        all.sort_unstable_by_key(|(key, uses)| (Reverse(uses.commands), *key));
        all.truncate(most);
        all.into_iter().map(|(key, uses)| (key.clone(), *uses)).collect()
    }

    /// Returns how many commands a second the server ran; `None` where nothing was looked at.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
    pub fn per_second(&self) -> Option<f64> {
        (!self.time.is_zero()).then(|| self.commands as f64 / self.time.as_secs_f64())
    }

    pub(crate) fn begin_round(&mut self) {
        self.rounds += 1;
    }

    pub(crate) fn count(&mut self, database: u32, name: &[u8], is_write: bool) {
        let name = Bytes::copy_from_slice(name.get(..MOST_KEPT_BYTES).unwrap_or(name));
        let is_full = self.uses.len() >= MOST_KEYS;
        let uses = match self.uses.entry(UsedKey { database, name }) {
            Entry::Vacant(_) if is_full => {
                self.uncounted += 1;
                return;
            }
            entry => entry.or_default(),
        };
        uses.commands += 1;
        uses.writes += u64::from(is_write);
        if uses.last_round != self.rounds {
            uses.last_round = self.rounds;
            uses.rounds += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hottest_come_first_and_equals_by_name() {
        let mut sample = TrafficSample::default();
        for (name, uses) in [("b", 2), ("a", 2), ("c", 5), ("d", 1)] {
            (0..uses).for_each(|number| sample.count(0, name.as_bytes(), number == 0));
        }
        sample.count(3, b"c", false);
        let names = |most| {
            let hottest = sample.hottest(most).into_iter();
            hottest
                .map(|(key, uses)| (key.database, key.name, uses.commands, uses.writes))
                .collect::<Vec<_>>()
        };
        let row = |name: &'static str, uses, writes| (0, Bytes::from_static(name.as_bytes()), uses, writes);
        assert_eq!(names(3), [row("c", 5, 1), row("a", 2, 1), row("b", 2, 1)]);
        assert_eq!(names(9).len(), 5, "the same name in another database is another key");
        assert!(names(0).is_empty() && TrafficSample::default().hottest(1).is_empty());
    }

    #[test]
    fn a_rate_takes_time() {
        let mut sample = TrafficSample { commands: 50, ..TrafficSample::default() };
        assert_eq!(sample.per_second(), None);
        sample.time = Duration::from_millis(500);
        assert_eq!(sample.per_second(), Some(100.0));
    }

    #[test]
    fn a_key_is_in_as_many_rounds_as_named_it() {
        let mut sample = TrafficSample::default();
        for names in [&["a", "b", "a"][..], &["a"], &["b", "b"], &["a"]] {
            sample.begin_round();
            for name in names {
                sample.count(0, name.as_bytes(), false);
            }
        }
        let rounds = sample.hottest(2).into_iter().map(|(_, uses)| (uses.commands, uses.rounds));
        assert_eq!(rounds.collect::<Vec<_>>(), [(4, 3), (3, 2)]);
        assert_eq!(sample.rounds, 4);
    }

    #[test]
    fn names_and_keys_are_bounded() {
        let mut sample = TrafficSample::default();
        sample.count(0, &[b'x'; 5_000], false);
        assert_eq!(sample.hottest(1)[0].0.name.len(), MOST_KEPT_BYTES);
        (0..MOST_KEYS).for_each(|number| sample.count(1, number.to_string().as_bytes(), false));
        assert_eq!((sample.uses.len(), sample.uncounted), (MOST_KEYS, 1));
        sample.count(1, b"0", false);
        assert_eq!(sample.hottest(1)[0].1.commands, 2, "one that is known is counted on");
    }
}
