//! What can go wrong when a cache is reached.

use std::{error::Error as StdError, io, path::PathBuf, sync::Arc, time::Duration};

use larder_metrics_model::{FailureKind, NodeAddress};

use crate::Capability;

/// The result of reaching a cache.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The cause of an error, shared because one broken connection fails every key of a batch.
pub type Source = Arc<dyn StdError + Send + Sync>;

/// What went wrong. No text in it holds a password.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL does not name a cache.
    #[error("the URL `{url}` is wrong: {reason}")]
    Url {
        /// The URL, masked.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A certificate, a key or a dump could not be read.
    #[error("the {what} {path} cannot be used", path = path.display())]
    File {
        /// What the file should hold.
        what: &'static str,
        /// Where it should be.
        path: PathBuf,
        /// Why it could not be read.
        source: Arc<io::Error>,
    },
    /// The file that an embedded cache is to hold is no sound dump.
    #[error("the dump {path} is refused", path = path.display())]
    Dump {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it, with the byte offset and the key where they are known.
        source: Source,
    },
    /// The file that a server saves is not to be had on this machine.
    #[error("the file {path} that {node} saves cannot be used: {reason}", path = path.display())]
    SavedFile {
        /// Which node.
        node: NodeAddress,
        /// Where it was looked for.
        path: PathBuf,
        /// Why it cannot be used, and what to do about it.
        reason: String,
    },
    /// Nothing listens there, or the connection broke.
    #[error("{node} cannot be reached")]
    Unreachable {
        /// Which node.
        node: NodeAddress,
        /// Why.
        source: Source,
    },
    /// No answer came in time.
    #[error("{node} did not answer within {after:?}")]
    Timeout {
        /// Which node.
        node: NodeAddress,
        /// How long was waited.
        after: Duration,
    },
    /// The credentials are wrong or missing.
    #[error("{node} refused the credentials")]
    Authentication {
        /// Which node.
        node: NodeAddress,
        /// The server's words.
        source: Source,
    },
    /// The secured connection could not be made.
    #[error("no TLS connection to {node} could be made")]
    Tls {
        /// Which node.
        node: NodeAddress,
        /// Why.
        source: Source,
    },
    /// The Sentinels do not watch a cache of that name.
    #[error("the Sentinel {node} does not know a cache called `{service}`")]
    UnknownService {
        /// Which Sentinel.
        node: NodeAddress,
        /// The name that was asked for.
        service: String,
    },
    /// The server is loading its data set.
    #[error("{node} is loading its data set and takes no commands yet")]
    Loading {
        /// Which node.
        node: NodeAddress,
    },
    /// The server has as many clients as it allows.
    #[error("{node} takes no more clients: its limit (maxclients) is reached")]
    TooManyClients {
        /// Which node.
        node: NodeAddress,
    },
    /// The user may not run the command, or not on this key.
    #[error("{node} does not let this user run {command}")]
    NotPermitted {
        /// Which node.
        node: NodeAddress,
        /// The command.
        command: String,
        /// The server's words.
        source: Source,
    },
    /// The server does not have the command: too old, renamed, or blocked by a managed service.
    #[error("{node} does not have the command {command}")]
    UnknownCommand {
        /// Which node.
        node: NodeAddress,
        /// The command.
        command: String,
        /// The server's words.
        source: Source,
    },
    /// A write went to a replica.
    #[error("{node} is a replica and takes no writes")]
    ReadOnly {
        /// Which node.
        node: NodeAddress,
    },
    /// A write was refused at `maxmemory`.
    #[error("{node} refused the write: maxmemory is reached and nothing can be evicted")]
    OutOfMemory {
        /// Which node.
        node: NodeAddress,
    },
    /// The cluster does not take commands now.
    #[error("the cluster does not take commands now ({node})")]
    ClusterDown {
        /// Which node said so.
        node: NodeAddress,
        /// The server's words.
        source: Source,
    },
    /// Any other error answer.
    #[error("{node} answered {command} with an error")]
    Server {
        /// Which node.
        node: NodeAddress,
        /// The command.
        command: String,
        /// The server's words.
        source: Source,
    },
    /// An answer of another form than the command has.
    #[error("{node} answered {command} with something unexpected: {detail}")]
    Unexpected {
        /// Which node.
        node: NodeAddress,
        /// The command.
        command: String,
        /// What was unexpected.
        detail: String,
    },
    /// A shard was not seen to its end: its primary is lost, and none took its place in time.
    #[error("{shard} was not seen to its end ({slots})")]
    ShardLost {
        /// The address that its primary had.
        shard: NodeAddress,
        /// What it holds, in words: `slots 0-5460`, or `every key` where there is one shard.
        slots: String,
        /// Why it was lost.
        source: Source,
    },
    /// This kind of cache cannot do that.
    #[error("{node} has no {capability}: {reason}")]
    Unsupported {
        /// Which node.
        node: NodeAddress,
        /// What is missing.
        capability: Capability,
        /// Why it is missing.
        reason: String,
    },
    /// A replica was asked for, and there is none that is on line.
    #[error("{node} has no replica that is on line, and one was asked for")]
    NoReplica {
        /// The primary.
        node: NodeAddress,
    },
}

