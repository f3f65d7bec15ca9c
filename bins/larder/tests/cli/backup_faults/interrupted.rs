//! Ended by the operator (Ctrl-C).

use anyhow::{Result, ensure};
use larder_test_support::TestServer;

use super::{Kept, at_the_moment, one_program, press_ctrl_c, started, two_programs};

#[test]
fn ctrl_c_while_an_image_is_taken_leaves_nothing() -> Result<()> {
    for program in two_programs() {
        let kept = Kept::start(&program, 20_000)?;
        kept.save_slowly(300)?;
        let child = started(&kept.larder, &["backup", "create", "--rate", "max"])?;
        let run = at_the_moment(child, "an image", || kept.is_saving(), press_ctrl_c)?;
        ensure!(run.code == 1, "{run:#?}");
        run.says("stopped before the end")?;
        kept.holds_nothing()?;
        kept.save_slowly(0)?;
        kept.verify(&kept.create()?)?;
    }
    Ok(())
}

#[test]
fn ctrl_c_while_keys_are_brought_back_says_what_was_done() -> Result<()> {
    for program in two_programs() {
        let kept = Kept::start(&program, 6_000)?;
        kept.create()?;
        let target = TestServer::start(&program)?;
        target.run::<()>(&["SET", "before", "1"])?;
        let there = || target.run::<u64>(&["DBSIZE"]);
        let url = target.url();
        let words = ["--output", "json", "restore", "--to", &url, "--apply"];
        let slowly = [words.as_slice(), &["--rate", "1000"]].concat();
        let child = started(&kept.larder, &slowly)?;
        let run = at_the_moment(child, "some keys", || Ok(there()? > 200), press_ctrl_c)?;
        ensure!(run.code == 4, "{run:#?}");
        let done = run.json()?;
        let outcome = &done["outcome"];
        ensure!(outcome["stopped"] == true && outcome["restored"] == there()? - 1, "{}: {done:#}", there()?);
        ensure!(
            outcome["failed"] == 0 && outcome["ended_by"].is_null(),
            "it was stopped, and nothing broke: {done:#}"
        );
        ensure!(done["verified"].is_null() && done["safety_backup"].is_string(), "{done:#}");
        run.says("the same command goes on")?;
        let again = kept.larder.ends(0, &[words.as_slice(), &["--rate", "max"]].concat())?.json()?;
        ensure!(again["outcome"]["there_already"] == outcome["restored"], "{again:#}");
        ensure!(there()? == 6_001);
    }
    Ok(())
}

#[test]
fn ctrl_c_while_the_safety_backup_is_made_changes_nothing() -> Result<()> {
    let kept = Kept::start(&one_program(), 1_000)?;
    let id = kept.create()?;
    let target = Kept::start(&one_program(), 20_000)?;
    target.save_slowly(300)?;
    let url = target.server.url();
    let child = started(&kept.larder, &["restore", &id, "--to", &url, "--apply", "--rate", "max"])?;
    let run = at_the_moment(child, "an image", || target.is_saving(), press_ctrl_c)?;
    ensure!(run.code == 1, "{run:#?}");
    run.says("stopped before the end")?;
    run.hides("--no-safety-backup")?;
    ensure!(target.keys()? == 20_000 && kept.sound()? == [id]);
    Ok(())
}

#[test]
fn ctrl_c_while_a_folder_is_filled_leaves_it_as_it_was() -> Result<()> {
    let kept = Kept::start(&one_program(), 20_000)?;
    kept.create()?;
    let folder = kept.larder.folder().join("data");
    std::fs::create_dir(&folder)?;
    std::fs::write(folder.join("dump.rdb"), "old")?;
    let staging = folder.join(".larder-restore/shard-0.rdb");
    let child = started(&kept.larder, &["restore", "--to-folder", "data", "--swap", "--apply"])?;
    let run = at_the_moment(child, "the copy", || Ok(staging.exists()), press_ctrl_c)?;
    ensure!(run.code == 1, "{run:#?}");
    run.says("stopped before the end")?;
    ensure!(std::fs::read_to_string(folder.join("dump.rdb"))? == "old");
    ensure!(std::fs::read_dir(&folder)?.count() == 1, "something is left");
    Ok(())
}
