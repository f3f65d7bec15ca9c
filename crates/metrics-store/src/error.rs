//! What can go wrong, with the file it went wrong in.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::ErrorCode;

use crate::cause::{Cause, SqliteCause, WithCauses};

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// `SQLITE_IOERR_SHORT_READ`: the file ends before a page that it must have.
const SHORT_READ: i32 = 522;
/// `SQLITE_IOERR_SHMSIZE`: there is no room for the file that readers and writers share.
const NO_ROOM_TO_SHARE: i32 = 4874;

/// What can go wrong with a metrics history.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be used.
    #[error("{}: cannot {action}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The disk, or the share of it that may be used, is full. What was stored before is still there.
    #[error("{}: the disk is full (what was stored before is still there)", path.display())]
    DiskFull {
        /// Which file.
        path: PathBuf,
        /// What the operating system said; `None` where it was SQLite, which says no more than this.
        source: Option<io::Error>,
    },
    /// Another writer held the file for too long.
    #[error("{}: another writer has held it for more than {waited:?}", path.display())]
    Busy {
        /// Which file.
        path: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The SQLite file is damaged.
    #[error("{}: the database is damaged; what can be read of it can be kept", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What SQLite said.
        source: Cause,
    },
    /// The file is no SQLite database.
    #[error("{}: is no SQLite database; move it away, or name another file", path.display())]
    NotADatabase {
        /// Which file.
        path: PathBuf,
    },
    /// The file is a SQLite database of another program.
    #[error("{}: is the database of another program; name another file", path.display())]
    ForeignDatabase {
        /// Which file.
        path: PathBuf,
    },
    /// The file was written by a newer version.
    #[error("{}: has schema {found}, and this version knows up to {known}; use the newer version", path.display())]
    NewerSchema {
        /// Which file.
        path: PathBuf,
        /// The schema of the file.
        found: i64,
        /// The newest schema known here.
        known: i64,
    },
    /// SQLite failed otherwise.
    #[error("{}: cannot {action}", path.display())]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why not.
        source: Cause,
    },
    /// The snapshot's timestamp is no time.
    #[error("the snapshot's timestamp {timestamp} is no time")]
    NoTime {
        /// What it has instead.
        timestamp: f64,
    },
    /// The snapshot's date does not begin with a day.
    #[error("the snapshot's date `{date}` does not begin with a day (such as 2026-03-14)")]
    NoDay {
        /// What it has instead.
        date: String,
    },
    /// The snapshot has a field that the format of the file needs for itself.
    #[error("the snapshot has a field `{field}` of its own, which daily files need for themselves")]
    ReservedField {
        /// Which field.
        field: &'static str,
    },
    /// A snapshot could not be written as JSON.
    #[error("the snapshot cannot be written as JSON")]
    Json {
        /// Why not.
        source: serde_json::Error,
    },
    /// What was exported could not be written out.
    #[error("cannot write the export")]
    Export {
        /// Why not.
        source: io::Error,
    },
    /// The history was opened for reading only.
    #[error("{}: is open for reading only; nothing was written", path.display())]
    ReadOnly {
        /// Which file.
        path: PathBuf,
    },
    /// None of several stores could do it. The message has all that each of them said.
    #[error("{what}: {}", list(failures))]
    AllFailed {
        /// What became of it, such as "nothing was stored".
        what: &'static str,
        /// What each said, in order.
        failures: Vec<Error>,
    },
    /// The runtime stopped before the work began.
    #[error("the runtime stopped before it was done")]
    Stopped,
}

