//! What the tests are made of.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use larder_maintenance::HistorySeries;
use larder_metrics_model::{NodeAddress, Snapshot};
use larder_metrics_store::{DailyFiles, DailyRetention, MetricsStore, Retention, SqliteStore};
use larder_test_support::Measured;
use tempfile::TempDir;

pub(crate) const CACHE: &str = "redis://cache:6379";
/// Ten minutes between two measurements.
pub(crate) const STEP: i64 = 600;

pub(crate) fn node() -> NodeAddress {
    NodeAddress::new("cache:6379")
}

/// So many steps after a midnight.
pub(crate) fn at(step: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_773_446_400, 0).unwrap() + TimeDelta::seconds(step * STEP)
}

/// The calm server that started a day before the first step.
pub(crate) fn calm(step: i64) -> Measured {
    Measured::after(86_400 + (step * STEP).unsigned_abs())
}

/// A snapshot a step, of what `measured` makes of each.
pub(crate) fn snapshots(
    steps: impl Iterator<Item = i64>,
    measured: impl Fn(i64) -> Measured,
) -> Vec<Snapshot> {
    steps.map(|step| measured(step).snapshot(Some(CACHE), &node(), at(step))).collect()
}

/// The same snapshots in each kind of history.
pub(crate) struct Stores {
    pub(crate) folder: TempDir,
    pub(crate) each: [(&'static str, Arc<dyn MetricsStore>); 2],
}

impl Stores {
    pub(crate) fn of(snapshots: &[Snapshot]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sqlite = SqliteStore::open(folder.path().join("metrics.sqlite"), Retention::default()).unwrap();
        sqlite.append_all(snapshots).unwrap();
        let files = daily_files(folder.path());
        write_days(files.folder(), snapshots);
        let each: [(&'static str, Arc<dyn MetricsStore>); 2] =
            [("sqlite", Arc::new(sqlite)), ("daily files", Arc::new(files))];
        Self { folder, each }
    }

    pub(crate) fn series(&self) -> impl Iterator<Item = (&'static str, HistorySeries)> + '_ {
        let of =
            |store: &Arc<dyn MetricsStore>| HistorySeries::new(Arc::clone(store), Some(CACHE.to_owned()));
        self.each.iter().map(move |(name, store)| (*name, of(store)))
    }
}

/// Daily files that keep every snapshot.
pub(crate) fn daily_files(folder: &Path) -> DailyFiles {
    let mut retention = DailyRetention::default();
    retention.earlier_spacing = Duration::ZERO;
    DailyFiles::new(folder.join("metrics"), retention)
}

/// Writes the files of all days at once: the newest snapshot of a day with the others in `earlier`.
fn write_days(folder: &Path, snapshots: &[Snapshot]) {
    fs::create_dir_all(folder).unwrap();
    let mut days: BTreeMap<&str, Vec<&Snapshot>> = BTreeMap::new();
    for snapshot in snapshots {
        days.entry(&snapshot.date[..10]).or_default().push(snapshot);
    }
    for (day, mut of_day) in days {
        of_day.sort_by(|one, other| one.timestamp.total_cmp(&other.timestamp));
        let newest = of_day.pop().unwrap();
        let mut file = serde_json::to_value(newest).unwrap();
        file["earlier"] = serde_json::to_value(of_day).unwrap();
        fs::write(folder.join(format!("cache_metrics_{day}.json")), file.to_string()).unwrap();
    }
}
