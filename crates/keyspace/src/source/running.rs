//! Reading that goes on, on a thread of its own.

use std::{
    io::Read,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64},
    },
};

use futures_util::{Stream, stream};
use larder_cache_client::KeyBatch;
use larder_metrics_model::NodeAddress;
use tokio::{
    sync::mpsc,
    task::{JoinHandle, JoinSet},
};

use super::{
    DumpRead, Wanted,
    dump_batches::{Image, Reading},
};
use crate::{Error, Result};

/// How many batches may wait until they are taken.
const WAITING_BATCHES: usize = 4;

/// What is known of the reading that goes on.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Bytes read.
    pub(super) bytes: AtomicU64,
    pub(super) counted_from_ms: AtomicI64,
    read: Mutex<Option<DumpRead>>,
}

impl Seen {
    /// What reading has shown, once it has come to the end.
    pub(super) fn outcome(&self) -> Option<DumpRead> {
        *self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_outcome(&self, read: Option<DumpRead>) {
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = read;
    }
}

/// Batches that are on their way.
#[derive(Debug)]
pub(super) struct Running {
    batches: mpsc::Receiver<KeyBatch>,
    task: JoinHandle<Result<()>>,
    /// What brings the bytes; it ends with this.
    _feeding: JoinSet<()>,
}

impl Running {
    /// Begins to read; `judge` says what becomes of the end. Must be called on a Tokio runtime.
    pub(super) fn start<R: Read + Send + 'static>(
        image: Image<R>,
        node: NodeAddress,
        wanted: Wanted,
        seen: &Arc<Seen>,
        judge: impl FnOnce(larder_rdb::Result<DumpRead>) -> Result<DumpRead> + Send + 'static,
    ) -> Self {
        let (sender, batches) = mpsc::channel(WAITING_BATCHES);
        let seen = Arc::clone(seen);
        seen.set_outcome(None);
        let read = move || {
            let reading = Reading { image, node, wanted, seen: Arc::clone(&seen), sender };
            // Where no one takes the batches any more there is no end to judge.
            if let Some(ended) = reading.read().transpose() {
                seen.set_outcome(Some(judge(ended)?));
            }
            Ok(())
        };
        Self { batches, task: tokio::task::spawn_blocking(read), _feeding: JoinSet::new() }
    }

    /// The same, with what brings the bytes.
    pub(super) fn fed_by(self, feeding: JoinSet<()>) -> Self {
        Self { _feeding: feeding, ..self }
    }

    /// The batches, and the error that ends them.
    pub(super) fn batches(self) -> impl Stream<Item = Result<KeyBatch>> + Send + 'static {
        stream::unfold(Some(self), async |running| {
            let mut running = running?;
            if let Some(batch) = running.batches.recv().await {
                return Some((Ok(batch), Some(running)));
            }
            // There are no more: the end, or an error.
            let error = match running.task.await {
                Ok(end) => end.err()?,
                Err(broken) => Error::Broken { source: broken },
            };
            Some((Err(error), None))
        })
    }
}
