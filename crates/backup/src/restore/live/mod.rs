//! Bringing the keys of a backup into a cache that runs, of any topology.
//!
//! The dump is read whole to plan, before anything is touched, again to restore, and a third time to compare what is there
//! with it. Nothing is kept of it but what is under way.

mod apply;
mod batches;
mod bring_back;
mod budget;
mod choice;
mod first_names;
mod functions;
mod options;
mod others;
mod outcome;
mod plan;
mod planning;
mod progress;
mod reading;
mod room;
mod same;
mod source;
mod tally;
mod target;
mod verify;

use std::time::Instant;

use self::same::Ends;
pub use options::{DatabaseMap, Existing, KeyFilter, LiveRestoreOptions, Rename, TtlChoice};
pub use others::{LiveOthers, OthersOutcome};
pub use outcome::{LiveOutcome, LiveVerified};
pub use plan::{LiveKeys, LivePlan};
pub use progress::LiveProgress;
pub use source::LiveSource;
pub use target::{LiveTarget, TargetFacts};

/// A restore into a running cache: a plan first, then its doing, then the proof. Each reads the dump anew, so that each can
/// be done again: what is there already is left alone.
///
/// Field TTLs of hashes stay what they are in the backup, whatever [`TtlChoice`] says of keys.
#[derive(Clone, Debug)]
pub struct LiveRestore {
    source: LiveSource,
    target: LiveTarget,
    options: LiveRestoreOptions,
    begun: Instant,
}

impl LiveRestore {
    /// Says what is brought where, and how.
    #[must_use]
    pub fn new(source: LiveSource, target: LiveTarget, options: LiveRestoreOptions) -> Self {
        Self { source, target, options, begun: Instant::now() }
    }

    /// When keys have to end: what counts from now was reckoned since the restore was begun, whatever part of it is done now.
    fn ends(&self) -> Ends {
        match self.options.ttl {
            TtlChoice::Keep => Ends::AsInBackup,
            TtlChoice::Drop => Ends::AsReckoned { early_ms: 0 },
            TtlChoice::Rebase => Ends::AsReckoned {
                early_ms: u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            },
        }
    }
}
