//! Secrets, from a file, the environment or a command; never an argument.

use std::{
    fs,
    io::Read,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::SecretString;

use crate::command_error::UsageError;

/// Reads a secret from a file; the end of its line does not belong to it.
pub(crate) fn from_file(path: &Path) -> Result<SecretString> {
    let text = fs::read_to_string(path)
        .with_context(|| UsageError(format!("the password file {} cannot be read", path.display())))?;
    one_line(&text).with_context(|| UsageError(format!("the password file {} is empty", path.display())))
}

/// Reads a secret of several lines from a file.
pub(crate) fn whole_file(path: &Path) -> Result<SecretString> {
    let text = fs::read_to_string(path)
        .with_context(|| UsageError(format!("the identity file {} cannot be read", path.display())))?;
    several_lines(text).with_context(|| UsageError(format!("the identity file {} is empty", path.display())))
}

/// Runs a command through the shell and takes what it prints, within a time; what it says otherwise goes to stderr.
pub(crate) fn from_command(command: &str, timeout: Duration) -> Result<SecretString> {
    let printed = printed_by("the password command", command, timeout)?;
    one_line(&printed).context(UsageError("the password command printed nothing".to_owned()))
}

/// Runs a command in the same way, and takes all lines of what it prints.
pub(crate) fn all_from_command(command: &str, timeout: Duration) -> Result<SecretString> {
    let printed = printed_by("the identity command", command, timeout)?;
    several_lines(printed).context(UsageError("the identity command printed nothing".to_owned()))
}

fn several_lines(text: String) -> Option<SecretString> {
    (!text.trim().is_empty()).then(|| SecretString::from(text))
}

fn printed_by(what: &str, command: &str, timeout: Duration) -> Result<String> {
    let wrong = |words: String| UsageError(format!("{what} {words}"));
    let mut shell = Command::new("sh");
    // A group of its own, so that what the command has started ends with it.
    shell.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
    let mut child = shell.spawn().with_context(|| wrong("cannot be run".to_owned()))?;
    let group = Pid::from_child(&child);
    let stdout = child.stdout.take();
    let (sender, ended) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = stdout.map_or(Ok(0), |stdout| stdout.take(MOST_PRINTED_BYTES).read_to_string(&mut text));
        let _ = sender.send((read.map(|_| text), child.wait()));
    });
    let Ok((printed, status)) = ended.recv_timeout(timeout) else {
        // Where it ended at that very moment there is nothing to kill.
        let _ = kill_process_group(group, Signal::KILL);
        return Err(wrong(format!("did not end within {}", humantime::format_duration(timeout))).into());
    };
    let status = status.with_context(|| wrong("cannot be waited for".to_owned()))?;
    if !status.success() {
        return Err(wrong(format!("ended with {status}")).into());
    }
    printed.map_err(|_| wrong("printed something that is not UTF-8".to_owned()).into())
}

/// A password is shorter.
const MOST_PRINTED_BYTES: u64 = 64 << 10;

fn one_line(text: &str) -> Option<SecretString> {
    let line = text.lines().next().unwrap_or_default();
    (!line.is_empty()).then(|| SecretString::from(line))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn secrets_come_without_the_end_of_their_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        fs::write(&path, "a b\n").unwrap();
        assert_eq!(from_file(&path).unwrap().expose_secret(), "a b");
        fs::write(&path, "").unwrap();
        assert!(from_file(&path).unwrap_err().to_string().contains("is empty"));
        assert!(from_file(Path::new("/no/such")).unwrap_err().to_string().contains("cannot be read"));
    }

    #[test]
    fn a_command_that_fails_does_not_tell_what_it_printed() {
        let limit = Duration::from_secs(10);
        assert_eq!(from_command("echo secret", limit).unwrap().expose_secret(), "secret");
        let error = format!("{:#}", from_command("echo secret; exit 3", limit).unwrap_err());
        assert!(error.contains("exit status: 3") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn a_command_that_does_not_end_is_not_waited_for() {
        for command in ["sleep 600", "echo secret; exec >&-; sleep 600", "sleep 600; echo secret"] {
            let error = from_command(command, Duration::from_millis(200)).unwrap_err();
            assert!(error.to_string().contains("did not end within 200ms"), "{command}: {error}");
        }
    }
}
