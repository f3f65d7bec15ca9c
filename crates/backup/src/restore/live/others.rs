//! Removing what the backup does not have, so that the cache holds what the backup holds.

use std::{collections::HashSet, hash::BuildHasher};

use bytes::Bytes;
use foldhash::fast::FixedState;
use larder_cache_client::{CacheClient, DumpedValue, GuardedAction, GuardedChange, KeyChange, ValueStamp};
use larder_rdb::{DataDigest, KeyHasher, KeyMeta, KeyName, Payload, Reader};
use serde::Serialize;
use tokio::sync::mpsc;

use super::{LiveRestore, LiveSource, apply::Clients};
use crate::{Error, Result};

/// What became of keys that the backup does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OthersOutcome {
    /// Keys that were removed. Each is in the backup that was made before.
    pub removed: u64,
    /// Keys that were written since that backup, and were left alone.
    pub written_since: u64,
    /// Keys that were gone by then.
    pub gone: u64,
    /// Keys that could not be removed.
    pub failed: u64,
    /// What the first of them failed with.
    pub failures: Vec<String>,
    /// Whether it was stopped on request.
    pub stopped: bool,
}

/// A key that the backup does not have, as it was when it was backed up.
struct Other {
    key: Bytes,
    value: DataDigest,
}

/// Keys of one database.
struct Batch {
    database: u64,
    others: Vec<Other>,
}

/// Names of keys, eight bytes each; of two that are taken for one, which is to be expected once in some 10^9 pairs of a
/// billion keys, one stays that could go.
type Names = HashSet<u64, FixedState>;

const BATCH_KEYS: usize = 500;
const WAITING: usize = 4;
const MOST_NAMED: usize = 20;
/// OBJECT IDLETIME, PTTL, PEXPIRETIME, DUMP and the change itself.
const COMMANDS: usize = 5;

impl LiveRestore {
    /// Removes the keys that are in `before`, a backup of the cache made just now, and not in the one that is restored; only
    /// such as still are as they are in `before`, so that it gives every one of them back.
    ///
    /// # Errors
    /// [`Error::Dump`] for a dump that is not sound; nothing was removed then, or what the outcome of another run will not
    /// find any more.
    pub async fn remove_others(&self, before: &LiveSource) -> Result<OthersOutcome> {
        let kept = self.source.clone();
        let names = on_thread(move || names_of(&kept)).await?;
        let (sender, mut batches) = mpsc::channel(WAITING);
        let before = before.clone();
        let reading = tokio::task::spawn_blocking(move || send_others(&before, &names, &sender));
        let mut outcome = OthersOutcome::default();
        let mut clients = Clients::of(self);
        while let Some(batch) = batches.recv().await {
            if self.options.stop.is_cancelled() {
                outcome.stopped = true;
                break;
            }
            let client = clients.of_database(batch.database).await?;
            self.remove(&client, &batch, &mut outcome).await;
        }
        drop(batches);
        reading.await.unwrap_or(Err(Error::Stopped))?;
        Ok(outcome)
    }

    async fn remove(&self, client: &CacheClient, batch: &Batch, outcome: &mut OthersOutcome) {
        let keys: Vec<Bytes> = batch.others.iter().map(|other| other.key.clone()).collect();
        let paced = self.paced(client);
        let found = paced.in_steps(&keys, (BATCH_KEYS, COMMANDS), |keys| client.keys().dump(keys)).await;
        outcome.stopped |= found.len() < keys.len();
        let mut changes = Vec::with_capacity(found.len());
        for (other, found) in batch.others.iter().zip(found) {
            match found {
                Ok(None) => outcome.gone += 1,
                Ok(Some(found)) => match still_same(batch.database, other, &found) {
                    Some(change) => changes.push(change),
                    None => outcome.written_since += 1,
                },
                Err(error) => outcome.fail(&other.key, &error),
            }
        }
        let answers = client.keys().change(&changes).await;
        for (change, answer) in changes.iter().zip(answers) {
            match answer {
                Ok(KeyChange::Done) => outcome.removed += 1,
                Ok(KeyChange::Missing) => outcome.gone += 1,
                Ok(_) => outcome.written_since += 1,
                Err(error) => outcome.fail(&change.key, &error),
            }
        }
    }
}

impl OthersOutcome {
    /// Tells whether nothing is left that the backup does not have, but for what was written since.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.failed == 0 && !self.stopped
    }

    fn fail(&mut self, key: &[u8], error: &larder_cache_client::Error) {
        self.failed += 1;
        if self.failures.len() < MOST_NAMED {
            self.failures.push(format!("{}: {}", KeyName::from(key), error.with_causes()));
        }
    }
}

async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::Stopped))
}

fn hash(database: u64, key: &[u8]) -> u64 {
    FixedState::default().hash_one((database, key))
}

fn names_of(source: &LiveSource) -> Result<Names> {
    let mut names = Names::default();
    for shard in 0..source.shards() {
        let unsound = |source| Error::Dump { of: format!("shard {shard}"), source };
        let mut reader = Reader::new(source.open(shard)?).map_err(unsound)?;
        while let Some(key) = reader.skim_next().map_err(unsound)? {
            names.insert(hash(key.db, key.key));
        }
    }
    Ok(names)
}

fn send_others(before: &LiveSource, names: &Names, sender: &mpsc::Sender<Batch>) -> Result<()> {
    let mut hasher = KeyHasher::default();
    for shard in 0..before.shards() {
        let unsound = |source| Error::Dump { of: format!("shard {shard} of the backup made before"), source };
        let mut reader = Reader::new(before.open(shard)?).map_err(unsound)?;
        let mut batch = Batch { database: 0, others: Vec::new() };
        while let Some(entry) = reader.next_key().map_err(unsound)? {
            let database = entry.meta().db;
            if names.contains(&hash(database, entry.key())) {
                continue;
            }
            let key = Bytes::copy_from_slice(entry.key());
            let value = entry.digest(&mut hasher).map_err(unsound)?.value;
            if batch.database != database || batch.others.len() == BATCH_KEYS {
                let full = std::mem::replace(&mut batch, Batch { database, others: Vec::new() });
                if !send(full, sender) {
                    return Ok(());
                }
            }
            batch.others.push(Other { key, value });
        }
        if !send(batch, sender) {
            return Ok(());
        }
    }
    Ok(())
}

/// Tells whether somebody still listens.
fn send(batch: Batch, sender: &mpsc::Sender<Batch>) -> bool {
    batch.others.is_empty() || sender.blocking_send(batch).is_ok()
}

/// The change that removes a key, if it is still as it was.
fn still_same(database: u64, other: &Other, found: &DumpedValue) -> Option<GuardedChange> {
    let meta = KeyMeta::in_db(database);
    let payload = Payload::parse(&found.payload).ok()?;
    let digest = payload.digest(&other.key, &meta, &mut KeyHasher::default()).ok()?;
    let value = ValueStamp::of(&found.payload).filter(|_| digest.value == other.value)?;
    Some(GuardedChange {
        key: other.key.clone(),
        value,
        expires_at_ms: found.expires_at_ms,
        action: GuardedAction::Unlink,
    })
}
