//! Running the binary in a folder of its own, with an environment of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

/// The binary, with the folder that it runs in.
pub(crate) struct Larder {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

/// What a run printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Larder {
    /// Without a configuration.
    pub(crate) fn bare() -> Self {
        let folder = TempDir::with_prefix("larder-cli-").expect("a temporary folder can be made");
        Self { folder, environment: Vec::new() }
    }

    /// With a configuration that leaves the machine alone: how busy it is with other tests is no test's matter.
    pub(crate) fn new() -> Self {
        let larder = Self::bare();
        larder.configure("");
        larder
    }

    pub(crate) fn configure(&self, text: &str) {
        self.write("larder.toml", &format!("{text}\n[machine]\nenabled = false\n"));
    }

    pub(crate) fn of(url: &str) -> Self {
        Self::new().with("LARDER_CACHE", url)
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder().join(name);
        fs::write(&path, text).expect("the folder can be written");
        path
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_larder"));
        command.args(arguments).current_dir(self.folder()).stdin(Stdio::null()).env_clear();
        // A cache of another test, or of whoever runs the tests, must not be found.
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.environment.iter().cloned());
        command
    }

    /// Runs where no file can get longer than so many blocks of 512 bytes, as on a disk that is full.
    pub(crate) fn run_within(&self, blocks: u64, arguments: &[&str]) -> Result<Run> {
        // Without the trap the signal would end it, which no full disk does.
        let limited = "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"";
        let larder = self.command(arguments);
        let mut command = Command::new("sh");
        command.args(["-c", limited, "sh", &blocks.to_string()]).arg(larder.get_program());
        command.args(larder.get_args()).current_dir(self.folder()).stdin(Stdio::null()).env_clear();
        command.envs(larder.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Run::try_from(command.output().context("larder cannot be started")?)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Result<Run> {
        let output = self.command(arguments).output().context("larder cannot be started")?;
        Run::try_from(output)
    }

    /// Runs a command that must end with this code, and says what it printed where it does not.
    pub(crate) fn ends(&self, code: i32, arguments: &[&str]) -> Result<Run> {
        let run = self.run(arguments)?;
        ensure!(
            run.code == code,
            "`larder {}` ended with {}, not {code}: {run:#?}",
            arguments.join(" "),
            run.code
        );
        Ok(run)
    }
}

impl TryFrom<Output> for Run {
    type Error = anyhow::Error;

    fn try_from(output: Output) -> Result<Self> {
        let stdout = String::from_utf8(output.stdout)?;
        let stderr = String::from_utf8(output.stderr)?;
        ensure!(!stderr.contains("panicked"), "it panicked: {stderr}");
        let code = output.status.code().with_context(|| format!("it was ended by {}", output.status))?;
        Ok(Self { code, stdout, stderr })
    }
}

impl Run {
    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("no JSON: {self:#?}"))
    }

    pub(crate) fn says(&self, words: &str) -> Result<()> {
        let said = format!("{}{}", self.stdout, self.stderr);
        ensure!(said.contains(words), "it does not say `{words}`: {self:#?}");
        Ok(())
    }

    pub(crate) fn hides(&self, secret: &str) -> Result<()> {
        let said = format!("{}{}", self.stdout, self.stderr);
        ensure!(!said.contains(secret), "it tells a secret: {self:#?}");
        Ok(())
    }
}

/// The reasons for which a verdict skipped things, by what was skipped.
pub(crate) fn skipped(verdict: &Value) -> Vec<(String, String)> {
    let text = |skipped: &Value, field: &str| skipped[field].as_str().unwrap_or_default().to_owned();
    let list = verdict["skipped"].as_array().into_iter().flatten();
    list.map(|skipped| (text(skipped, "what"), text(skipped, "reason"))).collect()
}

/// The ids of findings about a subject.
pub(crate) fn findings(verdict: &Value, subject: &str) -> Vec<String> {
    let list = verdict["findings"].as_array().into_iter().flatten();
    let about = list.filter(|finding| finding["subject"] == subject);
    about.filter_map(|finding| finding["id"].as_str()).map(ToOwned::to_owned).collect()
}

/// The state of one check of a subject.
pub(crate) fn check(verdict: &Value, id: &str, subject: &str) -> Option<String> {
    let list = verdict["checks"].as_array()?;
    let check = list.iter().find(|check| check["id"] == id && check["subject"] == subject)?;
    check["state"].as_str().map(ToOwned::to_owned)
}
