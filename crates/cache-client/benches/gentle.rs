//! What other clients feel while a keyspace is swept: at the paces that there are, and by the tools that come with the
//! server.
//!
//! ```text
//! cargo bench -p larder-cache-client --bench gentle
//! ```
//!
//! A server of its own is started (the first of `LARDER_TEST_SERVERS`, or of `PATH`) and filled. Then others load it
//! with a steady stream of GET, sent when they are due whatever became of those before, and are timed from when they
//! were due. Set by the environment:
//!
//! - `LARDER_BENCH_KEYS`: keys of 300 bytes, 500,000;
//! - `LARDER_BENCH_SECONDS`: how long each sweep is watched, 10; those that end earlier begin anew;
//! - `LARDER_BENCH_ROUNDS`: how often everything is done, 1; medians are printed at the end;
//! - `LARDER_BENCH_PHASES`: names of phases, separated by commas; all of them;
//! - `LARDER_BENCH_COMMANDS`: further phases, a line each: `NAME=COMMAND`, run through the shell with `PORT` in its
//!   environment, again and again.
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

#[path = "gentle/figures.rs"]
mod figures;
#[path = "gentle/load.rs"]
mod load;
#[path = "gentle/ours.rs"]
mod ours;
#[path = "gentle/peers.rs"]
mod peers;
#[path = "gentle/server.rs"]
mod server;

use std::{
    env,
    time::{Duration, Instant},
};

use anyhow::Result;
use larder_test_support::TestServer;

use self::figures::Phase;

/// What goes on beside the load.
type Sweep = Box<dyn Fn(&TestServer, Instant) -> Result<u64>>;
/// Ours and the peers in turns; the quiet before and after show the noise.
const PHASES: [(&str, fn(&TestServer, Instant) -> Result<u64>); 6] = [
    ("quiet", quiet),
    ("governor", ours::at_the_default_pace),
    (peers::MEMKEYS, peers::memkeys),
    ("full speed", ours::at_full_speed),
    ("KEYS *", peers::keys),
    ("quiet again", quiet),
];

/// What the server does with the keys of one phase may last into the next.
const SETTLING: Duration = Duration::from_millis(500);

fn main() -> Result<()> {
    let keys = setting("LARDER_BENCH_KEYS", 500_000);
    let time = Duration::from_secs(setting("LARDER_BENCH_SECONDS", 10).into());
    let rounds = setting("LARDER_BENCH_ROUNDS", 1);
    let wanted = env::var("LARDER_BENCH_PHASES").unwrap_or_default();

    let Some(server) = server::start(keys)? else {
        println!("skipped: there is no server");
        return Ok(());
    };
    let all = all_phases();
    let has_cli = peers::cli(&server).is_some();
    let is_wanted = |name: &str| {
        (wanted.is_empty() || wanted.split(',').any(|one| one == name)) && (has_cli || name != peers::MEMKEYS)
    };
    println!("{}, {keys} keys, {} GET a second\n{}", server.program(), load::PER_SECOND, Phase::HEAD);
    let mut phases = Vec::new();
    for _ in 0..rounds {
        for (name, sweep) in all.iter().filter(|(name, _)| is_wanted(name)) {
            let phase = watch(&server, name, sweep, keys, time)?;
            println!("{phase}");
            phases.push(phase);
        }
    }
    if rounds > 1 {
        println!("\nmedians of {rounds}, the least and the greatest p99\n{}", Phase::HEAD);
        for (name, _) in all.iter().filter(|(name, _)| is_wanted(name)) {
            println!("{}", figures::median(phases.iter().filter(|phase| phase.name == *name)));
        }
    }
    Ok(())
}

/// The phases that are built in, and those of the environment.
fn all_phases() -> Vec<(String, Sweep)> {
    let built_in = PHASES.map(|(name, sweep)| (name.to_owned(), Box::new(sweep) as Sweep));
    let commands = env::var("LARDER_BENCH_COMMANDS").unwrap_or_default();
    let named = commands.lines().filter_map(|line| line.split_once('='));
    let asked_for = named.map(|(name, command)| {
        let command = command.to_owned();
        let sweep = move |server: &TestServer, until| peers::command(server, &command, until);
        (name.to_owned(), Box::new(sweep) as Sweep)
    });
    built_in.into_iter().chain(asked_for.collect::<Vec<_>>()).collect()
}

fn setting(name: &str, default: u32) -> u32 {
    env::var(name).ok().and_then(|value| value.replace([',', '_'], "").parse().ok()).unwrap_or(default)
}

/// Times the load while a sweep goes on.
fn watch(server: &TestServer, name: &str, sweep: &Sweep, keys: u32, time: Duration) -> Result<Phase> {
    std::thread::sleep(SETTLING);
    let load = load::begin(server.port(), keys, time)?;
    let begun = Instant::now();
    let swept = sweep(server, begun + time);
    let took = begun.elapsed();
    let waits = load.end()?;
    Ok(Phase::new(name, waits, swept?, took))
}

#[expect(clippy::unnecessary_wraps, reason = "it is one of the sweeps")]
fn quiet(_: &TestServer, until: Instant) -> Result<u64> {
    std::thread::sleep(until.saturating_duration_since(Instant::now()));
    Ok(0)
}
