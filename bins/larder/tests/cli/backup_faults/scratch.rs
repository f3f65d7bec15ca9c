//! Scratch servers: of runs that are killed, of several runs at once, and those that do not start.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Child,
};

use anyhow::{Context, Result, ensure};
use larder_test_support::{ServerProgram, until};
use rustix::process::{Pid, Signal, kill_process};

use super::{Kept, at_the_moment, one_program, started, two_programs};
use crate::larder::Run;

/// A cache with a backup, and a program that loads it slowly: half a second at least.
struct Tried {
    kept: Kept,
    id: String,
    slow: PathBuf,
    scratch: PathBuf,
}

const KEYS: u64 = 2_000;
const SLOWLY: &str =
    "exec \"$PROGRAM\" \"$@\" --key-load-delay 250 --loading-process-events-interval-bytes 1024";

impl Tried {
    fn start(program: &ServerProgram) -> Result<Self> {
        let kept = Kept::start(program, KEYS)?;
        let id = kept.create()?;
        let slow = wrapper(&kept, program, "slow", SLOWLY)?;
        let scratch = kept.larder.folder().join("scratch");
        fs::create_dir(&scratch)?;
        Ok(Self { kept, id, slow, scratch })
    }

    fn command<'a>(&'a self, command: &[&'a str]) -> Vec<&'a str> {
        let slow = self.slow.to_str().unwrap_or_default();
        [command, &["--server", slow, "--scratch-folder", "scratch", "--rate", "max"]].concat()
    }

    fn verify(&self) -> Vec<&str> {
        self.command(&["-v", "backup", "verify", "--level", "load"])
    }

    /// The folders of scratch servers in which a server listens.
    fn listening(&self) -> Result<Vec<PathBuf>> {
        Ok(folders(&self.scratch)?.into_iter().filter(|folder| folder.join("socket").exists()).collect())
    }

    /// Waits until a run loads the backup, and does something to it then.
    fn while_loading(&self, command: &[&str], act: impl FnOnce(&Child) -> Result<()>) -> Result<Run> {
        let child = started(&self.kept.larder, command)?;
        at_the_moment(child, "a scratch server", || Ok(!self.listening()?.is_empty()), act)
    }

    /// No server works there, and nothing is left.
    fn holds_nothing(&self) -> Result<()> {
        let left = folders(&self.scratch)?;
        ensure!(left.is_empty(), "{left:?} are left");
        until("no server", || Ok(servers_in(&self.scratch)?.is_empty().then_some(())))
    }

    fn verifications(&self) -> Result<usize> {
        let listed = self.kept.list()?;
        Ok(listed["backups"][0]["verifications"].as_array().context("verifications")?.len())
    }
}

/// A program that says which version it is, and otherwise does something else.
fn wrapper(kept: &Kept, program: &ServerProgram, name: &str, does: &str) -> Result<PathBuf> {
    let real = program.path.display();
    let text = format!(
        "#!/bin/sh\nPROGRAM='{real}'\n[ \"$1\" = --version ] && exec \"$PROGRAM\" --version\n{does}\n"
    );
    let path = kept.larder.write(name, &text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
    Ok(path)
}

fn folders(of: &Path) -> Result<Vec<PathBuf>> {
    fs::read_dir(of)?.map(|entry| Ok(entry?.path())).collect()
}

/// The processes that work in a folder under this one, be it removed by now.
fn servers_in(folder: &Path) -> Result<Vec<String>> {
    let folder = folder.canonicalize()?;
    let mut found = Vec::new();
    for process in fs::read_dir("/proc")? {
        let process = process?.path();
        if fs::read_link(process.join("cwd")).is_ok_and(|path| path.starts_with(&folder)) {
            found.push(process.display().to_string());
        }
    }
    Ok(found)
}

#[test]
fn what_a_killed_run_leaves_goes_with_the_next_one() -> Result<()> {
    for program in two_programs() {
        let tried = Tried::start(&program)?;
        let mut child = started(&tried.kept.larder, &tried.verify())?;
        until("a scratch server", || {
            ensure!(child.try_wait()?.is_none(), "it ended before");
            Ok((!tried.listening()?.is_empty()).then_some(()))
        })?;
        child.kill()?;
        child.wait()?;
        let left = tried.listening()?;
        ensure!(
            left.len() == 1 && servers_in(&tried.scratch)?.len() == 1,
            "a server and its folder are left"
        );

        let run = tried.kept.larder.ends(0, &tried.verify())?;
        run.says("is sound (level load")?;
        run.says("whose owner was killed")?;
        run.says(left[0].file_name().and_then(|name| name.to_str()).context("a name")?)?;
        tried.holds_nothing()?;
        ensure!(tried.verifications()? == 1);
    }
    Ok(())
}

#[test]
fn two_at_once_do_not_disturb_each_other() -> Result<()> {
    let tried = Tried::start(&one_program())?;
    let first = started(&tried.kept.larder, &tried.verify())?;
    let mut second = None;
    let run = at_the_moment(
        first,
        "a scratch server",
        || Ok(!tried.listening()?.is_empty()),
        |_| {
            second = Some(started(&tried.kept.larder, &tried.verify())?);
            Ok(())
        },
    )?;
    let second = Run::try_from(second.context("a second run")?.wait_with_output()?)?;
    for run in [run, second] {
        ensure!(run.code == 0, "{run:#?}");
        run.says("is sound (level load")?;
        ensure!(!run.stderr.contains("whose owner was killed"), "{run:#?}");
    }
    tried.holds_nothing()
}

#[test]
fn a_drill_that_is_ended_leaves_no_server_and_no_folder() -> Result<()> {
    for program in two_programs() {
        let tried = Tried::start(&program)?;
        let run = tried.while_loading(&tried.command(&["drill", &tried.id]), |child| {
            Ok(kill_process(Pid::from_child(child), Signal::TERM)?)
        })?;
        ensure!(run.code == 1, "{run:#?}");
        run.says("stopped before the end")?;
        tried.holds_nothing()?;
        ensure!(tried.verifications()? == 0, "nothing was found out");
    }
    Ok(())
}

#[test]
fn a_server_that_does_not_start_says_nothing_of_the_backup() -> Result<()> {
    let program = one_program();
    let tried = Tried::start(&program)?;
    let broken = wrapper(&tried.kept, &program, "broken", "exit 3")?.display().to_string();
    for command in [&["backup", "verify", "--level", "load"][..], &["drill"]] {
        let words = [command, &["--server", &broken, "--scratch-folder", "scratch"]].concat();
        let run = tried.kept.larder.ends(1, &words)?;
        run.says("it could not be tried: the scratch server")?;
        run.says("ended with exit status: 3")?;
        ensure!(!run.stdout.contains("not sound"), "{run:#?}");
        ensure!(tried.verifications()? == 0, "nothing was found out");
        tried.holds_nothing()?;
    }

    Ok(())
}
