//! Images taken key by key.

use std::{
    collections::{HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Instant,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use larder_metrics_model::NodeAddress;
use larder_rdb::KeyMeta;

use super::{
    clock::Clock,
    image::{About, ImageFile},
};
use crate::{DumpedValue, Error, KeyBatch, KeyRecord, Keys, Pace, Result, StepTaken, Ttl};

/// How much memory the values of one batch take in the server, and so about how long it is at most.
const BATCH_BYTES: u64 = 1 << 20;

/// How many keys a batch has at most.
const BATCH_KEYS: usize = 512;

/// What a value is taken to need where the server does not say it: few keys, rather than too much at once.
const ASSUMED_BYTES: u64 = 64 << 10;

/// Databases, one behind the other.
#[async_trait]
pub(crate) trait Databases: Send {
    /// Opens the next one; `None` behind the last.
    async fn next(&mut self) -> Result<Option<OpenDatabase>>;
}

/// A database whose keys are on their way.
pub(crate) struct OpenDatabase {
    pub(crate) number: u64,
    pub(crate) batches: BoxStream<'static, Result<KeyBatch>>,
    pub(crate) fetch: Box<dyn Fetch>,
}

/// Gets values.
#[async_trait]
pub(crate) trait Fetch: Send {
    /// Gets the values of keys, in their order; `None` for a key that is gone.
    async fn fetch(&mut self, keys: &[Bytes]) -> Result<Vec<Option<DumpedValue>>>;
}

/// Over whatever leads to the keys.
#[derive(Debug)]
pub(crate) struct FetchByKeys(pub(crate) Arc<dyn Keys>);

#[async_trait]
impl Fetch for FetchByKeys {
    async fn fetch(&mut self, keys: &[Bytes]) -> Result<Vec<Option<DumpedValue>>> {
        self.0.dump(keys).await.into_iter().collect()
    }
}

/// An image on its way.
pub(crate) struct KeyImage {
    node: NodeAddress,
    pace: Arc<dyn Pace>,
    clock: Clock,
    databases: Box<dyn Databases>,
    open: Option<OpenDatabase>,
    waiting: VecDeque<KeyRecord>,
    seen: Seen,
    image: ImageFile,
}

/// Which keys of a database are in the image: SCAN may give one twice while the server changes the size of its table, and a
/// server that loads a file with a key twice ends.
///
/// Eight bytes of a keyed hash (`SipHash`) stand for a key; the table has them in 9 to 18. That two keys of a database have the
/// same, so that the second is left out, has a chance of one in 370,000 with ten million keys, and of one in 3,700 with a
/// hundred million (n² / 2⁶⁵).
#[derive(Debug, Default)]
struct Seen {
    hashes: HashSet<u64>,
    hasher: RandomState,
}

impl Seen {
    fn is_new(&mut self, key: &[u8]) -> bool {
        self.hashes.insert(self.hasher.hash_one(key))
    }
}

impl KeyImage {
    pub(crate) fn new(
        node: NodeAddress,
        pace: Arc<dyn Pace>,
        clock: Clock,
        about: About,
        databases: Box<dyn Databases>,
    ) -> Self {
        Self {
            node,
            pace,
            clock,
            databases,
            open: None,
            waiting: VecDeque::new(),
            seen: Seen::default(),
            image: ImageFile::new(about),
        }
    }

    pub(crate) fn into_stream(self) -> BoxStream<'static, Result<Bytes>> {
        stream::unfold(Some(self), |image| async move {
            let mut image = image?;
            match image.next().await {
                Ok(piece) => piece.map(|piece| (Ok(piece), Some(image))),
                Err(error) => Some((Err(error), None)),
            }
        })
        .boxed()
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(piece) = self.image.piece() {
                return Ok(Some(piece));
            }
            if self.image.is_ended() {
                return Ok(None);
            }
            if !self.waiting.is_empty() {
                self.write_batch().await?;
            } else if let Some(open) = &mut self.open {
                match open.batches.next().await {
                    Some(batch) => self.note(batch?)?,
                    None => self.open = None,
                }
            } else {
                self.open = self.databases.next().await?;
                self.seen = Seen::default();
                if self.open.is_none() {
                    self.image.end().map_err(|error| self.unwritable(None, &error))?;
                }
            }
        }
    }

    /// Keys that are in the image already are not taken again.
    fn note(&mut self, batch: KeyBatch) -> Result<()> {
        // What is in the image is of a server that is gone, and cannot be taken back.
        if batch.round > 0 {
            let detail = "the server was replaced by another one while its keys were read".to_owned();
            return Err(Error::Unexpected { node: batch.node, command: "SCAN".to_owned(), detail });
        }
        let seen = &mut self.seen;
        self.waiting.extend(batch.records.into_iter().filter(|record| seen.is_new(&record.key)));
        Ok(())
    }

    async fn write_batch(&mut self) -> Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let most = batch_of(&self.waiting);
        let count = self.pace.next_step(&self.node, most).await.clamp(1, most);
        let records: Vec<KeyRecord> = self.waiting.drain(..count).collect();
        let keys: Vec<Bytes> = records.iter().map(|record| record.key.clone()).collect();
        let begun = Instant::now();
        let values = open.fetch.fetch(&keys).await?;
        self.pace.taken(&self.node, StepTaken::new(count, 2 * count, begun.elapsed()));
        let database = open.number;
        for (record, value) in records.iter().zip(values) {
            let Some(value) = value else { continue };
            let meta = self.meta(database, record, &value);
            self.image
                .key(&record.key, &meta, &value.payload)
                .map_err(|error| self.unwritable(Some(&record.key), &error))?;
        }
        Ok(())
    }

    fn meta(&self, database: u64, record: &KeyRecord, value: &DumpedValue) -> KeyMeta {
        let mut meta = KeyMeta::in_db(database);
        meta.expires_at_ms = match (value.expires_at_ms, value.ttl) {
            (Some(moment), _) => Some(moment),
            (None, Ttl::None) => None,
            (None, Ttl::In(left)) => {
                Some(self.clock.now_ms().saturating_add(i64::try_from(left.as_millis()).unwrap_or(i64::MAX)))
            }
        };
        meta.frequency = record.frequency;
        meta.idle_s =
            record.idle.or(value.idle).map(|idle| idle.as_secs()).filter(|_| meta.frequency.is_none());
        meta
    }

    fn unwritable(&self, key: Option<&[u8]>, error: &larder_rdb::Error) -> Error {
        let detail = match key {
            Some(key) => format!("of key \"{}\": {error}", key.escape_ascii()),
            None => error.to_string(),
        };
        Error::Unexpected { node: self.node.clone(), command: "DUMP".to_owned(), detail }
    }
}

