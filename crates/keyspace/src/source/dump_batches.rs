//! From the records of an image to batches of key records.

use std::{
    borrow::Cow,
    io::{self, Read},
    mem,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use larder_cache_client::{KeyBatch, KeyFields, KeyRecord, KeyType, ScanPosition, ShardPosition, Ttl};
use larder_metrics_model::NodeAddress;
use larder_rdb::{
    Dialect, Entry, Format, Kind, MemoryEstimate, MemoryModel, ReadOptions, Reader, Record, Server, Skimmed,
};
use tokio::sync::mpsc;

use super::{DumpOptions, DumpRead, TimeBase, Wanted, running::Seen};

/// An RDB image that is to be read: where its bytes come from, and what is looked for in it.
pub(super) struct Image<R> {
    pub(super) source: R,
    /// Its length, where it is known.
    pub(super) total_bytes: Option<u64>,
    /// The only database whose keys are given; `None` for all.
    pub(super) database: Option<u64>,
    pub(super) options: DumpOptions,
}

/// Reads an image from its beginning to its end.
pub(super) struct Reading<R> {
    pub(super) image: Image<R>,
    pub(super) node: NodeAddress,
    pub(super) wanted: Wanted,
    pub(super) seen: Arc<Seen>,
    pub(super) sender: mpsc::Sender<KeyBatch>,
}

/// Most keys of one batch.
const BATCH_KEYS: usize = 512;
/// A batch whose names are longer than this together has fewer keys.
const BATCH_NAME_BYTES: usize = 256 << 10;

impl<R: Read> Reading<R> {
    /// Reads until the end, or until no one takes the batches any more: then `None`.
    pub(super) fn read(self) -> larder_rdb::Result<Option<DumpRead>> {
        let Self { image: Image { source, total_bytes, database, options }, node, wanted, seen, sender } =
            self;
        let mut read_options = ReadOptions::default();
        read_options.total_bytes = total_bytes;
        seen.bytes.store(0, Ordering::Relaxed);
        let source = Counted { source, seen: Arc::clone(&seen) };
        let mut reader = Reader::with_options(source, read_options)?;
        let mut facts = Facts::of(reader.format(), &options);
        let mut batch = Batch { node, sender, names: Vec::new(), ends: Vec::new(), records: Vec::new() };
        let mut keys = KeyReading { wanted, database, moment_ms: 0, model: None, read: 0, expired: 0 };
        while let Some(record) = reader.next_record()? {
            match record {
                Record::Aux { name, value } => facts.take(name, value),
                Record::Key(entry) => {
                    if keys.model.is_none() {
                        keys.model = Some(facts.model());
                        keys.moment_ms = facts.moment_ms();
                        seen.counted_from_ms.store(keys.moment_ms, Ordering::Release);
                    }
                    keys.read(entry, &mut batch)?;
                }
                _ => {}
            }
            if batch.is_full() && batch.send(Some(reader.offset())).is_none() {
                return Ok(None);
            }
        }
        seen.counted_from_ms.store(facts.moment_ms(), Ordering::Release);
        batch.send(None);
        Ok(Some(DumpRead {
            format: reader.format(),
            writer: facts.writer,
            written_at_ms: facts.written_at_ms,
            checksum: reader.checksum(),
            keys: keys.read,
            expired_keys: keys.expired,
        }))
    }
}

/// What a file says of itself.
struct Facts<'o> {
    format: Format,
    options: &'o DumpOptions,
    writer: Option<Server>,
    written_at_ms: Option<i64>,
}

impl<'o> Facts<'o> {
    fn of(format: Format, options: &'o DumpOptions) -> Self {
        Self { format, options, writer: None, written_at_ms: None }
    }

    fn take(&mut self, name: &[u8], value: &[u8]) {
        let text = str::from_utf8(value).unwrap_or_default();
        match name {
            b"redis-ver" => self.writer = format!("redis {text}").parse().ok(),
            b"valkey-ver" => self.writer = format!("valkey {text}").parse().ok(),
            b"ctime" => {
                let seconds: Option<i64> = text.parse().ok();
                let milliseconds = seconds.and_then(|seconds| seconds.checked_mul(1000));
                self.written_at_ms = milliseconds.filter(|at| *at > 0);
            }
            _ => {}
        }
    }

    fn moment_ms(&self) -> i64 {
        match self.options.time_base {
            TimeBase::Written => self.written_at_ms.unwrap_or(self.options.now_ms),
            TimeBase::Now => self.options.now_ms,
        }
    }

    fn model(&self) -> MemoryModel {
        let server = self.options.server.or(self.writer).unwrap_or_else(|| likely_writer(self.format));
        MemoryModel::new(server).with_allocator(self.options.allocator).grown()
    }
}

/// The server that most likely wrote a file of this format, where it does not say it.
fn likely_writer(format: Format) -> Server {
    match (format.dialect(), format.version()) {
        (Dialect::Valkey, _) => Server::valkey(9, 0),
        (_, ..=10) => Server::redis(7, 0),
        (_, 11) => Server::redis(7, 2),
        _ => Server::redis(8, 0),
    }
}

