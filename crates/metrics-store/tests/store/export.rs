//! Exports, read back by other means.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use larder_metrics_store::{Export, ExportFormat, Exporter, Query, SeriesQuery, export};

use crate::support::{keyspace, snapshot, sqlite, with_node};

#[derive(Clone, Debug, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn exported(format: ExportFormat) -> String {
    all_of(Export::new(format).only(["hits", "node_used_memory_bytes"])).await
}

async fn all_of(what: Export) -> String {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(folder.path());
    store.append_all(&(0..1200).map(with_node).collect::<Vec<_>>()).unwrap();
    (0..45).for_each(|second| drop(store.append_keyspace_blocking(&keyspace(second)).unwrap()));
    let header = usize::from(what.format == ExportFormat::Csv);
    let out = Shared::default();
    let outcome = export(&store, &Query::default(), what, out.clone()).await.unwrap();
    let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
    assert_eq!(outcome.damaged, []);
    assert_eq!(text.lines().count(), usize::try_from(outcome.lines).unwrap() + header);
    text
}

#[tokio::test]
async fn csv_has_a_line_a_figure() {
    let text = exported(ExportFormat::Csv).await;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1 + 2400);
    assert_eq!(lines[0], "timestamp,date,cache,metric,node,value,family");
    assert_eq!(lines[1], "1773446400.0,2026-03-14T00:00:00.000000,redis://cache:6379,hits,,0.0,");
    assert_eq!(
        lines[2],
        "1773446400.0,2026-03-14T00:00:00.000000,redis://cache:6379,node_used_memory_bytes,cache:6379,1000.0,"
    );
}

#[tokio::test]
async fn families_have_their_name_in_the_last_column() {
    let text =
        all_of(Export::new(ExportFormat::Csv).only(["family_keys", "family_idle_median_seconds"])).await;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1 + 45 * 3, "two families, one of them with its idle time");
    let start = "1773446400.0,2026-03-14T00:00:00.000000,redis://cache:6379";
    assert_eq!(lines[1], format!("{start},family_keys,,1.0,app:"));
    assert_eq!(lines[2], format!("{start},family_idle_median_seconds,,0.5,app:"));
    assert_eq!(lines[3], format!("{start},family_keys,,2.0,tmp:"));

    let text = all_of(Export::new(ExportFormat::JsonLines).of_families(["tmp:"])).await;
    assert_eq!(text.lines().count(), 45, "and nothing of the cache or its nodes");
    let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!((&last["family"], &last["node"]), (&"tmp:".into(), &serde_json::Value::Null));
    let text = all_of(Export::new(ExportFormat::Csv)).await;
    assert_eq!(text.lines().count(), 1 + 1200 * 5 + 45 * 5, "everything");
}

#[tokio::test]
async fn json_lines_have_the_same_and_snapshots_are_whole() {
    let text = exported(ExportFormat::JsonLines).await;
    let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(last["value"], 2199.0);
    assert_eq!(last["node"], "cache:6379");
    let text = exported(ExportFormat::Snapshots).await;
    assert_eq!(text.lines().count(), 1200);
    let first: larder_metrics_model::Snapshot = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(first, with_node(0));
}

#[tokio::test]
async fn points_are_exported_too_and_a_reader_that_has_gone_is_told() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(folder.path());
    store.append_blocking(&snapshot(5)).unwrap();
    let series = store.series_blocking(&SeriesQuery::new("hits")).unwrap();
    let mut out = Vec::new();
    let mut exporter = Exporter::new(ExportFormat::Csv, &mut out);
    exporter.points("hits", &series).unwrap();
    assert_eq!(exporter.finish().unwrap(), 1);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(
        text,
        "at,metric,count,min,mean,max,first,last\n2026-03-14T00:00:05Z,hits,1,5.0,5.0,5.0,5.0,5.0\n"
    );
    for format in [ExportFormat::Csv, ExportFormat::JsonLines] {
        let gone = export(&store, &Query::default(), Export::new(format), Gone).await.unwrap_err();
        assert!(gone.is_broken_pipe(), "{gone:?}");
    }
}
