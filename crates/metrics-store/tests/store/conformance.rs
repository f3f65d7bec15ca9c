//! What every history must do: the contract of the seam, on each implementation.

use std::sync::Arc;

use larder_metrics_model::{FamilyFigures, NodeAddress};
use larder_metrics_store::{
    Error, Histories, MetricsStore, Query, Resolution, SeriesQuery, SqliteStore, Take,
};

use crate::support::{at, files, keyspace, keyspace_seconds, removed, seconds, snapshot, sqlite, with_node};

const DAY: i64 = 86_400;

async fn conforms(store: &dyn MetricsStore) {
    is_empty_at_first(store).await;
    stores_each_moment_once(store).await;
    answers_in_order_of_time(store).await;
    takes_no_more_than_asked(store).await;
    tells_series(store).await;
    keeps_caches_apart(store).await;
    keeps_families(store).await;
    tells_families(store).await;
    bounds_families(store).await;
    refuses_what_has_no_time(store).await;
    plans_what_retention_does(store).await;
}

async fn is_empty_at_first(store: &dyn MetricsStore) {
    let history = store.read(&Query::default()).await.unwrap();
    assert!(history.snapshots.is_empty() && history.damaged.is_empty());
    assert!(store.series(&SeriesQuery::new("hits")).await.unwrap().points.is_empty());
    assert!(store.series_names().await.unwrap().is_empty());
    let keyspaces = store.read_keyspaces(&Query::default()).await.unwrap();
    assert!(keyspaces.snapshots.is_empty() && keyspaces.damaged.is_empty());
    let outcome = store.apply_retention(at(0)).await.unwrap();
    assert_eq!(removed(&outcome), ([0; 5], vec![]));
    assert_eq!(removed(&store.plan_retention(at(0)).await.unwrap()), ([0; 5], vec![]));
}

async fn stores_each_moment_once(store: &dyn MetricsStore) {
    let one = with_node(0);
    let first = store.append(&one).await.unwrap();
    assert!(first.is_new && !first.written_to.is_empty(), "{first:?}");
    assert!(first.written_to.iter().all(|file| file.is_file()), "{first:?}");
    let mut again = one.clone();
    again.cache_stats.hit_count = Some(99);
    let second = store.append(&again).await.unwrap();
    assert!(!second.is_new);
    assert_eq!(second.written_to, first.written_to, "it is there, whoever stored it");
    let history = store.read(&Query::default()).await.unwrap();
    assert_eq!(history.snapshots, [one], "whole, and as it was first");
}

async fn answers_in_order_of_time(store: &dyn MetricsStore) {
    for second in [2 * DAY, 60, DAY, 30, DAY + 3600] {
        assert!(store.append(&with_node(second)).await.unwrap().is_new);
    }
    let all = store.read(&Query::default()).await.unwrap();
    assert_eq!(seconds(&all.snapshots), [0, 30, 60, DAY, DAY + 3600, 2 * DAY]);
    let range = Query::default().since(at(30)).until(at(DAY));
    assert_eq!(seconds(&store.read(&range).await.unwrap().snapshots), [30, 60], "the end is not included");
    let nothing = Query::default().since(at(DAY)).until(at(DAY));
    assert!(store.read(&nothing).await.unwrap().snapshots.is_empty());
}

async fn takes_no_more_than_asked(store: &dyn MetricsStore) {
    for (take, expected) in [
        (Take::Oldest(2), vec![0, 30]),
        (Take::Newest(3), vec![DAY, DAY + 3600, 2 * DAY]),
        (Take::Newest(99), vec![0, 30, 60, DAY, DAY + 3600, 2 * DAY]),
        (Take::Oldest(0), vec![]),
    ] {
        let history = store.read(&Query::default().take(take)).await.unwrap();
        assert_eq!(seconds(&history.snapshots), expected, "{take:?}");
    }
}

async fn tells_series(store: &dyn MetricsStore) {
    let hits = |resolution| SeriesQuery::new("hits").at(resolution);
    let raw = store.series(&hits(Resolution::Raw)).await.unwrap();
    assert_eq!(raw.points.iter().map(|point| point.last).sum::<f64>(), (90 + 4 * DAY + 3600) as f64);
    assert!(raw.points.iter().all(|point| point.count == 1 && point.at == point.first_at));

    let hourly = store.series(&hits(Resolution::Hourly)).await.unwrap();
    let counts: Vec<u64> = hourly.points.iter().map(|point| point.count).collect();
    assert_eq!(counts, [3, 1, 1, 1]);
    let first = hourly.points[0];
    assert_eq!((first.at, first.first_at, first.last_at), (at(0), at(0), at(60)));
    assert_eq!((first.min, first.max, first.first, first.last), (0.0, 60.0, 0.0, 60.0));
    assert!((first.mean - 30.0).abs() < 1e-9);

    let part = hits(Resolution::Daily).since(at(DAY + 1)).until(at(DAY + 2));
    let daily = store.series(&part).await.unwrap();
    assert_eq!(daily.points.len(), 1);
    assert_eq!((daily.points[0].at, daily.points[0].count), (at(DAY), 2), "a day is told whole");

    let node = SeriesQuery::new("node_used_memory_bytes").of_node(NodeAddress::new("cache:6379"));
    let node = store.series(&node).await.unwrap();
    assert_eq!(
        (node.resolution, node.points.len()),
        (Resolution::Raw, 6),
        "few enough to be told one by one"
    );
    let mut few = SeriesQuery::new("hits");
    few.max_points = 4;
    assert_eq!(store.series(&few).await.unwrap().resolution, Resolution::Hourly);
    few.max_points = 1;
    assert_eq!(store.series(&few).await.unwrap().resolution, Resolution::Daily);
    for unknown in ["", "no_such_metric", "node_used_memory_bytes"] {
        assert!(store.series(&SeriesQuery::new(unknown)).await.unwrap().points.is_empty(), "{unknown}");
    }
    let names = store.series_names().await.unwrap();
    assert!(names.is_sorted());
    let again = SeriesQuery::from(names.iter().find(|name| name.metric == "hits").unwrap().clone());
    assert_eq!(store.series(&again).await.unwrap().points, raw.points);
}

