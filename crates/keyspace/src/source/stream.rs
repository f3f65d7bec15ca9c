//! The keys of a live cache, from images of its shards that are read as they come.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use futures_util::{
    StreamExt,
    future::try_join_all,
    stream::{self, BoxStream},
};
use larder_cache_client::{DumpMethod, DumpShard, KeyBatch};
use larder_metrics_model::NodeAddress;
use larder_rdb::{Allocator, Checksum, Server};

use super::{
    BytesSource, DumpOptions, DumpRead, KeySource, Progress, TimeBase, Wanted,
    dump_batches::Image,
    incoming::Incoming,
    running::{Running, Seen},
};
use crate::{Error, Result};

/// How images are read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StreamOptions {
    /// The database whose keys are given; `None` for all of them. An image has all.
    pub database: Option<u64>,
    /// How many shards send their images at once; each of them makes a fork for it.
    pub shards_at_once: usize,
    /// The server whose memory is estimated; `None` for the one that the image is of.
    pub server: Option<Server>,
    /// The allocator of that server. The image does not say it; the usual one is that of a distribution's package.
    pub allocator: Allocator,
}

/// The keys of a live cache, from one RDB image a shard over the replication stream, read as it arrives and never stored:
/// no command a key.
///
/// Each shard is seen at one moment, that of its fork, from which times left count; keys whose time was up by then are
/// passed over and counted. Bytes are estimated, as those of a file are, for the version of the server that sends it.
/// An image whose transfer breaks off, that is damaged, or that has no checksum ends with an error; those of other shards
/// go on.
#[derive(Debug)]
pub struct StreamSource {
    shards: Vec<Shard>,
    options: StreamOptions,
    counted_from_ms: Arc<AtomicI64>,
}

/// What the image of a shard has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShardRead {
    /// The node that it was taken from.
    pub node: NodeAddress,
    /// What was in it.
    pub read: DumpRead,
}

#[derive(Clone, Debug)]
struct Shard {
    from: DumpShard,
    seen: Arc<Seen>,
}

impl Default for StreamOptions {
    /// All databases, two shards at once, the memory of the servers themselves.
    fn default() -> Self {
        Self { database: None, shards_at_once: 2, server: None, allocator: Allocator::System }
    }
}

impl StreamSource {
    /// Takes the shards of a cache, as [`CacheClient::dump_shards`](larder_cache_client::CacheClient::dump_shards) gives
    /// them; nothing is asked yet.
    #[must_use]
    pub fn new(shards: Vec<DumpShard>, options: StreamOptions) -> Self {
        let shards = shards.into_iter().map(|from| Shard { from, seen: Arc::default() }).collect();
        Self { shards, options, counted_from_ms: Arc::default() }
    }

    /// Finds out whether every shard would send an image; changes nothing, and starts nothing.
    ///
    /// # Errors
    /// [`Error::NoImage`] or [`Error::NoStream`] with the node that would not, and why.
    pub async fn check(&self) -> Result<()> {
        try_join_all(self.shards.iter().map(|shard| async {
            match shard.from.source(DumpMethod::Replication) {
                Some(source) => source.check().await.map_err(|source| shard.no_image(source)),
                None => Err(shard.no_stream()),
            }
        }))
        .await
        .map(drop)
    }

    /// Returns how many bytes came of all images; what is still to come is not known beforehand.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let bytes = self.shards.iter().map(|shard| shard.seen.bytes.load(Ordering::Relaxed)).sum();
        Progress { bytes, total_bytes: None }
    }

    /// Returns what the images have shown whose end was reached and whose checksum is right.
    #[must_use]
    pub fn outcome(&self) -> Vec<ShardRead> {
        let read = |shard: &Shard| {
            let read = shard.seen.outcome()?;
            Some(ShardRead { node: shard.from.node.clone(), read })
        };
        self.shards.iter().filter_map(read).collect()
    }
}

impl KeySource for StreamSource {
    /// Reads on threads of its own. Must be called on a Tokio runtime.
    fn batches(&self, wanted: Wanted) -> BoxStream<'static, Result<KeyBatch>> {
        let shards = self.shards.clone().into_iter();
        let options = self.options.clone();
        let counted_from_ms = Arc::clone(&self.counted_from_ms);
        let at_once = options.shards_at_once.max(1);
        let of_shard = move |shard: Shard| shard.batches(wanted.clone(), options.clone());
        stream::iter(shards.map(of_shard))
            .flatten_unordered(at_once)
            .map(move |(moment_ms, batch)| {
                counted_from_ms.store(moment_ms, Ordering::Release);
                batch
            })
            .boxed()
    }

    fn bytes_source(&self) -> BytesSource {
        BytesSource::Estimated
    }

    fn counted_from_ms(&self, _now_ms: i64) -> i64 {
        self.counted_from_ms.load(Ordering::Acquire)
    }
}

impl Shard {
    /// The batches of this shard, each with the moment from which its times left count.
    fn batches(self, wanted: Wanted, options: StreamOptions) -> BoxStream<'static, (i64, Result<KeyBatch>)> {
        let begun = async move {
            match self.begin(wanted, options).await {
                Ok((moment_ms, running)) => running.batches().map(move |it| (moment_ms, it)).boxed(),
                Err(error) => stream::iter([(0, Err(error))]).boxed(),
            }
        };
        stream::once(begun).flatten().boxed()
    }

    async fn begin(self, wanted: Wanted, options: StreamOptions) -> Result<(i64, Running)> {
        let Some(source) = self.from.source(DumpMethod::Replication) else {
            return Err(self.no_stream());
        };
        let dump = source.open().await.map_err(|source| self.no_image(source))?;
        let moment_ms = dump.facts.taken_at_ms;
        let (incoming, feeding) = Incoming::of(dump.bytes);
        let image = Image {
            source: incoming,
            total_bytes: dump.facts.total_bytes,
            database: options.database,
            options: DumpOptions {
                now_ms: moment_ms,
                time_base: TimeBase::Now,
                server: options.server,
                allocator: options.allocator,
            },
        };
        let node = self.from.node.clone();
        let judge = move |read| judge(node, read);
        let running = Running::start(image, self.from.node.clone(), wanted, &self.seen, judge);
        Ok((moment_ms, running.fed_by(feeding)))
    }

    fn no_image(&self, source: larder_cache_client::Error) -> Error {
        Error::NoImage { node: self.from.node.clone(), source }
    }

    fn no_stream(&self) -> Error {
        Error::NoStream { node: self.from.node.clone() }
    }
}

/// Tells a transfer that broke off from an image that is damaged, and takes no image whose bytes no one has checked.
fn judge(node: NodeAddress, read: larder_rdb::Result<DumpRead>) -> Result<DumpRead> {
    match read {
        Ok(read) if matches!(read.checksum, Checksum::Verified(_)) => Ok(read),
        Ok(_) => Err(Error::Unchecked { node }),
        Err(larder_rdb::Error::Read { place, source }) => match source.downcast() {
            Ok(source) => Err(Error::Transfer { node, source }),
            Err(source) => Err(Error::Image { node, source: larder_rdb::Error::Read { place, source } }),
        },
        Err(source) => Err(Error::Image { node, source }),
    }
}
