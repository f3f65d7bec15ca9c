//! Counting what is found, shard by shard, so that a shard which is begun anew is counted once.

use std::collections::HashMap;

use super::plan::{Action, LineName};
use crate::KeyName;

/// What is found of the keys of each line.
#[derive(Clone, Debug, Default)]
pub(super) struct Count {
    pub(super) keys: u64,
    pub(super) bytes: u64,
    pub(super) examples: Vec<KeyName>,
}

/// One shard.
#[derive(Clone, Debug, Default)]
struct ShardTally {
    round: u32,
    seen: u64,
    counts: HashMap<u32, Count>,
}

/// All shards, and the lines that there are.
#[derive(Debug, Default)]
pub(super) struct Tally {
    shards: Vec<ShardTally>,
    names: HashMap<String, u32>,
    lines: Vec<LineName>,
    numbers: HashMap<LineName, u32>,
    examples: usize,
}

/// More lines than this are no families but names; what comes after is counted together.
const MOST_LINES: usize = 10_000;

impl Tally {
    pub(super) fn new(examples: usize) -> Self {
        Self { examples, ..Self::default() }
    }

    /// Returns the number of a shard, and forgets what was counted of it where it is begun anew.
    pub(super) fn shard(&mut self, name: &str, round: u32) -> u32 {
        let next = u32::try_from(self.shards.len()).unwrap_or(u32::MAX);
        let number = *self.names.entry(name.to_owned()).or_insert(next);
        if number == next {
            self.shards.push(ShardTally { round, ..ShardTally::default() });
        }
        if let Some(shard) = self.shards.get_mut(number as usize)
            && round > shard.round
        {
            *shard = ShardTally { round, ..ShardTally::default() };
        }
        number
    }

    pub(super) fn see(&mut self, shard: u32, keys: usize) {
        if let Some(shard) = self.shards.get_mut(shard as usize) {
            shard.seen += keys as u64;
        }
    }

    /// Returns the number of a line.
    pub(super) fn line(&mut self, name: &LineName) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let name = if self.lines.len() < MOST_LINES {
            name.clone()
        } else {
            LineName { family: "(other)".to_owned(), ..name.clone() }
        };
        let next = u32::try_from(self.lines.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(name.clone()).or_insert(next);
        if number == next {
            self.lines.push(name);
        }
        number
    }

    /// Counts a key in a line.
    pub(super) fn add(&mut self, shard: u32, line: u32, key: &[u8], bytes: u64) {
        let Some(shard) = self.shards.get_mut(shard as usize) else { return };
        let count = shard.counts.entry(line).or_default();
        count.keys += 1;
        count.bytes += bytes;
        if count.examples.len() < self.examples {
            count.examples.push(KeyName::new(key));
        }
    }

    pub(super) fn seen(&self) -> u64 {
        self.shards.iter().map(|shard| shard.seen).sum()
    }

    pub(super) fn rounds(&self) -> Vec<u32> {
        self.shards.iter().map(|shard| shard.round).collect()
    }

    /// The lines in which something was found, with what all shards come to.
    pub(super) fn totals(&self) -> Vec<(LineName, Count)> {
        let mut totals: Vec<(LineName, Count)> = Vec::new();
        for (number, name) in (0..).zip(&self.lines) {
            let mut total = Count::default();
            for count in self.shards.iter().filter_map(|shard| shard.counts.get(&number)) {
                total.keys += count.keys;
                total.bytes += count.bytes;
                let room = self.examples.saturating_sub(total.examples.len());
                total.examples.extend(count.examples.iter().take(room).cloned());
            }
            if total.keys > 0 {
                totals.push((name.clone(), total));
            }
        }
        totals.sort_by(|(one, first), (other, second)| {
            (one.task, second.keys, &one.family, one.reason).cmp(&(
                other.task,
                first.keys,
                &other.family,
                other.reason,
            ))
        });
        totals
    }

    pub(super) fn lines(&self) -> Vec<LineName> {
        self.lines.clone()
    }
}

impl LineName {
    /// Tells whether something is done about its keys.
    pub(super) fn changes(&self) -> bool {
        matches!(self.action, Action::SetTtl | Action::Remove)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::options::CleanTask, super::plan::Reason, *};

    fn line(family: &str) -> LineName {
        LineName {
            task: CleanTask::Orphans,
            family: family.to_owned(),
            reason: Reason::Orphan,
            action: Action::Remove,
        }
    }

    #[test]
    fn a_shard_that_is_begun_anew_is_counted_once() {
        let mut tally = Tally::new(1);
        let number = tally.line(&line("a:"));
        let (first, second) = (tally.shard("one", 0), tally.shard("two", 0));
        for shard in [first, second] {
            tally.see(shard, 10);
            tally.add(shard, number, b"a:1", 5);
        }
        assert_eq!((tally.seen(), tally.totals()[0].1.keys), (20, 2));
        assert_eq!(tally.shard("one", 1), first);
        tally.see(first, 3);
        assert_eq!((tally.seen(), tally.totals()[0].1.keys, tally.rounds()), (13, 1, vec![1, 0]));
        assert_eq!(tally.totals()[0].1.examples.len(), 1);
    }

    #[test]
    fn more_lines_than_are_told_apart_are_counted_together() {
        let mut tally = Tally::new(0);
        let shard = tally.shard("one", 0);
        for number in 0..MOST_LINES + 7 {
            let line = tally.line(&line(&number.to_string()));
            tally.add(shard, line, b"k", 1);
        }
        let totals = tally.totals();
        assert_eq!(totals.len(), MOST_LINES + 1);
        assert_eq!(totals[0].0.family, "(other)");
        assert_eq!(totals[0].1.keys, 7);
    }
}
