//! The keys of a dump.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use larder_cache_client::KeyBatch;
use larder_metrics_model::NodeAddress;
use larder_rdb::{Allocator, Checksum, Format, Server};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{BytesSource, KeySource, Wanted, dump_batches::Reading};
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

/// What reading a file to its end has shown.
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

/// What is known of the reading that goes on.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) bytes: AtomicU64,
    pub(super) counted_from_ms: AtomicI64,
    pub(super) read: Mutex<Option<DumpRead>>,
}

/// How many batches may wait until they are taken.
const WAITING_BATCHES: usize = 4;

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
        *self.seen.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, wanted: Wanted) -> Result<Running> {
        let unread = self.file.lock().unwrap_or_else(PoisonError::into_inner).take();
        let file = match unread {
            Some(file) => file,
            None => open(&self.path)?.0,
        };
        let (sender, batches) = mpsc::channel(WAITING_BATCHES);
        let reading = Reading {
            file,
            path: self.path.clone(),
            node: NodeAddress::new(self.path.display().to_string()),
            total_bytes: self.total_bytes,
            options: self.options.clone(),
            wanted,
            seen: Arc::clone(&self.seen),
            sender,
        };
        Ok(Running { batches, task: tokio::task::spawn_blocking(|| reading.read()) })
    }
}

impl KeySource for DumpSource {
    /// Reads on a thread of its own, from the file's beginning. Must be called on a Tokio runtime.
    fn batches(&self, wanted: Wanted) -> BoxStream<'static, Result<KeyBatch>> {
        let running = match self.start(wanted) {
            Ok(running) => running,
            Err(error) => return stream::iter([Err(error)]).boxed(),
        };
        let next = |running: Option<Running>| async {
            let mut running = running?;
            if let Some(batch) = running.batches.recv().await {
                return Some((Ok(batch), Some(running)));
            }
            // There are no more: the end of the file, or an error.
            let error = match running.task.await {
                Ok(end) => end.err()?,
                Err(broken) => Error::Broken { source: broken },
            };
            Some((Err(error), None))
        };
        stream::unfold(Some(running), next).boxed()
    }

    fn bytes_source(&self) -> BytesSource {
        BytesSource::Estimated
    }

    fn counted_from_ms(&self, _now_ms: i64) -> i64 {
        self.seen.counted_from_ms.load(Ordering::Acquire)
    }
}

struct Running {
    batches: mpsc::Receiver<KeyBatch>,
    task: JoinHandle<Result<()>>,
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
