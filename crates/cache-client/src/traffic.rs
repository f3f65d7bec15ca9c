//! What clients ask servers for, looked at for a short time.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

use bytes::Bytes;

use crate::Error;

/// How much of the traffic is looked at.
///
/// A server writes every command that it runs, with all that it says, to whoever looks (MONITOR). That costs it about as much as running a
/// small one, and far more where values are large. So each primary is looked at in several short rounds, spread over a time; each round
/// ends with its share of the commands, and the first command of more than 1 MiB, or the second slow answer, ends them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrafficOptions {
    /// How many commands of each primary at the most; 10,000.
    pub commands: u64,
    /// Over how long; 10 seconds. It takes that long whatever the traffic is.
    pub time: Duration,
    /// In how many rounds, each on a connection of its own; 10.
    pub rounds: u32,
    /// How long a server is waited for that does not answer; 2 seconds. All of it ends within the time and twice this.
    pub patience: Duration,
}

/// A part of what clients asked one server for.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TrafficSample {
    /// The commands that clients sent, those without a key as well. What a script does is part of its call.
    pub commands: u64,
    /// How long was looked, all rounds together.
    pub time: Duration,
    /// In how many rounds.
    pub rounds: u32,
    /// How often each key was named.
    pub uses: HashMap<UsedKey, KeyUses>,
    /// Uses of keys that are not in `uses`, because it held enough other keys already.
    pub uncounted: u64,
    /// Commands of which not every key could be told, because they were too long, or because the server does not tell them apart
    /// from values.
    pub half_read: u64,
    /// Why it is not all of it.
    pub ended: Option<EarlyEnd>,
    /// The sum of what each round saw a second.
    rates: f64,
}

/// Why the traffic was looked at for a shorter time than was asked for.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EarlyEnd {
    /// The server went away, or did not answer.
    #[error("{}", .0.with_causes())]
    Failed(Error),
    /// A command was so large that telling it keeps the server from its work.
    #[error("a command of more than 1 MiB was seen, and telling such ones keeps the server from its work")]
    LargeCommand,
    /// The server was slow to answer twice, as it is while it tells large commands or runs long ones.
    #[error("it took {0:.0?} to answer, and looking on may make that longer")]
    Slow(Duration),
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
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct KeyUses {
    /// By commands.
    pub commands: u64,
    /// By commands that may change it.
    pub writes: u64,
    /// In how many of the rounds.
    pub rounds: u32,
    /// The sum of what each round saw a second.
    rates: f64,
}

/// What one round saw.
#[derive(Debug, Default)]
pub(crate) struct Round {
    pub(crate) commands: u64,
    pub(crate) time: Duration,
    /// Commands a second.
    pub(crate) rate: f64,
    pub(crate) half_read: u64,
    uses: HashMap<UsedKey, (u64, u64)>,
    uncounted: u64,
}

impl Default for TrafficOptions {
    fn default() -> Self {
        let [time, patience] = [10, 2].map(Duration::from_secs);
        Self { commands: 10_000, time, rounds: 10, patience }
    }
}

/// So many keys are counted; a hot one is among the first.
const MOST_KEYS: usize = 100_000;
const MOST_KEPT_BYTES: usize = 1024;

impl TrafficSample {
    /// Returns the keys that were used most, those of the same rate by name.
    #[must_use]
    pub fn hottest(&self, most: usize) -> Vec<(UsedKey, KeyUses)> {
        let mut all: Vec<_> = self.uses.iter().collect();
        all.sort_unstable_by(|(one, a), (other, b)| b.rates.total_cmp(&a.rates).then_with(|| one.cmp(other)));
        all.truncate(most);
        all.into_iter().map(|(key, uses)| (key.clone(), *uses)).collect()
    }

