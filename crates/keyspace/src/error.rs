//! What can go wrong with a keyspace.

use std::{io, path::PathBuf};

use larder_metrics_model::NodeAddress;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with a keyspace.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be opened.
    #[error("{} cannot be opened", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is no RDB file, or a damaged one. The cause names the byte offset, and the key where there is one.
    #[error("{} is refused", path.display())]
    Refused {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it, and where.
        source: larder_rdb::Error,
    },
    /// A node sends no image: the user may not ask for one, or the node cannot be reached or fails at it.
    #[error("{node} sends no image over the replication stream")]
    NoImage {
        /// Which node.
        node: NodeAddress,
        /// Why not.
        source: larder_cache_client::Error,
    },
    /// There is no replication stream: the cache is embedded, or its connection belongs to someone else.
    #[error("{node} has no replication stream that an image could be taken from")]
    NoStream {
        /// Which node.
        node: NodeAddress,
    },
    /// The transfer of an image broke off.
    #[error("the image of {node} did not come whole")]
    Transfer {
        /// Which node.
        node: NodeAddress,
        /// Why not.
        source: larder_cache_client::Error,
    },
    /// An image came whole, and is damaged. The cause names the byte offset, and the key where there is one.
    #[error("the image of {node} is refused")]
    Image {
        /// Which node.
        node: NodeAddress,
        /// What is wrong with it, and where.
        source: larder_rdb::Error,
    },
    /// An image came whole and without a checksum, so that damage to it would go unseen.
    #[error("the image of {node} has no checksum: the server is set to `rdbchecksum no`")]
    Unchecked {
        /// Which node.
        node: NodeAddress,
    },
    /// The cache cannot be reached, or refuses.
    #[error("the keys of the cache cannot be worked on")]
    Cache {
        /// Why not.
        #[from]
        source: larder_cache_client::Error,
    },
    /// Nothing at all could be seen of the keys.
    #[error("no key could be looked at: {reason}")]
    NothingSeen {
        /// Why not.
        reason: String,
    },
    /// A plan goes past the limits of its policy.
    #[error("the plan goes past the limits of the policy, and nothing was changed: {limits}")]
    OverLimits {
        /// Which, and by how much.
        limits: String,
    },
    /// A plan was stopped before its last key, so that its limits could not be judged.
    #[error("the plan was not finished, and nothing was changed")]
    Unfinished,
    /// A plan that was made to be looked at only does not hold what is compared before anything is changed.
    #[error("the plan was made to be looked at only, and nothing was changed")]
    OnlyPlan,
    /// An RDB file that is no undo file, or one of a newer Larder.
    #[error("{} is no undo file of this version of Larder: `larder clean --apply` writes one before it changes anything", path.display())]
    NoUndo {
        /// Which file.
        path: PathBuf,
    },
    /// An undo file that ends before anything was kept in it: nothing was changed by then.
    #[error("{} ends before its first key: whoever wrote it had changed nothing by then, so that there is nothing to give back", path.display())]
    NothingKept {
        /// Which file.
        path: PathBuf,
    },
    /// A value cannot be kept for undo, so that nothing may be done to its key.
    #[error("the value of {key} cannot be kept")]
    Unkept {
        /// Which key.
        key: crate::KeyName,
        /// Why not.
        source: larder_rdb::Error,
    },
    /// The undo file cannot be written, so that nothing more may be changed.
    #[error("the undo file {} cannot be written", path.display())]
    UndoUnwritable {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Reading a file has ended in a fault of this program.
    #[error("reading has ended unexpectedly")]
    Broken {
        /// What the runtime says of it.
        source: tokio::task::JoinError,
    },
    /// A checkpoint is not one of this sweep, or is damaged.
    #[error("{}:{line}: {reason}", path.display())]
    Checkpoint {
        /// Which file.
        path: PathBuf,
        /// Which line of it, from 1 on.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A file cannot be written or removed.
    #[error("{} cannot be written", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file of the clean-up cannot be read or written.
    #[error("the {what} {} cannot be used", path.display())]
    File {
        /// What it holds.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The policy is wrong. The cause names the place and what to do.
    #[error("the policy is refused")]
    Policy {
        /// What is wrong with it, and where.
        #[from]
        source: crate::PolicyError,
    },
    /// Two reports tell families differently.
    #[error("the reports of {before} and {after} tell families by different delimiters or depths")]
    FamilyRules {
        /// Where the keys of the first report came from.
        before: String,
        /// Where those of the second came from.
        after: String,
    },
    /// A page cannot be made of a report.
    #[error("the page cannot be made")]
    Page {
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// An error in one line, with its cause.
pub(crate) fn with_cause(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
