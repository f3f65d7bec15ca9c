//! The keys of a dump.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
};

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use larder_cache_client::KeyBatch;
use larder_metrics_model::NodeAddress;
use larder_rdb::{Allocator, Checksum, Format, Server};

use super::{
    BytesSource, KeySource, Wanted,
    dump_batches::Image,
    running::{Running, Seen},
};
use crate::{Error, Result};

/// From which moment the times left of the keys in a file count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeBase {
    /// From the one at which the file was written, where it says so (Redis 3.2 and later): the keyspace as it was then.
    #[default]
    Written,
    /// From this moment: what a server would have that loads the file now.
    Now,
}

/// How a file is read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DumpOptions {
    /// This moment, in milliseconds since 1970.
    pub now_ms: i64,
    /// From which moment times left count.
    pub time_base: TimeBase,
    /// The server whose memory is estimated; `None` for the one that wrote the file.
    pub server: Option<Server>,
    /// The allocator of that server. The file does not say it; the usual one is that of a distribution's package.
    pub allocator: Allocator,
}

/// An RDB file, as a source of key records.
///
/// Keys whose time was up at the moment from which times left count are passed over, as the server that loads the file
/// drops them, and counted in [`DumpRead::expired_keys`]. Bytes are estimated: what MEMORY USAGE would answer on the
/// server that wrote the file. The encoding of a record is the layout of its value in the file.
#[derive(Debug)]
pub struct DumpSource {
    path: PathBuf,
    total_bytes: Option<u64>,
    /// The file, until it is read for the first time; a pipe can be read only once.
    file: Mutex<Option<File>>,
    options: DumpOptions,
    seen: Arc<Seen>,
}

/// How far reading has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes read.
    pub bytes: u64,
    /// Bytes in the file; a pipe or a device has no length.
    pub total_bytes: Option<u64>,
}

/// What reading a file, or an image of a shard, to its end has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DumpRead {
    /// In which format it is.
    pub format: Format,
    /// Who wrote it, where it says so.
    pub writer: Option<Server>,
    /// When it was written, in milliseconds since 1970, where it says so.
    pub written_at_ms: Option<i64>,
    /// What became of its checksum.
    pub checksum: Checksum,
    /// Keys in it whose time was not up.
    pub keys: u64,
    /// Keys in it whose time was up.
    pub expired_keys: u64,
}

impl DumpOptions {
    /// Reads a file now.
    #[must_use]
    pub fn at(now_ms: i64) -> Self {
        Self { now_ms, time_base: TimeBase::Written, server: None, allocator: Allocator::System }
    }
}

impl DumpSource {
    /// Opens a file; nothing is read yet.
    ///
    /// # Errors
    /// [`Error::Open`] where it is not there or cannot be read.
    pub fn open(path: impl AsRef<Path>, options: DumpOptions) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        let (file, total_bytes) = open(&path)?;
        let file = Mutex::new(Some(file));
        Ok(Self { path, total_bytes, file, options, seen: Arc::default() })
    }

    /// Returns how far reading has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress { bytes: self.seen.bytes.load(Ordering::Relaxed), total_bytes: self.total_bytes }
    }

    /// Returns what reading has shown; `None` until it has come to the end of a sound file.
    #[must_use]
    pub fn outcome(&self) -> Option<DumpRead> {
        self.seen.outcome()
    }

    fn start(&self, wanted: Wanted) -> Result<Running> {
        let unread = self.file.lock().unwrap_or_else(PoisonError::into_inner).take();
        let file = match unread {
            Some(file) => file,
            None => open(&self.path)?.0,
        };
        let image = Image {
            source: file,
            total_bytes: self.total_bytes,
            database: None,
            options: self.options.clone(),
        };
        let node = NodeAddress::new(self.path.display().to_string());
        let path = self.path.clone();
        let judge = move |read: larder_rdb::Result<_>| read.map_err(|source| Error::Refused { path, source });
        Ok(Running::start(image, node, wanted, &self.seen, judge))
    }
}

impl KeySource for DumpSource {
    /// Reads on a thread of its own, from the file's beginning. Must be called on a Tokio runtime.
    fn batches(&self, wanted: Wanted) -> BoxStream<'static, Result<KeyBatch>> {
        match self.start(wanted) {
            Ok(running) => running.batches().boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    fn bytes_source(&self) -> BytesSource {
        BytesSource::Estimated
    }

    fn counted_from_ms(&self, _now_ms: i64) -> i64 {
        self.seen.counted_from_ms.load(Ordering::Acquire)
    }
}

fn open(path: &Path) -> Result<(File, Option<u64>)> {
    let open = || -> io::Result<(File, Option<u64>)> {
        let file = File::open(path)?;
        let about = file.metadata()?;
        if about.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
        }
        Ok((file, about.is_file().then_some(about.len())))
    };
    open().map_err(|source| Error::Open { path: path.to_path_buf(), source })
}
