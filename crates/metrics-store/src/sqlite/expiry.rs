//! Removing what is too old.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::SqliteStore;
use crate::{Result, RetentionOutcome, retention::Cutoffs};

/// How many rows one transaction removes, so that no other writer waits long.
const ROWS_AT_ONCE: i64 = 5_000;

/// Which rows of a table: those of one series or cache, by the column that says when.
#[derive(Clone, Copy)]
struct Part {
    table: &'static str,
    owner: &'static str,
    time: &'static str,
}

pub(super) fn apply(store: &SqliteStore, cutoffs: &Cutoffs) -> Result<RetentionOutcome> {
    // First, so that nobody who reads meanwhile takes for complete what is being removed.
    store.write("note what is kept", |transaction| note_horizons(transaction, cutoffs))?;
    let series = ids(store, "series")?;
    let caches = ids(store, "caches")?;
    let remove = |table, owner, time, owners: &[i64], cutoff| -> Result<u64> {
        let part = Part { table, owner, time };
        owners.iter().map(|id| part.remove(store, *id, cutoff)).sum()
    };
    let outcome = RetentionOutcome {
        snapshots_removed: remove("snapshots", "cache", "at", &caches, cutoffs.snapshots)?,
        keyspaces_removed: remove("keyspaces", "cache", "at", &caches, cutoffs.snapshots)?,
        samples_removed: remove("samples", "series", "at", &series, cutoffs.raw)?,
        hours_removed: remove("hourly", "series", "start", &series, cutoffs.hourly)?,
        days_removed: remove("daily", "series", "start", &series, cutoffs.daily)?,
        ..RetentionOutcome::default()
    };
    remove("moments", "cache", "at", &caches, cutoffs.daily)?;
    remove("keyspace_moments", "cache", "at", &caches, cutoffs.daily)?;
    if outcome.days_removed > 0 {
        store.write("forget series", |transaction| forget_series(transaction))?;
    }
    Ok(outcome)
}

/// Removes the names of series of which nothing is left: families come and go.
fn forget_series(transaction: &Transaction<'_>) -> rusqlite::Result<usize> {
    let has_none = ["samples", "hourly", "daily"]
        .map(|table| format!("NOT EXISTS (SELECT 1 FROM {table} WHERE {table}.series = series.id)"));
    transaction.execute(&format!("DELETE FROM series WHERE {}", has_none.join(" AND ")), [])
}

/// Notes from when on a table is complete. It never moves back: what is removed does not return.
pub(super) fn note_horizons(connection: &Connection, cutoffs: &Cutoffs) -> rusqlite::Result<()> {
    for (table, cutoff) in [("samples", cutoffs.raw), ("hourly", cutoffs.hourly)] {
        connection
            .prepare_cached(
                "INSERT INTO horizons (name, at) VALUES (?1, ?2) \
                 ON CONFLICT (name) DO UPDATE SET at = max(at, excluded.at)",
            )?
            .execute(params![table, cutoff])?;
    }
    Ok(())
}

/// Returns from when on a table is complete.
pub(super) fn horizon(connection: &Connection, table: &str) -> rusqlite::Result<i64> {
    let found = connection
        .prepare_cached("SELECT at FROM horizons WHERE name = ?1")?
        .query_row([table], |row| row.get(0))
        .optional()?;
    Ok(found.unwrap_or(i64::MIN))
}

fn ids(store: &SqliteStore, table: &str) -> Result<Vec<i64>> {
    let read = |connection: &Connection| {
        let mut statement = connection.prepare(&format!("SELECT id FROM {table}"))?;
        let ids = statement.query_map([], |row| row.get(0))?;
        ids.collect::<rusqlite::Result<Vec<i64>>>()
    };
    store.reading(|connection| read(connection).map_err(|source| store.failed("read what is kept", source)))
}

impl Part {
    fn remove(self, store: &SqliteStore, id: i64, cutoff: i64) -> Result<u64> {
        let mut removed = 0;
        loop {
            let step =
                store.write("remove what is too old", |transaction| self.step(transaction, id, cutoff))?;
            removed += step as u64;
            if step == 0 {
                return Ok(removed);
            }
        }
    }

    /// Removes the oldest rows, as many as one transaction may.
    fn step(self, transaction: &Transaction<'_>, id: i64, cutoff: i64) -> rusqlite::Result<usize> {
        let Self { table, owner, time } = self;
        let edge = format!(
            "SELECT {time} FROM {table} WHERE {owner} = ?1 AND {time} < ?2 ORDER BY {time} LIMIT 1 OFFSET ?3"
        );
        let edge: Option<i64> = transaction
            .prepare_cached(&edge)?
            .query_row(params![id, cutoff, ROWS_AT_ONCE], |row| row.get(0))
            .optional()?;
        transaction
            .prepare_cached(&format!("DELETE FROM {table} WHERE {owner} = ?1 AND {time} < ?2"))?
            .execute(params![id, edge.unwrap_or(cutoff)])
    }
}
