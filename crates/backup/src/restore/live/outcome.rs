//! What was done, and what a look at it gave.

use std::collections::BTreeMap;

use larder_rdb::{DataDigest, KeyName};
use serde::{Serialize, Serializer};

/// What a restore into a running cache did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LiveOutcome {
    /// Keys that were brought back.
    pub restored: u64,
    /// Keys whose value was replaced.
    pub overwritten: u64,
    /// Keys that were there already as they are in the backup.
    pub there_already: u64,
    /// Keys that were left alone, by the reason.
    pub left_alone: BTreeMap<&'static str, u64>,
    /// Keys that were not asked for, by the reason.
    pub left_out: BTreeMap<&'static str, u64>,
    /// Keys whose time is up.
    pub expired: u64,
    /// Keys that could not be brought back, or of which that is not known.
    pub failed: u64,
    /// What the first of them failed with.
    pub failures: Vec<String>,
    /// Function libraries that were loaded.
    pub functions: u64,
    /// Function libraries that are there already and were left.
    pub functions_there: u64,
    /// Whether it was stopped on request.
    pub stopped: bool,
    /// What ended it before the end; the keys that were not come to are counted nowhere.
    pub ended_by: Option<String>,
}

/// What is there of a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LiveVerified {
    /// Keys that were compared.
    pub compared: u64,
    /// Keys that are there as they are in the backup.
    pub equal: u64,
    /// Keys that are there with another value, or end at another moment.
    pub differing: u64,
    /// The first of them.
    pub differing_keys: Vec<String>,
    /// Keys that are not there.
    pub missing: u64,
    /// The first of them.
    pub missing_keys: Vec<String>,
    /// Keys with a module's value that is there, and written in another way, as some modules do each time: whether it is the
    /// same is not known.
    pub unknown: u64,
    /// Keys whose time is up.
    pub expired: u64,
    /// Keys that could not be read.
    pub failed: u64,
    /// What the first of them failed with.
    pub failures: Vec<String>,
    /// Function libraries of the backup that every primary has as they are in the backup.
    pub functions_equal: u64,
    /// Function libraries that a primary has with another source.
    pub functions_differing: u64,
    /// Function libraries that a primary does not have.
    pub functions_missing: u64,
    /// Function libraries that were not compared, because the cache cannot be asked for its own; and then why.
    pub functions_unknown: u64,
    /// Which libraries differ, are missing, or were not compared, in words.
    pub function_notes: Vec<String>,
    /// The sum of the digests of the keys that are equal, with the names and databases that they have in the cache, and of the
    /// function libraries that are: of values and TTLs, or of values alone where TTLs are not those of the backup. After a whole
    /// backup came into an empty cache, and before the first key's time is up, it is that of the manifest.
    #[serde(serialize_with = "as_text")]
    pub digest: DataDigest,
    /// Whether it was stopped on request.
    pub stopped: bool,
}

fn as_text<S: Serializer>(digest: &DataDigest, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(digest)
}

/// How many keys, and failures, are named.
const MOST_NAMED: usize = 20;

impl LiveOutcome {
    /// Tells whether everything that was asked for is there, or was left alone for a reason that is told.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.failed == 0 && !self.stopped && self.ended_by.is_none()
    }

    pub(super) fn leave(&mut self, why: &'static str) {
        *self.left_alone.entry(why).or_default() += 1;
    }

    pub(super) fn fail(&mut self, what: &dyn std::fmt::Display, error: &larder_cache_client::Error) {
        self.failed += 1;
        if self.failures.len() < MOST_NAMED {
            self.failures.push(format!("{what}: {}", error.with_causes()));
        }
    }

    /// Adds what became of a batch.
    pub(super) fn add(&mut self, other: Self) {
        self.restored += other.restored;
        self.overwritten += other.overwritten;
        self.there_already += other.there_already;
        for (why, keys) in other.left_alone {
            *self.left_alone.entry(why).or_default() += keys;
        }
        self.expired += other.expired;
        self.failed += other.failed;
        let room = MOST_NAMED.saturating_sub(self.failures.len());
        self.failures.extend(other.failures.into_iter().take(room));
        self.functions += other.functions;
        self.functions_there += other.functions_there;
        self.stopped |= other.stopped;
        self.ended_by = self.ended_by.take().or(other.ended_by);
    }
}

impl LiveVerified {
    /// Tells whether every key and every function library is there as it is in the backup, but for keys whose time is up, and
    /// for modules' values and libraries that cannot be compared.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.differing == 0
            && self.missing == 0
            && self.failed == 0
            && !self.stopped
            && self.functions_differing + self.functions_missing == 0
    }

    pub(super) fn differ(&mut self, key: &[u8]) {
        self.differing += 1;
        name(&mut self.differing_keys, key);
    }

    pub(super) fn miss(&mut self, key: &[u8]) {
        self.missing += 1;
        name(&mut self.missing_keys, key);
    }

    pub(super) fn fail(&mut self, key: &[u8], error: &larder_cache_client::Error) {
        self.failed += 1;
        if self.failures.len() < MOST_NAMED {
            self.failures.push(format!("{}: {}", KeyName::from(key), error.with_causes()));
        }
    }

    /// Adds what a batch gave.
    pub(super) fn add(&mut self, other: Self) {
        self.compared += other.compared;
        self.equal += other.equal;
        self.differing += other.differing;
        self.missing += other.missing;
        self.unknown += other.unknown;
        self.expired += other.expired;
        self.failed += other.failed;
        for (all, more) in [
            (&mut self.differing_keys, other.differing_keys),
            (&mut self.missing_keys, other.missing_keys),
            (&mut self.failures, other.failures),
        ] {
            let room = MOST_NAMED.saturating_sub(all.len());
            all.extend(more.into_iter().take(room));
        }
        self.functions_equal += other.functions_equal;
        self.functions_differing += other.functions_differing;
        self.functions_missing += other.functions_missing;
        self.functions_unknown += other.functions_unknown;
        self.function_notes.extend(other.function_notes);
        self.digest += other.digest;
        self.stopped |= other.stopped;
    }
}

fn name(names: &mut Vec<String>, key: &[u8]) {
    if names.len() < MOST_NAMED {
        names.push(KeyName::from(key).to_string());
    }
}