/// How many of the keys may be fetched at once.
fn batch_of(waiting: &VecDeque<KeyRecord>) -> usize {
    let mut bytes = 0_u64;
    let within = waiting.iter().take(BATCH_KEYS).take_while(|record| {
        bytes = bytes.saturating_add(record.memory_bytes.unwrap_or(ASSUMED_BYTES));
        bytes <= BATCH_BYTES
    });
    within.count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(sizes: &[Option<u64>]) -> VecDeque<KeyRecord> {
        let record = |bytes: &Option<u64>| {
            let mut record = KeyRecord::new(Bytes::from_static(b"k"));
            record.memory_bytes = *bytes;
            record
        };
        sizes.iter().map(record).collect()
    }

    #[test]
    fn batches_are_bounded_in_bytes_and_keys() {
        for (sizes, expected) in [
            (vec![Some(100); 3], 3),
            (vec![Some(100); 10_000], BATCH_KEYS),
            (vec![Some(BATCH_BYTES + 1); 3], 1),
            (vec![Some(BATCH_BYTES / 2); 5], 2),
            (vec![None; 100], 16),
            (vec![Some(u64::MAX); 2], 1),
        ] {
            assert_eq!(batch_of(&waiting(&sizes)), expected, "{} of {:?}", sizes.len(), sizes[0]);
        }
    }

    #[test]
    fn a_key_is_new_once() {
        let mut seen = Seen::default();
        assert!(seen.is_new(b"a") && seen.is_new(b"b") && seen.is_new(b""));
        assert!(!seen.is_new(b"a") && !seen.is_new(b""));
    }
}
