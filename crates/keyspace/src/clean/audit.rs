//! What was done to how many keys, when, and by which policy.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{Error, Result};

/// One thing that was done.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct AuditEntry {
    /// When, ISO 8601.
    pub at: String,
    /// To which cache, without credentials.
    pub cache: String,
    /// What was done: `clean` or `undo`.
    pub command: &'static str,
    /// By which policy, or from which undo file.
    pub by: String,
    /// Of which task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// To how many keys.
    pub keys: u64,
    /// How many were left alone, by the reason.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub left_alone: BTreeMap<String, u64>,
    /// How many could not be changed.
    pub failed: u64,
    /// The file that gives it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo_file: Option<PathBuf>,
    /// The user of the machine, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

impl AuditEntry {
    /// Begins an entry.
    #[must_use]
    pub fn new(
        at: impl Into<String>,
        cache: impl Into<String>,
        command: &'static str,
        by: impl Into<String>,
    ) -> Self {
        Self {
            at: at.into(),
            cache: cache.into(),
            command,
            by: by.into(),
            task: None,
            keys: 0,
            left_alone: BTreeMap::new(),
            failed: 0,
            undo_file: None,
            user: None,
        }
    }
}

/// A file of JSON lines, to which entries are only ever added.
#[derive(Clone, Debug)]
pub struct AuditLog {
    path: PathBuf,
}

impl AuditLog {
    /// Names the file; it is made with the first entry.
    #[must_use]
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_path_buf() }
    }

    /// Adds entries, in one write, and waits until they are on the disk.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn add(&self, entries: &[AuditEntry]) -> Result<()> {
        let failed = |source| Error::File { what: "audit log", path: self.path.clone(), source };
        let mut lines = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut lines, entry).map_err(|error| failed(error.into()))?;
            lines.push(b'\n');
        }
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&self.path).map_err(failed)?;
        file.write_all(&lines).map_err(failed)?;
        file.sync_data().map_err(failed)
    }
}
