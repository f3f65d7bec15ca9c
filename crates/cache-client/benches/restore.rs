//! Values brought back into a server: by the client that comes with it, by as many bytes as it takes, and by ours.
//!
//! ```text
//! cargo bench -p larder-cache-client --bench restore
//! ```
//!
//! A server of its own is started on the loopback (the first of `LARDER_TEST_SERVERS`, or of `PATH`). Every way brings the
//! same keys back into it, emptied, three times in turns, of which the median counts. Set by the environment:
//!
//! - `LARDER_BENCH_KEYS`: strings of 400 bytes, six in ten with a TTL; 300,000.
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

#[path = "restore/blast.rs"]
mod blast;
#[path = "restore/commands.rs"]
mod commands;
#[path = "restore/ours.rs"]
mod ours;

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use larder_test_support::{TestServer, server_programs};

/// Runs of each, taken in turns.
const RUNS: usize = 3;

/// A way to bring keys back.
type Way<'a> = (String, Box<dyn FnMut() -> Result<()> + 'a>);

fn main() -> Result<()> {
    let keys = env::var("LARDER_BENCH_KEYS").ok().and_then(|keys| keys.parse().ok()).unwrap_or(300_000);
    let Some(program) = server_programs().into_iter().next() else {
        println!("skipped: there is no server");
        return Ok(());
    };
    let server = TestServer::start(&program)?;
    let items = commands::items(&program, keys)?;
    let blocks = commands::encoded(&items, 4);
    let file = server.folder().join("restore.resp");
    fs::write(&file, blocks.concat())?;
    println!("{program}, {keys} keys, {} MB of commands", fs::metadata(&file)?.len() / 1_000_000);

    let one = [blocks.concat()];
    let batches: Vec<_> = items.chunks(ours::BATCH_KEYS).collect();
    let mut ways: Vec<Way<'_>> = vec![
        (format!("{}-cli --pipe", program.product), Box::new(|| by_the_servers_client(&server, &file))),
        ("bare, one socket".to_owned(), Box::new(|| blast::send(server.port(), &one, keys))),
        ("bare, four sockets".to_owned(), Box::new(|| blast::send(server.port(), &blocks, keys))),
        ("ours, one batch at a time".to_owned(), Box::new(|| ours::restore(&server, &batches, 1))),
        ("ours, two batches at a time".to_owned(), Box::new(|| ours::restore(&server, &batches, 2))),
        ("ours, four batches at a time".to_owned(), Box::new(|| ours::restore(&server, &batches, 4))),
    ];
    let mut rates = vec![Vec::new(); ways.len()];
    for _ in 0..RUNS {
        for ((name, way), rates) in ways.iter_mut().zip(&mut rates) {
            server.run::<()>(&["FLUSHALL", "SYNC"])?;
            let begun = Instant::now();
            way().with_context(|| name.clone())?;
            let time = begun.elapsed().as_secs_f64();
            let there: usize = server.run(&["DBSIZE"])?;
            ensure!(there == keys, "{name}: {there} keys");
            #[expect(clippy::cast_precision_loss, reason = "a rate")]
            rates.push(keys as f64 / time);
        }
    }
    let medians: Vec<f64> = rates.iter_mut().map(|rates| median(rates)).collect();
    for ((name, _), rate) in ways.iter().zip(&medians) {
        println!("{name:>30}: {rate:>9.0} keys/s, {:.2} times --pipe", rate / medians[0]);
    }
    let bare = medians[1].max(medians[2]);
    let ours = medians[3..].iter().copied().fold(0.0, f64::max);
    println!("{:>30}: {:.2}", "ours to what the server takes", ours / bare);
    Ok(())
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_unstable_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn by_the_servers_client(server: &TestServer, file: &PathBuf) -> Result<()> {
    let program = server.program();
    let client = program.path.with_file_name(format!("{}-cli", program.product));
    let status = Command::new(&client)
        .args(["-h", "127.0.0.1", "-p", &server.port().to_string(), "--pipe"])
        .stdin(fs::File::open(file)?)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .with_context(|| client.display().to_string())?;
    ensure!(status.success(), "{status}");
    Ok(())
}
