//! Making the plan: the dump is read to its end, and nothing is touched.

use std::{collections::BTreeMap, ops::ControlFlow};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use larder_cache_client::KeyFields;
use larder_rdb::{Record, Server};
use tokio::sync::mpsc;

use super::{
    LivePlan, LiveRestore,
    batches::new_name,
    choice::{Choice, Fate},
    reading::each_record,
    room::{Room, judge},
    tally::{Tally, measure, tally_of},
    target::Looked,
};
use crate::{Error, Result};

/// Dumps that are read at once.
pub(super) const READ_AT_ONCE: usize = 4;
/// Keys that are looked for at once.
const LOOKED_FOR: usize = 500;

impl LiveRestore {
    /// Reads the dump whole and looks at the cache; nothing is changed.
    ///
    /// # Errors
    /// [`Error::Dump`] for a dump that is not sound, with its shard and the offset; [`Error::Cache`] where the cache cannot be
    /// asked, whatever opening a dump gives, and [`Error::Stopped`]; [`Error::Refused`] where the cache is to hold what the backup
    /// holds ([`LiveRestoreOptions::exact`](super::LiveRestoreOptions::exact)), and not all of it is to come as it is.
    pub async fn plan(&self) -> Result<LivePlan> {
        if self.options.exact {
            self.check_exact()?;
        }
        let looked = self.target.look().await?;
        let choice = self.choice(&looked);
        let mut tally = Tally::default();
        let server = looked.server;
        let mut tallies = self.each_shard(move |restore, shard| tally_of(restore, shard, server, &choice));
        while let Some(part) = tallies.try_next().await? {
            tally.add(part);
        }
        drop(tallies);
        self.finish(tally, looked).await
    }

