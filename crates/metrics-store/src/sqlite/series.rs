//! Reading one metric over time.

use std::{collections::BTreeMap, path::Path};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{expiry, gather::Rows, missing::Missing, write};
use crate::{Error, Resolution, Result, Series, SeriesName, SeriesQuery, rollup, rollup::Rollup, subject};

pub(super) fn series(connection: &Connection, path: &Path, query: &SeriesQuery) -> Result<Series> {
    let failed = |source| Error::sqlite(path, "read the series", source);
    let ids = ids(connection, query).map_err(failed)?;
    let resolution = match query.resolution {
        Some(resolution) => resolution,
        None => finest(connection, query, &ids).map_err(failed)?,
    };
    let mut missing = Missing::of(table(resolution));
    let mut found: Vec<(i64, Rollup)> = Vec::new();
    for id in &ids {
        let sql = sql(resolution);
        let rows = Rows { sql: &sql, time: 0, more: &[id], read: reader(resolution) };
        let gathered = rows.gather(connection, query.range(resolution)).map_err(failed)?;
        missing.add(&gathered, path);
        found.extend(gathered.rows);
    }
    if ids.len() > 1 {
        found = merged(found, resolution);
    }
    let points = found.iter().map(|(start, rollup)| rollup.point(*start)).collect();
    Ok(Series { resolution, points, damaged: missing.damage(path) })
}

pub(super) fn names(connection: &Connection) -> rusqlite::Result<Vec<SeriesName>> {
    let mut statement = connection.prepare_cached(
        "SELECT caches.name, series.metric, series.node FROM series JOIN caches ON caches.id = series.cache \
         WHERE EXISTS (SELECT 1 FROM daily WHERE daily.series = series.id)",
    )?;
    let names = statement.query_map([], |row| {
        let cache: String = row.get(0)?;
        Ok(subject::named((!cache.is_empty()).then_some(cache), row.get(1)?, row.get(2)?))
    })?;
    let mut names = names.collect::<rusqlite::Result<Vec<_>>>()?;
    names.sort_unstable();
    Ok(names)
}

/// Returns the name of the table with the points of a resolution.
pub(super) fn table(resolution: Resolution) -> &'static str {
    match resolution {
        Resolution::Raw => "samples",
        Resolution::Hourly => "hourly",
        Resolution::Daily => "daily",
    }
}

/// Returns the statement for the points of series `?3` in a range of time.
pub(super) fn sql(resolution: Resolution) -> String {
    let table = table(resolution);
    if resolution == Resolution::Raw {
        return format!(
            "SELECT at, value FROM {table} WHERE series = ?3 AND at >= ?1 AND at < ?2 ORDER BY at"
        );
    }
    let columns = write::ROLLUP_COLUMNS;
    format!(
        "SELECT start, {columns} FROM {table} WHERE series = ?3 AND start >= ?1 AND start < ?2 ORDER BY start"
    )
}

/// Returns what reads a row of [`sql`].
pub(super) fn reader(resolution: Resolution) -> fn(&Row<'_>) -> rusqlite::Result<(i64, Rollup)> {
    match resolution {
        Resolution::Raw => |row| {
            let at = row.get(0)?;
            Ok((at, Rollup::of(at, row.get(1)?)))
        },
        Resolution::Hourly | Resolution::Daily => |row| Ok((row.get(0)?, write::rollup_of(row, 1)?)),
    }
}

fn ids(connection: &Connection, query: &SeriesQuery) -> rusqlite::Result<Vec<i64>> {
    let Some(subject) = subject::of_query(query) else { return Ok(Vec::new()) };
    let mut statement = connection.prepare_cached(
        "SELECT series.id FROM series JOIN caches ON caches.id = series.cache \
         WHERE series.metric = ?1 AND series.node = ?2 AND (?3 IS NULL OR caches.name = ?3) ORDER BY series.id",
    )?;
    let ids = statement.query_map(params![query.metric, subject, query.cache], |row| row.get(0))?;
    ids.collect()
}

/// Merges the points of several caches; samples of one moment stay apart.
fn merged(mut found: Vec<(i64, Rollup)>, resolution: Resolution) -> Vec<(i64, Rollup)> {
    if resolution == Resolution::Raw {
        found.sort_by_key(|(at, _)| *at);
        return found;
    }
    let mut stretches = BTreeMap::new();
    for (start, rollup) in found {
        rollup::add(&mut stretches, start, rollup);
    }
    stretches.into_iter().collect()
}

/// Returns the finest resolution that reaches back far enough and has few enough points.
fn finest(connection: &Connection, query: &SeriesQuery, ids: &[i64]) -> rusqlite::Result<Resolution> {
    let mut oldest = i64::MAX;
    for id in ids {
        let first: Option<i64> = connection
            .prepare_cached("SELECT first_at FROM daily WHERE series = ?1 ORDER BY start LIMIT 1")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        oldest = oldest.min(first.unwrap_or(i64::MAX));
    }
    for resolution in [Resolution::Raw, Resolution::Hourly] {
        let (from, until) = query.range(resolution);
        let reaches_back = expiry::horizon(connection, table(resolution))? <= from.max(oldest);
        let most = i64::try_from(query.max_points).unwrap_or(i64::MAX - 1);
        if reaches_back && count(connection, resolution, ids, (from, until), most)? <= most {
            return Ok(resolution);
        }
    }
    Ok(Resolution::Daily)
}

/// Counts points, but no further than one more than `most` a series.
fn count(
    connection: &Connection,
    resolution: Resolution,
    ids: &[i64],
    (from, until): (i64, i64),
    most: i64,
) -> rusqlite::Result<i64> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT count(*) FROM ({} LIMIT ?4)", sql(resolution)))?;
    let mut sum: i64 = 0;
    for id in ids {
        let found: i64 = statement.query_row(params![from, until, id, most + 1], |row| row.get(0))?;
        sum = sum.saturating_add(found);
    }
    Ok(sum)
}
