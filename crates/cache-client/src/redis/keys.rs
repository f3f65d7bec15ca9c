//! Keyspaces of Redis or Valkey.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use redis::{Cmd, Value, cmd};

use super::{
    answer::{TimeLeft, bytes, milliseconds, read, time_left},
    failure::Request,
    fields, guarded,
    link::{Effect, Link},
    restore::Restorer,
    sweep::Sweeper,
};
use crate::{
    DumpedValue, Error, GuardedChange, KeyBatch, KeyChange, KeyFields, KeyRecord, Keys, RestoreItem, Result,
    ScanOptions, Ttl,
};

/// Keys over a link that leads to each of them, and sweeps of the shards that hold them.
#[derive(Clone, Debug)]
pub(crate) struct RedisKeys {
    link: Arc<dyn Link>,
    sweeper: Sweeper,
    restorer: Arc<Restorer>,
}

impl RedisKeys {
    pub(crate) fn new(sweeper: Sweeper) -> Self {
        Self { link: Arc::clone(&sweeper.link), restorer: Arc::new(Restorer::of(&sweeper)), sweeper }
    }

    pub(crate) fn sweeper(&self) -> &Sweeper {
        &self.sweeper
    }

    fn request<'a>(&'a self, command: &'a str) -> Request<'a> {
        Request { node: self.link.node(), command, timeout: Duration::ZERO }
    }
}