    /// Returns how many commands a second clients sent: the mean of what the rounds saw, each of which stands for an equal part of the
    /// time, however soon it had enough.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.rates / f64::from(self.rounds.max(1))
    }

    /// Returns how many commands a second named a key, by the same rule.
    #[must_use]
    pub fn per_second_of(&self, uses: &KeyUses) -> f64 {
        uses.rates / f64::from(self.rounds.max(1))
    }

    /// Returns the share of the commands that named a key, from 0 to 1.
    #[must_use]
    pub fn share_of(&self, uses: &KeyUses) -> f64 {
        if self.rates > 0.0 { (uses.rates / self.rates).min(1.0) } else { 0.0 }
    }

    pub(crate) fn ending(mut self, end: EarlyEnd) -> Self {
        self.ended = Some(end);
        self
    }

    pub(crate) fn add(&mut self, round: Round) {
        self.rounds += 1;
        self.commands += round.commands;
        self.time += round.time;
        self.rates += round.rate;
        self.uncounted += round.uncounted;
        self.half_read += round.half_read;
        let of_one = if round.commands == 0 { 0.0 } else { round.rate / number(round.commands) };
        for (key, (commands, writes)) in round.uses {
            let is_full = self.uses.len() >= MOST_KEYS;
            let uses = match self.uses.entry(key) {
                Entry::Vacant(_) if is_full => {
                    self.uncounted += commands;
                    continue;
                }
                entry => entry.or_default(),
            };
            uses.commands += commands;
            uses.writes += writes;
            uses.rounds += 1;
            uses.rates += number(commands) * of_one;
        }
    }
}

impl Round {
    pub(crate) fn count(&mut self, key: UsedKey, is_write: bool) {
        let is_full = self.uses.len() >= MOST_KEYS;
        let (commands, writes) = match self.uses.entry(key) {
            Entry::Vacant(_) if is_full => {
                self.uncounted += 1;
                return;
            }
            entry => entry.or_default(),
        };
        *commands += 1;
        *writes += u64::from(is_write);
    }
}

impl UsedKey {
    pub(crate) fn new(database: u32, name: &[u8]) -> Self {
        Self { database, name: Bytes::copy_from_slice(name.get(..MOST_KEPT_BYTES).unwrap_or(name)) }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A round of so many commands a second, of which each name is of one.
    fn round(rate: f64, names: &[&str]) -> Round {
        let mut round = Round { commands: names.len() as u64, rate, ..Round::default() };
        for name in names {
            round.count(UsedKey::new(0, name.as_bytes()), *name == "w");
        }
        round
    }

    fn sample(rounds: &[(f64, &[&str])]) -> TrafficSample {
        let mut sample = TrafficSample::default();
        for (rate, names) in rounds {
            sample.add(round(*rate, names));
        }
        sample
    }

    #[test]
    fn the_hottest_come_first_and_equals_by_name() {
        let sample = sample(&[(8.0, &["b", "a", "w", "w", "w", "b", "a", "d"])]);
        let names = |most| {
            let hottest = sample.hottest(most).into_iter();
            hottest.map(|(key, uses)| (key.name, uses.commands, uses.writes)).collect::<Vec<_>>()
        };
        let row = |name: &'static str, uses, writes| (Bytes::from_static(name.as_bytes()), uses, writes);
        assert_eq!(names(3), [row("w", 3, 3), row("a", 2, 0), row("b", 2, 0)]);
        assert_eq!(names(9).len(), 4);
        assert!(names(0).is_empty() && TrafficSample::default().hottest(1).is_empty());
    }

    #[test]
    fn each_round_stands_for_an_equal_part_of_the_time() {
        let bursts = sample(&[(1_000.0, &["a", "a", "b", "b"]), (0.0, &[]), (200.0, &["a"]), (0.0, &[])]);
        assert!((bursts.per_second() - 300.0).abs() < 1e-9);
        let (key, uses) = bursts.hottest(1).remove(0);
        assert_eq!((key.name, uses.commands, uses.rounds), (Bytes::from_static(b"a"), 3, 2));
        assert!((bursts.per_second_of(&uses) - 175.0).abs() < 1e-9);
        assert!((bursts.share_of(&uses) - 700.0 / 1_200.0).abs() < 1e-9);
        assert!(TrafficSample::default().per_second().abs() < 1e-9);
        assert!(TrafficSample::default().share_of(&uses).abs() < 1e-9);
    }

    #[test]
    fn names_and_keys_are_bounded() {
        assert_eq!(UsedKey::new(0, &[b'x'; 5_000]).name.len(), MOST_KEPT_BYTES);
        let many: Vec<String> = (0..=MOST_KEYS).map(|number| number.to_string()).collect();
        let names: Vec<&str> = many.iter().map(String::as_str).collect();
        let sample = sample(&[(1.0, &names), (1.0, &["0", "new"])]);
        assert_eq!((sample.uses.len(), sample.uncounted), (MOST_KEYS, 2));
        assert_eq!(sample.hottest(1)[0].1.commands, 2, "one that is known is counted on");
    }
}
