#![doc = include_str!("../README.md")]

mod check;
mod error;
mod id;
mod manifest;
mod repository;
mod retention;
#[cfg(test)]
mod samples;

pub use crate::check::{
    BackupCheck, CheckLine, CheckState, CheckThresholds, Limits, PerformanceDatum, check_backups,
};
pub use crate::error::{Error, Result};
pub use crate::id::{BackupId, NoBackupId};
pub use crate::manifest::{
    Artifact, Compression, Counts, Encryption, FamilyCount, Kind, Manifest, ReplicationPoint, ShardImage,
    SideArchive, SlotRange,
};
pub use crate::repository::{
    ArtifactSpec, ArtifactWriter, Cleared, DamagedBackup, Layout, Leftover, LeftoverKind, ListedBackup,
    Listing, Part, Repository, RepositoryUrl, StorageOptions, UnfinishedBackup, Verification,
    VerificationLevel, Wanted,
};
pub use crate::retention::{
    KeepPolicy, PruneDecision, PruneFate, PruneOutcome, PrunePlan, plan_prune, prune,
};
