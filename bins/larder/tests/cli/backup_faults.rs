//! `larder backup`, `larder restore` and `larder drill` where something goes wrong.

mod at_once;
mod disk;
mod input;
mod interrupted;
mod into_folder;
mod killed;
mod lost;
mod scratch;
mod secrets;

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use chrono::{TimeDelta, Utc};
use larder_backup::{Repository, RepositoryUrl, StorageOptions};
use larder_test_support::{ServerProgram, TestServer, seed, server_programs, until};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::larder::{Larder, Run};

/// A server with the first keys of the keyspace, and the binary with a repository in its folder.
struct Kept {
    server: TestServer,
    larder: Larder,
}

impl Kept {
    fn start(program: &ServerProgram, keys: u64) -> Result<Self> {
        let server = TestServer::builder(program).config("enable-debug-command yes").start()?;
        seed(&mut server.admin()?, keys)?;
        let larder = Larder::of(&server.url()).with("LARDER_REPOSITORY", "kept");
        Ok(Self { server, larder })
    }

    fn keys(&self) -> Result<u64> {
        self.server.run(&["DBSIZE"])
    }

    fn repository(&self) -> PathBuf {
        self.larder.folder().join("kept")
    }

    /// Makes a backup that nothing disturbs.
    fn create(&self) -> Result<String> {
        let made = self.larder.ends(0, &["--output", "json", "backup", "create", "--rate", "max"])?.json()?;
        Ok(made["id"].as_str().context("an id")?.to_owned())
    }

    fn list(&self) -> Result<Value> {
        self.larder.ends(0, &["--output", "json", "backup", "list"])?.json()
    }

    /// What is listed; each of it must be sound.
    fn sound(&self) -> Result<Vec<String>> {
        let listed = self.list()?;
        ensure!(listed["damaged"] == serde_json::json!([]), "{listed:#}");
        ids(&listed).into_iter().map(|id| self.verify(&id).map(|()| id)).collect()
    }

    fn verify(&self, id: &str) -> Result<()> {
        self.larder.ends(0, &["backup", "verify", id, "--rate", "max"]).map(drop)
    }

    /// Nothing is listed, and no file is left.
    fn holds_nothing(&self) -> Result<()> {
        let left = files(&self.repository())?;
        ensure!(left.is_empty(), "{left:?} are left");
        if self.repository().exists() {
            ensure!(ids(&self.list()?).is_empty(), "something is listed");
        }
        Ok(())
    }

    /// Slows down every image: so many microseconds a key.
    fn save_slowly(&self, microseconds: u32) -> Result<()> {
        self.server.run::<()>(&["CONFIG", "SET", "rdb-key-save-delay", &microseconds.to_string()])
    }

    fn is_saving(&self) -> Result<bool> {
        Ok(self.server.info("rdb_bgsave_in_progress")?.is_some_and(|flag| flag == "1"))
    }
}

fn ids(listed: &Value) -> Vec<String> {
    let backups = listed["backups"].as_array().into_iter().flatten();
    backups.filter_map(|backup| backup["id"].as_str()).map(str::to_owned).collect()
}

/// All files under a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

/// A day later, what killed writers left behind goes, and nothing else.
fn leftovers_go(repository: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let repository = Repository::open(&RepositoryUrl::folder(repository), &StorageOptions::default())?;
    runtime.block_on(async {
        let before = repository.list().await?;
        let later = Utc::now() + TimeDelta::hours(25);
        let cleared = repository.remove_leftovers(later).await?;
        ensure!(cleared.failed.is_empty(), "{cleared:?}");
        let after = repository.list().await?;
        ensure!(after.unfinished.is_empty() && after.foreign == 0, "{after:?}");
        ensure!(before.backups.len() == after.backups.len(), "a backup went with them");
        ensure!(repository.leftovers(later).await?.is_empty());
        Ok(())
    })
}

/// The moments of the kills of a test: shares of how long it runs.
fn shares(seed: u64, kills: usize) -> Vec<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    // One in each slice of its time, so that no part of it is missed.
    #[expect(clippy::cast_precision_loss, reason = "some twenty kills")]
    let share = |kill| (kill as f64 + random.random_range(0.0..1.0)) / kills as f64;
    (0..kills).map(share).collect()
}

/// Kills runs of a command at parts of the time that it takes.
struct Killer<'a> {
    larder: &'a Larder,
    words: &'a [&'a str],
    /// How long a whole run takes, as far as is known: other work of the machine makes it longer or shorter.
    whole: Duration,
    kills: usize,
}

impl<'a> Killer<'a> {
    /// Runs it to the end once.
    fn of(larder: &'a Larder, words: &'a [&'a str]) -> Result<Self> {
        let begun = Instant::now();
        larder.ends(0, words)?;
        Ok(Self { larder, words, whole: begun.elapsed(), kills: 0 })
    }

    /// Kills a run after this share of its time, unless it has ended before.
    fn kill_at(&mut self, share: f64) -> Result<()> {
        let mut child =
            self.larder.command(self.words).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let begun = Instant::now();
        let until = begun + self.whole.mul_f64(share);
        while Instant::now() < until && child.try_wait()?.is_none() {
            thread::sleep(Duration::from_millis(1).min(until.saturating_duration_since(Instant::now())));
        }
        let took = begun.elapsed();
        child.kill()?;
        let status = child.wait()?;
        ensure!(status.signal() == Some(9) || status.success(), "it ended with {status}");
        if status.success() {
            self.whole = took;
        } else {
            self.kills += 1;
        }
        Ok(())
    }
}

/// Starts a run whose words are read later.
fn started(larder: &Larder, words: &[&str]) -> Result<Child> {
    Ok(larder.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
}

/// Waits for a moment in the life of a run, and does something to it then.
fn at_the_moment(
    mut child: Child,
    what: &str,
    mut is_there: impl FnMut() -> Result<bool>,
    act: impl FnOnce(&Child) -> Result<()>,
) -> Result<Run> {
    let reached = until(what, || match child.try_wait()? {
        Some(status) => Ok(Some(Err(anyhow::anyhow!("it ended with {status} before {what}")))),
        None => Ok(is_there()?.then_some(Ok(()))),
    });
    if let Err(error) = reached.and_then(|reached| reached) {
        child.kill()?;
        return Err(error.context(format!("{:#?}", child.wait_with_output()?)));
    }
    act(&child)?;
    Run::try_from(child.wait_with_output()?)
}

fn press_ctrl_c(child: &Child) -> Result<()> {
    Ok(kill_process(Pid::from_child(child), Signal::INT)?)
}

/// Faults are the same on every server: the oldest and the newest will do.
fn two_programs() -> Vec<ServerProgram> {
    let mut programs = server_programs();
    let last = programs.pop();
    programs.into_iter().take(1).chain(last).collect()
}

fn one_program() -> ServerProgram {
    server_programs().remove(0)
}