impl Error {
    /// Tells whether there was no room; the same may work once there is.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::DiskFull { .. } => true,
            Self::Export { source } => is_full(source.kind()),
            Self::AllFailed { failures, .. } => {
                !failures.is_empty() && failures.iter().all(Self::is_disk_full)
            }
            _ => false,
        }
    }

    /// Tells whether the file itself is the fault: damaged, or no file of this kind.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::NotADatabase { .. })
    }

    /// Tells whether another writer was in the way; the same may work a moment later.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }

    /// Tells whether the reader of an export has gone, which is no fault.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Export { source } if source.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Returns the file or folder at fault, where it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Io { path, .. }
            | Self::DiskFull { path, .. }
            | Self::Busy { path, .. }
            | Self::Damaged { path, .. }
            | Self::NotADatabase { path }
            | Self::ForeignDatabase { path }
            | Self::NewerSchema { path, .. }
            | Self::ReadOnly { path }
            | Self::Sqlite { path, .. } => Some(path),
            _ => None,
        }
    }

    pub(crate) fn io(path: &Path, action: &'static str, source: io::Error) -> Self {
        let path = path.to_owned();
        if is_full(source.kind()) {
            return Self::DiskFull { path, source: Some(source) };
        }
        Self::Io { path, action, source }
    }

    #[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
    pub(crate) fn sqlite(path: &Path, action: &'static str, source: rusqlite::Error) -> Self {
        let cause = SqliteCause::new(path, &source);
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull { path, source: None },
            Some(ErrorCode::DatabaseBusy) => Self::Busy { path, waited: crate::sqlite::BUSY_TIMEOUT },
            Some(ErrorCode::NotADatabase) => Self::NotADatabase { path },
            _ if is_extended(&source, NO_ROOM_TO_SHARE) => Self::DiskFull { path, source: None },
            _ if is_sqlite_damage(&source) => Self::Damaged { path, source: cause.into() },
            _ => Self::Sqlite { path, action, source: cause.into() },
        }
    }
}

pub(crate) fn is_sqlite_damage(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) || is_extended(error, SHORT_READ)
}

fn is_extended(error: &rusqlite::Error, code: i32) -> bool {
    matches!(error, rusqlite::Error::SqliteFailure(failure, _) if failure.extended_code == code)
}

/// Says what each failure says, with its causes; what several say alike once.
fn list(failures: &[Error]) -> String {
    let mut said: Vec<String> = Vec::new();
    for words in failures.iter().map(|failure| WithCauses(failure).to_string()) {
        if !said.contains(&words) {
            said.push(words);
        }
    }
    if said.is_empty() { "there is no store".to_owned() } else { said.join("; ") }
}

fn is_full(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_other_failures() {
        let full = Error::io(Path::new("a"), "write", io::ErrorKind::StorageFull.into());
        assert!(full.is_disk_full());
        assert!(full.to_string().starts_with("a: the disk is full"));
        let other = Error::io(Path::new("a"), "write", io::ErrorKind::PermissionDenied.into());
        assert!(!other.is_disk_full());
        assert_eq!(other.path(), Some(Path::new("a")));
        let what = "nothing was stored";
        assert!(
            !Error::AllFailed { what, failures: vec![full, other] }.is_disk_full(),
            "one has another fault"
        );
        assert!(!Error::AllFailed { what, failures: Vec::new() }.is_disk_full());
    }

    #[test]
    fn a_failure_of_all_says_each_with_its_causes_once() {
        let full =
            rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(13), Some("disk is full".to_owned()));
        let denied = || Error::io(Path::new("a"), "write the file", io::Error::other("not allowed"));
        let failures = vec![denied(), Error::sqlite(Path::new("b"), "store the snapshot", full), denied()];
        let failed = Error::AllFailed { what: "nothing was stored", failures };
        assert_eq!(
            failed.to_string(),
            "nothing was stored: a: cannot write the file: not allowed; \
             b: the disk is full (what was stored before is still there)"
        );
        assert!(std::error::Error::source(&failed).is_none(), "it is all in the message");
        let none = Error::AllFailed { what: "nothing was stored", failures: Vec::new() };
        assert_eq!(none.to_string(), "nothing was stored: there is no store");
    }

    #[test]
    fn a_damaged_database_says_so_once_and_names_no_function() {
        let source = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(11), None);
        let damaged = Error::sqlite(Path::new("a"), "read", source);
        assert_eq!(
            WithCauses(&damaged).to_string(),
            "a: the database is damaged; what can be read of it can be kept: \
             database disk image is malformed (SQLite error 11)"
        );
    }
}
