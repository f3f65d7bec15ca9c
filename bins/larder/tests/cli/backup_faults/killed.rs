//! Killed (SIGKILL) at twenty moments, spread over the whole of each run.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use larder_test_support::{TestServer, seed};

use super::{Kept, Killer, files, ids, leftovers_go, one_program, shares};

const KILLS: usize = 20;
const CREATE: [&str; 4] = ["backup", "create", "--rate", "max"];

fn copy(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    ensure!(status.success(), "cp ended with {status}");
    Ok(())
}

#[test]
fn killed_while_it_makes_a_backup() -> Result<()> {
    let kept = Kept::start(&one_program(), 20_000)?;
    let first = kept.create()?;
    let mut killer = Killer::of(&kept.larder, &CREATE)?;
    let mut good = kept.sound()?;
    ensure!(good.len() == 2 && good.contains(&first));
    for share in shares(1, KILLS) {
        killer.kill_at(share)?;
        let listed = ids(&kept.list()?);
        let lost: Vec<_> = good.iter().filter(|id| !listed.contains(id)).collect();
        ensure!(lost.is_empty(), "{lost:?} are gone after a kill at {share:.2}");
        for id in listed.iter().filter(|id| !good.contains(id)) {
            kept.verify(id).with_context(|| format!("killed at {share:.2}"))?;
        }
        good = listed;
    }
    ensure!(killer.kills >= KILLS / 2, "{} kills met a run that was alive", killer.kills);
    kept.verify(&kept.create()?)?;
    leftovers_go(&kept.repository())?;
    let left: Vec<PathBuf> = files(&kept.repository())?
        .into_iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "part"))
        .collect();
    ensure!(left.is_empty(), "{left:?}");
    ensure!(kept.sound()?.len() == good.len() + 1);
    Ok(())
}

#[test]
fn killed_while_it_prunes() -> Result<()> {
    let kept = Kept::start(&one_program(), 50)?;
    for _ in 0..6 {
        kept.create()?;
    }
    let all = kept.sound()?;
    let (stay, _) = all.split_at(2);
    let (repository, whole_copy) = (kept.repository(), kept.larder.folder().join("whole"));
    copy(&repository, &whole_copy)?;
    let prune = ["backup", "prune", "--keep-last", "2", "--apply"];
    let mut killer = Killer::of(&kept.larder, &prune)?;
    ensure!(kept.sound()? == stay, "the newest two stay");
    for share in shares(2, KILLS) {
        fs::remove_dir_all(&repository)?;
        copy(&whole_copy, &repository)?;
        killer.kill_at(share)?;
        let listed = kept.list()?;
        ensure!(listed["damaged"] == serde_json::json!([]), "{listed:#}");
        for backup in listed["backups"].as_array().into_iter().flatten() {
            ensure!(backup["problems"] == serde_json::json!([]), "killed at {share:.2}: {backup:#}");
        }
        ensure!(ids(&listed).starts_with(stay), "killed at {share:.2}: {listed:#}");
        kept.larder.ends(0, &prune)?;
        ensure!(kept.sound()? == stay);
        leftovers_go(&repository)?;
        let of_others: Vec<PathBuf> = files(&repository)?
            .into_iter()
            .filter(|path| !stay.iter().any(|id| path.parent().is_some_and(|folder| folder.ends_with(id))))
            .collect();
        ensure!(of_others.is_empty(), "{of_others:?}");
    }
    ensure!(killer.kills >= KILLS / 2, "{} kills met a run that was alive", killer.kills);
    Ok(())
}

/// What is in the cache before the restore.
fn fill_before(target: &TestServer) -> Result<()> {
    target.run::<()>(&["FLUSHALL"])?;
    let mut pipeline = redis::pipe();
    for number in 0..BEFORE {
        pipeline.set(format!("before:{number}"), number).ignore();
    }
    Ok(pipeline.query(&mut target.admin()?)?)
}

const BEFORE: u64 = 100;

