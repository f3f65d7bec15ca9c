//! Removing what the backup does not have.

use std::{ops::ControlFlow, sync::Arc};

use bytes::Bytes;
use larder_cache_client::{
    CacheClient, DumpedValue, GuardedAction, GuardedChange, KeyChange, StepSize, ValueStamp,
};
use larder_rdb::{DataDigest, KeyHasher, KeyMeta, Payload, Record, Server};
use tokio::sync::mpsc;

use super::{KeyNames, OthersOutcome};
use crate::{
    Error, Result,
    restore::live::{
        LiveRestore, LiveSource,
        apply::Clients,
        batches::BATCH_KEYS,
        bring_back::{FETCH_COMMANDS, FETCHED_KEYS, Found},
        choice::Choice,
        reading::each_record,
        same::end_same,
    },
    thread::broken,
};

/// Most bytes of the values that are looked at together; a larger one is looked at alone.
const BATCH_BYTES: u64 = 4 << 20;

/// A key that the backup does not have, as it is in the backup that was made before.
#[derive(Debug)]
struct Other {
    key: Bytes,
    value: DataDigest,
    expires_at_ms: Option<i64>,
}

/// Keys of one database.
#[derive(Debug, Default)]
struct Batch {
    database: u64,
    others: Vec<Other>,
    value_bytes: u64,
}

impl LiveRestore {
    /// Removes the keys that are in `before`, a backup of the cache that was made just now, and not in the one that is
    /// restored: after [`LiveRestore::apply`], so that the cache then holds what the backup holds.
    ///
    /// Only such are removed as are still what they are in `before`, by value and by the moment at which they end; that is
    /// looked at once more in the step that removes. So `before` gives every one of them back, and a key that is not in it stays.
    /// Where there is one database only ([`LiveTarget::with_only_database`](super::super::LiveTarget::with_only_database)),
    /// none of another is touched.
    ///
    /// # Errors
    /// [`Error::Refused`] where only a part of the backup is brought back, or under other names, databases or times, or where
    /// keys that are there are not overwritten, and where something stands against the cache; [`Error::Dump`] for a dump of either
    /// backup that is not sound, and whatever opening it gives, before anything is removed; [`Error::Cache`] where the cache cannot be asked before the
    /// first key, and [`Error::Stopped`]. What fails later is part of the outcome.
    pub async fn remove_others(&self, before: &LiveSource) -> Result<OthersOutcome> {
        self.check_exact()?;
        let looked = self.target.look().await?;
        if !looked.refusals.is_empty() {
            return Err(Error::Refused { what: "removing keys".to_owned(), reasons: looked.refusals });
        }
        let (choice, server) = (self.choice(&looked), looked.server);
        let (restored, with) = (self.clone(), choice.clone());
        let names = tokio::task::spawn_blocking(move || KeyNames::of(&restored, server, &with));
        let names = names.await.map_err(broken)??;
        // What cannot be brought back is not removed: the backup made before is read to its end first.
        let of_before = Self { source: before.clone(), ..self.clone() };
        let checked = of_before.clone();
        tokio::task::spawn_blocking(move || check(&checked, server)).await.map_err(broken)??;
        let (sender, mut batches) = mpsc::channel(1);
        let reading = Reading { sender, names, choice, only_database: looked.only_database };
        let reading = tokio::task::spawn_blocking(move || reading.through(&of_before, server));
        let mut outcome = OthersOutcome::default();
        let mut clients = Clients::of(self);
        while let Some(batch) = batches.recv().await {
            if self.options.stop.is_cancelled() {
                outcome.stopped = true;
                break;
            }
            match clients.of_database(batch.database).await {
                Ok(client) => self.remove(&client, batch, &mut outcome).await,
                Err(error) => outcome.ended_by = Some(error.with_causes()),
            }
            if outcome.ended_by.is_some() || outcome.stopped {
                break;
            }
        }
        drop(batches);
        match reading.await.map_err(broken)? {
            Err(Error::Stopped) => outcome.stopped = true,
            Err(error) => outcome.ended_by = outcome.ended_by.or(Some(error.with_causes())),
            Ok(()) => {}
        }
        Ok(outcome)
    }

