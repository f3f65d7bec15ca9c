//! The tables, and how a file comes to have them.

use std::{fs::File, path::Path, thread, time::Duration};

use rusqlite::{Connection, ErrorCode, params};

use super::{BUSY_TIMEOUT, in_transaction};
use crate::{Error, Result};

/// "LRDR": whose database this is.
const APPLICATION_ID: i64 = 0x4c52_4452;

/// How often switching to the write-ahead log is tried; SQLite does not wait there for whoever makes the same file.
const ATTEMPTS: u32 = 500;
const ATTEMPT_STEP: Duration = Duration::from_millis(10);

/// The name in `horizons` under which the schema is kept that a file was made with: it says where the tables begin.
const MADE: &str = "schema";

/// What brings a file from each schema to the next; `user_version` counts them. Entries are only ever added, and only add
/// tables: whoever reads only cannot bring a file to the next, and makes in memory, empty, what an older file lacks; and a
/// writer of an older version that has the file open meanwhile can go on.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE caches (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE series (
        id INTEGER PRIMARY KEY, cache INTEGER NOT NULL REFERENCES caches, metric TEXT NOT NULL, node TEXT NOT NULL,
        UNIQUE (metric, node, cache));
    CREATE TABLE moments (cache INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (cache, at)) WITHOUT ROWID;
    CREATE TABLE snapshots (
        at INTEGER NOT NULL, cache INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (at, cache));
    CREATE TABLE samples (
        series INTEGER NOT NULL, at INTEGER NOT NULL, value REAL NOT NULL, PRIMARY KEY (series, at)) WITHOUT ROWID;
    CREATE TABLE hourly (
        series INTEGER NOT NULL, start INTEGER NOT NULL, count INTEGER NOT NULL,
        lowest REAL NOT NULL, mean REAL NOT NULL, highest REAL NOT NULL,
        first_at INTEGER NOT NULL, first REAL NOT NULL, last_at INTEGER NOT NULL, last REAL NOT NULL,
        PRIMARY KEY (series, start)) WITHOUT ROWID;
    CREATE TABLE daily (
        series INTEGER NOT NULL, start INTEGER NOT NULL, count INTEGER NOT NULL,
        lowest REAL NOT NULL, mean REAL NOT NULL, highest REAL NOT NULL,
        first_at INTEGER NOT NULL, first REAL NOT NULL, last_at INTEGER NOT NULL, last REAL NOT NULL,
        PRIMARY KEY (series, start)) WITHOUT ROWID;
    CREATE TABLE horizons (name TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
", "
    CREATE TABLE keyspaces (
        at INTEGER NOT NULL, cache INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (at, cache));
    CREATE TABLE keyspace_moments (
        cache INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (cache, at)) WITHOUT ROWID;
"];

/// Every table of the newest schema.
pub(super) const TABLES: [&str; 10] = [
    "caches",
    "series",
    "moments",
    "snapshots",
    "samples",
    "hourly",
    "daily",
    "horizons",
    "keyspaces",
    "keyspace_moments",
];

/// Opens a file, and makes it a history where it is empty or not there.
pub(super) fn open(path: &Path) -> Result<Connection> {
    open_as(path, MIGRATIONS.len())
}

/// The same, up to an older schema.
pub(super) fn open_as(path: &Path, schema: usize) -> Result<Connection> {
    let failed = |source| unopened(path, source);
    let mut connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    // Looked at first: the file of another program must not be touched, not even its journal mode.
    if let Some(refused) = refusal(&connection, path).map_err(failed)? {
        return Err(refused);
    }
    use_write_ahead_log(&connection).map_err(failed)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    in_transaction(&mut connection, |connection| migrate(connection, schema)).map_err(failed)?;
    Ok(connection)
}

/// Makes a history that has nothing in it, in memory.
pub(super) fn empty(path: &Path) -> Result<Connection> {
    let failed = |source| Error::sqlite(path, "make an empty history", source);
    let connection = Connection::open_in_memory().map_err(failed)?;
    migrate(&connection, MIGRATIONS.len()).map_err(failed)?;
    Ok(connection)
}

/// Tells whether a file that is open for reading has its tables; one that is empty has none. What one of an older schema
/// lacks is there afterwards, empty.
pub(super) fn is_made(connection: &Connection, path: &Path) -> Result<bool> {
    let failed = |source| Error::sqlite(path, "open the history to read it", source);
    if let Some(refused) = refusal(connection, path).map_err(failed)? {
        return Err(refused);
    }
    if number(connection, "user_version").map_err(failed)? == 0 {
        return Ok(false);
    }
    stand_in(connection).map_err(failed)?;
    Ok(true)
}

/// Makes what a file of an older schema lacks, in memory and for this connection only.
pub(super) fn stand_in(connection: &Connection) -> rusqlite::Result<()> {
    let found = usize::try_from(number(connection, "user_version")?).unwrap_or(0);
    for migration in MIGRATIONS.iter().skip(found) {
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.execute_batch(&migration.replace("CREATE TABLE", "CREATE TEMP TABLE"))?;
    }
    Ok(())
}

/// Returns the schema that a file was made with; the first where it does not say.
pub(super) fn made_with(connection: &Connection) -> usize {
    let sql = "SELECT at FROM horizons WHERE name = ?1";
    let found: rusqlite::Result<i64> = connection.query_row(sql, [MADE], |row| row.get(0));
    let found = found.ok().and_then(|found| usize::try_from(found).ok());
    found.filter(|schema| (1..=MIGRATIONS.len()).contains(schema)).unwrap_or(1)
}

/// Returns the newest schema.
pub(super) fn newest() -> usize {
    MIGRATIONS.len()
}

/// Says why a file cannot be opened. `SQLite` does not tell what the operating system said: that is asked again.
fn unopened(path: &Path, source: rusqlite::Error) -> Error {
    if matches!(source.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)) {
        if let Err(source) = File::options().append(true).create(true).open(path) {
            return Error::io(path, "open the history", source);
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if let Err(source) = tempfile::tempfile_in(folder) {
            return Error::io(folder, "write into the folder", source);
        }
    }
    Error::sqlite(path, "open the history", source)
}

fn refusal(connection: &Connection, path: &Path) -> rusqlite::Result<Option<Error>> {
    let path = path.to_owned();
    let known = version(newest());
    let found = number(connection, "user_version")?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let application = number(connection, "application_id")?;
    Ok(match application {
        APPLICATION_ID if found > known => Some(Error::NewerSchema { path, found, known }),
        APPLICATION_ID => None,
        0 if tables == 0 => None,
        _ => Some(Error::ForeignDatabase { path }),
    })
}

fn use_write_ahead_log(connection: &Connection) -> rusqlite::Result<()> {
    let mut attempt = 0;
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && attempt < ATTEMPTS =>
            {
                attempt += 1;
                thread::sleep(ATTEMPT_STEP);
            }
            done => return done,
        }
    }
}

