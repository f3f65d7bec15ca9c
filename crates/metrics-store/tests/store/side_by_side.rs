//! Several histories of which one fails.

use std::{fs, sync::Arc};

use larder_metrics_store::{DailyFiles, DailyRetention, Error, Histories, MetricsStore, Query, SeriesQuery};

use crate::support::{at, files, snapshot, sqlite};

#[tokio::test]
async fn one_that_fails_does_not_keep_the_other_from_its_work() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "no folder").unwrap();
    let broken: Arc<dyn MetricsStore> =
        Arc::new(DailyFiles::new(folder.path().join("file"), DailyRetention::default()));
    let whole: Arc<dyn MetricsStore> = Arc::new(sqlite(folder.path()));
    for order in [[whole.clone(), broken.clone()], [broken.clone(), whole]] {
        let both = Histories::new(order);
        let outcome = both.append(&snapshot(1)).await.unwrap();
        assert_eq!(outcome.failed.len(), 1, "{outcome:?}");
        let history = both.read(&Query::default()).await.unwrap();
        assert_eq!((history.snapshots, history.damaged.len()), (vec![snapshot(1)], 1));
        assert_eq!(both.series(&SeriesQuery::new("hits")).await.unwrap().points.len(), 1);
        assert_eq!(both.apply_retention(at(2)).await.unwrap().failed.len(), 1);
    }
    let neither = Histories::new([broken]);
    assert!(
        matches!(neither.append(&snapshot(2)).await, Err(Error::AllFailed { failures }) if failures.len() == 1)
    );
    assert!(neither.read(&Query::default()).await.is_err());
}

#[tokio::test]
async fn a_series_comes_from_whoever_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let only_files = files(folder.path());
    only_files.append(&snapshot(1)).await.unwrap();
    let stores: [Arc<dyn MetricsStore>; 2] = [Arc::new(sqlite(folder.path())), Arc::new(only_files)];
    let both = Histories::new(stores);
    assert_eq!(both.series(&SeriesQuery::new("hits")).await.unwrap().points.len(), 1);
    let outcome = both.append(&snapshot(1)).await.unwrap();
    assert!(outcome.is_new, "one of them did not have it yet");
}
