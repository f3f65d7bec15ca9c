//! What retention removes, and that its plan says so.

use std::{fs, path::Path, sync::Arc, time::Duration};

use larder_metrics_store::{DailyFiles, DailyRetention, Histories, MetricsStore, Retention, SqliteStore};

use crate::support::{at, keyspace, removed, snapshot, sqlite, with_node};

const DAY: i64 = 86_400;
const MARCH_TO_MAY: i64 = 60;

fn days(count: u64) -> Duration {
    Duration::from_hours(24 * count)
}

/// Files of sixty days, three snapshots each, with the reports of that time.
fn filled(folder: &Path, retention: DailyRetention) -> DailyFiles {
    let mut all = DailyRetention::default();
    all.earlier_spacing = Duration::ZERO;
    let writer = DailyFiles::new(folder, all);
    for day in 0..MARCH_TO_MAY {
        for minute in 0..3 {
            writer.append_blocking(&snapshot(day * DAY + minute * 60)).unwrap();
        }
        writer.append_keyspace_blocking(&keyspace(day * DAY)).unwrap();
        let name = format!("optimization_report_{}.json", at(day * DAY).format("%Y-%m-%d"));
        fs::write(folder.join(name), "{}").unwrap();
    }
    for month in ["2026-02", "2026-03", "2026-04"] {
        fs::write(folder.join(format!("capacity_report_{month}.json")), "{}").unwrap();
    }
    for other in ["optimization_report.json", "capacity_report_2020.json", "notes_2020-01-01.json"] {
        fs::write(folder.join(other), "{}").unwrap();
    }
    DailyFiles::new(folder, retention)
}

fn kinds(files: &[std::path::PathBuf]) -> [usize; 4] {
    ["cache_metrics_", "cache_families_", "optimization_report_", "capacity_report_"].map(|kind| {
        let name = |path: &&std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(kind);
        files.iter().filter(name).count()
    })
}

#[test]
fn reports_are_kept_for_ever_unless_a_time_is_named() {
    let now = at(MARCH_TO_MAY * DAY);
    let all = tempfile::tempdir().unwrap();
    filled(all.path(), DailyRetention::default());
    for (keep, reports, expected) in [
        (None, None, [0, 0, 0, 0]),
        // Of the sixty days, those more than nine back and one for the time zones; of the months, those that end before.
        (None, Some(9), [0, 50, 50, 3]),
        (Some(9), None, [50, 50, 0, 0]),
        (Some(19), Some(29), [40, 40, 30, 2]),
        (Some(29), Some(19), [30, 40, 40, 2]),
        (None, Some(60), [0, 0, 0, 1]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut retention = DailyRetention::default();
        (retention.keep, retention.reports) = (keep.map(days), reports.map(days));
        for file in fs::read_dir(all.path()).unwrap().map(Result::unwrap) {
            fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
        }
        let store = DailyFiles::new(folder.path(), retention);
        let before = fs::read_dir(folder.path()).unwrap().count();
        let plan = store.plan_retention_blocking(now).unwrap();
        assert_eq!(kinds(&plan.files_removed), expected, "{keep:?} {reports:?}");
        assert!(plan.files_removed.iter().all(|file| file.is_file()), "nothing is removed yet");
        let done = store.apply_retention_blocking(now).unwrap();
        assert_eq!(removed(&plan), removed(&done));
        assert!(!done.files_removed.iter().any(|file| file.exists()));
        let after = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(before - after, done.files_removed.len(), "and nothing else");
        let thinned = MARCH_TO_MAY.unsigned_abs() - expected[0] as u64;
        assert_eq!(done.snapshots_removed, thinned, "of each day that is left the first and the last stay");
        assert_eq!(removed(&store.plan_retention_blocking(now).unwrap()), ([0; 5], vec![]));
    }
}

#[test]
fn a_report_that_cannot_be_removed_is_told_and_the_rest_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let mut retention = DailyRetention::default();
    retention.reports = Some(days(9));
    let store = filled(folder.path(), retention);
    fs::create_dir(folder.path().join("optimization_report_2020-01-01.json")).unwrap();
    let done = store.apply_retention_blocking(at(MARCH_TO_MAY * DAY)).unwrap();
    assert_eq!(kinds(&done.files_removed), [0, 50, 50, 3]);
    assert_eq!(done.failed.len(), 1, "{:?}", done.failed);
    assert!(done.failed[0].to_string().contains("optimization_report_2020-01-01.json"));
}

#[tokio::test]
async fn a_plan_says_what_each_of_several_stores_would_do() {
    let folder = tempfile::tempdir().unwrap();
    let mut retention = DailyRetention::default();
    (retention.keep, retention.reports) = (Some(days(30)), Some(days(10)));
    let daily = filled(&folder.path().join("metrics"), retention);
    fs::write(daily.folder().join(".cache_families_2026-03-14.json.AbCdEf.tmp"), "half").unwrap();
    let series = sqlite(folder.path());
    series.append_all(&(0..500).map(|day| with_node(day * DAY)).collect::<Vec<_>>()).unwrap();
    (0..500).for_each(|day| drop(series.append_keyspace_blocking(&keyspace(day * DAY)).unwrap()));
    let now = at(500 * DAY);

    let read_only = SqliteStore::open_to_read(series.path()).unwrap();
    let both: [Arc<dyn MetricsStore>; 2] = [Arc::new(series), Arc::new(daily.clone())];
    let looking: [Arc<dyn MetricsStore>; 2] = [Arc::new(read_only.clone()), Arc::new(daily)];
    let (both, looking) = (Histories::new(both), Histories::new(looking));
    let plan = looking.plan_retention(now).await.unwrap();
    let (numbers, files) = removed(&plan);
    assert_eq!(numbers, [410, 410, 470 * 10, 100 * 10, 0]);
    assert_eq!(files.len(), 60 + 60 + 60 + 3 + 1);
    let mut short = Retention::default();
    short.daily = Some(days(10));
    let shorter = read_only.with_retention(short).plan_retention(now).await.unwrap();
    assert_eq!(shorter.days_removed, 490 * 10, "the retention is that of whoever asks");

    assert_eq!(removed(&both.apply_retention(now).await.unwrap()), (numbers, files));
    assert_eq!(removed(&looking.plan_retention(now).await.unwrap()), ([0; 5], vec![]));
}
