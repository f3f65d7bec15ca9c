//! Going through a source to its end, or to Ctrl-C.

use std::pin::pin;

use anyhow::Result;
use futures_util::StreamExt;
use indicatif::ProgressBar;
use larder_cache_client::KeyBatch;
use larder_keyspace::{DumpRead, DumpSource, Error, KeySource, LiveSource, NotSeen, StreamSource, Wanted};
use larder_rdb::Checksum;

use super::images::pointed_to_scan;
use crate::{
    context::now,
    output::{message, progress},
};

/// Takes the batches of a sweep.
pub(crate) trait Consumer {
    /// Takes a batch, whose times left count from `counted_from_ms`.
    fn take(&mut self, batch: &KeyBatch, counted_from_ms: i64);

    /// Tells whether this is enough.
    fn is_full(&self) -> bool {
        false
    }

    /// Does what is due between two batches; `last` where there are no more, or the sweep was stopped.
    async fn rest(&mut self, last: bool) -> Result<()> {
        let _ = last;
        Ok(())
    }
}

/// How a sweep of a cache ended.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    pub(crate) not_seen: Vec<NotSeen>,
    pub(crate) interrupted: bool,
}

impl Ended {
    pub(crate) fn is_complete(&self) -> bool {
        self.not_seen.is_empty() && !self.interrupted
    }
}

/// Goes through a cache. What one shard cannot give is left out and said; where nothing at all can be read, that is the
/// error.
pub(crate) async fn through_cache(
    source: &LiveSource,
    wanted: Wanted,
    bar: ProgressBar,
    consumer: &mut impl Consumer,
) -> Result<Ended> {
    through(source, wanted, |batch| bar.inc(batch.records.len() as u64), consumer)
        .await
        .inspect(|_| bar.finish_and_clear())
        .inspect_err(|_| bar.finish_and_clear())
}

/// Goes through the images of a cache, as [`through_cache`]; one that is damaged is an error.
pub(crate) async fn through_images(
    source: &StreamSource,
    wanted: Wanted,
    quiet: bool,
    consumer: &mut impl Consumer,
) -> Result<Ended> {
    let bar = progress::of_bytes(quiet);
    through(source, wanted, |_| bar.set_position(source.progress().bytes), consumer)
        .await
        .inspect(|_| bar.finish_and_clear())
        .inspect_err(|_| bar.finish_and_clear())
}

async fn through(
    source: &dyn KeySource,
    wanted: Wanted,
    advance: impl Fn(&KeyBatch),
    consumer: &mut impl Consumer,
) -> Result<Ended> {
    let mut ended = Ended::default();
    let mut errors = Vec::new();
    let mut has_batch = false;
    let mut batches = source.batches(wanted);
    let mut stop = pin!(tokio::signal::ctrl_c());
    while !consumer.is_full() {
        let item = tokio::select! {
            item = batches.next() => item,
            _ = &mut stop => {
                ended.interrupted = true;
                break;
            }
        };
        match item {
            Some(Ok(batch)) => {
                has_batch = true;
                consumer.take(&batch, source.counted_from_ms(now().timestamp_millis()));
                advance(&batch);
                consumer.rest(false).await?;
            }
            // What was counted of it cannot be trusted either.
            Some(Err(error @ (Error::Image { .. } | Error::Unchecked { .. }))) => {
                return Err(pointed_to_scan(error));
            }
            Some(Err(error)) => {
                ended.not_seen.push(NotSeen::of(&error));
                errors.push(error);
            }
            None => break,
        }
    }
    if let (false, Some(error)) = (has_batch || ended.interrupted, errors.into_iter().next()) {
        return Err(pointed_to_scan(error));
    }
    consumer.rest(true).await?;
    Ok(ended)
}

/// Goes through a file with a bar on the terminal, and says where its checksum could not be compared; `None` where it was
/// stopped.
pub(crate) async fn through_dump(
    source: &DumpSource,
    wanted: Wanted,
    name: &str,
    quiet: bool,
    consumer: &mut impl Consumer,
) -> Result<Option<DumpRead>> {
    let bar = progress::of_bytes(quiet);
    let mut batches = source.batches(wanted);
    let mut stop = pin!(tokio::signal::ctrl_c());
    loop {
        let item = tokio::select! {
            item = batches.next() => item,
            _ = &mut stop => {
                bar.finish_and_clear();
                return Ok(None);
            }
        };
        let Some(batch) = item.transpose().inspect_err(|_| bar.finish_and_clear()).map_err(explained)? else {
            break;
        };
        consumer.take(&batch, source.counted_from_ms(0));
        let read = source.progress();
        if let Some(total) = read.total_bytes {
            progress::set_length(&bar, total);
        }
        bar.set_position(read.bytes);
    }
    bar.finish_and_clear();
    let read = source.outcome();
    if read.is_some_and(|read| read.checksum == Checksum::Off || read.checksum == Checksum::Absent) {
        message::warning(&format!("{name} has no checksum, so damage may have gone unseen"));
    }
    Ok(read)
}

fn explained(error: Error) -> anyhow::Error {
    match &error {
        Error::Refused { source: larder_rdb::Error::Limit { .. }, .. } => anyhow::Error::new(error).context(
            "the file may be sound, but it asks for more than is taken from a file whose lengths may be damaged",
        ),
        _ => error.into(),
    }
}
