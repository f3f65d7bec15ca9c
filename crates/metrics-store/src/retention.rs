//! How long a history is kept, and how fine.

use std::{path::PathBuf, time::Duration};

use chrono::{DateTime, Utc};

use crate::{Damage, Error, Result, moment};

const DAY: Duration = Duration::from_hours(24);

/// How long the SQLite history keeps what it has. Ages are counted from the `now` that is given to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// Whole snapshots, those of the keyspace as well; 90 days.
    pub snapshots: Duration,
    /// Single samples; 30 days.
    pub raw: Duration,
    /// Hours; 400 days.
    pub hourly: Duration,
    /// Days; ten years (3,653 days), `None` for ever.
    pub daily: Option<Duration>,
}

/// How long daily files are kept, and how many snapshots of one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DailyRetention {
    /// Of the earlier snapshots of a day, one a cache is kept in each stretch of this length; 15 minutes, zero for all.
    pub earlier_spacing: Duration,
    /// Files of days longer ago are removed, those of families as well; `None`, the default, for never.
    pub keep: Option<Duration>,
    /// Reports in the folder whose name says that they are older are removed: `optimization_report_YYYY-MM-DD.json`,
    /// `capacity_report_YYYY-MM.json` (of which the month's last day counts), and `cache_families_YYYY-MM-DD.json`, which
    /// goes with whichever of the two times is shorter. `None`, the default, for never.
    pub reports: Option<Duration>,
}

/// What retention removed, or would remove.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct RetentionOutcome {
    /// Snapshots that were removed.
    pub snapshots_removed: u64,
    /// Keyspace snapshots that were removed.
    pub keyspaces_removed: u64,
    /// Samples that were removed; the hours and days that sum them up are still there.
    pub samples_removed: u64,
    /// Hours that were removed; the days that sum them up are still there.
    pub hours_removed: u64,
    /// Days that were removed.
    pub days_removed: u64,
    /// Daily files and reports that were removed.
    pub files_removed: Vec<PathBuf>,
    /// Remains of writers that were killed, and that were removed.
    pub remains_removed: Vec<PathBuf>,
    /// What could not be read.
    pub damaged: Vec<Damage>,
    /// What could not be done; the rest was.
    pub failed: Vec<Error>,
}

/// The moments before which something is no longer kept, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cutoffs {
    pub(crate) snapshots: i64,
    pub(crate) raw: i64,
    pub(crate) hourly: i64,
    pub(crate) daily: i64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { snapshots: 90 * DAY, raw: 30 * DAY, hourly: 400 * DAY, daily: Some(3_653 * DAY) }
    }
}

impl Default for DailyRetention {
    fn default() -> Self {
        Self { earlier_spacing: Duration::from_mins(15), keep: None, reports: None }
    }
}

impl Retention {
    pub(crate) fn cutoffs(&self, now: DateTime<Utc>) -> Cutoffs {
        let daily = self.daily.map_or(i64::MIN, |daily| before(now, daily));
        Cutoffs {
            snapshots: before(now, self.snapshots),
            raw: before(now, self.raw),
            hourly: before(now, self.hourly),
            daily,
        }
    }
}

impl Cutoffs {
    /// Everything is kept.
    pub(crate) const NONE: Self =
        Self { snapshots: i64::MIN, raw: i64::MIN, hourly: i64::MIN, daily: i64::MIN };
}

impl RetentionOutcome {
    /// Adds what another store removed, or why it could not.
    pub(crate) fn add_or_fail(&mut self, other: Result<Self>) {
        let other = match other {
            Ok(other) => other,
            Err(error) => return self.failed.push(error),
        };
        self.snapshots_removed += other.snapshots_removed;
        self.keyspaces_removed += other.keyspaces_removed;
        self.samples_removed += other.samples_removed;
        self.hours_removed += other.hours_removed;
        self.days_removed += other.days_removed;
        self.files_removed.extend(other.files_removed);
        self.remains_removed.extend(other.remains_removed);
        self.damaged.extend(other.damaged);
        self.failed.extend(other.failed);
    }
}

fn before(now: DateTime<Utc>, age: Duration) -> i64 {
    moment::micros(now).saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX))
}
