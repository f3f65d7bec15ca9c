#![doc = include_str!("../README.md")]

mod error;
mod id;
mod manifest;

pub use crate::error::{Error, Result};
pub use crate::id::{BackupId, NoBackupId};
pub use crate::manifest::{
    Artifact, Compression, Counts, Encryption, FamilyCount, Kind, Manifest, ReplicationPoint, ShardImage,
    SideArchive, SlotRange,
};
