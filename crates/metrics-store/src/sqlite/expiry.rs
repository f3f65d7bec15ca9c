//! Removing what is too old, or saying what that would be.

use std::collections::VecDeque;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::SqliteStore;
use crate::{Result, RetentionOutcome, retention::Cutoffs};

/// How many rows one transaction removes, so that no other writer waits long.
const ROWS_AT_ONCE: u32 = 5_000;

/// A table with what grows old: whose rows they are, and the column that says when.
#[derive(Clone, Copy)]
struct Part {
    table: &'static str,
    /// The table of the owners, and the column that names one.
    owners: &'static str,
    owner: &'static str,
    time: &'static str,
}

pub(super) fn plan(store: &SqliteStore, cutoffs: &Cutoffs) -> Result<RetentionOutcome> {
    each(cutoffs, |part, cutoff| Ok(part.old(store, cutoff)?.into_iter().map(|(_, count)| count).sum()))
}

pub(super) fn apply(store: &SqliteStore, cutoffs: &Cutoffs) -> Result<RetentionOutcome> {
    // First, so that nobody who reads meanwhile takes for complete what is being removed.
    store.write("note what is kept", |transaction| note_horizons(transaction, cutoffs))?;
    let outcome = each(cutoffs, |part, cutoff| part.remove(store, cutoff))?;
    for moments in [Part::of_caches("moments"), Part::of_caches("keyspace_moments")] {
        moments.remove(store, cutoffs.daily)?;
    }
    if outcome.days_removed > 0 {
        store.write("forget series", forget_series)?;
    }
    Ok(outcome)
}

/// Does the same with each table, and returns how many rows that were.
fn each(cutoffs: &Cutoffs, rows: impl Fn(Part, i64) -> Result<u64>) -> Result<RetentionOutcome> {
    Ok(RetentionOutcome {
        snapshots_removed: rows(Part::of_caches("snapshots"), cutoffs.snapshots)?,
        keyspaces_removed: rows(Part::of_caches("keyspaces"), cutoffs.snapshots)?,
        samples_removed: rows(Part::of_series("samples", "at"), cutoffs.raw)?,
        hours_removed: rows(Part::of_series("hourly", "start"), cutoffs.hourly)?,
        days_removed: rows(Part::of_series("daily", "start"), cutoffs.daily)?,
        ..RetentionOutcome::default()
    })
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

impl Part {
    fn of_caches(table: &'static str) -> Self {
        Self { table, owners: "caches", owner: "cache", time: "at" }
    }

    fn of_series(table: &'static str, time: &'static str) -> Self {
        Self { table, owners: "series", owner: "series", time }
    }

    /// Returns whose rows are too old, and how many each has. Most have none, and are not written for nothing.
    fn old(self, store: &SqliteStore, cutoff: i64) -> Result<Vec<(i64, u64)>> {
        let Self { table, owners, owner, time } = self;
        let sql = format!(
            "SELECT {owners}.id, (SELECT count(*) FROM {table} \
             WHERE {table}.{owner} = {owners}.id AND {table}.{time} < ?1) FROM {owners} ORDER BY 1"
        );
        let read = |connection: &Connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let counts = statement.query_map([cutoff], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
            let counts = counts.map(|found| found.map(|(id, count)| (id, count.unsigned_abs())));
            counts.filter(|found| !matches!(found, Ok((_, 0)))).collect::<rusqlite::Result<Vec<_>>>()
        };
        store.reading(|connection| {
            read(connection).map_err(|source| store.failed("read what is kept", source))
        })
    }

    /// Removes the rows of all owners that are too old, those of many series in one transaction.
    fn remove(self, store: &SqliteStore, cutoff: i64) -> Result<u64> {
        let mut owners: VecDeque<i64> = self.old(store, cutoff)?.into_iter().map(|(id, _)| id).collect();
        let mut removed = 0;
        while !owners.is_empty() {
            removed += store.write("remove what is too old", |transaction| {
                let mut room = ROWS_AT_ONCE;
                while let Some(id) = owners.front().filter(|_| room > 0) {
                    let rows = self.step(transaction, *id, cutoff, room)?;
                    if rows < room {
                        owners.pop_front();
                    }
                    room = room.saturating_sub(rows);
                }
                Ok(u64::from(ROWS_AT_ONCE - room))
            })?;
        }
        Ok(removed)
    }

    /// Removes the oldest rows of one owner, as many as there is room for.
    fn step(self, transaction: &Transaction<'_>, id: i64, cutoff: i64, room: u32) -> rusqlite::Result<u32> {
        let Self { table, owner, time, .. } = self;
        let edge = format!(
            "SELECT {time} FROM {table} WHERE {owner} = ?1 AND {time} < ?2 ORDER BY {time} LIMIT 1 OFFSET ?3"
        );
        let edge: Option<i64> = transaction
            .prepare_cached(&edge)?
            .query_row(params![id, cutoff, room], |row| row.get(0))
            .optional()?;
        let removed = transaction
            .prepare_cached(&format!("DELETE FROM {table} WHERE {owner} = ?1 AND {time} < ?2"))?
            .execute(params![id, edge.unwrap_or(cutoff)])?;
        Ok(u32::try_from(removed).unwrap_or(u32::MAX))
    }
}
