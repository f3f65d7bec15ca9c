//! Opening a damaged file to read from it, its first page mended where need be.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, Write},
    path::Path,
};

use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use super::{super::schema, beside};
use crate::{Damage, Error, Result};

const MAGIC: &[u8] = b"SQLite format 3\0";
const PAGE: usize = 4096;
/// More pages than a new file has.
const LEAST_PAGES: u64 = 64;
/// Where the first page says how many pages there are (SQLite file format, section 1.3).
const PAGES_AT: usize = 28;
/// What a page of a table begins with that has no pages below it (section 1.6).
const LEAF: u8 = 0x0d;

/// A damaged file, open for reading only.
#[derive(Debug)]
pub(super) struct Source {
    connection: Connection,
    /// Holds the copy that is read where the first page of the file cannot be.
    copy: Option<TempDir>,
    /// The schema that the file is read as.
    schema: usize,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let io = |source| Error::io(path, "read the damaged file", source);
        File::open(path).map_err(io)?;
        if let Ok(connection) = open(path) {
            return Ok(Self { connection, copy: None, schema: schema::newest() });
        }
        // Where tables begin that an older version's file was given later is not known.
        let mut schema = schema::newest();
        loop {
            let copy = mended(path, schema).map_err(io)?;
            let connection = open(&copy.path().join("copy"));
            let connection =
                connection.map_err(|source| Error::sqlite(path, "read the damaged file", source))?;
            let made_with = schema::made_with(&connection).min(schema);
            if made_with == schema {
                return Ok(Self { connection, copy: Some(copy), schema });
            }
            schema = made_with;
        }
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Says what was wrong with the file as a whole.
    pub(super) fn damage(&self, path: &Path) -> Option<Damage> {
        self.copy.as_ref()?;
        let mut reason = "the first page was damaged; the usual one was put in its place".to_owned();
        if self.schema < schema::newest() {
            reason += ", which does not name the tables that a newer version has added";
        }
        Some(Damage::new(path, reason))
    }
}

/// Tells whether a file begins as SQLite's do.
pub(super) fn is_sqlite(path: &Path) -> bool {
    let mut start = [0; MAGIC.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == MAGIC
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // Fails where the first page, which holds the names of the tables, is not readable.
    schema::stand_in(&connection)?;
    for table in schema::TABLES {
        connection.prepare(&format!("SELECT * FROM {table}"))?;
    }
    Ok(connection)
}

/// Copies the file and gives the copy the first page of a new one of the same schema: the tables of both were made in the
/// same order, so their roots are on the same pages.
fn mended(path: &Path, schema: usize) -> io::Result<TempDir> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let copy = tempfile::Builder::new().prefix(".salvage-").tempdir_in(folder.unwrap_or(Path::new(".")))?;
    let target = copy.path().join("copy");
    fs::copy(path, &target)?;
    if beside(path, "-wal").exists() {
        fs::copy(beside(path, "-wal"), beside(&target, "-wal"))?;
    }
    let mut first = first_page(&copy.path().join("new"), schema)?;
    // At least as many as the roots of the tables need, even where the file was cut shorter.
    let pages = fs::metadata(path)?.len().div_ceil(PAGE as u64).max(LEAST_PAGES);
    let length = pages * PAGE as u64;
    let pages = u32::try_from(pages).map_err(io::Error::other)?.to_be_bytes();
    first[PAGES_AT..PAGES_AT + 4].copy_from_slice(&pages);
    // No free pages: nothing is written to the copy, and the list may be damaged as well.
    first[PAGES_AT + 4..PAGES_AT + 12].fill(0);
    let mut file = File::options().write(true).open(&target)?;
    file.set_len(length)?;
    file.rewind()?;
    file.write_all(&first)?;
    Ok(copy)
}

fn first_page(path: &Path, schema: usize) -> io::Result<[u8; PAGE]> {
    let new = schema::open_as(path, schema).map_err(io::Error::other)?;
    new.close().map_err(|(_, error)| io::Error::other(error))?;
    let mut first = [0; PAGE];
    File::open(path)?.read_exact(&mut first)?;
    let page_size = u16::from_be_bytes([first[16], first[17]]);
    if usize::from(page_size) != PAGE || first[100] != LEAF {
        return Err(io::Error::other("a new file has another first page than expected"));
    }
    Ok(first)
}
