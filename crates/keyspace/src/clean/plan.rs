//! What would be done, line by line with the reason.

use std::{fmt, io};

use serde::Serialize;

use super::{
    candidate::{Candidate, Intent, Spill},
    limits::LimitExceeded,
    options::CleanTask,
};
use crate::{Error, KeyName, Result, clock::ServerClock};

/// What is wrong with keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// They must have a TTL and have none.
    MissingTtl,
    /// They are of no family.
    Orphan,
    /// They are of no family, and were marked for it longer ago than the grace time.
    OrphanUnused,
    /// Their TTL is longer than the longest.
    TtlBeyondLongest,
    /// They take more bytes than they may.
    OverSizeLimit,
    /// They have a type that their family does not have.
    WrongType,
    /// Their values are not what their family says they are.
    Undecodable,
}

/// What is done about keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// They get a TTL.
    SetTtl,
    /// They are removed.
    Remove,
    /// They are marked, and removed later if they stay unused.
    Mark,
    /// They are named, and nothing is done about them.
    Report,
}

/// Keys of one family with one reason.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PlanLine {
    /// The family; of keys of no family, what their names begin with.
    pub family: String,
    /// Who owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What is wrong.
    pub reason: Reason,
    /// What is done.
    pub action: Action,
    /// The TTL that they get, in seconds, before jitter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u64>,
    /// How many keys.
    pub keys: u64,
    /// Their bytes, as far as they were looked at.
    pub bytes: u64,
    /// Whether the family is protected, so that nothing is done whatever is wrong.
    pub protected: bool,
    /// Some of their names.
    pub examples: Vec<KeyName>,
}

/// What one task would do.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TaskPlan {
    /// Which task.
    pub task: CleanTask,
    /// Keys that it would change.
    pub keys: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Line by line.
    pub lines: Vec<PlanLine>,
    /// Why it cannot be done, or not the whole of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
}

/// What a clean-up would do to the keys of a cache. It holds the keys themselves outside of memory.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct CleanPlan {
    /// The cache.
    pub cache: String,
    /// Where the policy came from.
    pub policy: String,
    /// When it was made, in milliseconds since 1970.
    pub at_ms: i64,
    /// Keys that were looked at.
    pub seen_keys: u64,
    /// Task by task.
    pub tasks: Vec<TaskPlan>,
    /// The limits that it goes past.
    pub limits_exceeded: Vec<LimitExceeded>,
    /// What was not seen, and why.
    pub not_seen: Vec<String>,
    /// Whether it was ended before the last key, so that it can only be looked at.
    pub stopped: bool,
    /// Made to be looked at only, by [`CleanOptions::only_plan`](crate::CleanOptions::only_plan).
    #[serde(skip)]
    pub(super) only_plan: bool,
    #[serde(skip)]
    pub(super) held: Held,
}

/// The keys of a plan.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) spill: Spill,
    /// The servers' clock, where they tell it.
    pub(super) clock: Option<ServerClock>,
    /// The round that counts, of each shard.
    pub(super) rounds: Vec<u32>,
    /// The task, the family and the reason of each line that candidates name.
    pub(super) lines: Vec<LineName>,
}

/// Which line of a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LineName {
    pub(super) task: CleanTask,
    pub(super) family: String,
    pub(super) reason: Reason,
    pub(super) action: Action,
}

/// One key of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlannedKey {
    /// Its name.
    pub key: KeyName,
    /// Which task.
    pub task: CleanTask,
    /// The family; of a key of no family, what its name begins with.
    pub family: String,
    /// What is wrong.
    pub reason: Reason,
    /// What is done.
    pub action: Action,
    /// The TTL that it gets, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    /// Its bytes.
    pub bytes: u64,
}

impl CleanPlan {
    /// Returns how many keys would be changed.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.tasks.iter().map(|task| task.keys).sum()
    }

    /// Tells whether there is no key to be changed or marked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.spill.is_empty()
    }

    /// Returns the plan of a task.
    #[must_use]
    pub fn task(&self, task: CleanTask) -> Option<&TaskPlan> {
        self.tasks.iter().find(|plan| plan.task == task)
    }

    /// Hands on every key that something would be done about.
    ///
    /// # Errors
    /// [`Error::File`] where the keys cannot be read back, and whatever `take` says.
    pub fn each_key(&mut self, mut take: impl FnMut(PlannedKey) -> io::Result<()>) -> Result<()> {
        let unreadable =
            |source| Error::File { what: "list of planned keys", path: std::env::temp_dir(), source };
        for candidate in self.held.candidates().map_err(unreadable)? {
            let candidate = candidate.map_err(unreadable)?;
            let Some(line) = self.held.lines.get(candidate.line as usize) else { continue };
            take(planned(&candidate, line)).map_err(unreadable)?;
        }
        Ok(())
    }
}

fn planned(candidate: &Candidate, line: &LineName) -> PlannedKey {
    PlannedKey {
        key: KeyName::new(&candidate.key),
        task: line.task,
        family: line.family.clone(),
        reason: line.reason,
        action: line.action,
        ttl_ms: match candidate.action {
            Intent::SetTtl(milliseconds) => Some(milliseconds),
            Intent::Remove | Intent::Mark => None,
        },
        bytes: candidate.bytes,
    }
}

impl Held {
    /// Candidates of the rounds that count.
    pub(super) fn candidates(&mut self) -> io::Result<impl Iterator<Item = io::Result<Candidate>> + use<>> {
        let rounds = self.rounds.clone();
        Ok(self.spill.read()?.filter(move |candidate| {
            candidate.as_ref().map_or(true, |candidate| {
                rounds.get(candidate.shard as usize).is_none_or(|round| candidate.round == *round)
            })
        }))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::MissingTtl => "no TTL where one is required",
            Self::Orphan => "of no family",
            Self::OrphanUnused => "of no family, and unused for the grace time",
            Self::TtlBeyondLongest => "TTL beyond the longest",
            Self::OverSizeLimit => "over the size limit",
            Self::WrongType => "a type that the family does not have",
            Self::Undecodable => "a value that does not decode",
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::SetTtl => "set a TTL",
            Self::Remove => "remove",
            Self::Mark => "mark",
            Self::Report => "report",
        })
    }
}
