#![doc = include_str!("../README.md")]

mod error;
mod id;
mod manifest;
mod restore;

pub use crate::error::{Error, Result};
pub use crate::id::{BackupId, NoBackupId};
pub use crate::manifest::{
    Artifact, Compression, Counts, Encryption, FamilyCount, Kind, Manifest, ReplicationPoint, ShardImage,
    SideArchive, SlotRange,
};
pub use crate::restore::{
    DatabaseMap, Existing, KeyFilter, LiveKeys, LiveOutcome, LivePlan, LiveProgress, LiveRestore,
    LiveRestoreOptions, LiveSource, LiveTarget, LiveVerified, Rename, TargetFacts, TtlChoice,
};