/// Makes records of entries.
struct KeyReading {
    wanted: Wanted,
    database: Option<u64>,
    moment_ms: i64,
    model: Option<MemoryModel>,
    read: u64,
    expired: u64,
}

impl KeyReading {
    fn read<R: Read>(&mut self, entry: Entry<'_, R>, batch: &mut Batch) -> larder_rdb::Result<()> {
        if self.database.is_some_and(|database| database != entry.meta().db) {
            return Ok(());
        }
        let fields = self.wanted.of(entry.key());
        let expires_at_ms = entry.meta().expires_at_ms;
        if expires_at_ms.is_some_and(|at| at <= self.moment_ms) {
            self.expired += 1;
            return Ok(());
        }
        self.read += 1;
        let (skimmed, estimate) = match self.model {
            Some(model) if fields.contains(KeyFields::BYTES) => {
                let (skimmed, estimate) = entry.skim_with_memory(&model)?;
                (skimmed, Some(estimate))
            }
            _ => (entry.skim()?, None),
        };
        let mut record = KeyRecord::new(Bytes::new());
        fill(&mut record, fields, &skimmed, estimate);
        record.ttl = fields.contains(KeyFields::TTL).then(|| left(expires_at_ms, self.moment_ms));
        batch.push(skimmed.key, record);
        Ok(())
    }
}

fn fill(record: &mut KeyRecord, fields: KeyFields, key: &Skimmed<'_>, estimate: Option<MemoryEstimate>) {
    let asked = |field: KeyFields| fields.contains(field);
    record.database = key.db;
    record.kind = fields.intersects(KeyFields::TYPE | KeyFields::ELEMENTS).then(|| kind(key.kind()));
    record.encoding = asked(KeyFields::ENCODING).then(|| Cow::Borrowed(key.value_type.layout().as_str()));
    record.memory_bytes = estimate.map(|estimate| estimate.usage_bytes);
    record.serialised_bytes = estimate.map(|_| key.record_bytes());
    record.idle = key.idle_s.filter(|_| asked(KeyFields::IDLE)).map(Duration::from_secs);
    record.frequency = key.frequency.filter(|_| asked(KeyFields::FREQUENCY));
    if asked(KeyFields::ELEMENTS) {
        record.elements = match key.kind() {
            Kind::String => Some(key.plain_bytes),
            // Only the module knows.
            Kind::Module => None,
            _ => Some(key.elements).filter(|_| key.elements_exact),
        };
    }
}

fn left(expires_at_ms: Option<i64>, moment_ms: i64) -> Ttl {
    let Some(at) = expires_at_ms else { return Ttl::None };
    Ttl::In(Duration::from_millis(u64::try_from(at.saturating_sub(moment_ms)).unwrap_or(0)))
}

fn kind(kind: Kind) -> KeyType {
    match kind {
        Kind::String => KeyType::String,
        Kind::List => KeyType::List,
        Kind::Set => KeyType::Set,
        Kind::SortedSet => KeyType::SortedSet,
        Kind::Hash => KeyType::Hash,
        Kind::Stream => KeyType::Stream,
        other => KeyType::Module(other.as_str().to_owned()),
    }
}

/// A batch that is being filled; the names of its keys lie one behind the other.
struct Batch {
    node: NodeAddress,
    sender: mpsc::Sender<KeyBatch>,
    names: Vec<u8>,
    ends: Vec<usize>,
    records: Vec<KeyRecord>,
}

impl Batch {
    #[inline]
    fn push(&mut self, name: &[u8], record: KeyRecord) {
        self.names.extend_from_slice(name);
        self.ends.push(self.names.len());
        self.records.push(record);
    }

    fn is_full(&self) -> bool {
        self.records.len() >= BATCH_KEYS || self.names.len() >= BATCH_NAME_BYTES
    }

    /// Sends what is there; `None` where no one takes it any more. `goes_on` is where the rest of the file begins.
    fn send(&mut self, goes_on: Option<u64>) -> Option<()> {
        let mut records = mem::replace(&mut self.records, Vec::with_capacity(BATCH_KEYS));
        let capacity = self.names.len();
        let names = Bytes::from(mem::replace(&mut self.names, Vec::with_capacity(capacity)));
        let mut begin = 0;
        for (record, end) in records.iter_mut().zip(self.ends.drain(..)) {
            record.key = names.slice(begin..end);
            begin = end;
        }
        let shard = goes_on.map_or(ShardPosition::Done, |offset| ShardPosition::At(offset.to_string()));
        let mut position = ScanPosition::default();
        position.set_shard(self.node.clone(), shard);
        self.sender.blocking_send(KeyBatch::new(self.node.clone(), records, position)).ok()
    }
}

/// Counts what is read.
struct Counted<R> {
    source: R,
    seen: Arc<Seen>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.source.read(buffer)?;
        self.seen.bytes.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}
