#![doc = include_str!("../README.md")]

mod error;
mod id;
mod manifest;
mod repository;

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
