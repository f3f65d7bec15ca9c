//! From the dumps of all shards to batches of values.

use std::{borrow::Cow, collections::BTreeMap, ops::ControlFlow, sync::Arc, time::Duration};

use bytes::Bytes;
use larder_cache_client::{DumpedValue, RestoreItem, Ttl};
use larder_rdb::{Entry, Record, Server};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};

use super::{
    LiveRestore, LiveRestoreOptions,
    budget::{ByteBudget, Held},
    choice::{Choice, Fate},
    first_names::FirstNames,
    planning::READ_AT_ONCE,
    reading::{Dated, Image, each_record, value_for},
    target::Looked,
};
use crate::{Error, Result};

/// Most keys of one batch.
pub(super) const BATCH_KEYS: usize = 500;
/// Most bytes of the batches that are made at once; a value that is larger goes alone.
const BATCH_BYTES: usize = 4 << 20;
/// A batch is held, and what is there under the same names as well, where it has to be compared.
const HELD_TWICE: usize = 2;

/// What comes out of a dump.
#[derive(Debug)]
pub(super) enum Piece {
    /// Keys of one database.
    Keys(Batch),
    /// The source of a function library.
    Function(Vec<u8>),
}

/// Keys that go into one database.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) database: u64,
    pub(super) items: Vec<RestoreItem>,
    pub(super) bytes: usize,
    /// Its part of what may be in memory, until it is done.
    pub(super) held: Option<Held>,
}

/// Keys that no batch has.
#[derive(Debug, Default)]
pub(super) struct Passed {
    pub(super) left_out: BTreeMap<&'static str, u64>,
    pub(super) expired: u64,
}

/// Batches, made on threads of their own while others are under way.
#[derive(Debug)]
pub(super) struct Batches {
    receiver: mpsc::Receiver<Piece>,
    readers: JoinSet<Result<Passed>>,
}

impl Batches {
    pub(super) fn of(restore: &LiveRestore, looked: &Looked) -> Self {
        restore.options.progress.begin();
        let shards = restore.source.shards();
        let most_bytes = BATCH_BYTES / shards.clamp(1, READ_AT_ONCE);
        let (sender, receiver) = mpsc::channel(1);
        let budget = ByteBudget::new();
        let (mut readers, places) = (JoinSet::new(), Arc::new(Semaphore::new(READ_AT_ONCE)));
        for shard in 0..shards {
            let (restore, sender, places) = (restore.clone(), sender.clone(), Arc::clone(&places));
            let (choice, server, budget) = (restore.choice(looked), looked.server, budget.clone());
            readers.spawn(async move {
                let _place = places.acquire_owned().await;
                let filling = Filling {
                    options: restore.options.clone(),
                    sender,
                    budget,
                    most_bytes,
                    first: FirstNames::of(&restore.options),
                    batches: BTreeMap::new(),
                    passed: Passed::default(),
                };
                let work = move || filling.read(&restore, shard, server, &choice);
                tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::Stopped))
            });
        }
        Self { receiver, readers }
    }

    /// The next batch, or function; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Piece> {
        self.receiver.recv().await
    }

    /// What was passed by. Readers that are not through are told to end.
    pub(super) async fn finish(mut self) -> Result<Passed> {
        self.receiver.close();
        drop(self.receiver);
        let mut sum = Passed::default();
        while let Some(passed) = self.readers.join_next().await {
            let passed = passed.unwrap_or(Err(Error::Stopped))?;
            sum.expired += passed.expired;
            for (why, keys) in passed.left_out {
                *sum.left_out.entry(why).or_default() += keys;
            }
        }
        Ok(sum)
    }
}

/// The name that a key gets.
pub(super) fn new_name(options: &LiveRestoreOptions, key: &[u8]) -> Bytes {
    let name = options.rename.as_ref().map_or(Cow::Borrowed(key), |rename| rename.of(key));
    Bytes::from(name.into_owned())
}

/// Batches of one shard that are being filled.
struct Filling {
    options: LiveRestoreOptions,
    sender: mpsc::Sender<Piece>,
    budget: ByteBudget,
    most_bytes: usize,
    first: FirstNames,
    batches: BTreeMap<u64, Batch>,
    passed: Passed,
}

impl Filling {
    fn read(
        mut self,
        restore: &LiveRestore,
        shard: usize,
        server: Option<Server>,
        choice: &Choice,
    ) -> Result<Passed> {
        each_record(restore, shard, server, |record, dated| {
            let goes_on = match record {
                Record::Key(entry) => self.take(entry, dated, choice)?,
                Record::Function { code } if self.options.functions => {
                    self.send(Piece::Function(code.to_vec()))
                }
                // Databases come one after the other in a file: what is left of the last one goes before the next one begins.
                Record::SelectDb(_) => self.send_rest(),
                _ => true,
            };
            Ok(if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        self.send_rest();
        Ok(self.passed)
    }

    /// Tells whether somebody wants more.
    fn take(&mut self, entry: Entry<'_, Image>, dated: Dated, choice: &Choice) -> larder_rdb::Result<bool> {
        let meta = entry.meta();
        let fate = choice.fate(entry.key(), entry.kind(), &meta, dated.taken_at_ms);
        let (database, expires_at_ms) = match self.first.only_first(fate, entry.key()) {
            Fate::Comes { database, expires_at_ms } => (database, expires_at_ms),
            Fate::LeftOut(why) => {
                *self.passed.left_out.entry(why).or_default() += 1;
                return Ok(!self.sender.is_closed());
            }
            Fate::Expired | Fate::Undated => {
                self.passed.expired += 1;
                return Ok(!self.sender.is_closed());
            }
        };
        let name = new_name(&self.options, entry.key());
        self.budget.wait();
        let payload = value_for(entry, dated.server)?.into_payload(dated.server, &name)?;
        let mut value = DumpedValue::new(Bytes::from(payload), Ttl::None);
        value.expires_at_ms = expires_at_ms;
        value.idle = meta.idle_s.map(Duration::from_secs);
        Ok(self.add(database, RestoreItem { key: name, value, overwrite: false }))
    }

    fn add(&mut self, database: u64, item: RestoreItem) -> bool {
        let bytes = item.value.payload.len() + item.key.len();
        let is_large = |batch: &Batch| batch.bytes + bytes > self.most_bytes && !batch.items.is_empty();
        if let Some(full) = self.batches.get_mut(&database).filter(|batch| is_large(batch)) {
            let full = std::mem::take(full);
            if !self.send(Piece::Keys(full)) {
                return false;
            }
        }
        let batch = self.batches.entry(database).or_default();
        batch.database = database;
        batch.bytes += bytes;
        batch.items.push(item);
        let is_full = batch.items.len() >= BATCH_KEYS || batch.bytes >= self.most_bytes;
        let full = is_full.then(|| std::mem::take(batch));
        full.is_none_or(|full| self.send(Piece::Keys(full)))
    }

    fn send_rest(&mut self) -> bool {
        std::mem::take(&mut self.batches).into_values().all(|batch| self.send(Piece::Keys(batch)))
    }

    fn send(&self, mut piece: Piece) -> bool {
        if let Piece::Keys(batch) = &mut piece {
            if batch.items.is_empty() {
                return true;
            }
            batch.held = self.budget.hold(batch.bytes * HELD_TWICE);
        }
        self.sender.blocking_send(piece).is_ok()
    }
}
