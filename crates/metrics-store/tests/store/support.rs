//! What the tests are made of.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use chrono::{DateTime, TimeDelta, Utc};
use larder_metrics_model::{
    FamilyFigures, Info, KeyspaceSnapshot, NodeAddress, NodeKind, NodeSnapshot, Snapshot,
};
use larder_metrics_store::{DailyFiles, DailyRetention, Retention, RetentionOutcome, SqliteStore};

/// Midnight at the beginning of the days that the tests are about.
pub(crate) fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_773_446_400, 0).unwrap()
}

pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    start() + TimeDelta::seconds(seconds)
}

/// A snapshot so many seconds after the start, with one figure that tells it from others.
pub(crate) fn snapshot(seconds: i64) -> Snapshot {
    let mut snapshot = Snapshot::at(at(seconds).fixed_offset());
    snapshot.cache = Some("redis://cache:6379".to_owned());
    snapshot.cache_stats.hit_count = Some(seconds.unsigned_abs());
    snapshot
}

/// The same with a node and its INFO.
pub(crate) fn with_node(seconds: i64) -> Snapshot {
    let mut snapshot = snapshot(seconds);
    let mut node = NodeSnapshot::new(NodeAddress::new("cache:6379"), NodeKind::Data);
    node.info = Info::parse(&format!("# Memory\r\nused_memory:{}\r\nmaxmemory:0\r\n", 1000 + seconds));
    snapshot.nodes.push(node);
    snapshot
}

/// A keyspace of two families so many seconds after the start; the keys of `app:` tell it from others.
pub(crate) fn keyspace(seconds: i64) -> KeyspaceSnapshot {
    let mut snapshot = KeyspaceSnapshot::at(at(seconds).fixed_offset());
    snapshot.cache = Some("redis://cache:6379".to_owned());
    let mut app = FamilyFigures::new("app:", 1 + seconds.unsigned_abs());
    (app.bytes, app.without_ttl, app.idle_median_s) = (Some(1000), Some(1), Some(0.5));
    snapshot.families = vec![app, FamilyFigures::new("tmp:", 2)];
    snapshot.total_keys = 3 + seconds.unsigned_abs();
    snapshot
}

/// Daily files that keep every snapshot.
pub(crate) fn files(folder: &Path) -> DailyFiles {
    let mut retention = DailyRetention::default();
    retention.earlier_spacing = std::time::Duration::ZERO;
    DailyFiles::new(folder.join("metrics"), retention)
}

pub(crate) fn sqlite(folder: &Path) -> SqliteStore {
    SqliteStore::open(folder.join("history.sqlite"), Retention::default()).unwrap()
}

/// Seconds after the start, in the order of the snapshots.
pub(crate) fn seconds(snapshots: &[Snapshot]) -> Vec<i64> {
    snapshots.iter().map(|snapshot| (snapshot.time().unwrap() - start()).num_seconds()).collect()
}

/// The same of keyspace snapshots.
pub(crate) fn keyspace_seconds(snapshots: &[KeyspaceSnapshot]) -> Vec<i64> {
    snapshots.iter().map(|snapshot| (snapshot.time().unwrap() - start()).num_seconds()).collect()
}

/// What retention removed, or would: numbers, and files.
pub(crate) fn removed(outcome: &RetentionOutcome) -> ([u64; 5], Vec<PathBuf>) {
    assert!(outcome.failed.is_empty(), "{outcome:?}");
    let numbers = [
        outcome.snapshots_removed,
        outcome.keyspaces_removed,
        outcome.samples_removed,
        outcome.hours_removed,
        outcome.days_removed,
    ];
    (numbers, [outcome.files_removed.clone(), outcome.remains_removed.clone()].concat())
}

/// A seeded generator (splitmix64), so that what went wrong once goes wrong again.
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// A small disk of its own; taken away on drop.
pub(crate) struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where none can be mounted; why is printed.
    pub(crate) fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(folder.path());
        if mount.output().is_ok_and(|done| done.status.success()) {
            return Some(Self(folder));
        }
        let _ = writeln!(std::io::stderr(), "skipped, because a small disk cannot be mounted here");
        None
    }

    pub(crate) fn make_read_only(&self) {
        let done = Command::new("mount").args(["-o", "remount,ro"]).arg(self.path()).status().unwrap();
        assert!(done.success());
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}