async fn keeps_caches_apart(store: &dyn MetricsStore) {
    let mut other = snapshot(60);
    other.cache = Some("redis://other:6379".to_owned());
    other.cache_stats.hit_count = Some(7);
    assert!(store.append(&other).await.unwrap().is_new, "the same moment of another cache");
    let mut nameless = snapshot(60);
    nameless.cache = None;
    assert!(store.append(&nameless).await.unwrap().is_new);

    let of_other = Query::default().of_cache("redis://other:6379");
    assert_eq!(store.read(&of_other).await.unwrap().snapshots, [other]);
    let series = SeriesQuery::new("hits").of_cache("redis://other:6379");
    assert_eq!(store.series(&series).await.unwrap().points[0].last, 7.0);
    let all = store.series(&SeriesQuery::new("hits").at(Resolution::Daily)).await.unwrap();
    assert_eq!(all.points[0].count, 5);
    let newest = Query::default().until(at(61)).take(Take::Newest(1));
    assert_eq!(store.read(&newest).await.unwrap().snapshots.len(), 3, "one instant is not torn apart");
}

/// One a day: a store may keep no more than that.
async fn keeps_families(store: &dyn MetricsStore) {
    let before = store.read(&Query::default()).await.unwrap();
    let one = keyspace(0);
    let first = store.append_keyspace(&one).await.unwrap();
    assert!(first.is_new && !first.written_to.is_empty(), "beside the snapshot of that moment: {first:?}");
    assert!(first.written_to.iter().all(|file| file.is_file()), "{first:?}");
    let mut again = one.clone();
    again.families.push(FamilyFigures::new("late:", 9));
    let second = store.append_keyspace(&again).await.unwrap();
    assert!(!second.is_new);
    assert_eq!(second.written_to, first.written_to, "it is there, whoever stored it");
    assert_eq!(store.read_keyspaces(&Query::default()).await.unwrap().snapshots, [one], "as it was first");
    for day in [3, 1, 2] {
        assert!(store.append_keyspace(&keyspace(day * DAY)).await.unwrap().is_new);
    }
    let mut other = keyspace(DAY);
    other.cache = Some("redis://other:6379".to_owned());
    other.families.truncate(1);
    assert!(store.append_keyspace(&other).await.unwrap().is_new, "the same moment of another cache");

    let all = store.read_keyspaces(&Query::default()).await.unwrap();
    assert_eq!(keyspace_seconds(&all.snapshots), [0, DAY, DAY, 2 * DAY, 3 * DAY]);
    let of_other = Query::default().of_cache("redis://other:6379");
    assert_eq!(store.read_keyspaces(&of_other).await.unwrap().snapshots, [other]);
    let newest = Query::default().until(at(3 * DAY)).take(Take::Newest(1));
    assert_eq!(store.read_keyspaces(&newest).await.unwrap().snapshots, [keyspace(2 * DAY)]);
    assert_eq!(store.read(&Query::default()).await.unwrap(), before, "snapshots are another thing");
}

async fn tells_families(store: &dyn MetricsStore) {
    let keys = SeriesQuery::new("family_keys").of_family("app:").of_cache("redis://cache:6379");
    let raw = store.series(&keys.clone().at(Resolution::Raw)).await.unwrap();
    let values: Vec<f64> = raw.points.iter().map(|point| point.last).collect();
    assert_eq!(values, [0, 1, 2, 3].map(|day| (1 + day * DAY) as f64));
    for resolution in [Resolution::Hourly, Resolution::Daily] {
        let points = store.series(&keys.clone().at(resolution)).await.unwrap().points;
        assert_eq!(points.len(), 4, "{resolution:?}");
        assert!(points.iter().all(|point| point.count == 1), "{resolution:?}");
    }
    let both = SeriesQuery::new("family_keys").of_family("app:").at(Resolution::Daily);
    let both = store.series(&both).await.unwrap();
    assert_eq!(both.points.iter().map(|point| point.count).collect::<Vec<_>>(), [1, 2, 1, 1]);
    for wrong in [
        SeriesQuery::new("family_keys"),
        SeriesQuery::new("family_keys").of_family("app"),
        SeriesQuery::new("family_keys").of_node(NodeAddress::new("app:")),
        SeriesQuery::new("family_bytes").of_family("tmp:"),
        SeriesQuery::new("hits").of_family("app:"),
    ] {
        assert!(store.series(&wrong).await.unwrap().points.is_empty(), "{wrong:?}");
    }
    let names = store.series_names().await.unwrap();
    let mut families: Vec<&str> = names.iter().filter_map(|name| name.family.as_deref()).collect();
    families.sort_unstable();
    families.dedup();
    assert_eq!(families, ["app:", "tmp:"]);
    assert!(names.iter().all(|name| name.family.is_some() == name.metric.starts_with("family_")));
    let idle = names.iter().find(|name| name.metric == "family_idle_median_seconds").unwrap();
    assert_eq!(store.series(&idle.clone().into()).await.unwrap().points[0].last, 0.5);
}

