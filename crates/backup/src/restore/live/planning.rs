//! Making the plan: the dump is read to its end, and nothing is touched.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use larder_cache_client::KeyFields;
use larder_rdb::{Entry, Error as RdbError, KeyName, Kind, MemoryModel, Reader, Record, Server, Writer};
use tokio::sync::mpsc;

use super::{
    LiveKeys, LivePlan, LiveRestore,
    batches::new_name,
    choice::{Choice, Fate},
    others::KeyNames,
    reading::{Image, each_record, is_rewritten, value_for},
    room::{Room, judge},
    target::Looked,
};
use crate::{Error, Result};

/// Dumps that are read at once.
pub(super) const READ_AT_ONCE: usize = 4;
/// What a server takes as one argument (`proto-max-bulk-len`), type and footer of the payload left aside.
const LARGEST_VALUE_BYTES: u64 = (512 << 20) - 64;
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
        let goes = |from: &u64| self.options.databases.of(*from);
        let merged: BTreeSet<u64> = self.options.databases.each.keys().map(goes).collect();
        if self.options.databases.into_database.is_some() || merged.len() < self.options.databases.each.len()
        {
            plan.notes
                .push("of keys with one name in several databases, the first that comes stays".to_owned());
        }
    }

    async fn try_database(&self, database: u64) -> Result<(), String> {
        let client = self.target.client(database).await.map_err(|error| error.to_string())?;
        client.keys().clock_ms().await.map(drop).map_err(|error| error.with_causes())
    }

    async fn judge_room(&self, plan: &mut LivePlan, looked: &Looked) -> Result<()> {
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

/// What is in a dump, by what becomes of it.
#[derive(Debug, Default)]
struct Tally {
    keys: u64,
    comes: LiveKeys,
    left_out: BTreeMap<&'static str, u64>,
    expired: u64,
    undated: u64,
    rewritten: u64,
    functions: BTreeSet<Vec<u8>>,
    /// Keys that the server does not load: how many of a type, and one of them.
    unloadable: BTreeMap<String, (u64, KeyName)>,
    too_large: Option<(u64, KeyName)>,
    others: BTreeSet<String>,
    /// Of the keys that come, where it matters.
    names: KeyNames,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.keys += other.keys;
        self.comes.add(&other.comes);
        for (why, keys) in other.left_out {
            *self.left_out.entry(why).or_default() += keys;
        }
        self.expired += other.expired;
        self.undated += other.undated;
        self.rewritten += other.rewritten;
        self.functions.extend(other.functions);
        for (kind, (keys, example)) in other.unloadable {
            self.unloadable.entry(kind).or_insert((0, example)).0 += keys;
        }
        if let Some((keys, example)) = other.too_large {
            self.too_large.get_or_insert((0, example)).0 += keys;
        }
        self.others.extend(other.others);
        self.names.add(other.names);
    }

    fn judge(&self, plan: &mut LivePlan, server: Option<Server>) {
        let name = server.map_or("the cache".to_owned(), |server| server.to_string());
        for (kind, (keys, example)) in &self.unloadable {
            plan.refusals.push(format!("{name} does not load {keys} keys of type {kind}, such as {example}"));
        }
        if let Some((keys, example)) = &self.too_large {
            plan.refusals.push(format!(
                "{keys} keys are larger than the 512 MiB that RESTORE takes, such as {example}"
            ));
        }
        if self.undated > 0 {
            let keys = self.undated;
            plan.refusals.push(format!(
                "TTLs of {keys} keys cannot count from now: when the dump was taken is not known"
            ));
        }
        if plan.functions > 0 && server.is_none_or(|server| server.format().version() < 10) {
            plan.notes.push(format!("{name} has no functions: {} libraries stay out", plan.functions));
            plan.functions = 0;
        }
        plan.notes.extend(self.others.iter().cloned());
    }

    fn take(&mut self, entry: Entry<'_, Image>, fate: Fate, server: Server) -> larder_rdb::Result<()> {
        self.keys += 1;
        let Fate::Comes { database, expires_at_ms } = fate else {
            match fate {
                Fate::LeftOut(why) => *self.left_out.entry(why).or_default() += 1,
                Fate::Undated => self.undated += 1,
                _ => self.expired += 1,
            }
            // The value is passed by, and checked, all the same.
            return entry.skim().map(drop);
        };
        let (key, kind, value_type) = (KeyName::from(entry.key()), entry.kind(), entry.value_type());
        let measured = match measure(entry, server) {
            Err(RdbError::Incompatible(_) | RdbError::Unwritable { .. }) => {
                self.unloadable.entry(value_type.to_string()).or_insert((0, key)).0 += 1;
                return Ok(());
            }
            measured => measured?,
        };
        if measured.value_bytes > LARGEST_VALUE_BYTES {
            self.too_large.get_or_insert((0, key)).0 += 1;
        }
        self.rewritten += u64::from(measured.is_rewritten);
        self.count(kind, database, expires_at_ms, measured);
        Ok(())
    }

    fn count(&mut self, kind: Kind, database: u64, expires_at_ms: Option<i64>, measured: Measured) {
        let comes = &mut self.comes;
        comes.keys += 1;
        comes.expiring += u64::from(expires_at_ms.is_some());
        comes.serialised_bytes += measured.value_bytes;
        comes.memory_bytes += measured.memory_bytes;
        match comes.by_type.get_mut(kind.as_str()) {
            Some(keys) => *keys += 1,
            None => *comes.by_type.entry(kind.as_str().to_owned()).or_default() += 1,
        }
        *comes.by_database.entry(database).or_default() += 1;
    }
}

