//! What could not be read of a table, said once however often it was run into.

use std::path::Path;

use super::gather::{Gathered, LIMIT};
use crate::{Damage, cause::SqliteCause, moment};

/// Gaps that are no further apart are told as one: a page has the snapshots of some minutes, each a gap of its own.
const APART: i64 = moment::HOUR;
const SECOND: i64 = 1_000_000;

/// What could not be read of one table.
#[derive(Debug)]
pub(super) struct Missing {
    table: &'static str,
    /// Stretches of time in which something may be missing.
    gaps: Vec<(i64, i64)>,
    senseless: usize,
    reason: Option<SqliteCause>,
}

/// Returns what a table has, in the words of its users.
pub(super) fn words_for(table: &str) -> &str {
    match table {
        "hourly" => "hours",
        "daily" => "days",
        "caches" => "names of caches",
        "series" => "names of metrics",
        "moments" => "times of snapshots",
        "keyspaces" => "keyspace snapshots",
        "keyspace_moments" => "times of keyspace snapshots",
        "horizons" => "what was removed",
        other => other,
    }
}

impl Missing {
    pub(super) fn of(table: &'static str) -> Self {
        Self { table, gaps: Vec::new(), senseless: 0, reason: None }
    }

    pub(super) fn table(&self) -> &'static str {
        self.table
    }

    /// Adds what could not be read this time; of what is not ordered by time, no times are told.
    pub(super) fn add<T>(&mut self, gathered: &Gathered<T>, path: &Path) {
        self.senseless += gathered.senseless;
        if let Some(reason) = &gathered.reason {
            self.reason.get_or_insert_with(|| SqliteCause::new(path, reason));
        }
        if matches!(self.table, "caches" | "series") && !gathered.gaps.is_empty() {
            self.gaps.push((-LIMIT, LIMIT));
        } else {
            self.gaps.extend(&gathered.gaps);
        }
    }

    /// Names each stretch once, in the order of time.
    pub(super) fn damage(mut self, path: &Path) -> Vec<Damage> {
        let words = words_for(self.table);
        self.gaps.sort_unstable();
        let mut joined: Vec<(i64, i64)> = Vec::new();
        for (from, until) in self.gaps {
            match joined.last_mut() {
                Some(last) if from <= last.1.saturating_add(APART) => last.1 = last.1.max(until),
                _ => joined.push((from, until)),
            }
        }
        let mut damaged = Vec::new();
        if let Some(reason) = &self.reason {
            let gap = |gap: &(i64, i64)| {
                Damage::new(path, format_args!("cannot be read: {reason}")).in_part(stretch(words, *gap))
            };
            damaged.extend(joined.iter().map(gap));
        }
        if self.senseless > 0 {
            let rows = if self.senseless == 1 { "row makes" } else { "rows make" };
            let reason = format_args!("{} {rows} no sense", self.senseless);
            damaged.push(Damage::new(path, reason).in_part(words));
        }
        damaged
    }
}

fn stretch(words: &str, (from, until): (i64, i64)) -> String {
    let is_open = (from <= -LIMIT, until >= LIMIT);
    // To the second outwards: where in it the gap begins depends on how the range was halved.
    let (from, until) = (moment::floor(from, SECOND), moment::floor(until + SECOND - 1, SECOND));
    match is_open {
        (true, true) => words.to_owned(),
        (true, false) => format!("{words} before {}", moment::time(until)),
        (false, true) => format!("{words} from {} on", moment::time(from)),
        (false, false) => format!("{words} between {} and {}", moment::time(from), moment::time(until)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(table: &'static str, gaps: &[(i64, i64)]) -> Vec<String> {
        let mut missing = Missing::of(table);
        missing.reason = Some(SqliteCause::new("a".as_ref(), &rusqlite::Error::InvalidQuery));
        missing.gaps = gaps.to_vec();
        missing.damage("a".as_ref()).into_iter().filter_map(|damage| damage.part).collect()
    }

    #[test]
    fn a_stretch_is_named_once_in_words_that_make_sense() {
        let hour = moment::HOUR;
        assert_eq!(named("samples", &[(-LIMIT, LIMIT); 5]), ["samples"]);
        assert_eq!(named("hourly", &[(hour, LIMIT), (0, LIMIT)]), ["hours from 1970-01-01 00:00:00 UTC on"]);
        assert_eq!(named("daily", &[(-LIMIT, hour)]), ["days before 1970-01-01 01:00:00 UTC"]);
        assert_eq!(
            named("snapshots", &[(4 * hour - 1, 5 * hour), (1, 2), (hour, 2 * hour - 1)]),
            [
                "snapshots between 1970-01-01 00:00:00 UTC and 1970-01-01 02:00:00 UTC",
                "snapshots between 1970-01-01 03:59:59 UTC and 1970-01-01 05:00:00 UTC",
            ]
        );
        assert!(named("samples", &[]).is_empty());
    }
}
