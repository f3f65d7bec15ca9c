//! Reading a file without writing anything, not even beside it.
//!
//! `SQLite` makes `-wal` and `-shm` beside a file in write-ahead mode whenever it opens it, for reading only too, and
//! cannot open it where it may not make them. So each look opens the file anew, in the way that suits what is there:
//!
//! - No log, or an empty one: all is in the file. It is opened as one that does not change (`immutable=1`), which needs
//!   no other file; whether it did change is looked at afterwards, and if so it is read again.
//! - A log and its `-shm`: writers are at work, or one was killed. The file is opened for reading only, and both are used
//!   as they are. (Were the last writer to end just then, they would be made again.)
//! - A log without `-shm`: nobody is at work. Copies of both are read, in the folder for temporary files.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use super::{BUSY_TIMEOUT, salvage::beside, schema};
use crate::{Error, Result};

/// How often a file is read again that changed meanwhile. A writer changes it when its log is full, or when it ends.
const ATTEMPTS: u32 = 20;

/// A file that is open for one look.
struct Look {
    connection: Connection,
    /// What the file must still be afterwards; `None` where `SQLite` sees to that.
    state: Option<State>,
    /// Holds the copy that is read.
    _copy: Option<TempDir>,
}

/// What changes when the file does.
#[derive(PartialEq, Eq)]
struct State {
    length: u64,
    modified: SystemTime,
    #[cfg(unix)]
    inode: u64,
}

/// Does work that reads. A file that is not there, or is empty, is an empty history.
pub(super) fn with<T>(path: &Path, work: impl Fn(&Connection) -> Result<T>) -> Result<T> {
    for _ in 0..ATTEMPTS {
        let Some(look) = Look::open(path)? else { return work(&schema::empty(path)?) };
        let done = schema::is_made(&look.connection, path)
            .and_then(|made| if made { work(&look.connection) } else { work(&schema::empty(path)?) });
        if look.state.is_none() || look.state == State::of(path).map_err(|error| unread(path, error))? {
            return done;
        }
    }
    let words = "it was changed each time it was read";
    Err(unread(path, io::Error::new(io::ErrorKind::ResourceBusy, words)))
}

impl Look {
    fn open(path: &Path) -> Result<Option<Self>> {
        let io = |source| unread(path, source);
        let sqlite = |source| Error::sqlite(path, "open the history to read it", source);
        let state = State::of(path).map_err(io)?;
        if state.is_none() {
            return Ok(None);
        }
        if !has_log(path).map_err(io)? {
            let address = address(path, "immutable=1").map_err(io)?;
            let connection = open(&address).map_err(sqlite)?;
            return Ok(Some(Self { connection, state, _copy: None }));
        }
        if beside(path, "-shm").exists() {
            let connection = open(&address(path, "mode=ro").map_err(io)?).map_err(sqlite)?;
            return Ok(Some(Self { connection, state: None, _copy: None }));
        }
        let copy = tempfile::tempdir().map_err(io)?;
        let target = copy.path().join("copy");
        fs::copy(path, &target).map_err(io)?;
        match fs::copy(beside(path, "-wal"), beside(&target, "-wal")) {
            // The last writer has ended meanwhile: all is in the file, which is read again if it was copied before that.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => drop(done.map_err(io)?),
        }
        let connection = open(&address(&target, "mode=ro").map_err(io)?).map_err(sqlite)?;
        Ok(Some(Self { connection, state, _copy: Some(copy) }))
    }
}

impl State {
    fn of(path: &Path) -> io::Result<Option<Self>> {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        let Some(found) = metadata(path)? else { return Ok(None) };
        Ok(Some(Self {
            length: found.len(),
            modified: found.modified()?,
            #[cfg(unix)]
            inode: found.ino(),
        }))
    }
}

fn has_log(path: &Path) -> io::Result<bool> {
    Ok(metadata(&beside(path, "-wal"))?.is_some_and(|log| log.len() > 0))
}

fn metadata(path: &Path) -> io::Result<Option<fs::Metadata>> {
    match fs::metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn open(address: &Path) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(address, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

/// Returns the URI of a file (<https://www.sqlite.org/uri.html>), whatever characters its name has.
fn address(path: &Path, option: &str) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let mut address = "file://".to_owned();
    if !path.has_root() || cfg!(windows) {
        address.push('/');
    }
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'\\' if cfg!(windows) => address.push('/'),
            b'/' | b'.' | b'-' | b'_' | b':' => address.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => address.push(char::from(*byte)),
            byte => address.extend(['%', digit(byte >> 4), digit(byte & 15)]),
        }
    }
    Ok(format!("{address}?{option}").into())
}

fn digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0')
}

fn unread(path: &Path, source: io::Error) -> Error {
    Error::io(path, "read the history", source)
}
