//! What can go wrong with backups.

use std::{io, path::PathBuf};

use crate::BackupId;

/// Where machines of a cloud are asked for credentials when none were given: a link-local address that is the same at AWS,
/// Google Cloud and Azure.
const METADATA_SERVICE: &str = "169.254.169.254";

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with backups.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A URL that names no repository.
    #[error("`{url}` names no repository: {reason}")]
    Url {
        /// What was given, without credentials.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The repository cannot be read or written.
    #[error("the repository cannot {what}")]
    Storage {
        /// What was to be done, such as `write backups/…/manifest.json`.
        what: String,
        /// Why not.
        source: object_store::Error,
    },
    /// There is no such backup.
    #[error("there is no backup {wanted}")]
    NoBackup {
        /// What was asked for: an id, `latest`, a date.
        wanted: String,
    },
    /// A manifest that is no manifest, or that was altered since it was written.
    #[error("the manifest of {id} cannot be trusted: {reason}")]
    Manifest {
        /// Whose.
        id: BackupId,
        /// What is wrong with it.
        reason: String,
    },
    /// An artifact is not what the manifest says.
    #[error("{artifact} of {id} is damaged: {reason}")]
    Damaged {
        /// The backup.
        id: BackupId,
        /// The object.
        artifact: String,
        /// What is wrong with it, and where.
        reason: String,
    },
    /// The bytes of a dump are not sound.
    #[error("the dump of {of} is not sound")]
    Dump {
        /// Which shard, or which artifact.
        of: String,
        /// What is wrong, with the offset.
        source: larder_rdb::Error,
    },
    /// Bytes cannot be compressed or encrypted, or what was stored cannot be brought back.
    #[error("the bytes cannot be packed or unpacked")]
    Packing {
        /// Why not.
        source: io::Error,
    },
    /// A thread or a task of ours ended before its work was done.
    #[error("work inside Larder broke off: {what}")]
    Broken {
        /// Which.
        what: String,
    },
    /// The cache cannot be reached, or refuses.
    #[error("the cache cannot be worked on")]
    Cache {
        /// Why not.
        #[from]
        source: larder_cache_client::Error,
    },
    /// The backup is encrypted, and no identity that was given opens it.
    #[error("{artifact} is encrypted: {reason}")]
    Locked {
        /// The object.
        artifact: String,
        /// Why it cannot be opened.
        reason: String,
    },
    /// Something stands against it; `--force` may go past it where the words say so.
    #[error("{what} is refused: {reasons}", reasons = reasons.join("; "))]
    Refused {
        /// What was to be done.
        what: String,
        /// Each with its figures.
        reasons: Vec<String>,
    },
    /// A file or a folder of this machine.
    #[error("{} cannot be {what}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What was to be done: `read`, `written`, `made`.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// A scratch server did not start, or ended by itself: that says nothing of the backup.
    #[error("it could not be tried: the scratch server {program} {what}")]
    Scratch {
        /// The program.
        program: String,
        /// What it did, or did not, with the end of its log.
        what: String,
    },
    /// A scratch server says that what it was to load is not sound.
    #[error("the scratch server {program} does not take the dump: {what}")]
    Unloadable {
        /// The program.
        program: String,
        /// What it says of it.
        what: String,
    },
    /// It was stopped on request.
    #[error("stopped before the end")]
    Stopped,
}

impl Error {
    /// Tells whether a store refused whoever asked, or nothing was found to ask it with.
    #[must_use]
    pub fn lacks_credentials(&self) -> bool {
        let Self::Storage { source, .. } = self else { return false };
        matches!(
            source,
            object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. }
        ) || source.to_string().contains(METADATA_SERVICE)
    }

    /// Returns what went wrong with its causes, each said once.
    #[must_use]
    pub fn with_causes(&self) -> String {
        let mut words = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let said = error.to_string();
            if !words.contains(&said) {
                words = format!("{words}: {said}");
            }
            cause = error.source();
        }
        words
    }
}