impl Error {
    /// Tells whether the same request may succeed if it is made again shortly.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Timeout { .. }
                | Self::Loading { .. }
                | Self::TooManyClients { .. }
                | Self::ReadOnly { .. }
                | Self::ClusterDown { .. }
        )
    }

    /// Tells whether the server certainly did nothing, so that even a write may be made again.
    #[must_use]
    pub fn was_refused(&self) -> bool {
        match self {
            Self::Loading { .. }
            | Self::TooManyClients { .. }
            | Self::ReadOnly { .. }
            | Self::ClusterDown { .. }
            | Self::NotPermitted { .. }
            | Self::UnknownCommand { .. }
            | Self::OutOfMemory { .. }
            | Self::Authentication { .. }
            | Self::Tls { .. } => true,
            Self::Unreachable { source, .. } => is_refused_connection(source.as_ref()),
            _ => false,
        }
    }

    /// Tells whether the server does not let this user do it, or does not have it at all; a file that it saves and that is not
    /// to be had on this machine counts as well.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        matches!(
            self,
            Self::NotPermitted { .. }
                | Self::UnknownCommand { .. }
                | Self::Unsupported { .. }
                | Self::NoReplica { .. }
                | Self::SavedFile { .. }
        )
    }

    /// Tells whether a node of a cluster said that the key is on another one.
    pub(crate) fn is_elsewhere(&self) -> bool {
        let Self::ClusterDown { source, .. } = self else { return false };
        source.downcast_ref::<redis::RedisError>().is_some_and(|error| {
            matches!(
                error.kind(),
                redis::ErrorKind::Server(
                    redis::ServerErrorKind::Moved
                        | redis::ServerErrorKind::Ask
                        | redis::ServerErrorKind::TryAgain
                )
            )
        })
    }

    /// Returns the kind of failure, for judging.
    #[must_use]
    pub fn failure_kind(&self) -> FailureKind {
        match self {
            Self::Unreachable { .. } => FailureKind::Unreachable,
            Self::Timeout { .. } => FailureKind::Timeout,
            Self::Authentication { .. } => FailureKind::Authentication,
            Self::Tls { .. } => FailureKind::Tls,
            Self::Loading { .. } => FailureKind::Loading,
            Self::TooManyClients { .. } => FailureKind::TooManyClients,
            _ => FailureKind::Other,
        }
    }

    /// Returns what went wrong without the node, for where the node is named already.
    #[must_use]
    pub fn reason(&self) -> String {
        match (self, self.source()) {
            (Self::Timeout { after, .. }, _) => format!("no answer within {after:?}"),
            (Self::Loading { .. }, _) => "it is loading its data set".to_owned(),
            (Self::TooManyClients { .. }, _) => "its limit of clients (maxclients) is reached".to_owned(),
            (_, Some(cause)) => cause.to_string(),
            (_, None) => self.to_string(),
        }
    }

    /// Returns the message with those of its causes, for people.
    #[must_use]
    pub fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let words = error.to_string();
            if !text.contains(&words) {
                text.push_str(": ");
                text.push_str(&words);
            }
            cause = error.source();
        }
        text
    }
}

fn is_refused_connection(error: &(dyn StdError + 'static)) -> bool {
    error.downcast_ref::<redis::RedisError>().is_some_and(redis::RedisError::is_connection_refusal)
}