    async fn remove(&self, client: &CacheClient, batch: Batch, outcome: &mut OthersOutcome) {
        let keys: Arc<[Bytes]> = batch.others.iter().map(|other| other.key.clone()).collect();
        let paced = self.paced(client);
        let fetch = |keys| client.keys().dump(keys);
        let found = paced.take(&keys, StepSize::new(FETCHED_KEYS, FETCH_COMMANDS), fetch).await;
        outcome.stopped |= found.len() < keys.len();
        // Values are decoded to be compared.
        let mut changes = match tokio::task::spawn_blocking(move || judge(&batch, found)).await {
            Ok((judged, changes)) => {
                outcome.written_since += judged.written_since;
                outcome.gone += judged.gone;
                for (key, error) in judged.unread {
                    outcome.fail(&key, &error);
                }
                changes
            }
            Err(error) => {
                outcome.failed += keys.len() as u64;
                outcome.ended_by = Some(broken(error).to_string());
                return;
            }
        };
        if outcome.ended_by.is_some() {
            changes.clear();
        }
        let answers =
            paced.take(&changes, StepSize::new(BATCH_KEYS, 1), |changes| client.keys().change(changes)).await;
        outcome.stopped |= answers.len() < changes.len();
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

/// What a look at keys gave, but for those that go.
#[derive(Debug, Default)]
struct Judged {
    written_since: u64,
    gone: u64,
    unread: Vec<(Bytes, larder_cache_client::Error)>,
}

fn judge(batch: &Batch, found: Vec<Found>) -> (Judged, Vec<GuardedChange>) {
    let (mut judged, mut changes) = (Judged::default(), Vec::with_capacity(found.len()));
    let mut hasher = KeyHasher::new();
    for (other, found) in batch.others.iter().zip(found) {
        match found {
            Ok(None) => judged.gone += 1,
            Ok(Some(found)) => match still_same(batch.database, other, &found, &mut hasher) {
                Some(change) => changes.push(change),
                None => judged.written_since += 1,
            },
            Err(error) => judged.unread.push((other.key.clone(), error)),
        }
    }
    (judged, changes)
}

/// The change that removes a key, if it is still as it was.
fn still_same(
    database: u64,
    other: &Other,
    found: &DumpedValue,
    hasher: &mut KeyHasher,
) -> Option<GuardedChange> {
    let payload = Payload::parse(&found.payload).ok()?;
    let digest = payload.digest(&other.key, &KeyMeta::in_db(database), hasher).ok()?;
    let value = ValueStamp::of(&found.payload).filter(|_| digest.value == other.value)?;
    end_same(other.expires_at_ms, found).then(|| GuardedChange {
        key: other.key.clone(),
        value,
        // Servers before Redis 7.0 do not tell the moment, and compare only whether there is one.
        expires_at_ms: found.expires_at_ms.or(other.expires_at_ms),
        action: GuardedAction::Unlink,
    })
}

/// Reads the backup that was made before to its end.
fn check(before: &LiveRestore, server: Option<Server>) -> Result<()> {
    for shard in 0..before.source.shards() {
        let read = each_record(before, shard, server, |_, _| {
            let is_stopped = before.options.stop.is_cancelled();
            Ok(if is_stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        });
        read.map_err(of_before)?;
    }
    if before.options.stop.is_cancelled() { Err(Error::Stopped) } else { Ok(()) }
}

fn of_before(error: Error) -> Error {
    match error {
        Error::Dump { of, source } => {
            Error::Dump { of: format!("{of} of the backup that was made before"), source }
        }
        error => error,
    }
}

/// Reading the backup that was made before.
struct Reading {
    sender: mpsc::Sender<Batch>,
    names: KeyNames,
    choice: Choice,
    only_database: Option<u64>,
}

impl Reading {
    fn through(self, before: &LiveRestore, server: Option<Server>) -> Result<()> {
        let mut hasher = KeyHasher::new();
        let mut batch = Batch::default();
        for shard in 0..before.source.shards() {
            let read = each_record(before, shard, server, |record, _| {
                let Record::Key(entry) = record else { return Ok(ControlFlow::Continue(())) };
                let meta = entry.meta();
                if self.only_database.is_some_and(|only| only != meta.db)
                    || self.names.has(meta.db, entry.key())
                {
                    // It is passed by, and checked, all the same.
                    entry.skim()?;
                    return Ok(self.goes_on());
                }
                let key = Bytes::copy_from_slice(entry.key());
                let digest = entry.digest(&mut hasher)?;
                let is_full = batch.others.len() >= FETCHED_KEYS
                    || batch.value_bytes.saturating_add(digest.value_bytes) > BATCH_BYTES;
                if batch.database != meta.db || is_full {
                    let full = std::mem::take(&mut batch);
                    if !self.send(full) {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                batch.database = meta.db;
                batch.value_bytes += digest.value_bytes;
                batch.others.push(Other { key, value: digest.value, expires_at_ms: meta.expires_at_ms });
                Ok(self.goes_on())
            });
            read.map_err(of_before)?;
        }
        self.send(batch);
        if self.choice.options.stop.is_cancelled() { Err(Error::Stopped) } else { Ok(()) }
    }

    fn goes_on(&self) -> ControlFlow<()> {
        let nobody_wants_more = self.sender.is_closed() || self.choice.options.stop.is_cancelled();
        if nobody_wants_more { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Tells whether somebody still listens.
    fn send(&self, batch: Batch) -> bool {
        batch.others.is_empty() || self.sender.blocking_send(batch).is_ok()
    }
}
