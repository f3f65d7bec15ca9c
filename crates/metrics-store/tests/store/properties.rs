//! Roll-ups are what one gets from the samples, whatever the order and however they are cut into batches.

use larder_metrics_model::Snapshot;
use larder_metrics_store::{MetricsStore, Point, Query, Resolution, Retention, SeriesQuery, SqliteStore};
use proptest::prelude::*;

use crate::support::{at, files, snapshot, sqlite};

fn points(store: &SqliteStore, resolution: Resolution) -> Vec<Point> {
    let query = SeriesQuery::new("ping_ms").at(resolution);
    let series = store.series_blocking(&query).unwrap();
    assert_eq!(series.damaged, []);
    series.points
}

fn measured(second: i64, value: f64) -> Snapshot {
    let mut snapshot = snapshot(second);
    snapshot.health_info.redis_ping_time = Some(value);
    snapshot
}

/// The same points made anew from the samples: sums instead of a running mean.
fn recomputed(samples: &[Point], seconds: i64) -> Vec<(i64, u64, f64, f64, f64, f64, f64)> {
    let start = |point: &Point| point.at.timestamp().div_euclid(seconds) * seconds;
    samples
        .chunk_by(|a, b| start(a) == start(b))
        .map(|chunk| {
            let values = || chunk.iter().map(|point| point.last);
            let mean = values().sum::<f64>() / chunk.len() as f64;
            let (min, max) =
                (values().fold(f64::INFINITY, f64::min), values().fold(-f64::INFINITY, f64::max));
            let (first, last) = (chunk[0].last, chunk[chunk.len() - 1].last);
            (start(&chunk[0]), chunk.len() as u64, min, mean, max, first, last)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn hours_and_days_are_those_of_the_samples_in_any_order(
        samples in prop::collection::btree_map(-200_000_i64..200_000, -1e6_f64..1e6, 1..60),
        order in any::<u64>(),
        batch in 1_usize..9,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let store = sqlite(folder.path());
        let mut snapshots: Vec<_> = samples.iter().map(|(second, value)| measured(*second, *value)).collect();
        let mut seeded = crate::support::Seeded(order);
        for end in (1..snapshots.len()).rev() {
            snapshots.swap(end, usize::try_from(seeded.below(end as u64 + 1)).unwrap());
        }
        for part in snapshots.chunks(batch) {
            store.append_all(part).unwrap();
            store.append_all(&part[..1]).unwrap();
        }
        let raw = points(&store, Resolution::Raw);
        prop_assert_eq!(raw.len(), samples.len());
        for (resolution, seconds) in [(Resolution::Hourly, 3_600), (Resolution::Daily, 86_400)] {
            let found = points(&store, resolution);
            let expected = recomputed(&raw, seconds);
            prop_assert_eq!(found.len(), expected.len());
            for (point, (start, count, min, mean, max, first, last)) in found.iter().zip(expected) {
                prop_assert_eq!((point.at.timestamp(), point.count), (start, count));
                prop_assert_eq!((point.min, point.max, point.first, point.last), (min, max, first, last));
                prop_assert!((point.mean - mean).abs() <= 1e-9 * 1e6, "{} {}", point.mean, mean);
            }
        }
    }

    #[test]
    fn the_order_does_not_matter_to_daily_files(order in Just((0..12).collect::<Vec<i64>>()).prop_shuffle()) {
        let folder = tempfile::tempdir().unwrap();
        let store = files(folder.path());
        for number in &order {
            store.append_blocking(&snapshot(number * 20_000)).unwrap();
        }
        let read = store.read_blocking(&Query::default()).unwrap();
        prop_assert_eq!(crate::support::seconds(&read.snapshots), (0..12).map(|n| n * 20_000).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn retention_removes_samples_and_leaves_what_sums_them_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(folder.path());
    let day = 86_400;
    let snapshots: Vec<_> = (0..500 * 24).map(|hour| measured(hour * 3600, hour as f64)).collect();
    store.append_all(&snapshots).unwrap();
    let before = points(&store, Resolution::Daily);
    let now = at(500 * day);
    let outcome = store.apply_retention(now).await.unwrap();
    assert_eq!(outcome.snapshots_removed, 410 * 24);
    assert_eq!(outcome.samples_removed, 470 * 24 * 2, "two metrics");
    assert_eq!(outcome.hours_removed, 100 * 24 * 2);
    assert_eq!(outcome.days_removed, 0);
    assert_eq!(points(&store, Resolution::Daily), before);
    assert_eq!(points(&store, Resolution::Hourly).len(), 400 * 24);

    let again = store.append_all(&snapshots).unwrap();
    assert_eq!((again.new, again.known), (0, 500 * 24), "what was removed is not counted a second time");
    assert_eq!(points(&store, Resolution::Daily), before);

    let chosen = |from: i64| {
        let mut query = SeriesQuery::new("ping_ms").since(at(from * day));
        query.max_points = 100_000;
        store.series_blocking(&query).unwrap().resolution
    };
    assert_eq!(chosen(480), Resolution::Raw);
    assert_eq!(chosen(200), Resolution::Hourly, "samples do not reach back that far");
    assert_eq!(chosen(0), Resolution::Daily);

    let mut short = Retention::default();
    short.daily = Some(std::time::Duration::from_hours(24 * 10));
    drop(store);
    let store = SqliteStore::open(folder.path().join("history.sqlite"), short).unwrap();
    assert_eq!(store.apply_retention(now).await.unwrap().days_removed, 490 * 2);
    assert_eq!(store.check().unwrap(), []);
}
