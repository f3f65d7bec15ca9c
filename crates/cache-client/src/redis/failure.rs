//! From the client library's errors to ours.

use std::{error::Error as StdError, sync::Arc, time::Duration};

use larder_metrics_model::NodeAddress;
use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind};

use crate::{Capability, Error, error::Source};

/// Where and what was asked, for the words of an error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) node: &'a NodeAddress,
    pub(crate) command: &'a str,
    pub(crate) timeout: Duration,
}

/// Returns a command's name without its arguments, which may hold secrets or users' values.
pub(crate) fn command_name(command: &Cmd) -> String {
    let mut arguments = command.args_iter().map(|argument| match argument {
        redis::Arg::Simple(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    });
    let name = arguments.next().unwrap_or_default();
    let has_subcommands =
        ["CLIENT", "CLUSTER", "CONFIG", "LATENCY", "MEMORY", "OBJECT", "SENTINEL", "SLOWLOG", "ACL"];
    match arguments.next() {
        Some(subcommand) if has_subcommands.contains(&name.as_str()) => format!("{name} {subcommand}"),
        _ => name,
    }
}

impl Request<'_> {
    pub(crate) fn timed_out(&self) -> Error {
        Error::Timeout { node: self.node.clone(), after: self.timeout }
    }

    pub(crate) fn unexpected(&self, detail: impl Into<String>) -> Error {
        Error::Unexpected { node: self.node.clone(), command: self.command.to_owned(), detail: detail.into() }
    }

    pub(crate) fn failed(&self, error: RedisError) -> Error {
        let node = self.node.clone();
        let command = self.command.to_owned();
        let words = error.to_string();
        let code = error.code().unwrap_or_default();
        match error.kind() {
            ErrorKind::AuthenticationFailed => Error::Authentication { node, source: login(&words) },
            ErrorKind::Server(kind) => match kind {
                ServerErrorKind::BusyLoading => Error::Loading { node },
                ServerErrorKind::ReadOnly => Error::ReadOnly { node },
                ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::TryAgain
                | ServerErrorKind::Moved
                | ServerErrorKind::Ask => Error::ClusterDown { node, source: Arc::new(error) },
                ServerErrorKind::NoPerm if words.contains("switch database") => not_selected(node),
                ServerErrorKind::NoPerm => Error::NotPermitted { node, command, source: Arc::new(error) },
                _ if is_refused_in_script(&words) => {
                    Error::NotPermitted { node, command, source: Arc::new(error) }
                }
                _ if words.contains("max number of clients") => Error::TooManyClients { node },
                _ if words.contains("cluster support disabled") => {
                    let reason = "the server was not started as a node of a cluster".to_owned();
                    Error::Unsupported { node, capability: Capability::Cluster, reason }
                }
                _ if words.contains("switch database") => not_selected(node),
                _ if is_unknown_command(&words) => {
                    Error::UnknownCommand { node, command, source: Arc::new(error) }
                }
                _ if words.contains("invalid password")
                    || words.contains("without any password configured") =>
                {
                    Error::Authentication { node, source: login(&words) }
                }
                _ => Error::Server { node, command, source: Arc::new(error) },
            },
            _ if matches!(code, "NOAUTH" | "WRONGPASS") => {
                Error::Authentication { node, source: login(&words) }
            }
            _ if words.contains("switch database") => not_selected(node),
            ErrorKind::ClusterConnectionNotFound => Error::ClusterDown { node, source: Arc::new(error) },
            _ if code == "DENIED" => Error::Authentication { node, source: protected_mode() },
            _ if code == "OOM" => Error::OutOfMemory { node },
            _ if words.contains("max number of clients") => Error::TooManyClients { node },
            ErrorKind::Extension => Error::Server { node, command, source: Arc::new(error) },
            ErrorKind::UnexpectedReturnType | ErrorKind::Parse => {
                Error::Unexpected { node, command, detail: words }
            }
            _ if is_tls(&error) => Error::Tls { node, source: cause(&error) },
            _ if error.is_timeout() => self.timed_out(),
            _ => Error::Unreachable { node, source: Arc::new(error) },
        }
    }
}

fn is_unknown_command(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    words.contains("unknown command") || words.contains("unknown subcommand") || words.contains("is disabled")
}

/// A script runs with the rights of its user (Redis 7.0 and since 7.2 `src/script.c`, `scriptVerifyACL`).
fn is_refused_in_script(words: &str) -> bool {
    words.contains("The user executing the script can't") || words.contains("ACL failure in script")
}

/// A new connection could not go to the database that was asked for.
fn not_selected(node: NodeAddress) -> Error {
    let source = said("the server has no such database, or the user lacks the right +select");
    Error::Server { node, command: "SELECT".to_owned(), source }
}

/// What is wrong with a login. The client library's own words may hold what was sent, so they are not passed on.
fn login(words: &str) -> Source {
    said(if words.contains("NOAUTH") {
        "a password is needed, and none was given"
    } else if words.contains("without any password configured") {
        "a password was given, and the server's default user has none"
    } else {
        "user name or password is wrong, or the user is disabled"
    })
}

/// What is wrong with a connection that `-DENIED` is said to.
pub(super) fn protected_mode() -> Source {
    said("it is in protected mode: it takes no connections from other machines until a password is set")
}

/// Makes a cause of plain words.
pub(crate) fn said(words: &str) -> Source {
    Arc::from(Box::<dyn StdError + Send + Sync>::from(words))
}

fn is_tls(error: &RedisError) -> bool {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        // The client library hands its cause out in the Arc that it keeps it in.
        let error = match error.downcast_ref::<Source>() {
            Some(shared) => shared.as_ref(),
            None => error,
        };
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if error.is::<rustls::Error>()
            || inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_some()
        {
            return true;
        }
        next = error.source();
    }
    false
}

fn cause(error: &RedisError) -> Source {
    Arc::new(error.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_in_protected_mode_is_named_as_such_whichever_command_hears_it() {
        let words = "Running in protected mode because protected mode is enabled and no password is set";
        let denied = redis::make_extension_error("DENIED".to_owned(), Some(words.to_owned()));
        let node = NodeAddress::new("10.0.0.1:6379");
        let error = Request { node: &node, command: "INFO", timeout: Duration::ZERO }.failed(denied);
        assert!(matches!(error, Error::Authentication { .. }), "{error:?}");
        assert!(error.with_causes().contains("it takes no connections from other machines"), "{error:?}");
    }
}