fn migrate(connection: &Connection, schema: usize) -> rusqlite::Result<()> {
    let found = usize::try_from(number(connection, "user_version")?).unwrap_or(0);
    if found >= schema {
        return Ok(());
    }
    for migration in &MIGRATIONS[found..schema] {
        connection.execute_batch(migration)?;
    }
    if found == 0 {
        let note = "INSERT INTO horizons (name, at) VALUES (?1, ?2)";
        connection.execute(note, params![MADE, version(schema)])?;
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", version(schema))
}

fn version(schema: usize) -> i64 {
    i64::try_from(schema).unwrap_or(i64::MAX)
}

fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_later_only_adds_tables() {
        for migration in &MIGRATIONS[1..] {
            let mut statements = migration.split(';').map(str::trim).filter(|words| !words.is_empty());
            assert!(statements.all(|words| words.starts_with("CREATE TABLE ")), "{migration}");
        }
        let connection = empty("a".as_ref()).unwrap();
        let count = "SELECT count(*) FROM sqlite_schema WHERE type = 'table'";
        let count: i64 = connection.query_row(count, [], |row| row.get(0)).unwrap();
        assert_eq!(usize::try_from(count).unwrap(), TABLES.len());
        for table in TABLES {
            connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        }
    }

    #[test]
    fn an_older_file_is_read_as_if_it_had_what_it_lacks() {
        let connection = Connection::open_in_memory().unwrap();
        migrate(&connection, 1).unwrap();
        assert!(connection.prepare("SELECT * FROM keyspaces").is_err());
        assert!(is_made(&connection, "a".as_ref()).unwrap());
        let count: i64 =
            connection.query_row("SELECT count(*) FROM keyspaces", [], |row| row.get(0)).unwrap();
        assert_eq!((count, made_with(&connection)), (0, 1));
        assert!(connection.prepare("SELECT * FROM main.keyspaces").is_err(), "the file stays as it is");
    }
}
