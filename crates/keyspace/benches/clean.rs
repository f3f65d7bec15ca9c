//! Removing orphans, with an undo file that is written and synced, against a bare client that scans and unlinks and keeps
//! nothing, on the same server in the same run.
//!
//! ```text
//! LARDER_BENCH_PORT=6379 cargo bench -p larder-keyspace --bench clean
//! ```
//!
//! The server on that port of this machine should hold keys of the built-in policy and orphans; what is removed is given
//! back by undo after each run.
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on stops")]

#[path = "clean/bare.rs"]
mod bare;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use larder_cache_client::{CacheClient, ConnectOptions, open};
use larder_keyspace::{
    CleanOptions, CleanTask, Policy, UndoFile, UndoOptions, apply_clean, plan_clean, undo,
};

/// Runs of each, taken in turns, of which the median counts.
const RUNS: usize = 3;

fn main() {
    let port: u16 =
        std::env::var("LARDER_BENCH_PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(6379);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(compare(port));
}

async fn compare(port: u16) {
    let url = format!("redis://127.0.0.1:{port}").parse().unwrap();
    let client = open(&url, &ConnectOptions::default()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (mut ours, mut bares) = (Vec::new(), Vec::new());
    let mut removed = 0;
    for run in 0..RUNS {
        let file = folder.path().join(format!("undo_{run}.rdb"));
        let begun = Instant::now();
        removed = clean(&client, &file).await;
        ours.push(begun.elapsed());
        give_back(&client, &file).await;

        let begun = Instant::now();
        let policy = Policy::guide();
        let is_orphan =
            |key: &[u8]| key.starts_with(b"codebase_rag:") && policy.matcher().family(key).is_none();
        let unlinked = bare::remove(port, 1000, is_orphan).unwrap();
        bares.push(begun.elapsed());
        assert_eq!(unlinked, removed, "both remove the same keys");
        give_back(&client, &file).await;
    }
    let (ours, bare) = (median(&mut ours), median(&mut bares));
    println!(
        "{removed} orphans removed: bare scan and unlink {:.2} s ({bares:.2?}), ours with undo {:.2} s, ratio {:.3}",
        bare.as_secs_f64(),
        ours.as_secs_f64(),
        ours.as_secs_f64() / bare.as_secs_f64()
    );
}

async fn clean(client: &CacheClient, undo_file: &Path) -> u64 {
    let options = CleanOptions::default().with_tasks([CleanTask::Orphans]);
    let mut plan = plan_clean(client, &Policy::guide(), &options).await.unwrap();
    let outcome = apply_clean(client, &mut plan, &options, undo_file).await.unwrap();
    assert!(outcome.is_whole(), "{outcome:?}");
    outcome.done()
}

async fn give_back(client: &CacheClient, undo_file: &Path) {
    let outcome = undo(client, &UndoFile::open(undo_file).unwrap(), &UndoOptions::default()).await.unwrap();
    assert_eq!(outcome.failed, 0, "{outcome:?}");
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
