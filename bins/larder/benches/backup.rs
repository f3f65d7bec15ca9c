//! Backups and restores as whole processes, against what operators do without Larder, on the same server in the same run.
//!
//! ```text
//! cargo bench -p larder --bench backup
//! ```
//!
//! A server of its own is started on the loopback (the first of `LARDER_TEST_SERVERS`, or of `PATH`) with the data of a query
//! cache, and everything is done in turns. Set by the environment:
//!
//! - `LARDER_BENCH_KEYS`: 300,000; 5,000,000 make an RDB file of 2 GB;
//! - `LARDER_BENCH_LEVEL`: how hard `larder backup create` compresses; its own default where it is not set;
//! - `LARDER_BENCH_ROUNDS`: how often everything is done, 3, of which the median counts.
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use larder_test_support::{TestServer, server_programs, write_query_cache};

/// The program that is measured.
const LARDER: &str = env!("CARGO_BIN_EXE_larder");

/// What one way took, each time it was gone.
struct Way {
    name: &'static str,
    took: Vec<Duration>,
    bytes: u64,
    peak_kib: u64,
}

/// Where everything is.
struct Bench {
    server: TestServer,
    cli: PathBuf,
    folder: tempfile::TempDir,
}

fn main() -> Result<()> {
    let number = |name: &str, default: u64| -> u64 {
        env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
    };
    let (keys, rounds) = (number("LARDER_BENCH_KEYS", 300_000), number("LARDER_BENCH_ROUNDS", 3));
    let Some(program) = server_programs().into_iter().next() else {
        println!("skipped: there is no server");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("data.rdb");
    write_query_cache(&file, keys)?;
    // Servers hold back a diskless fork so that more replicas may come; that is waited for by all ways alike, and says nothing.
    let mut server = TestServer::builder(&program).config("repl-diskless-sync-delay 0").start()?;
    server.kill()?;
    fs::rename(&file, server.folder().join("dump.rdb"))?;
    server.restart()?;
    server.finish_loading()?;
    let found: u64 = server.run(&["DBSIZE"])?;
    ensure!(found == keys, "the server has {found} keys instead of {keys}");
    let cli = program.path.with_file_name(format!("{}-cli", program.product));
    println!("{program}, {keys} keys, {rounds} rounds");
    let bench = Bench { server, cli, folder };
    for way in bench.run(rounds)? {
        way.print();
    }
    println!("{:36} {:>11} {:5} MB", "gzip -1 of the same file", "", bench.gzip_1_bytes()? / 1_000_000);
    Ok(())
}

impl Bench {
    fn run(&self, rounds: u64) -> Result<Vec<Way>> {
        let mut ways = [
            "redis-cli --rdb to /dev/null",
            "redis-cli --rdb - | zstd -1 -T0",
            "larder backup create --rate max",
            "BGSAVE, copy, gzip",
            "larder restore --to URL --rate max",
        ]
        .map(|name| Way { name, took: Vec::new(), bytes: 0, peak_kib: 0 });
        for _ in 0..rounds {
            let [bare, piped, ours, guide, restored] = &mut ways;
            Self::time(bare, || Self::shell(&format!("{} --rdb - > /dev/null", self.client())).map(drop))?;
            self.settle()?;
            Self::time(piped, || {
                Self::shell(&format!(
                    "{} --rdb - | zstd -q -1 -T0 -f -o {}",
                    self.client(),
                    self.path("piped.zst")
                ))
                .map(drop)
            })?;
            piped.bytes = fs::metadata(self.folder.path().join("piped.zst"))?.len();
            let repository = self.folder.path().join("repository");
            if repository.exists() {
                fs::remove_dir_all(&repository)?;
            }
            let url = self.server.url();
            let level = env::var("LARDER_BENCH_LEVEL").map(|level| format!(" --level {level}"));
            let create = format!(
                "--cache {url} backup create --rate max --source replication --repository {}{}",
                repository.display(),
                level.unwrap_or_default()
            );
            self.settle()?;
            self.time_larder(ours, &create)?;
            ours.bytes = largest(&repository)?;
            self.settle()?;
            Self::time(guide, || self.as_the_guide_does())?;
            guide.bytes = fs::metadata(self.folder.path().join("guide.rdb.gz"))?.len();
            let target = TestServer::start(self.server.program())?;
            let restore = format!(
                "restore latest --repository {} --to {} --apply --rate max --no-safety-backup",
                repository.display(),
                target.url()
            );
            self.time_larder(restored, &restore)?;
        }
        Ok(ways.into_iter().collect())
    }

    fn client(&self) -> String {
        format!("{} -p {}", self.cli.display(), self.server.port())
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Waits until the server has no fork left of the way before.
    fn settle(&self) -> Result<()> {
        while self.server.run::<String>(&["INFO", "persistence"])?.contains("rdb_bgsave_in_progress:1") {
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn time(way: &mut Way, work: impl FnOnce() -> Result<()>) -> Result<()> {
        let begun = Instant::now();
        work().with_context(|| way.name)?;
        way.took.push(begun.elapsed());
        Ok(())
    }

    /// Runs Larder, and notes the most memory that it took.
    fn time_larder(&self, way: &mut Way, words: &str) -> Result<()> {
        let begun = Instant::now();
        let mut child = Command::new(LARDER)
            .args(["-q"])
            .args(words.split(' '))
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .spawn()?;
        let status = PathBuf::from(format!("/proc/{}/status", child.id()));
        let ended = loop {
            if let Some(ended) = child.try_wait()? {
                break ended;
            }
            way.peak_kib = way.peak_kib.max(peak_kib(&status).unwrap_or(0));
            std::thread::sleep(Duration::from_millis(20));
        };
        way.took.push(begun.elapsed());
        ensure!(ended.success(), "larder {words}: {ended}");
        Ok(())
    }

    fn shell(line: &str) -> Result<()> {
        let status =
            Command::new("sh").args(["-c", line]).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        ensure!(status.success(), "{line}: {status}");
        Ok(())
    }

    /// Its script waits ten seconds whether the save ends earlier or later; here it is waited for.
    fn as_the_guide_does(&self) -> Result<()> {
        let before: i64 = self.server.run(&["LASTSAVE"])?;
        // LASTSAVE counts in seconds.
        while self.server.run::<Vec<String>>(&["TIME"])?[0].parse::<i64>()? <= before {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.server.run::<String>(&["BGSAVE"])?;
        while self.server.run::<i64>(&["LASTSAVE"])? == before {
            std::thread::sleep(Duration::from_millis(10));
        }
        let copy = self.folder.path().join("guide.rdb");
        fs::copy(self.server.folder().join("dump.rdb"), &copy)?;
        Self::shell(&format!("gzip -f {}", copy.display()))
    }
}

impl Bench {
    /// What `gzip -1` makes of the server's own file.
    fn gzip_1_bytes(&self) -> Result<u64> {
        let (file, packed) = (self.server.folder().join("dump.rdb"), self.path("gzip-1.gz"));
        Self::shell(&format!("gzip -1 -c {} > {packed}", file.display()))?;
        Ok(fs::metadata(packed)?.len())
    }
}

impl Way {
    fn print(mut self) {
        self.took.sort_unstable();
        let (Some(least), Some(greatest)) = (self.took.first(), self.took.last()) else { return };
        let median = self.took[self.took.len() / 2];
        println!(
            "{:36} {:8.2} s ({:.2} to {:.2}), {:5} MB, peak {} MiB",
            self.name,
            median.as_secs_f64(),
            least.as_secs_f64(),
            greatest.as_secs_f64(),
            self.bytes / 1_000_000,
            self.peak_kib >> 10
        );
    }
}

/// The most memory that a process had at once.
fn peak_kib(status: &Path) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok())
}

/// The bytes of the largest file in a folder, however deep.
fn largest(folder: &Path) -> Result<u64> {
    let mut most = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        most = most.max(if path.is_dir() { largest(&path)? } else { fs::metadata(&path)?.len() });
    }
    Ok(most)
}