#[test]
fn killed_while_it_restores_into_a_cache() -> Result<()> {
    let kept = Kept::start(&one_program(), 4_000)?;
    let id = kept.create()?;
    let keys = kept.keys()? + BEFORE;
    let target = TestServer::builder(&one_program()).config("enable-debug-command yes").start()?;
    let url = target.url();
    // Slowly enough for a kill to come between two keys.
    let words = ["restore", &id, "--to", &url, "--apply", "--rate", "10000"];
    fill_before(&target)?;
    let mut killer = Killer::of(&kept.larder, &words)?;
    let digest: String = target.run(&["DEBUG", "DIGEST"])?;
    ensure!(target.run::<u64>(&["DBSIZE"])? == keys);
    let mut in_part = 0;
    let mut known = ids(&kept.list()?);
    for share in shares(3, KILLS) {
        fill_before(&target)?;
        killer.kill_at(share)?;
        let there: u64 = target.run(&["DBSIZE"])?;
        in_part += usize::from(there > BEFORE && there < keys);
        kept.larder.ends(0, &words).with_context(|| format!("killed at {share:.2}"))?;
        ensure!(target.run::<String>(&["DEBUG", "DIGEST"])? == digest, "killed at {share:.2}");

        let listed = kept.list()?;
        let new =
            listed["backups"].as_array().into_iter().flatten().filter(|backup| {
                backup["id"].as_str().is_some_and(|id| !known.iter().any(|known| known == id))
            });
        let holds_what_was_there = |backup: &serde_json::Value| {
            let manifest = &backup["manifest"];
            manifest["kind"]["safety"]["before_restore_of"] == id.as_str()
                && manifest["counts"]["keys"] == BEFORE
        };
        ensure!(
            new.clone().any(holds_what_was_there),
            "killed at {share:.2}, the way back is gone: {listed:#}"
        );
        for backup in new {
            kept.verify(backup["id"].as_str().context("an id")?)?;
        }
        known = ids(&listed);
    }
    ensure!(killer.kills >= KILLS / 2, "{} kills met a run that was alive", killer.kills);
    ensure!(in_part > 0, "no kill came between two keys");
    leftovers_go(&kept.repository())
}

#[test]
fn killed_while_it_swaps_the_data_of_a_folder() -> Result<()> {
    let kept = Kept::start(&one_program(), 20_000)?;
    kept.create()?;
    // The data folder of a server that is stopped.
    let mut other = TestServer::builder(&one_program()).start()?;
    seed(&mut other.admin()?, 300)?;
    other.run::<()>(&["SAVE"])?;
    other.kill()?;
    let folder = other.folder().to_path_buf();
    let dump = folder.join("dump.rdb");
    let old = fs::read(&dump)?;
    let text = folder.display().to_string();
    let words = ["restore", "--to-folder", &text, "--swap", "--apply"];
    let mut killer = Killer::of(&kept.larder, &words)?;
    let new = fs::read(&dump)?;
    ensure!(old != new);
    let mut swapped = 0;
    for share in shares(4, KILLS) {
        for path in asides(&folder)? {
            fs::remove_dir_all(path)?;
        }
        fs::write(&dump, &old)?;
        killer.kill_at(share)?;
        let there = fs::read(&dump)?;
        ensure!(
            there == old || there == new,
            "killed at {share:.2}, it is neither the old dump nor the new one"
        );
        swapped += usize::from(there == new);
        other.restart()?;
        let keys: u64 = other.run(&["DBSIZE"])?;
        other.kill()?;
        ensure!(keys == if there == new { 20_000 } else { 300 }, "{keys} keys");

        kept.larder.ends(0, &words).with_context(|| format!("killed at {share:.2}"))?;
        ensure!(fs::read(&dump)? == new);
        let mut kept_old = asides(&folder)?.into_iter().map(|aside| fs::read(aside.join("dump.rdb")).ok());
        ensure!(
            kept_old.any(|bytes| bytes.as_ref() == Some(&old)),
            "killed at {share:.2}, the old dump is gone"
        );
        ensure!(!folder.join(".larder-restore").exists(), "what the killed run put together is left");
    }
    let kills = killer.kills;
    ensure!(kills >= KILLS / 2, "{kills} kills met a run that was alive, and {swapped} swaps were done");
    Ok(())
}

/// Where data was put aside.
fn asides(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("before-") {
            found.push(entry.path());
        }
    }
    Ok(found)
}
