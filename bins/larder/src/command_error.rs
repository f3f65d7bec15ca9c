//! From errors to words, hints and exit codes.

use std::{error::Error as StdError, io, process::ExitCode};

use larder_backup as backup;
use larder_cache_client as cache;

use crate::output;

/// An error that has an exit code of its own: what was given is wrong.
#[derive(Debug)]
pub(crate) struct UsageError(pub(crate) String);

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for UsageError {}

pub(crate) const FAILED: u8 = 1;
pub(crate) const USAGE: u8 = 2;
pub(crate) const PARTIAL: u8 = 4;
/// A check that could not even begin says nothing about the cache.
const UNKNOWN: u8 = 3;

/// Answers a command line that could not be read, or that asked for help.
pub(crate) fn usage(error: &clap::Error, is_check: bool) -> ExitCode {
    // Where no one reads it there is nothing to say.
    let _ = error.print();
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    ExitCode::from(if is_check { UNKNOWN } else { USAGE })
}

/// Says what went wrong, and what may help.
pub(crate) fn report(error: &anyhow::Error, is_check: bool) -> ExitCode {
    if is_broken_pipe(error) {
        return ExitCode::SUCCESS;
    }
    output::message::error(&words(error));
    if let Some(hint) = hint(error) {
        output::message::hint(hint);
    }
    ExitCode::from(match (is_usage(error), is_check) {
        (_, true) => UNKNOWN,
        (true, false) => USAGE,
        (false, false) => FAILED,
    })
}

/// The chain of causes, each said once: some libraries say their cause in their own words as well.
fn words(error: &anyhow::Error) -> String {
    let mut words = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if words.is_empty() {
            words = cause;
        } else if !words.contains(&cause) {
            words = format!("{words}: {cause}");
        }
    }
    words
}

pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let pipe = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(pipe)
            || cause
                .downcast_ref::<larder_metrics_store::Error>()
                .is_some_and(larder_metrics_store::Error::is_broken_pipe)
    })
}

fn is_usage(error: &anyhow::Error) -> bool {
    // A context is found by anyhow itself; among the causes it has a type that cannot be named.
    error.downcast_ref::<UsageError>().is_some()
        || error.chain().any(|cause| {
            matches!(cause.downcast_ref(), Some(cache::Error::Url { .. } | cache::Error::File { .. }))
                || matches!(
                    cause.downcast_ref(),
                    Some(backup::Error::Url { .. } | backup::Error::NoBackup { .. })
                )
        })
}

fn hint(error: &anyhow::Error) -> Option<&'static str> {
    let of_cache = error.chain().find_map(|cause| cause.downcast_ref::<cache::Error>()).and_then(cache_hint);
    of_cache.or_else(|| {
        error.chain().find_map(|cause| cause.downcast_ref::<backup::Error>()).and_then(backup_hint)
    })
}

fn backup_hint(error: &backup::Error) -> Option<&'static str> {
    Some(match error {
        backup::Error::NoBackup { .. } => "`larder backup list` names what is there",
        error if error.lacks_credentials() => {
            "credentials come from the environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS, \
             or AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY"
        }
        backup::Error::Locked { .. } => {
            "the identity comes from --identity-file, LARDER_BACKUP_IDENTITY, or `backup.identity_file`"
        }
        _ => return None,
    })
}

fn cache_hint(error: &cache::Error) -> Option<&'static str> {
    Some(match error {
        cache::Error::Unreachable { .. } => {
            "is the server running, are host and port right, and is it a port for TLS (rediss://)?"
        }
        cache::Error::Timeout { .. } => {
            "a firewall may drop the packets, or the server is busy; --timeout allows more time"
        }
        cache::Error::Authentication { .. } => {
            "the password comes from LARDER_PASSWORD, --password-file, or `password_command`; the user from --username"
        }
        cache::Error::Tls { .. } => {
            "is the port a TLS port, and does --tls-ca name the authority of its certificate?"
        }
        cache::Error::Loading { .. } => "it answers as soon as its data set is loaded",
        cache::Error::TooManyClients { .. } => "close idle clients, or raise maxclients",
        cache::Error::NotPermitted { .. } => "the README lists the ACL line that each command needs",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let inner = io::Error::other("connection refused");
        let error =
            anyhow::Error::new(inner).context("a:1 cannot be reached: connection refused").context("collect");
        assert_eq!(words(&error), "collect: a:1 cannot be reached: connection refused");
    }

    #[test]
    fn what_was_given_wrong_is_told_from_what_failed() {
        let url = "http://x".parse::<cache::CacheUrl>().unwrap_err();
        assert!(is_usage(&anyhow::Error::new(url).context("more")));
        assert!(is_usage(&anyhow::Error::new(UsageError(String::new()))));
        assert!(!is_usage(&anyhow::anyhow!("failed")));
        assert!(is_broken_pipe(
            &anyhow::Error::new(io::Error::from(io::ErrorKind::BrokenPipe)).context("table")
        ));
    }
}