fn tally_of(restore: &LiveRestore, shard: usize, server: Option<Server>, choice: &Choice) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut passed = 0;
    each_record(restore, shard, server, |record, dated| {
        match record {
            Record::Key(entry) => {
                let fate = choice.fate(entry.key(), entry.kind(), &entry.meta(), dated.taken_at_ms);
                if let Fate::Comes { database, .. } = fate
                    && choice.options.exact
                {
                    tally.names.insert(database, entry.key());
                }
                let before = tally.comes.serialised_bytes;
                tally.take(entry, fate, dated.server)?;
                choice.options.progress.add(1, tally.comes.serialised_bytes - before);
                passed += 1;
            }
            Record::Function { code } if choice.options.functions => {
                tally.functions.insert(code.to_vec());
            }
            Record::FunctionPreGa { .. } => {
                tally.others.insert("functions of a release candidate of Redis 7.0 stay out".to_owned());
            }
            Record::ModuleAux { module, .. } => {
                tally.others.insert(format!("what module type {module} keeps beside keys stays out"));
            }
            _ => {}
        }
        let is_stopped = passed % 1024 == 0 && choice.options.stop.is_cancelled();
        Ok(if is_stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    if choice.options.stop.is_cancelled() { Err(Error::Stopped) } else { Ok(tally) }
}

/// What a key is in the cache.
#[derive(Clone, Copy, Debug)]
struct Measured {
    value_bytes: u64,
    memory_bytes: u64,
    is_rewritten: bool,
}

fn measure(entry: Entry<'_, Image>, server: Server) -> larder_rdb::Result<Measured> {
    let model = MemoryModel::new(server);
    if !is_rewritten(&entry, server) {
        let (skimmed, estimate) = entry.skim_with_memory(&model)?;
        let memory_bytes = estimate.total_bytes();
        return Ok(Measured { value_bytes: skimmed.value_bytes, memory_bytes, is_rewritten: false });
    }
    let (key, meta) = (entry.key().to_vec(), entry.meta());
    let value = value_for(entry, server)?;
    // Sizes are told of a file's keys: so it is made one.
    let mut writer = Writer::new(Vec::new(), server)?;
    writer.raw_value(&key, &meta, &value)?;
    let file = writer.finish()?;
    let mut reader = Reader::from_slice(&file)?;
    let mut memory_bytes = 0;
    while let Some(record) = reader.next_record()? {
        if let Record::Key(entry) = record {
            memory_bytes = entry.memory(&model)?.total_bytes();
        }
    }
    Ok(Measured { value_bytes: value.as_bytes().len() as u64, memory_bytes, is_rewritten: true })
}