    /// Does blocking work for each shard, several at once.
    fn each_shard<T: Send + 'static>(
        &self,
        work: impl Fn(&Self, usize) -> Result<T> + Clone + Send + 'static,
    ) -> impl futures_util::TryStream<Ok = T, Error = Error> + Unpin {
        self.options.progress.begin();
        let parts = (0..self.source.shards()).map(move |shard| {
            let (restore, work) = (self.clone(), work.clone());
            async move {
                let done = tokio::task::spawn_blocking(move || work(&restore, shard)).await;
                done.unwrap_or(Err(Error::Stopped))
            }
        });
        Box::pin(stream::iter(parts.collect::<Vec<_>>()).buffer_unordered(READ_AT_ONCE))
    }

    pub(super) fn choice(&self, looked: &Looked) -> Choice {
        Choice { options: self.options.clone(), now_ms: looked.now_ms() }
    }

    async fn finish(&self, tally: Tally, looked: Looked) -> Result<LivePlan> {
        let mut plan = LivePlan {
            keys: tally.keys,
            left_out: tally.left_out.iter().map(|(why, keys)| ((*why).to_owned(), *keys)).collect(),
            expired: tally.expired,
            rewritten: tally.rewritten,
            functions: tally.functions.len() as u64,
            ..LivePlan::default()
        };
        plan.refusals.clone_from(&looked.refusals);
        plan.notes.clone_from(&looked.notes);
        tally.judge(&mut plan, looked.server);
        plan.comes = tally.comes;
        self.judge_databases(&mut plan, &looked).await;
        self.judge_room(&mut plan, &looked).await?;
        if self.options.exact && plan.may_go() {
            plan.others = Some(self.count_others(&tally.names, &looked).await?);
        }
        plan.target = looked.facts;
        Ok(plan)
    }

    async fn judge_databases(&self, plan: &mut LivePlan, looked: &Looked) {
        for (database, keys) in &plan.comes.by_database {
            if let Some(only) = looked.only_database.filter(|only| only != database) {
                plan.refusals.push(format!(
                    "{keys} keys go into database {database}, and database {only} is the only one that is meant; \
                     --into-database says where they go"
                ));
            } else if looked.refusals.is_empty()
                && let Err(why) = self.try_database(*database).await
            {
                plan.refusals.push(format!(
                    "{keys} keys go into database {database}, which cannot be used: {why}; --into-database says where they go"
                ));
            }
        }
        if self.options.databases.may_merge() {
            plan.notes.push("of keys with one name in several databases, the first one comes".to_owned());
        }
    }

    async fn try_database(&self, database: u64) -> Result<(), String> {
        let client = self.target.client(database).await.map_err(|error| error.to_string())?;
        client.keys().clock_ms().await.map(drop).map_err(|error| error.with_causes())
    }

    async fn judge_room(&self, plan: &mut LivePlan, looked: &Looked) -> Result<()> {
        if plan.comes.keys == 0 || !looked.refusals.is_empty() {
            return Ok(());
        }
        let mut room = judge(&looked.facts, plan.comes.memory_bytes);
        // What is there already takes no more room; it is looked for only where that matters.
        if matches!(room, Room::Short(_)) && plan.refusals.is_empty() {
            let there_bytes = self.there_bytes(looked).await?;
            room = judge(&looked.facts, plan.comes.memory_bytes.saturating_sub(there_bytes));
        }
        match room {
            Room::Enough => {}
            Room::Unlimited(words) => plan.notes.push(words),
            Room::Short(words) if self.options.force => plan.notes.push(words),
            Room::Short(words) => plan.refusals.push(words),
        }
        Ok(())
    }

    /// What those keys take in the cache that are there already.
    async fn there_bytes(&self, looked: &Looked) -> Result<u64> {
        let (sender, mut receiver) = mpsc::channel(4);
        let (choice, server) = (self.choice(looked), looked.server);
        let mut reading =
            self.each_shard(move |restore, shard| names_of(restore, shard, server, &choice, &sender));
        let reading = async {
            while reading.try_next().await?.is_some() {}
            Ok::<(), Error>(())
        };
        let looking = async {
            let (mut clients, mut sum) = (BTreeMap::new(), 0);
            while let Some((database, names)) = receiver.recv().await {
                let names: Names = names;
                let client = match clients.get(&database) {
                    Some(client) => client,
                    None => clients.entry(database).or_insert(self.target.client(database).await?),
                };
                let (keys, bytes): (Vec<Bytes>, Vec<u64>) = names.into_iter().unzip();
                let found = client.keys().look(&keys, KeyFields::empty()).await;
                sum += found
                    .iter()
                    .zip(bytes)
                    .filter(|(it, _)| matches!(it, Ok(Some(_))))
                    .map(|(_, it)| it)
                    .sum::<u64>();
            }
            Ok(sum)
        };
        let (read, sum) = futures_util::future::join(reading, looking).await;
        read.and(sum)
    }
}

/// Keys, and what each takes in memory.
type Names = Vec<(Bytes, u64)>;

fn names_of(
    restore: &LiveRestore,
    shard: usize,
    server: Option<Server>,
    choice: &Choice,
    sender: &mpsc::Sender<(u64, Names)>,
) -> Result<()> {
    let mut waiting: BTreeMap<u64, Names> = BTreeMap::new();
    each_record(restore, shard, server, |record, dated| {
        let Record::Key(entry) = record else { return Ok(ControlFlow::Continue(())) };
        let fate = choice.fate(entry.key(), entry.kind(), &entry.meta(), dated.taken_at_ms);
        if let Fate::Comes { database, .. } = fate {
            let name = new_name(&restore.options, entry.key());
            let names = waiting.entry(database).or_default();
            names.push((name, measure(entry, dated.server)?.memory_bytes));
            if names.len() >= LOOKED_FOR && sender.blocking_send((database, std::mem::take(names))).is_err() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(if choice.options.stop.is_cancelled() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    })?;
    for rest in waiting {
        // Where nobody listens any more, there is another error.
        let _ = sender.blocking_send(rest);
    }
    Ok(())
}
