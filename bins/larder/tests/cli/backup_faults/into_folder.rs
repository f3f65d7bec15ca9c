//! Restores into a folder: what is refused before anything is done, and what is said when it fails.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};

use super::{Kept, at_the_moment, files, one_program, started};
use crate::larder::Run;

/// A cache with a backup that holds two configuration files.
fn kept() -> Result<(Kept, String)> {
    let kept = Kept::start(&one_program(), 500)?;
    fs::create_dir(kept.larder.folder().join("etc"))?;
    kept.larder.write("etc/a.conf", "a = new");
    kept.larder.write("etc/b.conf", "b = new");
    kept.larder.configure("[backup]\nconfiguration = [\"etc/*.conf\"]\nreport_folder = \"reports\"\n");
    let id = kept.create()?;
    Ok((kept, id))
}

/// The newest recovery report.
fn report(kept: &Kept) -> Result<String> {
    let newest = files(&kept.larder.folder().join("reports"))?.into_iter().max().context("a report")?;
    Ok(fs::read_to_string(newest)?)
}

fn damage(kept: &Kept, id: &str) -> Result<()> {
    let image = kept.repository().join(format!("backups/{id}/shard-0.rdb.zst"));
    let mut bytes = fs::read(&image)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    Ok(fs::write(image, bytes)?)
}

#[test]
fn the_plan_reads_the_backup_whole() -> Result<()> {
    let (kept, id) = kept()?;
    kept.larder.ends(0, &["restore", "--to-folder", "data"])?.says("would be written: 500 keys")?;
    damage(&kept, &id)?;
    let run = kept.larder.ends(1, &["restore", "--to-folder", "data"])?;
    run.says("another SHA-256")?;
    ensure!(!kept.larder.folder().join("data").exists(), "a plan changes nothing");
    ensure!(files(&kept.larder.folder().join("reports"))?.is_empty(), "no recovery was tried");
    Ok(())
}

#[test]
fn a_recovery_that_fails_is_reported() -> Result<()> {
    let (kept, id) = kept()?;
    damage(&kept, &id)?;
    for target in [["--to-folder", "data"], ["--to", &kept.server.url()]] {
        let folder = kept.larder.folder().join("reports");
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        kept.larder.ends(1, &[&["restore", "--apply"][..], &target].concat())?.says("recovery report: ")?;
        let report = report(&kept)?;
        ensure!(report.contains("Status: FAILED") && report.contains("Error: "), "{report}");
        ensure!(report.contains(&id) && report.contains("Target: "), "{report}");
    }
    ensure!(!kept.larder.folder().join("data").exists(), "what was made for it is gone");
    Ok(())
}

#[test]
fn other_dumps_in_the_folder_are_refused() -> Result<()> {
    let (kept, _) = kept()?;
    fs::create_dir(kept.larder.folder().join("data"))?;
    kept.larder.write("data/cache.rdb", "old");
    for words in
        [&["restore", "--to-folder", "data", "--swap"][..], &["restore", "--to-folder", "data", "--apply"]]
    {
        let run = kept.larder.ends(1, words)?;
        run.says("data/cache.rdb is there: a server whose dbfilename says so would boot with it")?;
        run.says("move it away")?;
    }
    ensure!(files(&kept.larder.folder().join("data"))?.len() == 1);
    ensure!(report(&kept)?.contains("Refused: "), "a recovery that is refused is none");
    Ok(())
}

#[test]
fn a_rate_is_none_of_a_folder() -> Result<()> {
    let (kept, _) = kept()?;
    kept.larder.ends(2, &["restore", "--to-folder", "data", "--rate", "max"])?.says("--rate")?;
    Ok(())
}

#[test]
fn two_restores_into_one_folder_at_once() -> Result<()> {
    let kept = Kept::start(&one_program(), 60_000)?;
    kept.create()?;
    let words = ["restore", "--to-folder", "data", "--apply"];
    let staged = kept.larder.folder().join("data/.larder-restore/shard-0.rdb");
    let mut second = None;
    let first = at_the_moment(
        started(&kept.larder, &words)?,
        "the copy",
        || Ok(staged.exists()),
        |_| {
            second = Some(kept.larder.run(&words)?);
            Ok(())
        },
    )?;
    let second: Run = second.context("a second run")?;
    ensure!(first.code == 0, "{first:#?}");
    ensure!(second.code == 1, "{second:#?}");
    second.says("is under way")?;
    second.says("wait until it has ended, or name another folder")?;
    let left = fs::read_dir(kept.larder.folder().join("data"))?.map(|entry| Ok(entry?.file_name()));
    let left: Vec<_> = left.collect::<Result<_>>()?;
    ensure!(!left.iter().any(|name| name.to_string_lossy().starts_with(".larder")), "{left:?}");
    Ok(())
}

#[test]
fn configuration_files_are_placed_and_what_is_there_is_put_aside() -> Result<()> {
    let (kept, id) = kept()?;
    let read = |path: &Path| fs::read_to_string(path).with_context(|| path.display().to_string());
    let to = kept.larder.folder().join("conf");
    fs::create_dir_all(to.join("etc"))?;
    kept.larder.write("conf/etc/a.conf", "a = old");
    let words = ["restore", "--to-folder", "data", "--configuration-to", "conf"];
    for more in [&[][..], &["--apply"]] {
        let run = kept.larder.ends(1, &[&words[..], more].concat())?;
        run.says("conf/etc/a.conf is there: put it aside with --swap")?;
    }
    ensure!(read(&to.join("etc/a.conf"))? == "a = old" && !to.join("etc/b.conf").exists());

    let swapping = [&words[..], &["--swap"]].concat();
    let plan = kept.larder.ends(0, &swapping)?;
    plan.says("configuration conf/etc/b.conf would be written")?;
    plan.says("what is there put into conf/before-")?;
    let done = kept.larder.ends(0, &[&swapping[..], &["--apply"]].concat())?;
    done.says("what was there is now in conf/before-")?;
    ensure!(read(&to.join("etc/a.conf"))? == "a = new" && read(&to.join("etc/b.conf"))? == "b = new");
    let entries = fs::read_dir(&to)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let aside = entries.into_iter().find(|path| path.to_string_lossy().contains("before-"));
    let aside = aside.context("what was put aside")?;
    ensure!(read(&aside.join("etc/a.conf"))? == "a = old");
    let folder = kept.larder.folder().join("data");
    ensure!(folder.join("dump.rdb").is_file() && !folder.join(format!("restored-config-{id}")).exists());
    ensure!(report(&kept)?.contains("Written: conf/etc/a.conf"), "{}", report(&kept)?);
    Ok(())
}
