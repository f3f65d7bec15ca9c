//! What was done.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Serialize;

use super::options::CleanTask;

/// What became of one task.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TaskOutcome {
    /// Keys that were changed.
    pub done: u64,
    /// Keys that were marked, to be removed when they stay unused.
    #[serde(skip_serializing_if = "is_none")]
    pub marked: u64,
    /// Keys that were left alone, by the reason.
    pub left_alone: BTreeMap<&'static str, u64>,
    /// Keys that could not be changed, for another reason.
    pub failed: u64,
    /// What the first of those failed with, and what ended the task.
    pub failures: Vec<String>,
}

/// What a clean-up did.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct CleanOutcome {
    /// Task by task.
    pub tasks: BTreeMap<CleanTask, TaskOutcome>,
    /// The file that gives everything back; `None` where nothing was changed.
    pub undo_file: Option<PathBuf>,
    /// Keys in that file.
    pub kept_keys: u64,
    /// Whether it was ended before the last key.
    pub stopped: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the serialiser hands out references")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

const MOST_FAILURES: usize = 5;

impl TaskOutcome {
    pub(super) fn leave(&mut self, reason: &'static str) {
        *self.left_alone.entry(reason).or_default() += 1;
    }

    pub(super) fn fail(&mut self, keys: u64, words: String) {
        self.failed += keys;
        if self.failures.len() < MOST_FAILURES && !self.failures.contains(&words) {
            self.failures.push(words);
        }
    }

    /// Tells whether nothing went wrong; a key that was left alone is as it should be.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.failures.is_empty() && self.failed == 0
    }
}

impl CleanOutcome {
    pub(super) fn task(&mut self, task: CleanTask) -> &mut TaskOutcome {
        self.tasks.entry(task).or_default()
    }

    /// Returns how many keys were changed.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.tasks.values().map(|task| task.done).sum()
    }

    /// Tells whether everything that was to be done was done or rightly left alone.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.stopped && self.tasks.values().all(TaskOutcome::is_whole)
    }
}