#[async_trait]
impl Keys for RedisKeys {
    fn scan(&self, options: ScanOptions) -> BoxStream<'static, Result<KeyBatch>> {
        self.sweeper.scan(options)
    }

    async fn look(&self, keys: &[Bytes], wanted: KeyFields) -> Vec<Result<Option<KeyRecord>>> {
        let mut options = ScanOptions::with_fields(wanted);
        // A key of which nothing is asked is looked for all the same.
        if wanted.is_empty() {
            options.fields = KeyFields::TYPE;
        }
        let asked: Vec<_> = keys.iter().map(|key| (key.clone(), options.fields_of(key))).collect();
        let mut records = fields::look(&self.link, &asked).await;
        if wanted.contains(KeyFields::ELEMENTS) {
            let mut there: Vec<KeyRecord> =
                records.iter().filter_map(|it| it.as_ref().ok()?.clone()).collect();
            if let Err(error) = fields::count_elements(&self.link, &mut there, |_| true).await {
                return keys.iter().map(|_| Err(error.clone())).collect();
            }
            let mut counted = there.into_iter();
            for slot in records.iter_mut().filter_map(|it| it.as_mut().ok()?.as_mut()) {
                if let Some(record) = counted.next() {
                    *slot = record;
                }
            }
        }
        records
    }

    /// The clocks of a cluster are taken to agree: nodes whose clocks do not are no cluster for long.
    async fn clock_ms(&self) -> Result<i64> {
        let shards = self.sweeper.shards.shards().await?;
        let link = shards.first().map_or(&self.link, |shard| &shard.link);
        let answer = link.run(cmd("TIME"), Effect::Read).await?;
        let request = Request { node: link.node(), command: "TIME", timeout: Duration::ZERO };
        let (seconds, microseconds): (i64, i64) = read(answer, request)?;
        Ok(seconds.saturating_mul(1000).saturating_add(microseconds / 1000))
    }

    async fn change(&self, changes: &[GuardedChange]) -> Vec<Result<KeyChange>> {
        let commands = changes.iter().map(guarded::command).collect();
        let answers = self.link.run_all(commands, Effect::Write).await;
        answers.into_iter().map(|answer| guarded::outcome(answer, self.request("EVAL"))).collect()
    }

    async fn expire(&self, changes: &[(Bytes, Ttl)]) -> Vec<Result<KeyChange>> {
        let commands = changes.iter().map(|(key, ttl)| match ttl {
            Ttl::In(time) if time.is_zero() => with_key("UNLINK", key),
            Ttl::In(time) => {
                let mut command = with_key("PEXPIRE", key);
                command.arg(milliseconds(*time));
                command
            }
            Ttl::None => with_key("PERSIST", key),
        });
        let answers = self.link.run_all(commands.collect(), Effect::Write).await;
        // PERSIST answers 0 both for a missing key and for one that has no TTL.
        let unclear: Vec<Cmd> = answers
            .iter()
            .zip(changes)
            .filter(|(answer, (_, ttl))| *ttl == Ttl::None && matches!(answer, Ok(Value::Int(0))))
            .map(|(_, (key, _))| with_key("EXISTS", key))
            .collect();
        let mut exists: VecDeque<_> = self.link.run_all(unclear, Effect::Read).await.into();
        let outcomes = answers.into_iter().zip(changes).map(|(answer, (_, ttl))| match answer {
            Ok(Value::Int(0)) if *ttl == Ttl::None => {
                done_or_missing(exists.pop_front().unwrap_or(Ok(Value::Int(0))), self.request("EXISTS"))
            }
            other => done_or_missing(other, self.request("PEXPIRE")),
        });
        outcomes.collect()
    }

    async fn unlink(&self, keys: &[Bytes]) -> Vec<Result<KeyChange>> {
        let unlink = |name: &str, keys: &[&Bytes]| keys.iter().map(|key| with_key(name, key)).collect();
        let all: Vec<&Bytes> = keys.iter().collect();
        let mut answers = self.link.run_all(unlink("UNLINK", &all), Effect::Write).await;
        // Servers before 4.0 have no UNLINK.
        let unknown: Vec<usize> = (0..answers.len())
            .filter(|index| matches!(answers[*index], Err(Error::UnknownCommand { .. })))
            .collect();
        let again: Vec<&Bytes> = unknown.iter().map(|index| &keys[*index]).collect();
        let second = self.link.run_all(unlink("DEL", &again), Effect::Write).await;
        for (index, answer) in unknown.into_iter().zip(second) {
            answers[index] = answer;
        }
        answers.into_iter().map(|answer| done_or_missing(answer, self.request("UNLINK"))).collect()
    }

    /// The moment and the idle time are asked for in front of DUMP, which counts as use where there is no NO-TOUCH.
    async fn dump(&self, keys: &[Bytes]) -> Vec<Result<Option<DumpedValue>>> {
        let questions = |key: &Bytes| {
            let mut idle = cmd("OBJECT");
            idle.arg("IDLETIME").arg(key.as_ref());
            [idle, with_key("PTTL", key), with_key("PEXPIRETIME", key), with_key("DUMP", key)]
        };
        let commands = keys.iter().flat_map(questions).collect();
        let mut answers = self.link.run_all(commands, Effect::Read).await.into_iter();
        let mut values = Vec::with_capacity(keys.len());
        while let (Some(idle), Some(left), Some(moment), Some(payload)) =
            (answers.next(), answers.next(), answers.next(), answers.next())
        {
            values.push(payload.and_then(|payload| self.dumped(payload, left?, &moment, &idle)));
        }
        values
    }

    async fn restore(&self, items: &[RestoreItem]) -> Vec<Result<KeyChange>> {
        self.restorer.restore(items).await
    }
}

impl RedisKeys {
    fn dumped(
        &self,
        payload: Value,
        left: Value,
        moment: &Result<Value>,
        idle: &Result<Value>,
    ) -> Result<Option<DumpedValue>> {
        let Some(payload) = bytes(payload, self.request("DUMP"))? else { return Ok(None) };
        let TimeLeft::There(ttl) = time_left(left, self.request("PTTL"))? else { return Ok(None) };
        // Servers before 7.0 have no PEXPIRETIME, and those that evict by frequency no idle time.
        let expires_at_ms = match moment {
            Ok(Value::Int(moment)) if *moment >= 0 => Some(*moment),
            _ => None,
        };
        let idle = match idle {
            Ok(Value::Int(seconds)) => u64::try_from(*seconds).ok().map(Duration::from_secs),
            _ => None,
        };
        Ok(Some(DumpedValue { payload, ttl, expires_at_ms, idle }))
    }
}

fn with_key(name: &str, key: &Bytes) -> Cmd {
    let mut command = cmd(name);
    command.arg(key.as_ref());
    command
}

fn done_or_missing(answer: Result<Value>, request: Request<'_>) -> Result<KeyChange> {
    let changed: u64 = read(answer?, request)?;
    Ok(if changed > 0 { KeyChange::Done } else { KeyChange::Missing })
}
