//! Storing snapshots: the moment, the body, the samples, and the hours and days that sum them up.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use larder_metrics_model::Sample;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{SqliteStore, expiry};
use crate::{
    Imported, Result, body,
    measured::Measured,
    moment,
    retention::Cutoffs,
    rollup::{self, Rollup},
    subject,
};

/// The columns of a roll-up, in the order of its fields.
pub(super) const ROLLUP_COLUMNS: &str = "count, lowest, mean, highest, first_at, first, last_at, last";

/// A snapshot that has been looked at: what follows cannot fail for its sake.
struct Checked<'a, T> {
    snapshot: &'a T,
    at: i64,
    /// `None` where it would be too old to be kept.
    body: Option<String>,
}

/// What one transaction stores.
struct Batch<'t> {
    transaction: &'t Transaction<'t>,
    cutoffs: Cutoffs,
    caches: HashMap<String, CacheIds>,
    hours: HashMap<i64, BTreeMap<i64, Rollup>>,
}

/// The ids of one cache and its series, as far as they were asked for.
#[derive(Default)]
struct CacheIds {
    id: i64,
    /// By what the series is of, and by its metric.
    series: HashMap<String, HashMap<&'static str, i64>>,
}

pub(super) fn append_all<'a, T: Measured>(
    store: &SqliteStore,
    snapshots: impl IntoIterator<Item = &'a T>,
) -> Result<Imported> {
    let checked = snapshots.into_iter().map(|snapshot| Checked::new(snapshot, &Cutoffs::NONE));
    let checked = checked.collect::<Result<Vec<_>>>()?;
    store_batch(store, &checked, Cutoffs::NONE)
}

pub(super) fn import<T: Measured>(
    store: &SqliteStore,
    snapshots: impl IntoIterator<Item = T>,
    now: DateTime<Utc>,
) -> Result<Imported> {
    let cutoffs = store.retention.cutoffs(now);
    let mut imported = Imported::default();
    let mut snapshots = snapshots.into_iter();
    loop {
        let batch: Vec<T> = snapshots.by_ref().take(T::BATCH).collect();
        if batch.is_empty() {
            break;
        }
        let checked = batch.iter().map(|snapshot| Checked::new(snapshot, &cutoffs));
        let checked = checked.collect::<Result<Vec<_>>>()?;
        imported.add(store_batch(store, &checked, cutoffs)?);
    }
    store.write("note what is kept", |transaction| expiry::note_horizons(transaction, &cutoffs))?;
    Ok(imported)
}

