//! Doing what was planned.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use larder_cache_client::{CacheClient, PacedSteps};
use larder_metrics_model::NodeAddress;

use super::{
    LiveOutcome, LivePlan, LiveRestore,
    batches::{Batch, Batches, Piece},
    bring_back::{Way, bring_back},
    target::Looked,
};
use crate::{Error, Result};

/// Batches under way at once, at a pace that overlaps.
pub(super) const AT_ONCE: usize = 4;

impl LiveRestore {
    /// Does what was planned. It can be done again: what is there already is left alone.
    ///
    /// # Errors
    /// [`Error::Refused`] where something stands against it, and [`Error::Cache`] where the cache cannot be asked before the
    /// first key. What fails later is part of the outcome.
    pub async fn apply(&self, plan: &LivePlan) -> Result<LiveOutcome> {
        let refused = |reasons| Error::Refused { what: "restoring".to_owned(), reasons };
        if !plan.may_go() {
            return Err(refused(plan.refusals.clone()));
        }
        // The cache may be another one than when it was planned.
        let looked = self.target.look().await?;
        if !looked.refusals.is_empty() {
            return Err(refused(looked.refusals));
        }
        let mut batches = Batches::of(self, &looked);
        let mut outcome = self.bring_all(&mut batches, &looked).await;
        match batches.finish().await {
            Ok(passed) => {
                outcome.expired += passed.expired;
                outcome.left_out = passed.left_out;
            }
            Err(Error::Stopped) => outcome.stopped = true,
            Err(error) => outcome.ended_by = outcome.ended_by.or(Some(error.with_causes())),
        }
        Ok(outcome)
    }

    /// Several batches at once, so that the cache always has one to work on.
    async fn bring_all(&self, batches: &mut Batches, looked: &Looked) -> LiveOutcome {
        let at_once = if self.options.pace.overlaps() { AT_ONCE } else { 1 };
        let mut outcome = LiveOutcome::default();
        let mut clients = Clients::of(self);
        let mut functions = BTreeSet::new();
        let mut under_way: FuturesUnordered<BoxFuture<'_, LiveOutcome>> = FuturesUnordered::new();
        let mut goes_on = true;
        loop {
            tokio::select! {
                biased;
                Some(done) = under_way.next(), if !under_way.is_empty() => {
                    outcome.add(done);
                    goes_on &= outcome.ended_by.is_none();
                }
                () = self.options.stop.cancelled(), if goes_on => {
                    outcome.stopped = true;
                    goes_on = false;
                }
                piece = batches.next(), if goes_on && under_way.len() < at_once => match piece {
                    None => goes_on = false,
                    Some(Piece::Function(code)) => {
                        // Every shard has them.
                        if functions.insert(code.clone()) {
                            outcome.add(self.load_function(looked, &code).await);
                        }
                    }
                    Some(Piece::Keys(batch)) => match clients.of_database(batch.database).await {
                        Ok(client) => under_way.push(self.batch(client, batch, looked)),
                        Err(error) => {
                            outcome.ended_by = Some(error.with_causes());
                            goes_on = false;
                        }
                    },
                },
                else => return outcome,
            }
        }
    }

    fn batch(&self, client: CacheClient, batch: Batch, looked: &Looked) -> BoxFuture<'static, LiveOutcome> {
        let (keys, bytes) = (batch.items.len() as u64, batch.bytes as u64);
        let way = Way {
            database: batch.database,
            existing: self.options.existing,
            ends: self.ends(),
            now_ms: looked.now_ms(),
        };
        let (paced, progress) = (self.paced(&client), Arc::clone(&self.options.progress));
        Box::pin(async move {
            let done = bring_back(&client, batch, &paced, &way).await;
            progress.add(keys, bytes);
            done
        })
    }

    pub(super) fn paced(&self, client: &CacheClient) -> PacedSteps {
        PacedSteps::new(&self.options.pace, &NodeAddress::new(client.name())).until(&self.options.stop)
    }
}

/// Clients for the databases that keys go into.
#[derive(Debug)]
pub(super) struct Clients<'r> {
    restore: &'r LiveRestore,
    known: BTreeMap<u64, CacheClient>,
}

impl<'r> Clients<'r> {
    pub(super) fn of(restore: &'r LiveRestore) -> Self {
        Self { restore, known: BTreeMap::new() }
    }

    pub(super) async fn of_database(&mut self, database: u64) -> Result<CacheClient> {
        if let Some(client) = self.known.get(&database) {
            return Ok(client.clone());
        }
        let client = self.restore.target.client(database).await?;
        self.known.insert(database, client.clone());
        Ok(client)
    }
}
