//! Making a whole file of a damaged one.

mod source;

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::{Path, PathBuf},
};

use larder_metrics_model::{KeyspaceSnapshot, Snapshot};
use rusqlite::{Connection, OptionalExtension, params};

use self::source::Source;
use super::{
    expiry,
    gather::{Gathered, Rows},
    in_transaction,
    missing::Missing,
    read, schema, series, write,
};
use crate::{
    Damage, Error, Resolution, Result, body,
    folder::free_name,
    measured::Measured,
    moment,
    rollup::{self, Rollup},
    subject,
};

/// What of a damaged file is in the new one.
#[derive(Debug)]
#[non_exhaustive]
pub struct Salvaged {
    /// Where the damaged file is now.
    pub moved_to: PathBuf,
    /// Snapshots in the new file.
    pub snapshots: u64,
    /// Keyspace snapshots in the new file.
    pub keyspaces: u64,
    /// Samples in the new file.
    pub samples: u64,
    /// Hours in the new file, those included that were made again.
    pub hours: u64,
    /// Days in the new file, those included that were made again.
    pub days: u64,
    /// What could not be read; hours, days and samples of it may have been made again.
    pub lost: Vec<Damage>,
}

/// A copy under way.
struct Copy<'a> {
    path: &'a Path,
    from: &'a Connection,
    to: &'a Connection,
    /// What could not be read, of each table.
    missing: Vec<Missing>,
    /// Snapshots that could be read and are none.
    broken: Vec<Damage>,
}

pub(super) fn salvage(path: &Path) -> Result<Salvaged> {
    let io = |source| Error::io(path, "salvage the file", source);
    let new_path = beside(path, ".salvaged");
    for remains in [new_path.clone(), beside(&new_path, "-wal"), beside(&new_path, "-shm")] {
        remove(&remains).map_err(io)?;
    }
    let source = Source::open(path)?;
    let mut new = schema::open(&new_path)?;
    let failed = |error| Error::sqlite(&new_path, "write the new file", error);
    let mut salvaged = in_transaction(&mut new, |to| {
        let mut copy = Copy { path, from: source.connection(), to, missing: Vec::new(), broken: Vec::new() };
        copy.run()?;
        Ok(Salvaged {
            moved_to: PathBuf::new(),
            snapshots: count(to, Snapshot::TABLE)?,
            keyspaces: count(to, KeyspaceSnapshot::TABLE)?,
            samples: count(to, "samples")?,
            hours: count(to, "hourly")?,
            days: count(to, "daily")?,
            lost: copy.lost(),
        })
    })
    .map_err(failed)?;
    new.close().map_err(|(_, error)| failed(error))?;
    let whole = salvaged.snapshots + salvaged.keyspaces;
    let is_empty = whole + salvaged.samples + salvaged.hours + salvaged.days == 0;
    if is_empty && !source::is_sqlite(path) {
        remove(&new_path).map_err(io)?;
        return Err(Error::NotADatabase { path: path.to_owned() });
    }
    salvaged.lost.extend(source.damage(path));
    drop(source);
    salvaged.moved_to = exchange(path, &new_path).map_err(io)?;
    Ok(salvaged)
}

