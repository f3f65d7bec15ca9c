//! A history in one SQLite file.

mod check;
mod expiry;
mod gather;
mod look;
mod missing;
mod read;
mod salvage;
mod schema;
mod series;
mod write;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use larder_metrics_model::{KeyspaceSnapshot, Snapshot};
use rusqlite::{Connection, Transaction, TransactionBehavior};

pub use self::salvage::Salvaged;
use crate::{
    Appended, Damage, Error, History, Imported, MetricsStore, Query, Result, Retention, RetentionOutcome,
    Series, SeriesName, SeriesQuery,
    measured::Measured,
    store::{MOST_FAMILIES, blocking},
};

/// How long a writer waits for another one.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A history in one SQLite file: snapshots, samples, and the hours and days that sum the samples up.
///
/// Hours and days are kept up to date by the transaction that stores the samples, so they are right whatever retention
/// removes later. Clones share the file. The methods of this type block; those of [`MetricsStore`] do not.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    shared: Arc<Shared>,
    retention: Retention,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    /// `None` where it is for reading only: each reading opens the file anew then.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    writer: Mutex<Connection>,
    /// Apart from the writer's, so that a long look back does not hold up what is being measured.
    reader: Mutex<Connection>,
}

impl SqliteStore {
    /// Opens a history, and makes it where there is none.
    ///
    /// # Errors
    /// The file is no SQLite database, is damaged, belongs to another program or to a newer version, or cannot be
    /// written.
    pub fn open(path: impl Into<PathBuf>, retention: Retention) -> Result<Self> {
        let path = path.into();
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|source| Error::io(folder, "make the folder", source))?;
        }
        let writer = schema::open(&path)?;
        let reader = schema::open(&path)?;
        let open = Open { writer: Mutex::new(writer), reader: Mutex::new(reader) };
        Ok(Self { shared: Arc::new(Shared { path, open: Some(open) }), retention })
    }

    /// Opens a history for reading only. Nothing is written: no file or folder is made, and a file on a disk or in a
    /// folder that cannot be written is read like any other. Whatever would write fails with [`Error::ReadOnly`].
    ///
    /// A file that is not there is an empty history. Others may write meanwhile: what is read is the file as it is then.
    ///
    /// # Errors
    /// The file is no SQLite database, is damaged, belongs to another program or to a newer version, or cannot be read.
    pub fn open_to_read(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        look::with(&path, |_| Ok(()))?;
        Ok(Self { shared: Arc::new(Shared { path, open: None }), retention: Retention::default() })
    }

    /// Returns the same history with another retention, such as one that is open for reading only and is asked what would
    /// be removed.
    #[must_use]
    pub fn with_retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Returns the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Stores a snapshot, as [`MetricsStore::append`] does.
    ///
    /// # Errors
    /// As [`MetricsStore::append`].
    pub fn append_blocking(&self, snapshot: &Snapshot) -> Result<Appended> {
        self.append_measured(snapshot)
    }

    /// Stores a keyspace snapshot, as [`MetricsStore::append_keyspace`] does.
    ///
    /// # Errors
    /// As [`MetricsStore::append_keyspace`].
    pub fn append_keyspace_blocking(&self, snapshot: &KeyspaceSnapshot) -> Result<Appended> {
        self.append_measured(&snapshot.bounded(MOST_FAMILIES))
    }

    /// Stores snapshots in one transaction: all of them, or none.
    ///
    /// # Errors
    /// As [`MetricsStore::append`].
    pub fn append_all<'a>(&self, snapshots: impl IntoIterator<Item = &'a Snapshot>) -> Result<Imported> {
        write::append_all(self, snapshots)
    }

    /// Stores any number of snapshots in transactions of a few thousand, as if each had been appended when it was taken
    /// and retention had been applied at `now`. Hours and days sum up those too whose samples are not kept any more.
    ///
    /// # Errors
    /// As [`MetricsStore::append`]; what came before the snapshot at fault is stored, and may be given again.
    pub fn import(
        &self,
        snapshots: impl IntoIterator<Item = Snapshot>,
        now: DateTime<Utc>,
    ) -> Result<Imported> {
        write::import(self, snapshots, now)
    }

    /// Stores any number of keyspace snapshots, as [`SqliteStore::import`] does snapshots.
    ///
    /// # Errors
    /// As [`SqliteStore::import`].
    pub fn import_keyspaces(
        &self,
        snapshots: impl IntoIterator<Item = KeyspaceSnapshot>,
        now: DateTime<Utc>,
    ) -> Result<Imported> {
        let bounded = snapshots.into_iter().map(|snapshot| snapshot.bounded(MOST_FAMILIES));
        write::import(self, bounded, now)
    }

    /// Returns snapshots, as [`MetricsStore::read`] does.
    ///
    /// # Errors
    /// As [`MetricsStore::read`].
    pub fn read_blocking(&self, query: &Query) -> Result<History> {
        self.reading(|connection| read::snapshots(connection, self.path(), query))
    }

    /// Returns keyspace snapshots, as [`MetricsStore::read_keyspaces`] does.
    ///
    /// # Errors
    /// As [`MetricsStore::read_keyspaces`].
    pub fn read_keyspaces_blocking(&self, query: &Query) -> Result<History<KeyspaceSnapshot>> {
        self.reading(|connection| read::snapshots(connection, self.path(), query))
    }

    /// Returns one metric over time, as [`MetricsStore::series`] does.
    ///
    /// # Errors
    /// As [`MetricsStore::series`].
    pub fn series_blocking(&self, query: &SeriesQuery) -> Result<Series> {
        self.reading(|connection| series::series(connection, self.path(), query))
    }

    /// Returns the names of all series, as [`MetricsStore::series_names`] does.
    ///
    /// # Errors
    /// As [`MetricsStore::series_names`].
    pub fn series_names_blocking(&self) -> Result<Vec<SeriesName>> {
        self.reading(|connection| {
            series::names(connection).map_err(|source| self.failed("read the names of series", source))
        })
    }

    /// Says what would be removed at `now`, as [`MetricsStore::plan_retention`] does.
    ///
    /// # Errors
    /// As [`MetricsStore::plan_retention`].
    pub fn plan_retention_blocking(&self, now: DateTime<Utc>) -> Result<RetentionOutcome> {
        expiry::plan(self, &self.retention.cutoffs(now))
    }

    /// Removes what is too old at `now`, as [`MetricsStore::apply_retention`] does, a few thousand rows at a time.
    ///
    /// # Errors
    /// As [`MetricsStore::apply_retention`].
    pub fn apply_retention_blocking(&self, now: DateTime<Utc>) -> Result<RetentionOutcome> {
        expiry::apply(self, &self.retention.cutoffs(now))
    }

    /// Looks through the whole file and returns what is wrong with its structure, each damaged part once.
    ///
    /// # Errors
    /// The file cannot be read at all.
    pub fn check(&self) -> Result<Vec<Damage>> {
        self.reading(|connection| check::check(connection, self.path()))
    }

    /// Copies what can be read of a damaged file into a new one that takes its place; the damaged one is kept beside it
    /// under a name that says so. Hours and days that are lost are made again where their samples are there.
    ///
    /// No process may have the file open. Killed at any moment, either the damaged file is in place or the new one.
    ///
    /// # Errors
    /// There is no such file, or the new one cannot be written.
    pub fn salvage(path: impl AsRef<Path>) -> Result<Salvaged> {
        salvage::salvage(path.as_ref())
    }

    fn append_measured<T: Measured>(&self, snapshot: &T) -> Result<Appended> {
        let is_new = write::append_all(self, [snapshot])?.new == 1;
        // What was stored before may be past its retention.
        let is_held = is_new || self.reading(|connection| read::holds(connection, self.path(), snapshot))?;
        let written_to = is_held.then(|| self.path().to_owned()).into_iter().collect();
        Ok(Appended { is_new, written_to, ..Appended::default() })
    }

    fn reading<T>(&self, work: impl Fn(&Connection) -> Result<T>) -> Result<T> {
        match &self.shared.open {
            Some(open) => work(&open.reader.lock().unwrap_or_else(PoisonError::into_inner)),
            None => look::with(self.path(), work),
        }
    }

    fn to_write(&self) -> Result<&Open> {
        self.shared.open.as_ref().ok_or_else(|| Error::ReadOnly { path: self.path().to_owned() })
    }

    /// Does work in one transaction that nobody else's can come into.
    fn write<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let mut writer = self.to_write()?.writer.lock().unwrap_or_else(PoisonError::into_inner);
        in_transaction(&mut writer, work).map_err(|source| self.failed(action, source))
    }

    fn failed(&self, action: &'static str, source: rusqlite::Error) -> Error {
        Error::sqlite(self.path(), action, source)
    }
}

