//! The other clients: GET after GET, each sent when it is due.
//!
//! One thread sends and another one reads, so that an answer that is late delays no request; and what is late is late
//! for all requests behind it, as it is for users.

use std::{
    hint,
    io::{Read as _, Write as _},
    net::TcpStream,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::{
    figures::Waits,
    server::{ANSWER_BYTES, key},
};

/// Requests a second.
pub(crate) const PER_SECOND: u32 = 5_000;

/// The same keys every time.
const SEED: u64 = 20_240_601;
/// The pause before a load, in which its threads come up.
const START: Duration = Duration::from_millis(20);
/// How long before a request is due its thread is awake already.
const AWAKE: Duration = Duration::from_micros(30);
/// An answer that takes longer ends the bench.
const PATIENCE: Duration = Duration::from_mins(1);

/// A load that is going on.
#[derive(Debug)]
pub(crate) struct Load {
    sender: JoinHandle<Result<Vec<Duration>>>,
    reader: JoinHandle<Result<Vec<Duration>>>,
}

/// Begins a load of so many keys for a time.
pub(crate) fn begin(port: u16, keys: u32, time: Duration) -> Result<Load> {
    let sending = TcpStream::connect(("127.0.0.1", port))?;
    sending.set_nodelay(true)?;
    let reading = sending.try_clone()?;
    reading.set_read_timeout(Some(PATIENCE))?;
    let begun = Instant::now() + START;
    let requests = u32::try_from(time.as_micros() * u128::from(PER_SECOND) / 1_000_000)?;
    let due = move |request: u32| begun + Duration::from_secs(1) * request / PER_SECOND;
    Ok(Load {
        sender: thread::spawn(move || send(sending, keys, requests, due)),
        reader: thread::spawn(move || read(reading, requests, due)),
    })
}

impl Load {
    /// Waits for the last answer.
    pub(crate) fn end(self) -> Result<Waits> {
        let late = self.sender.join().ok().context("the sender panicked")??;
        let latencies = self.reader.join().ok().context("the reader panicked")??;
        Ok(Waits { latencies, late })
    }
}

fn send(
    mut stream: TcpStream,
    keys: u32,
    requests: u32,
    due: impl Fn(u32) -> Instant,
) -> Result<Vec<Duration>> {
    wake_on_time();
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut late = Vec::with_capacity(requests as usize);
    for request in 0..requests {
        let key = key(random.random_range(0..keys));
        let command = format!("*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n", key.len());
        let due = due(request);
        wait_until(due);
        late.push(due.elapsed());
        stream.write_all(command.as_bytes())?;
    }
    Ok(late)
}

/// A sleep ends late by as much as the timer is allowed to and a wake-up takes; the rest is spun away.
fn wait_until(due: Instant) {
    let sleep = due.saturating_duration_since(Instant::now()).saturating_sub(AWAKE);
    if !sleep.is_zero() {
        thread::sleep(sleep);
    }
    while Instant::now() < due {
        hint::spin_loop();
    }
}

/// Linux ends sleeps up to 50 µs late so that it can wake several threads at once.
fn wake_on_time() {
    #[cfg(target_os = "linux")]
    rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1)).ok();
}

/// Every answer has the same length, so it is told by counting.
fn read(mut stream: TcpStream, requests: u32, due: impl Fn(u32) -> Instant) -> Result<Vec<Duration>> {
    let mut latencies = Vec::with_capacity(requests as usize);
    let mut buffer = vec![0; 64 << 10];
    let mut bytes = 0;
    for request in 0..requests {
        while bytes < ANSWER_BYTES {
            match stream.read(&mut buffer)? {
                0 => anyhow::bail!("the server hung up"),
                read => bytes += read,
            }
        }
        latencies.push(due(request).elapsed());
        bytes -= ANSWER_BYTES;
    }
    ensure!(bytes == 0, "an answer is of another length");
    Ok(latencies)
}