impl Copy<'_> {
    fn run(&mut self) -> rusqlite::Result<()> {
        self.horizons();
        let caches = self.caches()?;
        for (old, new) in &caches {
            self.moments::<Snapshot>(*old, *new)?;
            self.moments::<KeyspaceSnapshot>(*old, *new)?;
        }
        for (old, new) in self.series(&caches)? {
            self.points(Resolution::Raw, old, new)?;
            self.points(Resolution::Hourly, old, new)?;
            self.points(Resolution::Daily, old, new)?;
        }
        self.snapshots::<Snapshot>()?;
        self.snapshots::<KeyspaceSnapshot>()?;
        if !self.missing.is_empty() || !self.broken.is_empty() {
            self.make_again(Resolution::Hourly)?;
            self.make_again(Resolution::Daily)?;
        }
        Ok(())
    }

    /// A horizon that is lost is no loss: what is missing is then looked for where it is not.
    fn horizons(&mut self) {
        for table in ["samples", "hourly"] {
            if let Ok(horizon) = expiry::horizon(self.from, table) {
                let put = "INSERT OR REPLACE INTO horizons (name, at) VALUES (?1, ?2)";
                let _: rusqlite::Result<usize> = self.to.execute(put, params![table, horizon]);
            }
        }
    }

    fn caches(&mut self) -> rusqlite::Result<HashMap<i64, i64>> {
        let rows: Vec<(i64, String)> = self.all(
            "caches",
            &Rows {
                sql: "SELECT id, name FROM caches WHERE id >= ?1 AND id < ?2 ORDER BY id",
                time: 0,
                more: &[],
                read: |row| Ok((row.get(0)?, row.get(1)?)),
            },
        )?;
        rows.into_iter().map(|(old, name)| Ok((old, write::cache_id(self.to, &name)?))).collect()
    }

    fn series(&mut self, caches: &HashMap<i64, i64>) -> rusqlite::Result<Vec<(i64, i64)>> {
        let rows: Vec<(i64, i64, String, String)> = self.all(
            "series",
            &Rows {
                sql: "SELECT id, cache, metric, node FROM series WHERE id >= ?1 AND id < ?2 ORDER BY id",
                time: 0,
                more: &[],
                read: |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
            },
        )?;
        let mut ids = Vec::new();
        for (old, cache, metric, subject) in rows {
            let Some(cache) = caches.get(&cache) else { continue };
            ids.push((old, write::series_id(self.to, *cache, &metric, &subject)?));
        }
        Ok(ids)
    }

    fn moments<T: Measured>(&mut self, old: i64, new: i64) -> rusqlite::Result<()> {
        let table = T::MOMENTS;
        let sql = format!("SELECT at FROM {table} WHERE cache = ?3 AND at >= ?1 AND at < ?2 ORDER BY at");
        let rows = Rows { sql: &sql, time: 0, more: &[&old], read: |row| row.get(0) };
        let times: Vec<i64> = self.all(table, &rows)?;
        times.into_iter().try_for_each(|at| write::put_moment::<T>(self.to, new, at).map(drop))
    }

    fn points(&mut self, resolution: Resolution, old: i64, new: i64) -> rusqlite::Result<()> {
        let (table, sql) = (series::table(resolution), series::sql(resolution));
        let rows = Rows { sql: &sql, time: 0, more: &[&old], read: series::reader(resolution) };
        for (start, rollup) in self.all(table, &rows)? {
            self.put(resolution, new, start, &rollup)?;
        }
        Ok(())
    }

    /// Copies the snapshots a day at a time: they are large.
    fn snapshots<T: Measured>(&mut self) -> rusqlite::Result<()> {
        let table = T::TABLE;
        let ends = format!("SELECT min(at), max(at) FROM {table}");
        let ends = self.from.query_row(&ends, [], |row| Ok(row.get(0).ok().zip(row.get(1).ok())));
        let mut ranges = match ends {
            Ok(None) => return Ok(()),
            Ok(Some((first, last))) => days(first, last),
            Err(_) => vec![(i64::MIN, i64::MAX)],
        };
        // A damaged index may name times that never were.
        if ranges.len() > 1 << 16 {
            ranges = vec![(i64::MIN, i64::MAX)];
        }
        let sql = format!("SELECT at, body FROM {table} WHERE at >= ?1 AND at < ?2 ORDER BY at");
        for range in ranges {
            let rows = Rows { sql: &sql, time: 0, more: &[], read: read::stored };
            let gathered = rows.gather(self.from, range)?;
            self.note(table, &gathered);
            for stored in gathered.rows {
                match body::decode_text::<T>(&stored.body) {
                    Ok(snapshot) => self.put_snapshot(stored.at, &stored.body, &snapshot)?,
                    Err(reason) => {
                        let part = format!("{} of {}", T::NAME, moment::time(stored.at));
                        self.broken.push(Damage::new(self.path, reason).in_part(part));
                    }
                }
            }
        }
        Ok(())
    }

    /// Stores a snapshot, and what else of it was lost.
    fn put_snapshot<T: Measured>(&self, at: i64, body: &str, snapshot: &T) -> rusqlite::Result<()> {
        let cache = write::cache_id(self.to, snapshot.cache().unwrap_or_default())?;
        write::put_body::<T>(self.to, cache, at, body)?;
        write::put_moment::<T>(self.to, cache, at)?;
        if at < expiry::horizon(self.to, "samples")? {
            return Ok(());
        }
        for sample in snapshot.samples() {
            let series = write::series_id(self.to, cache, sample.metric.name, subject::of_sample(&sample))?;
            self.put(Resolution::Raw, series, at, &Rollup::of(at, sample.value))?;
        }
        Ok(())
    }

    fn put(&self, resolution: Resolution, series: i64, start: i64, rollup: &Rollup) -> rusqlite::Result<()> {
        if resolution != Resolution::Raw {
            return write::put_rollup(self.to, series::table(resolution), series, start, rollup);
        }
        let sql = "INSERT OR IGNORE INTO samples (series, at, value) VALUES (?1, ?2, ?3)";
        self.to.prepare_cached(sql)?.execute(params![series, start, rollup.last])?;
        Ok(())
    }

    /// Makes the hours that are missing of samples, or the days that are missing of hours.
    fn make_again(&self, resolution: Resolution) -> rusqlite::Result<()> {
        let (finer, width) = match resolution {
            Resolution::Daily => (Resolution::Hourly, moment::DAY),
            Resolution::Raw | Resolution::Hourly => (Resolution::Raw, moment::HOUR),
        };
        let table = series::table(resolution);
        let sql = series::sql(finer);
        let is_there = format!("SELECT 1 FROM {table} WHERE series = ?1 AND start = ?2");
        let mut ids = self.to.prepare("SELECT id FROM series")?;
        for id in ids.query_map([], |row| row.get::<_, i64>(0))? {
            let id = id?;
            let rows = Rows { sql: &sql, time: 0, more: &[&id], read: series::reader(finer) };
            let mut stretches = BTreeMap::new();
            for (at, rollup) in rows.gather(self.to, (i64::MIN, i64::MAX))?.rows {
                rollup::add(&mut stretches, moment::floor(at, width), rollup);
            }
            for (start, rollup) in stretches {
                let known =
                    self.to.prepare_cached(&is_there)?.query_row([id, start], |_| Ok(())).optional()?;
                if known.is_none() {
                    self.put(resolution, id, start, &rollup)?;
                }
            }
        }
        Ok(())
    }

    fn all<T>(&mut self, table: &'static str, rows: &Rows<'_, T>) -> rusqlite::Result<Vec<T>> {
        let gathered = rows.gather(self.from, (i64::MIN, i64::MAX))?;
        self.note(table, &gathered);
        Ok(gathered.rows)
    }

    fn note<T>(&mut self, table: &'static str, gathered: &Gathered<T>) {
        if gathered.gaps.is_empty() && gathered.senseless == 0 {
            return;
        }
        let known = self.missing.iter().position(|missing| missing.table() == table);
        let place = known.unwrap_or(self.missing.len());
        if known.is_none() {
            self.missing.push(Missing::of(table));
        }
        self.missing[place].add(gathered, self.path);
    }

    fn lost(self) -> Vec<Damage> {
        let missing = self.missing.into_iter().flat_map(|missing| missing.damage(self.path));
        missing.chain(self.broken).collect()
    }
}

fn count(connection: &Connection, table: &str) -> rusqlite::Result<u64> {
    let count: i64 = connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

fn days(first: i64, last: i64) -> Vec<(i64, i64)> {
    let starts =
        (moment::floor(first, moment::DAY)..=last).step_by(usize::try_from(moment::DAY).unwrap_or(1));
    starts.take(1 + (1 << 16)).map(|start| (start, start.saturating_add(moment::DAY))).collect()
}

/// Puts the new file in the place of the damaged one, which gets a name of its own first.
fn exchange(path: &Path, new: &Path) -> io::Result<PathBuf> {
    let aside = free_name(path);
    fs::hard_link(path, &aside).or_else(|_| fs::copy(path, &aside).map(drop))?;
    // The log of the damaged file would be read into the new one.
    for suffix in ["-wal", "-shm"] {
        match fs::rename(beside(path, suffix), beside(&aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(new, path)?;
    if cfg!(unix) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(aside)
}

pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
