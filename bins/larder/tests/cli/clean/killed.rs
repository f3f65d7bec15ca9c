//! Ended in the middle, from outside (SIGKILL) and by the operator (Ctrl-C).

use std::{collections::BTreeSet, fs, os::unix::process::ExitStatusExt, process::Stdio};

use anyhow::{Context, Result, ensure};
use larder_keyspace::{Error, UndoFile};
use larder_test_support::{Fate, ServerProgram, on_every_server, server_programs};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::process::{Pid, Signal, kill_process};

use super::{Before, Seeded, count, while_it_runs};
use crate::larder::Run;

/// Enough for two batches of 1,000 keys that are kept with one wait for the disk.
const KEYS: u64 = 6_000;
const RATE: &str = "6000";
const KILLS: usize = 20;

/// When it is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// So many keys are gone from the cache.
    Gone(u64),
    /// The undo file has so many bytes.
    Written(u64),
}

fn moments(seed: u64, kills: usize, orphans: u64, file_bytes: u64) -> Vec<Moment> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let moment = |number| match number % 2 {
        0 => Moment::Gone(random.random_range(1..orphans * 9 / 10)),
        _ if number == 1 => Moment::Written(0),
        _ => Moment::Written(random.random_range(0..file_bytes * 9 / 10)),
    };
    (0..kills).map(moment).collect()
}

fn words(file: &str) -> [&str; 10] {
    ["--output", "json", "clean", "--policy", "guide", "--apply", "--undo-file", file, "--rate", RATE]
}

/// Kills a run, and looks whether what it did can be given back.
fn killed(cache: &Seeded, before: &Before, moment: Moment, name: &str) -> Result<()> {
    let mut command = cache.larder.command(&words(name));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let file = cache.file(name);
    let reached = while_it_runs(&mut child, "the moment", || {
        Ok(match moment {
            Moment::Gone(keys) => cache.keys()? + keys <= KEYS,
            Moment::Written(bytes) => fs::metadata(&file).is_ok_and(|file| file.len() >= bytes),
        })
    });
    child.kill()?;
    let status = child.wait()?;
    reached?;
    ensure!(status.signal() == Some(9), "it was not killed but ended with {status}");

    let changed = before.changed(cache)?;
    let kept = match UndoFile::open(&file) {
        Ok(kept) => kept,
        Err(Error::NothingKept { .. }) => {
            ensure!(changed.is_empty(), "{} keys were changed, and none was kept", changed.len());
            let run = cache.larder.ends(1, &["undo", name, "--apply"])?;
            run.says("had changed nothing by then")?;
            return before.is_again(cache);
        }
        Err(error) => return Err(error.into()),
    };
    let names: BTreeSet<Vec<u8>> = kept.names()?.into_iter().map(|(_, key)| key).collect();
    let lost: Vec<&String> = changed.iter().filter(|name| !names.contains(name.as_bytes())).collect();
    ensure!(lost.is_empty(), "{} of {} changed keys were not kept: {:?}", lost.len(), changed.len(), lost[0]);
    if let Moment::Gone(keys) = moment {
        ensure!(changed.len() as u64 >= keys, "{} keys were changed", changed.len());
    }
    cache.undoes(name, before)
}

fn kills_on(program: &ServerProgram) -> (u64, usize) {
    let programs = server_programs();
    let number = programs.iter().position(|other| other == program).unwrap_or(0);
    (number as u64, KILLS.div_ceil(programs.len()))
}

#[tokio::test]
async fn killed_at_twenty_moments_no_key_is_gone_that_the_undo_file_does_not_hold() {
    on_every_server(async |program| {
        let cache = Seeded::start(program, KEYS)?;
        let before = Before::of(&cache)?;
        cache.larder.ends(0, &["clean", "--policy", "guide", "--apply", "--undo-file", "whole.rdb"])?;
        let file_bytes = fs::metadata(cache.file("whole.rdb"))?.len();
        cache.undoes("whole.rdb", &before)?;
        let (seed, kills) = kills_on(program);
        let moments = moments(seed, kills, count(KEYS, Fate::Orphan), file_bytes);
        for (number, moment) in moments.into_iter().enumerate() {
            killed(&cache, &before, moment, &format!("{number}.rdb"))
                .with_context(|| format!("kill {number} at {moment:?}"))?;
        }
        Ok(())
    })
    .await;
}

/// Presses Ctrl-C at a moment, and gives what the run said.
fn interrupted(
    cache: &Seeded,
    words: &[&str],
    what: &str,
    moment: impl FnMut() -> Result<bool>,
) -> Result<Run> {
    let mut command = cache.larder.command(words);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let reached = while_it_runs(&mut child, what, moment);
    kill_process(Pid::from_child(&child), Signal::INT)?;
    let run = Run::try_from(child.wait_with_output()?)?;
    reached?;
    ensure!(run.code == 4, "{run:#?}");
    run.says("stopped before the last key")?;
    Ok(run)
}

#[tokio::test]
async fn ctrl_c_ends_it_between_two_steps_and_it_says_what_was_done() {
    on_every_server(async |program| {
        let cache = Seeded::start(program, KEYS)?;
        let before = Before::of(&cache)?;
        let gone = || Ok(cache.keys()? + 50 <= KEYS);
        let done = interrupted(&cache, &words("u.rdb"), "keys to be gone", gone)?.json()?;
        let changed = before.changed(&cache)?.len() as u64;
        ensure!(done["stopped"] == true && done["changed_keys"] == changed, "{changed} of {done:#}");
        ensure!(done["planned_keys"].as_u64() > Some(changed), "it went on to the end: {done:#}");
        ensure!(done["refused"].is_null() && done["kept_keys"] == changed, "{done:#}");
        let kept = UndoFile::open(cache.file("u.rdb"))?;
        ensure!(kept.is_whole() && kept.keys() == changed, "{} of {changed} were kept", kept.keys());

        // Giving back can be ended as well, and goes on where it was.
        let left = cache.keys()?;
        let back = || Ok(cache.keys()? > left + 10);
        let words = ["--output", "json", "undo", "u.rdb", "--apply", "--rate", "100"];
        let undone = interrupted(&cache, &words, "keys to be back", back)?.json()?;
        ensure!(undone["stopped"] == true && undone["failed"] == 0, "{undone:#}");
        ensure!(undone["restored"] == cache.keys()? - left, "{undone:#}");
        cache.undoes("u.rdb", &before)
    })
    .await;
}

#[tokio::test]
async fn ctrl_c_while_it_looks_changes_nothing() {
    on_every_server(async |program| {
        let cache = Seeded::start(program, KEYS)?;
        let before = Before::of(&cache)?;
        let scans = || Ok(cache.server.run::<String>(&["CLIENT", "LIST"])?.contains("cmd=scan"));
        let words = ["--output", "json", "clean", "--policy", "guide", "--apply", "--undo-file", "u.rdb"];
        let words = [words.as_slice(), &["--rate", "100"]].concat();
        let done = interrupted(&cache, &words, "a sweep", scans)?.json()?;
        ensure!(done["stopped"] == true && done["changed_keys"] == 0, "{done:#}");
        ensure!(!cache.file("u.rdb").exists(), "an undo file with nothing in it");
        before.is_again(&cache)
    })
    .await;
}
