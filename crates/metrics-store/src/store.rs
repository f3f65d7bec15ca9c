//! The seam: what every metrics history can do.

use std::{fmt::Debug, path::PathBuf};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use larder_metrics_model::{KeyspaceSnapshot, Snapshot};

use crate::{Damage, Error, History, Query, Result, RetentionOutcome, Series, SeriesName, SeriesQuery};

/// How many families of one keyspace snapshot are stored one by one.
pub(crate) const MOST_FAMILIES: usize = 1_000;

/// A history of snapshots and of the metrics in them.
///
/// # Contract
///
/// - What `append` has acknowledged is on the disk: it survives the death of the process, and of the machine as far as
///   the disk keeps its word. A writer that is killed leaves what was there before, and the snapshot either whole or not.
/// - A moment of a cache is stored once: a snapshot with the `cache` and the `timestamp` (to the microsecond) of one
///   that is stored already changes nothing, and [`Appended::is_new`] says so. Snapshots and keyspace snapshots are two
///   things: each may be of the same moment.
/// - Of a keyspace snapshot the 1,000 biggest families are stored one by one, by bytes, or by keys where bytes are not
///   known; the rest is summed up in `(other)`, as [`KeyspaceSnapshot::bounded`] does. A family that is not always among
///   the biggest has gaps in its series.
/// - The order in which snapshots are appended does not matter to what is read.
/// - Any number of processes may append at the same time; none loses what another one stored.
/// - `read` and `series` answer ordered by time. What is damaged is named in the answer and does not hide the rest.
/// - Nothing is thinned or removed except by the retention the store was configured with.
/// - Every method works on a snapshot or a query that is new to it; an empty history is not an error.
/// - A future that is dropped before it ends leaves the work either done or not begun, never half done.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait MetricsStore: Debug + Send + Sync {
    /// Stores a snapshot. It is on the disk when this returns.
    ///
    /// # Errors
    /// The snapshot has no time or no day, the disk is full, another writer stays in the way, or the history cannot be
    /// written.
    async fn append(&self, snapshot: &Snapshot) -> Result<Appended>;

    /// Stores what a keyspace was found to be made of, so that its families have series. It is on the disk when this
    /// returns. A store may keep no more than the newest of a day.
    ///
    /// # Errors
    /// As [`MetricsStore::append`].
    async fn append_keyspace(&self, snapshot: &KeyspaceSnapshot) -> Result<Appended>;

    /// Returns snapshots.
    ///
    /// # Errors
    /// The history cannot be read at all.
    async fn read(&self, query: &Query) -> Result<History>;

    /// Returns keyspace snapshots.
    ///
    /// # Errors
    /// The history cannot be read at all.
    async fn read_keyspaces(&self, query: &Query) -> Result<History<KeyspaceSnapshot>>;

    /// Returns one metric over time; no points where there is no such series.
    ///
    /// # Errors
    /// The history cannot be read at all.
    async fn series(&self, query: &SeriesQuery) -> Result<Series>;

    /// Returns the names of all series, ordered.
    ///
    /// # Errors
    /// The history cannot be read at all.
    async fn series_names(&self) -> Result<Vec<SeriesName>>;

    /// Says what [`MetricsStore::apply_retention`] would remove at `now`, and changes nothing; a history that is open for
    /// reading only can say so as well. What others do meanwhile is not foreseen.
    ///
    /// # Errors
    /// The history cannot be read at all. Of several stores, each that cannot be read is in the outcome.
    async fn plan_retention(&self, now: DateTime<Utc>) -> Result<RetentionOutcome>;

    /// Removes what is older than the store's retention keeps, at `now`.
    ///
    /// # Errors
    /// The history cannot be written at all; what could not be removed otherwise is in the outcome. Of several stores, each
    /// that cannot be written is in the outcome.
    async fn apply_retention(&self, now: DateTime<Utc>) -> Result<RetentionOutcome>;
}

/// What became of a snapshot.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Appended {
    /// Whether it was stored now; otherwise it was stored before.
    pub is_new: bool,
    /// The files that hold the snapshot now, whether it was stored now or before. One that was stored and that retention
    /// does not keep is in none.
    pub written_to: Vec<PathBuf>,
    /// What was found damaged on the way, and where it was moved.
    pub damaged: Vec<Damage>,
    /// Of several stores, what those said that could not store it; one at least did.
    pub failed: Vec<Error>,
}

/// Does work that blocks where it blocks nobody.
pub(crate) async fn blocking<T, F>(work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
        Err(_) => Err(Error::Stopped),
    }
}