fn store_batch<T: Measured>(
    store: &SqliteStore,
    snapshots: &[Checked<'_, T>],
    cutoffs: Cutoffs,
) -> Result<Imported> {
    store.write("store the snapshot", |transaction| {
        let mut batch = Batch::new(transaction, cutoffs);
        let mut imported = Imported::default();
        for snapshot in snapshots {
            if snapshot.at < cutoffs.daily {
                imported.too_old += 1;
            } else if batch.add(snapshot)? {
                imported.new += 1;
            } else {
                imported.known += 1;
            }
        }
        batch.finish()?;
        Ok(imported)
    })
}

impl<'a, T: Measured> Checked<'a, T> {
    fn new(snapshot: &'a T, cutoffs: &Cutoffs) -> Result<Self> {
        let at = moment::of(snapshot)?;
        let body = (at >= cutoffs.snapshots).then(|| body::encode(snapshot)).transpose()?;
        Ok(Self { snapshot, at, body })
    }
}

impl<'t> Batch<'t> {
    fn new(transaction: &'t Transaction<'t>, cutoffs: Cutoffs) -> Self {
        Self { transaction, cutoffs, caches: HashMap::new(), hours: HashMap::new() }
    }

    /// Stores a snapshot; `false` where its moment was stored before, whether or not it is still kept.
    fn add<T: Measured>(&mut self, checked: &Checked<'_, T>) -> rusqlite::Result<bool> {
        let Checked { snapshot, at, body } = checked;
        let name = snapshot.cache().unwrap_or_default();
        if !self.caches.contains_key(name) {
            let id = cache_id(self.transaction, name)?;
            self.caches.insert(name.to_owned(), CacheIds { id, ..CacheIds::default() });
        }
        let Some(ids) = self.caches.get_mut(name) else { return Ok(false) };
        if !put_moment::<T>(self.transaction, ids.id, *at)? {
            return Ok(false);
        }
        if let Some(body) = body {
            put_body::<T>(self.transaction, ids.id, *at, body)?;
        }
        let mut raw = self
            .transaction
            .prepare_cached("INSERT OR IGNORE INTO samples (series, at, value) VALUES (?1, ?2, ?3)")?;
        for sample in snapshot.samples() {
            let series = ids.series(self.transaction, &sample)?;
            if *at >= self.cutoffs.raw {
                raw.execute(params![series, at, sample.value])?;
            }
            let hours = self.hours.entry(series).or_default();
            rollup::add(hours, moment::floor(*at, moment::HOUR), Rollup::of(*at, sample.value));
        }
        Ok(true)
    }

    /// Adds what was stored to its hours and days.
    fn finish(self) -> rusqlite::Result<()> {
        for (series, hours) in self.hours {
            let mut days = BTreeMap::new();
            for (start, hour) in hours {
                if start >= self.cutoffs.hourly {
                    add_rollup(self.transaction, "hourly", series, start, hour)?;
                }
                rollup::add(&mut days, moment::floor(start, moment::DAY), hour);
            }
            for (start, day) in days {
                if start >= self.cutoffs.daily {
                    add_rollup(self.transaction, "daily", series, start, day)?;
                }
            }
        }
        Ok(())
    }
}

impl CacheIds {
    fn series(&mut self, connection: &Connection, sample: &Sample<'_>) -> rusqlite::Result<i64> {
        let (metric, subject) = (sample.metric.name, subject::of_sample(sample));
        if let Some(id) = self.series.get(subject).and_then(|known| known.get(metric)) {
            return Ok(*id);
        }
        let id = series_id(connection, self.id, metric, subject)?;
        self.series.entry(subject.to_owned()).or_default().insert(metric, id);
        Ok(id)
    }
}

/// Notes that a moment of a cache is stored; `false` where it was before.
pub(super) fn put_moment<T: Measured>(
    connection: &Connection,
    cache: i64,
    at: i64,
) -> rusqlite::Result<bool> {
    let sql = format!("INSERT OR IGNORE INTO {} (cache, at) VALUES (?1, ?2)", T::MOMENTS);
    Ok(connection.prepare_cached(&sql)?.execute([cache, at])? > 0)
}

/// Stores a snapshot whole.
pub(super) fn put_body<T: Measured>(
    connection: &Connection,
    cache: i64,
    at: i64,
    body: &str,
) -> rusqlite::Result<()> {
    let sql = format!("INSERT OR IGNORE INTO {} (at, cache, body) VALUES (?1, ?2, ?3)", T::TABLE);
    connection.prepare_cached(&sql)?.execute(params![at, cache, body])?;
    Ok(())
}

/// Returns the id of a cache, new or known; one without a name has the empty one.
pub(super) fn cache_id(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.execute("INSERT OR IGNORE INTO caches (name) VALUES (?1)", [name])?;
    connection.query_row("SELECT id FROM caches WHERE name = ?1", [name], |row| row.get(0))
}

/// Returns the id of a series, new or known; what it is of is empty for the cache as a whole.
pub(super) fn series_id(
    connection: &Connection,
    cache: i64,
    metric: &str,
    subject: &str,
) -> rusqlite::Result<i64> {
    let key = params![cache, metric, subject];
    connection
        .prepare_cached("INSERT OR IGNORE INTO series (cache, metric, node) VALUES (?1, ?2, ?3)")?
        .execute(key)?;
    connection
        .prepare_cached("SELECT id FROM series WHERE cache = ?1 AND metric = ?2 AND node = ?3")?
        .query_row(key, |row| row.get(0))
}

/// Adds a roll-up to the row that is there, or makes the row.
fn add_rollup(
    connection: &Connection,
    table: &str,
    series: i64,
    start: i64,
    rollup: Rollup,
) -> rusqlite::Result<()> {
    let sql = format!("SELECT {ROLLUP_COLUMNS} FROM {table} WHERE series = ?1 AND start = ?2");
    let known =
        connection.prepare_cached(&sql)?.query_row([series, start], |row| rollup_of(row, 0)).optional()?;
    let sum = known.map_or(rollup, |mut known| {
        known.merge(&rollup);
        known
    });
    put_rollup(connection, table, series, start, &sum)
}

/// Writes a roll-up over whatever is there.
pub(super) fn put_rollup(
    connection: &Connection,
    table: &str,
    series: i64,
    start: i64,
    rollup: &Rollup,
) -> rusqlite::Result<()> {
    let sql = format!(
        "INSERT OR REPLACE INTO {table} (series, start, {ROLLUP_COLUMNS}) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
    );
    let Rollup { count, lowest, mean, highest, first_at, first, last_at, last } = rollup;
    connection
        .prepare_cached(&sql)?
        .execute(params![series, start, count, lowest, mean, highest, first_at, first, last_at, last])?;
    Ok(())
}

/// Reads [`ROLLUP_COLUMNS`], the first of which is column `first`.
pub(super) fn rollup_of(row: &Row<'_>, first: usize) -> rusqlite::Result<Rollup> {
    Ok(Rollup {
        count: row.get(first)?,
        lowest: row.get(first + 1)?,
        mean: row.get(first + 2)?,
        highest: row.get(first + 3)?,
        first_at: row.get(first + 4)?,
        first: row.get(first + 5)?,
        last_at: row.get(first + 6)?,
        last: row.get(first + 7)?,
    })
}
