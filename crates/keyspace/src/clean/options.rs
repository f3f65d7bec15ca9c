//! What a clean-up does, and how.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use larder_cache_client::{FullSpeed, Pace, ReadFrom};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

/// One task of a clean-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CleanTask {
    /// Keys that must have a TTL get one.
    Ttl,
    /// Keys of no family are removed.
    Orphans,
    /// Memory is reclaimed where fragmentation says so.
    Memory,
    /// Metrics and reports past their retention are removed.
    History,
    /// Keys that break the policy in ways that nothing is done about are found.
    Integrity,
}

impl CleanTask {
    /// Every task, in the order in which they are done.
    pub const ALL: [Self; 5] = [Self::Ttl, Self::Orphans, Self::Memory, Self::History, Self::Integrity];

    /// Returns its name, one word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ttl => "ttl",
            Self::Orphans => "orphans",
            Self::Memory => "memory",
            Self::History => "history",
            Self::Integrity => "integrity",
        }
    }

    /// Tells whether the task looks at keys.
    #[must_use]
    pub fn is_of_keys(self) -> bool {
        matches!(self, Self::Ttl | Self::Orphans | Self::Integrity)
    }
}

/// How keys are looked at and changed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CleanOptions {
    /// Which tasks are done.
    pub tasks: BTreeSet<CleanTask>,
    /// How fast.
    pub pace: Arc<dyn Pace>,
    /// Which node of a shard the plan is made from; what is changed is looked at again on the primary.
    pub read_from: ReadFrom,
    /// About how many keys the server looks at in one step at the most.
    pub batch_keys: u32,
    /// Whether the limits of the policy may be passed, which only an operator can say.
    pub over_limits: bool,
    /// Values that take more bytes than this are left alone, because undo would have to hold them in memory; 64 MiB.
    pub max_value_bytes: u64,
    /// How many of the values that must decode are read and decoded, from 0 to 1; 0.01.
    pub values_share: f64,
    /// How many keys of each line of the plan are named.
    pub examples: usize,
    /// Where marks of orphans with a grace time are kept.
    pub marks: Option<PathBuf>,
    /// Makes the TTLs that are given, and their jitter, the same every time; `None` for the system's randomness.
    pub seed: Option<u64>,
    /// Whether the plan is only looked at. Then no value is read for it but those that must decode, and it cannot be applied.
    pub only_plan: bool,
    /// Ends it between two batches.
    pub stop: CancellationToken,
}

impl Default for CleanOptions {
    fn default() -> Self {
        Self {
            tasks: BTreeSet::from(CleanTask::ALL),
            pace: Arc::new(FullSpeed),
            read_from: ReadFrom::Primary,
            batch_keys: 1000,
            over_limits: false,
            max_value_bytes: 64 << 20,
            values_share: 0.01,
            examples: 5,
            marks: None,
            seed: None,
            only_plan: false,
            stop: CancellationToken::new(),
        }
    }
}

impl CleanOptions {
    /// Returns the same options with other tasks.
    #[must_use]
    pub fn with_tasks(mut self, tasks: impl IntoIterator<Item = CleanTask>) -> Self {
        self.tasks = tasks.into_iter().collect();
        self
    }

    pub(super) fn does(&self, task: CleanTask) -> bool {
        self.tasks.contains(&task)
    }
}
