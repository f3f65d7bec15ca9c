//! Removing what is too old, or saying what that would be.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use larder_metrics_model::Snapshot;

use super::{DailyFiles, LOCK_WAIT, ZONES, damage_in};
use crate::{
    Error, Result, RetentionOutcome,
    day_file::{Kept, Parsed},
    folder::{Dated, Folder, Lock},
};

impl DailyFiles {
    /// Says what [`DailyFiles::apply_retention_blocking`] would remove, and removes nothing.
    ///
    /// # Errors
    /// As [`plan_retention`](crate::MetricsStore::plan_retention).
    pub fn plan_retention_blocking(&self, now: DateTime<Utc>) -> Result<RetentionOutcome> {
        let remains_removed = self.folder.remains()?;
        self.retain(now, None, RetentionOutcome { remains_removed, ..RetentionOutcome::default() })
    }

    /// Removes old files, thins the earlier snapshots of the rest, and clears away what killed writers left.
    ///
    /// # Errors
    /// As [`apply_retention`](crate::MetricsStore::apply_retention).
    pub fn apply_retention_blocking(&self, now: DateTime<Utc>) -> Result<RetentionOutcome> {
        if !self.folder().exists() {
            return Ok(RetentionOutcome::default());
        }
        let lock = self.folder.lock(LOCK_WAIT)?;
        let remains_removed = self.folder.remove_remains(&lock)?;
        self.retain(now, Some(&lock), RetentionOutcome { remains_removed, ..RetentionOutcome::default() })
    }

    /// Goes through all files; without a lock nothing is changed.
    fn retain(
        &self,
        now: DateTime<Utc>,
        lock: Option<&Lock>,
        mut outcome: RetentionOutcome,
    ) -> Result<RetentionOutcome> {
        for path in self.old_files(now)? {
            match lock.map_or(Ok(()), |lock| Folder::remove(lock, &path)) {
                Ok(()) => outcome.files_removed.push(path),
                Err(error) => outcome.failed.push(error),
            }
        }
        for day in self.folder.days(Dated::Metrics)? {
            let path = self.folder.file(Dated::Metrics, day);
            if !outcome.files_removed.contains(&path) {
                let thinned = self.thin(lock, &path, &mut outcome);
                outcome.failed.extend(thinned.err());
            }
        }
        Ok(outcome)
    }

    fn old_files(&self, now: DateTime<Utc>) -> Result<Vec<PathBuf>> {
        let (keep, reports) = (self.retention.keep, self.retention.reports);
        let sooner = keep.into_iter().chain(reports).min();
        let mut old = Vec::new();
        for (kind, age) in [
            (Dated::Metrics, keep),
            (Dated::Families, sooner),
            (Dated::Optimization, reports),
            (Dated::OptimizationPage, reports),
            (Dated::Capacity, reports),
            (Dated::CapacityPage, reports),
        ] {
            let Some(oldest) = age.and_then(|age| first_day_kept(now, age)) else { continue };
            let days = self.folder.days(kind)?.into_iter().filter(|day| *day < oldest);
            old.extend(days.map(|day| self.folder.file(kind, day)));
        }
        Ok(old)
    }

    fn thin(&self, lock: Option<&Lock>, path: &Path, outcome: &mut RetentionOutcome) -> Result<()> {
        let bytes = fs::read(path).map_err(|source| Error::io(path, "read the file", source))?;
        let mut contents: Parsed<Snapshot> = Parsed::of(&bytes);
        outcome.damaged.extend(damage_in(path, &contents));
        if contents.broken.is_some() {
            return Ok(());
        }
        let removed = contents.day.thin(Kept::Spaced(self.retention.earlier_spacing));
        if let Some(lock) = lock.filter(|_| removed > 0) {
            self.folder.write(lock, path, &contents.day.render()?)?;
        }
        outcome.snapshots_removed += removed;
        Ok(())
    }
}

fn first_day_kept(now: DateTime<Utc>, keep: Duration) -> Option<NaiveDate> {
    let keep = TimeDelta::from_std(keep).ok()?;
    // The local day may still be the one before.
    now.checked_sub_signed(keep)?.date_naive().checked_sub_days(ZONES)
}
