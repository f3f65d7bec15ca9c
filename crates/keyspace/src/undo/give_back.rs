//! Giving back what was removed or altered.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use larder_cache_client::{
    CacheClient, DumpedValue, FullSpeed, GuardedAction, GuardedChange, KeyChange, Pace, PacedSteps,
    RestoreItem, Ttl, ValueStamp,
};
use larder_metrics_model::NodeAddress;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    act::Act,
    reader::{Kept, UndoFile},
    same_value::hold_same,
};
use crate::{Error, Result, clock::ServerClock, error::with_cause, steps::step_of};

/// How keys are given back.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UndoOptions {
    /// How fast.
    pub pace: Arc<dyn Pace>,
    /// The database that the client works on: keys of others are not given back.
    pub database: u64,
    /// Ends it between two batches.
    pub stop: CancellationToken,
}

impl Default for UndoOptions {
    fn default() -> Self {
        Self { pace: Arc::new(FullSpeed), database: 0, stop: CancellationToken::new() }
    }
}

/// Keys by what becomes, or became, of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UndoCount {
    /// Keys that are given back with their values.
    pub restored: u64,
    /// Keys that get back the TTL that they had.
    pub ttl_given_back: u64,
    /// Keys that are left alone, by the reason.
    pub left_alone: BTreeMap<&'static str, u64>,
}

/// What giving back would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UndoPlan {
    /// Keys in the file.
    pub keys: u64,
    /// What becomes of them.
    #[serde(flatten)]
    pub count: UndoCount,
    /// Keys that could not be given back.
    pub failed: u64,
    /// What the first of those would fail with.
    pub failures: Vec<String>,
    /// Whether it was ended before the last key.
    pub stopped: bool,
}

/// What was given back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UndoOutcome {
    /// Keys in the file.
    pub keys: u64,
    /// What became of them.
    #[serde(flatten)]
    pub count: UndoCount,
    /// Keys that could not be given back.
    pub failed: u64,
    /// What the first of those failed with.
    pub failures: Vec<String>,
    /// Whether it was ended before the last key.
    pub stopped: bool,
}

const WRITTEN_SINCE: &str = "written since";
const TIME_UP: &str = "its time was up meanwhile";
const GONE_SINCE: &str = "removed since";
const AS_IT_WAS: &str = "as it was already";
const OTHER_DATABASE: &str = "of another database";
const BATCH_KEYS: usize = 500;
const BATCH_BYTES: usize = 8 << 20;
const MOST_FAILURES: usize = 5;
/// Values may be large, so only a few are read ahead.
const READ_AHEAD: usize = 16;

/// Looks what giving back would do, and changes nothing.
///
/// # Errors
/// [`Error::Refused`](crate::Error::Refused) for a file that changed meanwhile, [`Error::Cache`](crate::Error::Cache) where
/// the cache cannot be asked.
pub async fn plan_undo(client: &CacheClient, file: &UndoFile, options: &UndoOptions) -> Result<UndoPlan> {
    let mut outcome = UndoOutcome { keys: file.keys(), ..UndoOutcome::default() };
    let mut batches = Batches::of(file, options);
    while !outcome.stopped
        && let Some(batch) = batches.next(&mut outcome.count).await?
    {
        let steps = steps(client, &batch, options).await?;
        for (kept, step) in batch.iter().zip(&steps) {
            outcome.add(&kept.key, step);
        }
        outcome.stopped |= steps.len() < batch.len();
    }
    let UndoOutcome { keys, count, failed, failures, stopped } = outcome;
    Ok(UndoPlan { keys, count, failed, failures, stopped })
}

