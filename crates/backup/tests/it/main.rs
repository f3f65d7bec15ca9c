//! Repositories in memory, in folders and behind the protocol of S3, with faults on purpose; backups on real servers.
#![expect(clippy::unwrap_used, reason = "what fails to be made ends the test")]

mod breaking;
mod broken;
mod damage;
mod disk_full;
mod encryption;
mod fixture;
mod folder;
mod guide;
mod manifest;
mod pruning;
mod restore_live;
mod s3_faults;
mod size;
mod stores;
mod unreadable;
