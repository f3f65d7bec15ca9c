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
        assert_eq!(outcome.written_to, [folder.path().join("history.sqlite")], "the one that did");
        let history = both.read(&Query::default()).await.unwrap();
        assert_eq!((history.snapshots, history.damaged.len()), (vec![snapshot(1)], 1));
        let words = history.damaged[0].to_string();
        let file = folder.path().join("file").display().to_string();
        assert_eq!(words.matches(&file).count(), 1, "{words}");
        assert!(words.contains("os error"), "the cause is told: {words}");
        assert_eq!(both.series(&SeriesQuery::new("hits")).await.unwrap().points.len(), 1);
        assert_eq!(both.apply_retention(at(2)).await.unwrap().failed.len(), 1);
    }
    let neither = Histories::new([broken]);
    assert!(
        matches!(neither.append(&snapshot(2)).await, Err(Error::AllFailed { failures, .. }) if failures.len() == 1)
    );
    let refused = neither.read(&Query::default()).await.unwrap_err().to_string();
    assert!(refused.starts_with("the history cannot be read: "), "{refused}");
    let outcome = neither.apply_retention(at(2)).await.unwrap();
    assert_eq!(outcome.failed.len(), 1, "each store that could not is told, even where none could");
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
