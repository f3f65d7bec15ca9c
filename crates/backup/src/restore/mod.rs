//! Bringing a backup back.

mod folder;
mod images;
pub(crate) mod in_use;
mod live;
mod report;

pub use folder::{
    ConfigurationPlan, FolderOptions, FolderOutcome, FolderPlan, PlannedFile, plan_folder, restore_to_folder,
};
pub use images::ReadingOptions;
pub use live::{
    DatabaseMap, Existing, KeyFilter, LiveKeys, LiveOthers, LiveOutcome, LivePlan, LiveProgress, LiveRestore,
    LiveRestoreOptions, LiveSource, LiveTarget, LiveVerified, OthersOutcome, Rename, TargetFacts, TtlChoice,
};
pub use report::RecoveryReport;
