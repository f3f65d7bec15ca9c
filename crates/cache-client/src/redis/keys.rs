//! Keyspaces of Redis or Valkey.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{
    StreamExt,
    future::{self, Either},
    stream::{self, BoxStream},
};
use larder_metrics_model::NodeAddress;
use redis::{Cmd, Value, cmd};

use super::{
    answer::{TimeLeft, bytes, milliseconds, read, time_left},
    failure::Request,
    fields::FieldCommands,
    link::{Effect, Link},
};
use crate::{
    DumpedValue, Error, KeyBatch, KeyChange, KeyRecord, Keys, RestoreItem, Result, ScanOptions, ScanPosition,
    ShardPosition, Ttl,
};

/// Finds the primaries to go through, each with a link of its own.
#[async_trait]
pub(crate) trait Shards: std::fmt::Debug + Send + Sync {
    async fn primaries(&self) -> Result<Vec<Arc<dyn Link>>>;
}

/// Keys over a link that leads to each of them, and links to the shards that hold them.
#[derive(Clone, Debug)]
pub(crate) struct RedisKeys {
    link: Arc<dyn Link>,
    shards: Arc<dyn Shards>,
}

/// A cache of one shard: everything goes over the same link.
#[derive(Clone, Debug)]
pub(crate) struct OneShard(pub(crate) Arc<dyn Link>);

#[async_trait]
impl Shards for OneShard {
    async fn primaries(&self) -> Result<Vec<Arc<dyn Link>>> {
        Ok(vec![Arc::clone(&self.0)])
    }
}

impl RedisKeys {
    pub(crate) fn new(link: Arc<dyn Link>, shards: Arc<dyn Shards>) -> Self {
        Self { link, shards }
    }

    fn request<'a>(&'a self, command: &'a str) -> Request<'a> {
        Request { node: self.link.node(), command, timeout: Duration::ZERO }
    }
}

/// One step of SCAN.
struct Step {
    keys: Vec<Bytes>,
    next: String,
}

/// One shard on its way.
struct ShardScan {
    link: Arc<dyn Link>,
    options: Arc<ScanOptions>,
    fields: FieldCommands,
    /// The step whose keys are to be dealt with next, fetched ahead.
    ahead: Option<Step>,
    cursor: Option<String>,
}

impl ShardScan {
    fn new(link: Arc<dyn Link>, options: Arc<ScanOptions>) -> Self {
        let cursor = match options.from.as_ref().and_then(|from| from.shard(link.node())) {
            Some(ShardPosition::Done) => None,
            Some(ShardPosition::At(cursor)) => Some(cursor.clone()),
            None => Some("0".to_owned()),
        };
        let fields = FieldCommands::new(options.fields);
        Self { link, options, fields, ahead: None, cursor }
    }

    /// Fetches the fields of one step's keys while the server already works on the next step.
    async fn next(&mut self) -> Option<Result<(NodeAddress, Vec<KeyRecord>, ShardPosition)>> {
        let step = if let Some(step) = self.ahead.take() {
            step
        } else {
            let cursor = self.cursor.take()?;
            match self.step(cursor).await {
                Ok(step) => step,
                Err(error) => return Some(Err(error)),
            }
        };
        let records = self.fields.fetch(&self.link, step.keys);
        let (records, ahead) = if step.next == "0" {
            (records.await, None)
        } else {
            let (records, ahead) = future::join(records, self.step(step.next.clone())).await;
            (records, Some(ahead))
        };
        let position = match &ahead {
            Some(_) => ShardPosition::At(step.next),
            None => ShardPosition::Done,
        };
        match ahead {
            Some(Ok(step)) => self.ahead = Some(step),
            // The keys at hand are given out first; the step is tried again with the next call.
            Some(Err(_)) => {
                self.cursor = match &position {
                    ShardPosition::At(cursor) => Some(cursor.clone()),
                    ShardPosition::Done => None,
                }
            }
            None => {}
        }
        Some(records.map(|records| (self.link.node().clone(), records, position)))
    }

