//! A day that was read is known, until its file changes.

use std::fs;

use larder_metrics_store::{DailyFiles, MetricsStore, SeriesQuery};

use crate::support::{files, snapshot};

async fn hits(store: &DailyFiles) -> (Vec<f64>, usize) {
    let series = store.series(&SeriesQuery::new("hits")).await.unwrap();
    (series.points.iter().map(|point| point.last).collect(), series.damaged.len())
}

#[tokio::test]
async fn what_another_process_wrote_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let (reader, writer) = (files(folder.path()), files(folder.path()));
    assert_eq!(hits(&reader).await, (vec![], 0));
    writer.append(&snapshot(1)).await.unwrap();
    assert_eq!(hits(&reader).await, (vec![1.0], 0));
    assert_eq!(hits(&reader).await, (vec![1.0], 0), "asked again");
    writer.append(&snapshot(2)).await.unwrap();
    assert_eq!(hits(&reader).await, (vec![1.0, 2.0], 0));
    assert!(reader.series_names().await.unwrap().iter().any(|name| name.metric == "hits"));
}

#[tokio::test]
async fn a_file_that_was_damaged_since_is_told_each_time_and_one_that_is_gone_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let store = files(folder.path());
    let path = store.append(&snapshot(1)).await.unwrap().written_to.remove(0);
    assert_eq!(hits(&store).await, (vec![1.0], 0));
    fs::write(&path, "{").unwrap();
    for _ in 0..2 {
        assert_eq!(hits(&store).await, (vec![], 1));
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(hits(&store).await, (vec![], 0));
    assert!(store.series_names().await.unwrap().is_empty());
}
