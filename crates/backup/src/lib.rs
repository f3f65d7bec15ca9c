#![doc = include_str!("../README.md")]

mod census;
mod check;
mod create;
mod drill;
mod error;
mod id;
mod manifest;
mod packing;
mod passage;
mod preflight;
mod priority;
mod progress;
mod reading;
mod repository;
mod restore;
mod retention;
#[cfg(test)]
mod samples;
mod scratch;
mod thread;
mod verify;

pub use crate::census::KeyFamilies;
pub use crate::check::{
    BackupCheck, CheckLine, CheckState, CheckThresholds, Limits, PerformanceDatum, check_backups,
    check_backups_of,
};
pub use crate::create::{BackupOptions, BackupOutcome, FileSet, create_backup};
pub use crate::drill::{DrillReport, drill};
pub use crate::error::{Error, Result};
pub use crate::id::{BackupId, NoBackupId};
pub use crate::manifest::{
    Artifact, Compression, Counts, Encryption, FamilyCount, Kind, Manifest, ReplicationPoint, ShardImage,
    SideArchive, SlotRange,
};
pub use crate::packing::{Keyring, Packing, Recipients};
pub use crate::priority::Effort;
pub use crate::progress::{HowFar, Progress};
pub use crate::repository::{
    ArtifactSpec, ArtifactWriter, Cleared, DamagedBackup, Layout, Leftover, LeftoverKind, ListedBackup,
    Listing, Part, Repository, RepositoryUrl, StorageOptions, UnfinishedBackup, Verification,
    VerificationLevel, Wanted,
};
pub use crate::restore::{
    ConfigurationPlan, DatabaseMap, Existing, FolderOptions, FolderOutcome, FolderPlan, KeyFilter, LiveKeys,
    LiveOthers, LiveOutcome, LivePlan, LiveProgress, LiveRestore, LiveRestoreOptions, LiveSource, LiveTarget,
    LiveVerified, OthersOutcome, PlannedFile, ReadingOptions, RecoveryReport, Rename, TargetFacts, TtlChoice,
    plan_folder, restore_to_folder,
};
pub use crate::retention::{
    KeepPolicy, PruneDecision, PruneFate, PruneOutcome, PrunePlan, plan_prune, prune,
};
pub use crate::scratch::{ScratchServer, ServerProgram, ServerPrograms};
pub use crate::verify::{VerifyOptions, verify_backup};
