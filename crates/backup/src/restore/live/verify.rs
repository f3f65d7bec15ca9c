//! Comparing what is there with the backup.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use larder_cache_client::{CacheClient, StepSize};

use super::{
    LiveRestore, LiveVerified,
    apply::{AT_ONCE, Clients},
    batches::{Batch, Batches, Piece},
    bring_back::{FETCH_COMMANDS, FETCHED_KEYS, Found},
    functions::compare_functions,
    same::{Comparer, Ends, Expected, Verdict},
    target::Looked,
};
use crate::{Error, Result};

impl LiveRestore {
    /// Reads back every key that should be there, and compares it with the backup: its value, and the moment at which it ends
    /// (never, where TTLs were dropped; where they count from now, within the time since the restore was begun). A key that is gone because its time is up is no difference. Function
    /// libraries are compared with those of every primary, where they were brought back.
    ///
    /// # Errors
    /// [`Error::Dump`] for a dump that is not sound, and [`Error::Cache`] where the cache cannot be asked. Single keys that
    /// cannot be read are counted.
    pub async fn verify(&self) -> Result<LiveVerified> {
        let looked = self.target.look().await?;
        if !looked.refusals.is_empty() {
            return Err(Error::Refused { what: "comparing".to_owned(), reasons: looked.refusals });
        }
        let mut batches = Batches::of(self, &looked);
        let compared = self.compare_all(&mut batches, &looked).await;
        let passed = batches.finish().await;
        let mut verified = compared?;
        verified.expired += passed?.expired;
        Ok(verified)
    }

    async fn compare_all(&self, batches: &mut Batches, looked: &Looked) -> Result<LiveVerified> {
        let at_once = if self.options.pace.overlaps() { AT_ONCE } else { 1 };
        let mut verified = LiveVerified::default();
        let mut clients = Clients::of(self);
        let mut functions = BTreeSet::new();
        let mut under_way: FuturesUnordered<BoxFuture<'_, LiveVerified>> = FuturesUnordered::new();
        let mut goes_on = true;
        loop {
            tokio::select! {
                biased;
                Some(done) = under_way.next(), if !under_way.is_empty() => verified.add(done),
                () = self.options.stop.cancelled(), if goes_on => {
                    verified.stopped = true;
                    goes_on = false;
                }
                piece = batches.next(), if goes_on && under_way.len() < at_once => match piece {
                    None => goes_on = false,
                    Some(Piece::Function(code)) => {
                        functions.insert(code);
                    }
                    Some(Piece::Keys(batch)) => {
                        let client = clients.of_database(batch.database).await?;
                        under_way.push(self.compared(client, batch, looked));
                    }
                },
                else => break,
            }
        }
        if !verified.stopped {
            verified.add(compare_functions(looked, &functions).await);
        }
        Ok(verified)
    }

    fn compared<'a>(
        &self,
        client: CacheClient,
        batch: Batch,
        looked: &'a Looked,
    ) -> BoxFuture<'a, LiveVerified> {
        let (paced, progress) = (self.paced(&client), Arc::clone(&self.options.progress));
        let ends = self.ends();
        let (keys, bytes, database) = (batch.items.len() as u64, batch.bytes as u64, batch.database);
        Box::pin(async move {
            let Batch { items, held, .. } = batch;
            let names: Vec<_> = items.iter().map(|item| item.key.clone()).collect();
            // Values are decoded, and those of the backup are not kept while those that are there are fetched.
            let expecting = move || {
                let mut comparer = Comparer::new(database, ends);
                items.iter().map(|item| (item.value.expires_at_ms, comparer.expect(item))).collect()
            };
            let Ok(expected) = tokio::task::spawn_blocking(expecting).await else { return broke_off(keys) };
            let fetch = |keys| client.keys().dump(keys);
            let found = paced.take(&names, StepSize::new(FETCHED_KEYS, FETCH_COMMANDS), fetch).await;
            let now_ms = looked.now_ms();
            let work = move || {
                let batch = Comparison { database, ends, names, expected };
                let verified = batch.compare(found, now_ms);
                drop(held);
                verified
            };
            let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| broke_off(keys));
            progress.add(keys, bytes);
            done
        })
    }
}

/// Where work inside Larder broke off, nothing is known of the keys.
fn broke_off(keys: u64) -> LiveVerified {
    LiveVerified {
        failed: keys,
        failures: vec![format!("{keys} keys could not be compared: work inside Larder broke off")],
        ..LiveVerified::default()
    }
}

/// Keys of one database, and what has to be there of them.
struct Comparison {
    database: u64,
    ends: Ends,
    names: Vec<Bytes>,
    /// When their time is up, and what has to be there until then; nothing for a value that cannot be decoded.
    expected: Vec<(Option<i64>, Option<Expected>)>,
}

impl Comparison {
    fn compare(&self, found: Vec<Found>, now_ms: i64) -> LiveVerified {
        let mut verified =
            LiveVerified { stopped: found.len() < self.names.len(), ..LiveVerified::default() };
        let mut comparer = Comparer::new(self.database, self.ends);
        for ((key, (expires_at_ms, expected)), found) in self.names.iter().zip(&self.expected).zip(found) {
            let is_over = expires_at_ms.is_some_and(|at| at <= now_ms);
            let found = match found {
                Ok(None) if is_over => {
                    verified.expired += 1;
                    continue;
                }
                Err(error) => {
                    verified.fail(key, &error);
                    continue;
                }
                Ok(found) => found,
            };
            verified.compared += 1;
            let verdict = found.map(|found| {
                expected.as_ref().map_or(Verdict::AnotherValue, |expected| comparer.judge(expected, &found))
            });
            match verdict {
                None => verified.miss(key),
                Some(Verdict::Same(digest)) => {
                    verified.equal += 1;
                    verified.digest += digest;
                }
                Some(Verdict::Unknown) => verified.unknown += 1,
                Some(Verdict::AnotherValue | Verdict::AnotherEnd) => verified.differ(key),
            }
        }
        verified
    }
}
