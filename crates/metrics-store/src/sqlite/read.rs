//! Reading snapshots back.

use std::path::Path;

use rusqlite::{Connection, Row, params};

use super::{gather::Rows, missing::Missing};
use crate::{Damage, Error, History, Query, Result, Take, body, measured::Measured, moment};

/// A snapshot as it is stored.
pub(super) struct StoredSnapshot {
    pub(super) at: i64,
    pub(super) body: String,
}

pub(super) fn snapshots<T: Measured>(
    connection: &Connection,
    path: &Path,
    query: &Query,
) -> Result<History<T>> {
    let failed = |source| Error::sqlite(path, "read the snapshots", source);
    let range = narrowed::<T>(connection, query).map_err(failed)?;
    let sql = format!("SELECT stored.at, stored.body {} ORDER BY stored.at", in_range::<T>());
    let rows = Rows { sql: &sql, time: 0, more: &[&query.cache], read: stored };
    let gathered = rows.gather(connection, range).map_err(failed)?;
    let mut missing = Missing::of(T::TABLE);
    missing.add(&gathered, path);
    let mut damaged = missing.damage(path);
    let mut found: Vec<(i64, T)> = Vec::with_capacity(gathered.rows.len());
    for StoredSnapshot { at, body } in gathered.rows {
        match body::decode_text(&body) {
            Ok(snapshot) => found.push((at, snapshot)),
            Err(reason) => {
                let part = format!("{} of {}", T::NAME, moment::time(at));
                damaged.push(Damage::new(path, reason).in_part(part));
            }
        }
    }
    found.sort_by(|(a_at, a), (b_at, b)| (a_at, a.cache()).cmp(&(b_at, b.cache())));
    query.take.shorten(&mut found, |(at, _)| *at);
    Ok(History { snapshots: found.into_iter().map(|(_, snapshot)| snapshot).collect(), damaged })
}

/// Tells whether the snapshot of this moment and cache is there, whole.
pub(super) fn holds<T: Measured>(connection: &Connection, path: &Path, snapshot: &T) -> Result<bool> {
    let at = moment::of(snapshot)?;
    let sql = format!(
        "SELECT 1 FROM {} AS stored JOIN caches ON caches.id = stored.cache \
         WHERE stored.at = ?1 AND caches.name = ?2",
        T::TABLE
    );
    let found = connection
        .prepare_cached(&sql)
        .and_then(|mut found| found.exists(params![at, snapshot.cache().unwrap_or_default()]));
    found.map_err(|source| Error::sqlite(path, "look for the snapshot", source))
}

pub(super) fn stored(row: &Row<'_>) -> rusqlite::Result<StoredSnapshot> {
    Ok(StoredSnapshot { at: row.get(0)?, body: row.get(1)? })
}

/// Says which snapshots lie in a range of time; `?3` is the cache, or null for whichever.
fn in_range<T: Measured>() -> String {
    format!(
        "FROM {} AS stored JOIN caches ON caches.id = stored.cache \
         WHERE stored.at >= ?1 AND stored.at < ?2 AND (?3 IS NULL OR caches.name = ?3)",
        T::TABLE
    )
}

/// Returns the range in which everything lies that is to be taken, so that no more than that is read.
fn narrowed<T: Measured>(connection: &Connection, query: &Query) -> rusqlite::Result<(i64, i64)> {
    let (from, until) = query.range();
    let (count, order) = match query.take {
        Take::All => return Ok((from, until)),
        Take::Oldest(count) => (count, "ASC"),
        Take::Newest(count) => (count, "DESC"),
    };
    let Some(skipped) = count.checked_sub(1) else { return Ok((from, from)) };
    let range = in_range::<T>();
    let sql = format!("SELECT stored.at {range} ORDER BY stored.at {order} LIMIT 1 OFFSET ?4");
    let skipped = i64::try_from(skipped).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(&sql)?;
    let edge =
        statement.query_map(params![from, until, query.cache, skipped], |row| row.get::<_, i64>(0))?.next();
    Ok(match (edge, query.take) {
        (Some(Ok(edge)), Take::Oldest(_)) => (from, edge.saturating_add(1)),
        (Some(Ok(edge)), _) => (edge, until),
        // Fewer than that, or the index is damaged: all of them then.
        (None | Some(Err(_)), _) => (from, until),
    })
}
