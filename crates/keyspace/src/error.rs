//! What can go wrong with a keyspace.

use std::{io, path::PathBuf};

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
    /// The cache cannot be read, or a part of it.
    #[error("keys of the cache cannot be read")]
    Cache {
        /// What went wrong, and on which node or shard.
        source: larder_cache_client::Error,
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