    async fn step(&self, cursor: String) -> Result<Step> {
        let mut command = cmd("SCAN");
        command.arg(cursor);
        if let Some(pattern) = &self.options.pattern {
            command.arg("MATCH").arg(pattern.as_ref());
        }
        command.arg("COUNT").arg(self.options.batch_keys.max(1));
        let request = Request { node: self.link.node(), command: "SCAN", timeout: Duration::ZERO };
        let answer = self.link.run(command, Effect::Read).await?;
        let (next, keys): (String, Vec<Vec<u8>>) = read(answer, request)?;
        Ok(Step { keys: keys.into_iter().map(Bytes::from).collect(), next })
    }

    /// One error ends the shard.
    fn into_stream(self) -> BoxStream<'static, Result<(NodeAddress, Vec<KeyRecord>, ShardPosition)>> {
        stream::unfold(Some(self), |scan| async move {
            let mut scan = scan?;
            let item = scan.next().await?;
            let rest = item.is_ok().then_some(scan);
            Some((item, rest))
        })
        .boxed()
    }
}

#[async_trait]
impl Keys for RedisKeys {
    fn scan(&self, options: ScanOptions) -> BoxStream<'static, Result<KeyBatch>> {
        let shards = Arc::clone(&self.shards);
        let batches = async move {
            let primaries = match shards.primaries().await {
                Ok(primaries) => primaries,
                Err(error) => return Either::Left(stream::iter([Err(error)])),
            };
            let options = Arc::new(options);
            let mut position = ScanPosition::default();
            for link in &primaries {
                let from = options.from.as_ref().and_then(|from| from.shard(link.node()));
                position.set_shard(
                    link.node().clone(),
                    from.cloned().unwrap_or(ShardPosition::At("0".to_owned())),
                );
            }
            let shards =
                primaries.into_iter().map(|link| ShardScan::new(link, Arc::clone(&options)).into_stream());
            let merged = stream::select_all(shards).map(move |item| {
                item.map(|(node, records, shard)| {
                    position.set_shard(node.clone(), shard);
                    KeyBatch::new(node, records, position.clone())
                })
            });
            Either::Right(merged)
        };
        stream::once(batches).flatten().boxed()
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

    async fn dump(&self, keys: &[Bytes]) -> Vec<Result<Option<DumpedValue>>> {
        let commands = keys.iter().flat_map(|key| [with_key("DUMP", key), with_key("PTTL", key)]).collect();
        let mut answers = self.link.run_all(commands, Effect::Read).await.into_iter();
        let mut values = Vec::with_capacity(keys.len());
        while let (Some(payload), Some(left)) = (answers.next(), answers.next()) {
            values.push(payload.and_then(|payload| self.dumped(payload, left?)));
        }
        values
    }

    async fn restore(&self, items: &[RestoreItem]) -> Vec<Result<KeyChange>> {
        let commands = items.iter().map(|item| {
            let mut command = with_key("RESTORE", &item.key);
            command.arg(match item.value.ttl {
                Ttl::None => 0,
                Ttl::In(time) => milliseconds(time),
            });
            command.arg(item.value.payload.as_ref());
            if item.overwrite {
                command.arg("REPLACE");
            }
            command
        });
        let answers = self.link.run_all(commands.collect(), Effect::Write).await;
        answers.into_iter().map(restored).collect()
    }
}

impl RedisKeys {
    fn dumped(&self, payload: Value, left: Value) -> Result<Option<DumpedValue>> {
        let Some(payload) = bytes(payload, self.request("DUMP"))? else { return Ok(None) };
        Ok(match time_left(left, self.request("PTTL"))? {
            TimeLeft::Gone => None,
            TimeLeft::There(ttl) => Some(DumpedValue { payload, ttl }),
        })
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

/// RESTORE without REPLACE answers BUSYKEY where the key is there.
fn restored(answer: Result<Value>) -> Result<KeyChange> {
    match answer {
        Ok(_) => Ok(KeyChange::Done),
        Err(Error::Server { ref source, .. }) if source.to_string().contains("BUSYKEY") => {
            Ok(KeyChange::Exists)
        }
        Err(error) => Err(error),
    }
}