/// Gives back everything that was not written since, with the TTL that is left of the old one. It can be stopped, and done
/// again: what was given back is left alone the second time.
///
/// # Errors
/// As [`plan_undo`]; a key that cannot be given back is in the outcome.
pub async fn undo(client: &CacheClient, file: &UndoFile, options: &UndoOptions) -> Result<UndoOutcome> {
    let mut outcome = UndoOutcome { keys: file.keys(), ..UndoOutcome::default() };
    let mut batches = Batches::of(file, options);
    while !outcome.stopped {
        match give_back(client, &mut batches, options, &mut outcome).await {
            Ok(true) => {}
            Ok(false) => break,
            // What was done by then is not to be forgotten.
            Err(error) if outcome.given_back() > 0 => {
                outcome.fail_rest(&error);
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(outcome)
}

/// Gives back the next batch; tells whether there was one.
async fn give_back(
    client: &CacheClient,
    batches: &mut Batches,
    options: &UndoOptions,
    outcome: &mut UndoOutcome,
) -> Result<bool> {
    let Some(batch) = batches.next(&mut outcome.count).await? else { return Ok(false) };
    let steps = steps(client, &batch, options).await?;
    let is_settled = |step: &Step| matches!(step, Step::Leave(_) | Step::Fail(_));
    for (kept, step) in batch.iter().zip(&steps).filter(|(_, step)| is_settled(step)) {
        outcome.add(&kept.key, step);
    }
    outcome.stopped |= steps.len() < batch.len();
    restore(client, &batch, &steps, options, outcome).await;
    change(client, &steps, options, outcome).await;
    Ok(true)
}

/// What is done with one key.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Restore { ttl: Ttl, payload: Bytes },
    Change(GuardedChange),
    Leave(&'static str),
    Fail(String),
}

impl UndoCount {
    /// Returns how many keys were left alone because they are of another database than the client works on.
    #[must_use]
    pub fn of_other_databases(&self) -> u64 {
        self.left_alone.get(OTHER_DATABASE).copied().unwrap_or(0)
    }

    fn leave(&mut self, reason: &'static str) {
        *self.left_alone.entry(reason).or_default() += 1;
    }
}

impl UndoOutcome {
    /// Returns how many keys were given back, in whole or their time.
    fn given_back(&self) -> u64 {
        self.count.restored + self.count.ttl_given_back
    }

    fn add(&mut self, key: &Bytes, step: &Step) {
        match step {
            Step::Restore { .. } => self.count.restored += 1,
            Step::Change(_) => self.count.ttl_given_back += 1,
            Step::Leave(reason) => self.count.leave(reason),
            Step::Fail(words) => self.fail(key, words),
        }
    }

    /// The keys that were not come to could not be given back.
    fn fail_rest(&mut self, error: &Error) {
        let left_alone: u64 = self.count.left_alone.values().sum();
        let settled = self.given_back() + left_alone + self.failed;
        self.failed += self.keys.saturating_sub(settled).max(1);
        self.failures.push(with_cause(error));
    }

    fn fail(&mut self, key: &Bytes, error: &dyn std::fmt::Display) {
        self.failed += 1;
        if self.failures.len() < MOST_FAILURES {
            self.failures.push(format!("{}: {error}", crate::KeyName::new(key)));
        }
    }
}

/// What is in the cache now decides what is done; where it was stopped, there are steps for the first keys only.
async fn steps(client: &CacheClient, batch: &[Kept], options: &UndoOptions) -> Result<Vec<Step>> {
    let keys: Vec<Bytes> = batch.iter().map(|kept| kept.key.clone()).collect();
    let node = NodeAddress::new(client.name());
    let dump = |keys| client.keys().dump(keys);
    let mut found =
        PacedSteps::new(&options.pace, &node).until(&options.stop).take(&keys, step_of(4), dump).await;
    if found.iter().all(Result::is_err)
        && let Some(Err(error)) = found.pop()
    {
        return Err(error.into());
    }
    let now = ServerClock::of(client).await?.now_ms();
    let steps = batch.iter().zip(found).map(|(kept, found)| match found {
        Ok(found) => step(kept, found.as_ref(), now).unwrap_or_else(|error| Step::Fail(with_cause(&error))),
        Err(error) => Step::Fail(error.with_causes()),
    });
    Ok(steps.collect())
}

fn step(kept: &Kept, found: Option<&DumpedValue>, now_ms: i64) -> Result<Step> {
    let payload = kept.payload()?;
    let left = match kept.expires_at_ms {
        None => Ttl::None,
        Some(at_ms) if at_ms > now_ms => Ttl::In(milliseconds(at_ms - now_ms)),
        Some(_) => return Ok(Step::Leave(TIME_UP)),
    };
    Ok(match (kept.act, found) {
        (Act::Removed, None) => Step::Restore { ttl: left, payload },
        (Act::Removed, Some(_)) => Step::Leave(WRITTEN_SINCE),
        // A key whose time was set is gone when it is up; one that is gone earlier was removed by someone else.
        (Act::Expires(at_ms), None) if at_ms <= now_ms => Step::Restore { ttl: left, payload },
        (Act::Expires(_), None) => Step::Leave(GONE_SINCE),
        (Act::Expires(at_ms), Some(found)) => time_given_back(kept, at_ms, found, &payload),
    })
}

fn time_given_back(kept: &Kept, at_ms: i64, found: &DumpedValue, payload: &Bytes) -> Step {
    let value = ValueStamp::of(&found.payload).filter(|_| hold_same(payload, &found.payload));
    let Some(value) = value else { return Step::Leave(WRITTEN_SINCE) };
    if found.expires_at_ms == kept.expires_at_ms {
        return Step::Leave(AS_IT_WAS);
    }
    // The clocks of an embedded cache are read to about a millisecond.
    if found.expires_at_ms.is_none_or(|found| found.abs_diff(at_ms) > 100) {
        return Step::Leave(WRITTEN_SINCE);
    }
    let action = kept.expires_at_ms.map_or(GuardedAction::Persist, GuardedAction::ExpireAt);
    Step::Change(GuardedChange { key: kept.key.clone(), value, expires_at_ms: found.expires_at_ms, action })
}

fn milliseconds(number: i64) -> Duration {
    Duration::from_millis(u64::try_from(number).unwrap_or(0))
}

async fn restore(
    client: &CacheClient,
    batch: &[Kept],
    steps: &[Step],
    options: &UndoOptions,
    outcome: &mut UndoOutcome,
) {
    let items: Vec<RestoreItem> = batch
        .iter()
        .zip(steps)
        .filter_map(|(kept, step)| match step {
            Step::Restore { ttl, payload } => Some(RestoreItem {
                key: kept.key.clone(),
                value: DumpedValue::new(payload.clone(), *ttl),
                overwrite: false,
            }),
            _ => None,
        })
        .collect();
    let node = NodeAddress::new(client.name());
    let restore = |items| client.keys().restore(items);
    let answers =
        PacedSteps::new(&options.pace, &node).until(&options.stop).take(&items, step_of(1), restore).await;
    outcome.stopped |= answers.len() < items.len();
    for (item, answer) in items.iter().zip(answers) {
        match answer {
            Ok(KeyChange::Done) => outcome.count.restored += 1,
            Ok(_) => outcome.count.leave(WRITTEN_SINCE),
            Err(error) => outcome.fail(&item.key, &error.with_causes()),
        }
    }
}

async fn change(client: &CacheClient, steps: &[Step], options: &UndoOptions, outcome: &mut UndoOutcome) {
    let changes: Vec<GuardedChange> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Change(change) => Some(change.clone()),
            _ => None,
        })
        .collect();
    let node = NodeAddress::new(client.name());
    let change = |changes| client.keys().change(changes);
    let answers =
        PacedSteps::new(&options.pace, &node).until(&options.stop).take(&changes, step_of(1), change).await;
    outcome.stopped |= answers.len() < changes.len();
    for (change, answer) in changes.iter().zip(answers) {
        match answer {
            Ok(KeyChange::Done) => outcome.count.ttl_given_back += 1,
            Ok(KeyChange::Missing) => outcome.count.leave(GONE_SINCE),
            Ok(_) => outcome.count.leave(WRITTEN_SINCE),
            Err(error) => outcome.fail(&change.key, &error.with_causes()),
        }
    }
}

/// Reads the file on a thread of its own, a batch ahead of what is given back.
struct Batches {
    receiver: tokio::sync::mpsc::Receiver<(u64, Kept)>,
    reading: Option<tokio::task::JoinHandle<Result<()>>>,
    database: u64,
    waiting: Option<Kept>,
}

impl Batches {
    fn of(file: &UndoFile, options: &UndoOptions) -> Self {
        let (sender, receiver) = tokio::sync::mpsc::channel(READ_AHEAD);
        let file = file.clone();
        let reading = tokio::task::spawn_blocking(move || {
            file.each(|database, kept| {
                // Where nobody listens any more, what is left of the file is passed by.
                let _ = sender.blocking_send((database, kept));
                Ok(())
            })
        });
        Self { receiver, reading: Some(reading), database: options.database, waiting: None }
    }

    /// The next keys of the database; `None` at the end.
    async fn next(&mut self, count: &mut UndoCount) -> Result<Option<Vec<Kept>>> {
        let mut batch: Vec<Kept> = self.waiting.take().into_iter().collect();
        let mut bytes: usize = batch.iter().map(|kept| kept.value.as_bytes().len()).sum();
        while batch.len() < BATCH_KEYS {
            let Some((database, kept)) = self.receiver.recv().await else {
                self.finish().await?;
                break;
            };
            if database != self.database {
                count.leave(OTHER_DATABASE);
                continue;
            }
            bytes += kept.value.as_bytes().len();
            if bytes > BATCH_BYTES && !batch.is_empty() {
                self.waiting = Some(kept);
                break;
            }
            batch.push(kept);
        }
        Ok((!batch.is_empty()).then_some(batch))
    }

    async fn finish(&mut self) -> Result<()> {
        match self.reading.take() {
            Some(reading) => reading.await.unwrap_or(Ok(())),
            None => Ok(()),
        }
    }
}
