//! Sweeps of a whole keyspace against a bare client that overlaps its batches, on the same server in the same run.
//!
//! ```text
//! LARDER_BENCH_PORT=6379 cargo bench -p larder-cache-client --bench sweep
//! ```
//!
//! The server on that port of this machine should hold the keys already; nothing is written to it.
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on stops")]

#[path = "sweep/bare.rs"]
mod bare;

use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use larder_cache_client::{ConnectOptions, KeyFields, ScanOptions, open};

/// Runs of each, taken in turns, of which the median counts.
const RUNS: usize = 3;

fn main() {
    let port: u16 =
        std::env::var("LARDER_BENCH_PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(6379);
    let kinds: [(&str, KeyFields, &[&[&str]]); 3] = [
        ("names", KeyFields::empty(), &[]),
        ("ttl", KeyFields::TTL, &[&["PTTL"]]),
        (
            "ttl, type, memory",
            KeyFields::TTL.union(KeyFields::TYPE).union(KeyFields::BYTES),
            &[&["PTTL"], &["TYPE"], &["MEMORY", "USAGE"]],
        ),
    ];
    for (name, fields, commands) in kinds {
        let (mut bare_times, mut our_times) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let (keys, bare) = timed(|| bare::sweep(port, 1000, commands).unwrap());
            let (counted, ours) = timed(|| sweep(port, fields));
            assert_eq!(keys, counted, "both see every key");
            bare_times.push(bare);
            our_times.push(ours);
        }
        let (bare, ours) = (median(&mut bare_times), median(&mut our_times));
        println!(
            "{name}: bare {:.2} s ({bare_times:.2?}), ours {:.2} s ({our_times:.2?}), ratio {:.3}",
            bare.as_secs_f64(),
            ours.as_secs_f64(),
            ours.as_secs_f64() / bare.as_secs_f64()
        );
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let done = work();
    (done, begun.elapsed())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn sweep(port: u16, fields: KeyFields) -> u64 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let url = format!("redis://127.0.0.1:{port}").parse().unwrap();
        let client = open(&url, &ConnectOptions::default()).await.unwrap();
        let batches = client.keys().scan(ScanOptions::with_fields(fields));
        batches.try_fold(0, async |keys, batch| Ok(keys + batch.records.len() as u64)).await.unwrap()
    })
}
