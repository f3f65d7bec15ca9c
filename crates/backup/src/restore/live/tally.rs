//! What is in a dump, counted.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
};

use larder_rdb::{
    Entry, Error as RdbError, KeyName, Kind, MemoryModel, Reader, Record, Server, ValueType, Writer,
};

use super::{
    LiveKeys, LivePlan, LiveRestore,
    choice::{Choice, Fate},
    first_names::FirstNames,
    others::KeyNames,
    reading::{Image, each_record, is_rewritten, value_for},
};
use crate::{Error, Result};

/// What a server takes as one argument (`proto-max-bulk-len`), type and footer of the payload left aside.
const LARGEST_VALUE_BYTES: u64 = (512 << 20) - 64;

/// What is in a dump, by what becomes of it.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) keys: u64,
    pub(super) comes: LiveKeys,
    pub(super) left_out: BTreeMap<&'static str, u64>,
    pub(super) expired: u64,
    undated: u64,
    pub(super) rewritten: u64,
    pub(super) functions: BTreeSet<Vec<u8>>,
    /// Keys that the server does not load: how many of a type, and one of them.
    unloadable: BTreeMap<&'static str, (u64, KeyName)>,
    too_large: Option<(u64, KeyName)>,
    others: BTreeSet<String>,
    /// Of the keys that come, where it matters.
    pub(super) names: KeyNames,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
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

    pub(super) fn judge(&self, plan: &mut LivePlan, server: Option<Server>) {
        let name = server.map_or("the cache".to_owned(), |server| server.to_string());
        for (kind, (keys, example)) in &self.unloadable {
            plan.refusals.push(format!("{name} does not load {kind}: {keys} keys, such as {example}"));
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
        if self.comes.keys + self.expired == 0 && plan.functions == 0 && !self.left_out.is_empty() {
            let reasons: Vec<String> =
                self.left_out.iter().map(|(why, keys)| format!("{keys}: {why}")).collect();
            plan.refusals.push(format!(
                "no key of the backup is one of those that were asked for ({})",
                reasons.join("; ")
            ));
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
                self.unloadable.entry(people_name(value_type)).or_insert((0, key)).0 += 1;
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

pub(super) fn tally_of(
    restore: &LiveRestore,
    shard: usize,
    server: Option<Server>,
    choice: &Choice,
) -> Result<Tally> {
    let (mut tally, mut first) = (Tally::default(), FirstNames::of(&choice.options));
    let mut passed = 0;
    each_record(restore, shard, server, |record, dated| {
        match record {
            Record::Key(entry) => {
                let fate = choice.fate(entry.key(), entry.kind(), &entry.meta(), dated.taken_at_ms);
                let fate = first.only_first(fate, entry.key());
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

/// What people call values of a type that not every server has; the layout is of no use to them.
fn people_name(value_type: ValueType) -> &'static str {
    use ValueType as T;
    match value_type {
        T::HashMetadata
        | T::HashMetadataPreGa
        | T::HashListpackEx
        | T::HashListpackExPreGa
        | T::ValkeyHash2 => "hashes with field TTLs",
        other => match other.kind() {
            Kind::String => "strings of a newer server",
            Kind::List => "lists of a newer server",
            Kind::Set => "sets of a newer server",
            Kind::SortedSet => "sorted sets of a newer server",
            Kind::Hash => "hashes of a newer server",
            Kind::Stream => "streams of a newer server",
            Kind::Array => "arrays",
            _ => "values of modules",
        },
    }
}

/// What a key is in the cache.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    value_bytes: u64,
    pub(super) memory_bytes: u64,
    is_rewritten: bool,
}

pub(super) fn measure(entry: Entry<'_, Image>, server: Server) -> larder_rdb::Result<Measured> {
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