#[async_trait]
impl MetricsStore for SqliteStore {
    async fn append(&self, snapshot: &Snapshot) -> Result<Appended> {
        let (store, snapshot) = (self.clone(), snapshot.clone());
        blocking(move || store.append_blocking(&snapshot)).await
    }

    async fn append_keyspace(&self, snapshot: &KeyspaceSnapshot) -> Result<Appended> {
        let (store, snapshot) = (self.clone(), snapshot.clone());
        blocking(move || store.append_keyspace_blocking(&snapshot)).await
    }

    async fn read(&self, query: &Query) -> Result<History> {
        let (store, query) = (self.clone(), query.clone());
        blocking(move || store.read_blocking(&query)).await
    }

    async fn read_keyspaces(&self, query: &Query) -> Result<History<KeyspaceSnapshot>> {
        let (store, query) = (self.clone(), query.clone());
        blocking(move || store.read_keyspaces_blocking(&query)).await
    }

    async fn series(&self, query: &SeriesQuery) -> Result<Series> {
        let (store, query) = (self.clone(), query.clone());
        blocking(move || store.series_blocking(&query)).await
    }

    async fn series_names(&self) -> Result<Vec<SeriesName>> {
        let store = self.clone();
        blocking(move || store.series_names_blocking()).await
    }

    async fn plan_retention(&self, now: DateTime<Utc>) -> Result<RetentionOutcome> {
        let store = self.clone();
        blocking(move || store.plan_retention_blocking(now)).await
    }

    async fn apply_retention(&self, now: DateTime<Utc>) -> Result<RetentionOutcome> {
        let store = self.clone();
        blocking(move || store.apply_retention_blocking(now)).await
    }
}

fn in_transaction<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = work(&transaction)?;
    transaction.commit()?;
    Ok(done)
}
