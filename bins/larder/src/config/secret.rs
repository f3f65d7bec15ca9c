//! Secrets, from a file, the environment or a command; never an argument.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result};
use secrecy::SecretString;

use crate::command_error::UsageError;

/// Reads a secret from a file; the end of its line does not belong to it.
pub(crate) fn from_file(path: &Path) -> Result<SecretString> {
    let text = fs::read_to_string(path)
        .with_context(|| UsageError(format!("the password file {} cannot be read", path.display())))?;
    one_line(&text).with_context(|| UsageError(format!("the password file {} is empty", path.display())))
}

/// Runs a command through the shell and takes what it prints.
pub(crate) fn from_command(command: &str) -> Result<SecretString> {
    let output = Command::new("sh")
        .args(["-c", command])
        .output()
        .with_context(|| UsageError("the password command cannot be run".to_owned()))?;
    if !output.status.success() {
        return Err(UsageError(format!("the password command ended with {}", output.status)).into());
    }
    let text = String::from_utf8(output.stdout)
        .map_err(|_| UsageError("the password command printed something that is not UTF-8".to_owned()))?;
    one_line(&text).context(UsageError("the password command printed nothing".to_owned()))
}

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
        assert_eq!(from_command("echo secret").unwrap().expose_secret(), "secret");
        let error = format!("{:#}", from_command("echo secret; exit 3").unwrap_err());
        assert!(error.contains("exit status: 3") && !error.contains("secret"), "{error}");
    }
}
