//! Images over the replication stream against `redis-cli --rdb -`, of the same server in the same run.
//!
//! ```text
//! LARDER_BENCH_PORT=6379 LARDER_BENCH_CLI=redis-cli cargo bench -p larder-cache-client --bench dump
//! ```
//!
//! The server on that port of this machine should hold the keys already; nothing is written to it.
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on stops")]

use std::{
    env,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use futures_util::TryStreamExt;
use larder_cache_client::{ConnectOptions, DumpMethod, DumpOptions, open};

/// Runs of each, taken in turns, of which the median counts.
const RUNS: usize = 5;

fn main() {
    let port = env::var("LARDER_BENCH_PORT").unwrap_or_else(|_| "6379".to_owned());
    let cli = env::var("LARDER_BENCH_CLI").unwrap_or_else(|_| "redis-cli".to_owned());
    for method in [DumpMethod::Replication, DumpMethod::Keys] {
        let (mut theirs, mut ours, mut bytes) = (Vec::new(), Vec::new(), 0);
        for _ in 0..RUNS {
            let begun = Instant::now();
            let mut peer = Command::new(&cli);
            peer.args(["-p", &port, "--rdb", "-"]).stdout(Stdio::null()).stderr(Stdio::null());
            assert!(peer.status().unwrap().success(), "{cli}");
            theirs.push(begun.elapsed());
            let begun = Instant::now();
            bytes = image(&port, method);
            ours.push(begun.elapsed());
        }
        let (peer, own) = (median(&mut theirs), median(&mut ours));
        println!(
            "{method}: {bytes} bytes; {cli} --rdb {peer:.2?} ({theirs:.2?}), ours {own:.2?} ({ours:.2?}), ratio {:.3}",
            own.as_secs_f64() / peer.as_secs_f64()
        );
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn image(port: &str, method: DumpMethod) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = format!("redis://127.0.0.1:{port}").parse().unwrap();
        let client = open(&url, &ConnectOptions::default()).await.unwrap();
        let shards = client.dump_shards(&DumpOptions::default()).await.unwrap();
        let dump = shards[0].source(method).unwrap().open().await.unwrap();
        dump.bytes.try_fold(0, async |bytes, piece| Ok(bytes + piece.len() as u64)).await.unwrap()
    })
}