async fn bounds_families(store: &dyn MetricsStore) {
    let mut many = keyspace(9 * DAY);
    many.families = (0..1_500).map(|number| FamilyFigures::new(format!("f{number}:"), number)).collect();
    store.append_keyspace(&many).await.unwrap();
    let read = store.read_keyspaces(&Query::default().since(at(9 * DAY))).await.unwrap();
    assert_eq!(read.snapshots, [many.bounded(1_000)]);
    let other = SeriesQuery::new("family_keys").of_family(FamilyFigures::OTHER);
    let other = store.series(&other).await.unwrap();
    assert_eq!(other.points[0].last, f64::from((0..500).sum::<u32>()));
    let small = SeriesQuery::new("family_keys").of_family("f499:");
    assert!(store.series(&small).await.unwrap().points.is_empty());
    let big = SeriesQuery::new("family_keys").of_family("f500:");
    assert_eq!(store.series(&big).await.unwrap().points[0].last, 500.0);
}

async fn refuses_what_has_no_time(store: &dyn MetricsStore) {
    let keyspaces = store.read_keyspaces(&Query::default()).await.unwrap();
    let mut timeless = keyspace(1);
    timeless.timestamp = f64::NAN;
    assert!(store.append_keyspace(&timeless).await.is_err());
    assert_eq!(store.read_keyspaces(&Query::default()).await.unwrap(), keyspaces);
    let before = store.read(&Query::default()).await.unwrap();
    for timestamp in [f64::NAN, f64::INFINITY, 1e300] {
        let mut snapshot = snapshot(1);
        snapshot.timestamp = timestamp;
        let refused = store.append(&snapshot).await.unwrap_err();
        let is_no_time = |error: &Error| matches!(error, Error::NoTime { .. });
        match &refused {
            Error::AllFailed { failures, .. } => assert!(failures.iter().all(is_no_time), "{refused}"),
            refused => assert!(is_no_time(refused), "{refused}"),
        }
    }
    assert_eq!(store.read(&Query::default()).await.unwrap(), before);
}

/// Whatever it is that the store is configured to remove.
async fn plans_what_retention_does(store: &dyn MetricsStore) {
    for now in [at(0), at(40 * DAY), at(95 * DAY), at(5_000 * DAY)] {
        let before = store.read_keyspaces(&Query::default()).await.unwrap();
        let plan = store.plan_retention(now).await.unwrap();
        assert_eq!(removed(&store.plan_retention(now).await.unwrap()), removed(&plan), "it changes nothing");
        assert_eq!(store.read_keyspaces(&Query::default()).await.unwrap(), before, "it changes nothing");
        let done = store.apply_retention(now).await.unwrap();
        assert_eq!(removed(&plan), removed(&done));
        assert_eq!(removed(&store.plan_retention(now).await.unwrap()), ([0; 5], vec![]), "it is done");
    }
}

#[tokio::test]
async fn daily_files_conform() {
    let folder = tempfile::tempdir().unwrap();
    conforms(&files(folder.path())).await;
}

#[tokio::test]
async fn sqlite_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(folder.path());
    conforms(&store).await;
    assert_eq!(store.check().unwrap(), []);
    let read_only = SqliteStore::open_to_read(store.path()).unwrap();
    let keyspaces = |store: &SqliteStore| store.read_keyspaces_blocking(&Query::default()).unwrap();
    assert_eq!(keyspaces(&read_only), keyspaces(&store));
}

#[tokio::test]
async fn both_side_by_side_conform() {
    let folder = tempfile::tempdir().unwrap();
    let stores: [Arc<dyn MetricsStore>; 2] =
        [Arc::new(sqlite(folder.path())), Arc::new(files(folder.path()))];
    conforms(&Histories::new(stores)).await;
}

#[tokio::test]
async fn what_was_stored_is_there_when_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    sqlite(folder.path()).append(&snapshot(5)).await.unwrap();
    files(folder.path()).append(&snapshot(5)).await.unwrap();
    let stores: [&dyn MetricsStore; 2] = [&sqlite(folder.path()), &files(folder.path())];
    for store in stores {
        assert_eq!(store.read(&Query::default()).await.unwrap().snapshots, [snapshot(5)]);
    }
}
