//! Bringing a history from one store into another.

use chrono::{DateTime, Utc};

use crate::{DailyFiles, Damage, Result, SqliteStore};

/// What became of snapshots, and keyspace snapshots, that were brought in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// Stored now.
    pub new: u64,
    /// Stored before; nothing was changed.
    pub known: u64,
    /// Older than anything is kept.
    pub too_old: u64,
    /// What could not be read.
    pub damaged: Vec<Damage>,
}

impl Imported {
    pub(crate) fn add(&mut self, other: Self) {
        self.new += other.new;
        self.known += other.known;
        self.too_old += other.too_old;
        self.damaged.extend(other.damaged);
    }
}

/// Brings all daily files into a SQLite history, file by file, those of families as well; what is there already is not
/// stored again. It blocks.
///
/// # Errors
/// The folder cannot be listed, or the SQLite history cannot be written. What came before is stored.
pub fn import_daily_files(from: &DailyFiles, to: &SqliteStore, now: DateTime<Utc>) -> Result<Imported> {
    let mut damaged = Vec::new();
    let snapshots = from.days()?.flat_map(|day| {
        damaged.extend(day.history.damaged);
        day.history.snapshots
    });
    let mut imported = to.import(snapshots, now)?;
    imported.damaged.append(&mut damaged);
    let keyspaces = from.keyspace_days()?.flat_map(|day| {
        damaged.extend(day.history.damaged);
        day.history.snapshots
    });
    imported.add(to.import_keyspaces(keyspaces, now)?);
    imported.damaged.extend(damaged);
    Ok(imported)
}
