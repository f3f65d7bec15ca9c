//! The seam for the bytes of an RDB image.

mod clock;
mod image;
mod options;
mod sweep;

pub(crate) use clock::Clock;
pub(crate) use image::{About, PIECE_BYTES, Target};
pub(crate) use sweep::{Databases, Fetch, FetchByKeys, KeyImage, OpenDatabase};

pub use options::DumpOptions;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use larder_metrics_model::{NodeAddress, Skipped};
use serde::{Deserialize, Serialize};

use crate::{Result, Server};

/// How an image of a shard is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DumpMethod {
    /// Over the replication stream, as a replica takes it (PSYNC); needs no access to files.
    Replication,
    /// The server saves it (BGSAVE), and its file is read.
    Save,
    /// Key by key (SCAN and DUMP), where the server blocks the other two: not one moment in time.
    Keys,
}

/// What is known of an image before its first byte.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DumpFacts {
    /// How it is taken.
    pub method: DumpMethod,
    /// The node that it is of.
    pub node: NodeAddress,
    /// The moment whose data it is, in milliseconds since 1970 by the server's clock: when the fork was made, as near as
    /// can be told; taken key by key, when that began.
    pub taken_at_ms: i64,
    /// The stream of changes that it is a moment of, and the bytes of that stream before it.
    pub replication: Option<(String, u64)>,
    /// Its length, where it is known before its end.
    pub total_bytes: Option<u64>,
    /// What belongs to the data and is not in it, because this user may not see it.
    pub missing: Vec<Skipped>,
}

/// An image that is on its way.
pub struct Dump {
    /// What is known of it.
    pub facts: DumpFacts,
    /// Its bytes, a whole RDB file, in pieces of some 100 KiB. Slow taking slows the server's sending down. An `Err` is the
    /// last item. A stream that is dropped ends the transfer.
    pub bytes: BoxStream<'static, Result<Bytes>>,
}

/// Gives the bytes of an RDB image of a shard.
///
/// # Contract
///
/// - [`DumpSource::check`] changes nothing and starts nothing; what is blocked is an error for which
///   [`Error::is_blocked`](crate::Error::is_blocked) holds.
/// - [`DumpSource::open`] returns when the first byte is about to come, which may take as long as the server needs for
///   its fork. The bytes are those of one whole RDB file, and then the stream ends; whoever reads it compares the checksum
///   at its end. A transfer that breaks off is an error, never a short file.
/// - Nothing is stored on this machine, and memory is bounded by some pieces.
#[async_trait]
pub trait DumpSource: fmt::Debug + Send + Sync {
    /// Returns how it takes the image.
    fn method(&self) -> DumpMethod;

    /// Finds out whether the server lets this user take an image in this way.
    ///
    /// # Errors
    /// It does not, or cannot be reached.
    async fn check(&self) -> Result<()>;

    /// Begins to take an image.
    ///
    /// # Errors
    /// The server cannot be reached, refuses, or fails at it.
    async fn open(&self) -> Result<Dump>;
}

/// One shard, and how images of it can be taken.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DumpShard {
    /// The node that images are taken from.
    pub node: NodeAddress,
    /// The slots that it holds, first and last; empty where there is one shard.
    pub slots: Vec<(u16, u16)>,
    /// The node itself.
    pub server: Arc<dyn Server>,
    /// The ways, the best first. Not every one of them needs to be open to this user.
    pub sources: Vec<Arc<dyn DumpSource>>,
}

impl fmt::Debug for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dump").field("facts", &self.facts).finish_non_exhaustive()
    }
}

impl DumpFacts {
    /// States what is known of every image.
    #[must_use]
    pub fn new(method: DumpMethod, node: NodeAddress, taken_at_ms: i64) -> Self {
        Self { method, node, taken_at_ms, replication: None, total_bytes: None, missing: Vec::new() }
    }
}

impl DumpShard {
    /// Returns the way that takes images by a method.
    #[must_use]
    pub fn source(&self, method: DumpMethod) -> Option<&Arc<dyn DumpSource>> {
        self.sources.iter().find(|source| source.method() == method)
    }
}

impl fmt::Display for DumpMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Replication => "replication stream",
            Self::Save => "save",
            Self::Keys => "key by key",
        })
    }
}
