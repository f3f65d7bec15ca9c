//! Bringing a backup back.

mod live;

pub use live::{
    DatabaseMap, Existing, KeyFilter, LiveKeys, LiveOutcome, LivePlan, LiveProgress, LiveRestore,
    LiveRestoreOptions, LiveSource, LiveTarget, LiveVerified, Rename, TargetFacts, TtlChoice,
};
