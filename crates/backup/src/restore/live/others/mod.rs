//! What the cache has and the backup does not: counted for the plan, and removed, so that the cache holds what the backup
//! holds.

mod counting;
mod names;
mod removing;

pub(super) use names::KeyNames;

use larder_rdb::KeyName;
use serde::{Deserialize, Serialize};

use super::{Existing, LiveRestore, TtlChoice};
use crate::{Error, Result};

/// How many keys, and failures, are named.
const MOST_NAMED: usize = 20;

/// Keys of the cache that the backup does not have, as the plan found them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LiveOthers {
    /// How many.
    pub keys: u64,
    /// Some of them.
    pub named: Vec<String>,
}

/// What became of keys that the backup does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OthersOutcome {
    /// Keys that were removed. Each is in the backup that was made before.
    pub removed: u64,
    /// Keys that are not as they are in that backup any more, because they were written since, and were left alone. So are
    /// values of modules that are written in another way each time.
    pub written_since: u64,
    /// Keys that were gone by then.
    pub gone: u64,
    /// Keys that could not be removed, or of which that is not known.
    pub failed: u64,
    /// What the first of them failed with.
    pub failures: Vec<String>,
    /// Whether it was stopped on request.
    pub stopped: bool,
    /// What ended it before the end; the keys that were not come to are counted nowhere.
    pub ended_by: Option<String>,
}

impl OthersOutcome {
    /// Tells whether nothing is left that the backup does not have, but for what was written since the one made before.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.failed == 0 && !self.stopped && self.ended_by.is_none()
    }

    /// What fails one key for a reason of the cache's fails all.
    fn fail(&mut self, key: &[u8], error: &larder_cache_client::Error) {
        self.failed += 1;
        if self.failures.len() < MOST_NAMED {
            self.failures.push(format!("{}: {}", KeyName::from(key), error.with_causes()));
        }
        if error.is_retryable() && self.ended_by.is_none() {
            self.ended_by = Some(error.with_causes());
        }
    }
}

impl LiveRestore {
    /// Refuses what cannot be: with a part of the backup, or under other names or times, it is not defined what the backup does
    /// not have.
    pub(super) fn check_exact(&self) -> Result<()> {
        let options = &self.options;
        let only = self.target.only_database();
        let is_all = |wanted: &std::collections::BTreeSet<u64>| {
            only.is_some_and(|only| wanted.len() == 1 && wanted.contains(&only))
        };
        let mut reasons = Vec::new();
        for (stands_against, words) in [
            (options.filter.databases.as_ref().is_some_and(|wanted| !is_all(wanted)), "single databases"),
            (options.filter.types.is_some(), "single types"),
            (options.filter.keys.is_some(), "a choice of names"),
            (options.rename.is_some(), "other names"),
            (options.databases != super::DatabaseMap::default(), "other databases"),
            (options.ttl != TtlChoice::Keep, "other TTLs"),
        ] {
            if stands_against {
                reasons.push(format!(
                    "it does not go with {words}: what the backup does not have is not defined then"
                ));
            }
        }
        if options.existing != Existing::Overwrite {
            reasons.push("keys that are there have to be overwritten".to_owned());
        }
        if reasons.is_empty() {
            return Ok(());
        }
        Err(Error::Refused { what: "making the cache hold what the backup holds".to_owned(), reasons })
    }
}
