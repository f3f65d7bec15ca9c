//! Pages of reports.

use std::time::Duration;

use larder_cache_client::{KeyType, Ttl};
use larder_keyspace::{About, BytesSource, Coverage, KeyReport, NotSeen, ReportBuilder, ReportOptions};

use crate::batches::{batch, record};

const HOSTILE: [&[u8]; 5] = [
    b"<script>alert(1)</script>:1",
    b"\"onload=\"alert(1):1",
    b"'&amp;<svg/onload=x>:1",
    b"\xff\x1b[31m:1",
    b"{{ source }}{% raw %}:1",
];

fn report(keys_of_a_burst: usize) -> KeyReport {
    let mut builder = ReportBuilder::new(ReportOptions::default());
    let names = HOSTILE.iter().map(|name| name.to_vec());
    let due = (0..keys_of_a_burst).map(|number| format!("<i>batch</i>:{number}").into_bytes());
    let records = names.chain(due).map(|name| {
        let mut record = record(name);
        record.kind = Some(KeyType::String);
        record.memory_bytes = Some(100);
        record.ttl = Some(Ttl::In(Duration::from_mins(30)));
        record.idle = Some(Duration::from_secs(90));
        record
    });
    builder.add(&batch("s", 0, records.collect()), 1_800_000_000_000);
    let mut about = About::new("redis://<h>:1", BytesSource::Measured);
    about.coverage = Coverage::FirstKeys { of: 10_000 };
    let lost = larder_cache_client::Error::ShardLost {
        shard: larder_metrics_model::NodeAddress::new("h:2"),
        slots: "slots 0-5460".to_owned(),
        source: std::sync::Arc::new(std::io::Error::other("<gone>")),
    };
    about.not_seen = vec![NotSeen::of(&larder_keyspace::Error::Cache { source: lost })];
    builder.report(&about)
}

#[test]
fn names_are_escaped_and_nothing_is_loaded() {
    let page = report(500).to_html().unwrap();
    for part in
        ["<!DOCTYPE html>", "<svg", "Expiry bursts to come", "A part of the keyspace only", "a sample"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    // The page runs and loads nothing, and the names bring nothing in.
    for part in
        ["<script", "<i>", "<h>", "<gone>", "<svg/", "\"onload", "src=", "href=", "@import", "\x1b", "xmlns"]
    {
        assert!(!page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("://"), "no address stands in it as such: {page}");
    for part in ["&lt;script&gt;alert(1)", "\\xff\\u{1b}[31m:", "{{ source }}{% raw %}:", "slots 0-5460"] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn an_empty_keyspace_has_a_page_too() {
    let page =
        ReportBuilder::default().report(&About::new("memory:", BytesSource::Estimated)).to_html().unwrap();
    assert!(page.contains("families") && !page.contains("NaN"), "{page}");
    assert!(KeyReport::default().to_html().is_ok());
}
