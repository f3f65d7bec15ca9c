//! Images taken key by key.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use larder_metrics_model::{Info, Skipped};

use super::{
    Origin,
    fetch::{Expiry, FetchByWire},
};
use crate::{
    Capability, Dump, DumpFacts, DumpMethod, DumpOptions, DumpSource, Error, KeyFields, Keys, Pace, ReadFrom,
    Result, ScanOptions, Server,
    dump::{About, Clock, Databases, Fetch, FetchByKeys, KeyImage, OpenDatabase, Target},
    redis::{
        answer::read,
        failure::Request,
        functions::libraries,
        keys::RedisKeys,
        link::Effect,
        rights::{self, NO_KEY},
        sweep::{Shard, Shards, Sweeper},
        wire::Introduction,
    },
};

/// Takes an image with SCAN and DUMP through every database of the node.
///
/// It is not of one moment: a key that is written meanwhile is in it as it was before or after, and one that comes or goes
/// meanwhile may be in it or not.
#[derive(Clone, Debug)]
pub(super) struct KeysSource {
    origin: Arc<Origin>,
    sweeper: Sweeper,
    /// The database that a connection of the embedding service is in.
    database: u64,
    pace: Arc<dyn Pace>,
    patience: Duration,
}

impl KeysSource {
    pub(super) fn new(origin: &Arc<Origin>, sweeper: &Sweeper, database: u64, options: &DumpOptions) -> Self {
        Self {
            origin: Arc::clone(origin),
            sweeper: sweeper.clone(),
            database,
            pace: Arc::clone(&options.pace),
            patience: options.transfer_patience,
        }
    }

    async fn clock(&self) -> Result<Clock> {
        let link = &self.origin.link;
        let Some(answer) = rights::ask(link.as_ref(), &["TIME"]).await? else {
            return Ok(Clock::of_this_machine());
        };
        let request = Request { node: link.node(), command: "TIME", timeout: Duration::ZERO };
        let (seconds, microseconds): (i64, i64) = read(answer, request)?;
        Ok(Clock::saying(seconds.saturating_mul(1000).saturating_add(microseconds / 1000)))
    }

    async fn expiry(&self) -> Result<Expiry> {
        let link = self.origin.link.as_ref();
        if rights::may_ask(link, &["PEXPIRETIME", NO_KEY]).await? {
            return Ok(Expiry::Moment);
        }
        match link.run(rights::command(&["PTTL", NO_KEY]), Effect::Read).await {
            Err(error) if !error.is_elsewhere() => Err(error),
            _ => Ok(Expiry::Left),
        }
    }

    /// What bounds the batches, and what a restored cache evicts by; without the rights it is done without.
    async fn fields(&self, info: &Info) -> Result<KeyFields> {
        let link = self.origin.link.as_ref();
        let mut fields = KeyFields::empty();
        if rights::may_ask(link, &["MEMORY", "USAGE", NO_KEY]).await? {
            fields |= KeyFields::BYTES;
        }
        let by_frequency = info.field("maxmemory_policy").is_some_and(|policy| policy.contains("lfu"));
        if rights::may_ask(link, &["OBJECT", "ENCODING", NO_KEY]).await? {
            fields |= if by_frequency { KeyFields::FREQUENCY } else { KeyFields::IDLE };
        }
        Ok(fields)
    }

    /// FUNCTION LIST (Redis 7.0); servers before have none, and a user may not be allowed to see them, which is said.
    async fn functions(&self) -> Result<(Vec<Bytes>, Option<Skipped>)> {
        let link = self.origin.link.as_ref();
        match link.run(rights::command(&["FUNCTION", "LIST", "WITHCODE"]), Effect::Read).await {
            Ok(answer) => {
                let sources = libraries(answer).into_iter().map(|library| library.code);
                Ok((sources.collect(), None))
            }
            Err(error @ Error::NotPermitted { .. }) => {
                let what = format!("function libraries of {}", self.origin.node);
                Ok((Vec::new(), Some(Skipped::new(what, error.with_causes()))))
            }
            Err(Error::Server { .. }) => Ok((Vec::new(), None)),
            Err(error) if error.is_blocked() => Ok((Vec::new(), None)),
            Err(error) => Err(error),
        }
    }

    /// The databases that have keys; the first one in any case, so that the right to SCAN is always asked for.
    fn databases(&self, info: &Info) -> Result<VecDeque<u64>> {
        let mut numbers: Vec<u64> =
            info.section("keyspace").filter_map(|(name, _)| name.strip_prefix("db")?.parse().ok()).collect();
        if self.origin.own.is_some() {
            if !numbers.contains(&0) {
                numbers.push(0);
            }
            numbers.sort_unstable();
            return Ok(numbers.into());
        }
        numbers.retain(|number| *number != self.database);
        if numbers.is_empty() {
            return Ok([self.database].into());
        }
        let reason = format!(
            "the connection that was handed over is in database {}, and there are keys in databases {numbers:?}, \
             which it does not reach",
            self.database
        );
        Err(Error::Unsupported { node: self.origin.node.clone(), capability: Capability::Scan, reason })
    }
}

#[async_trait]
impl DumpSource for KeysSource {
    fn method(&self) -> DumpMethod {
        DumpMethod::Keys
    }

    async fn check(&self) -> Result<()> {
        let link = self.origin.link.as_ref();
        self.databases(&self.origin.server().info().await?)?;
        link.run(rights::command(&["SCAN", "0", "COUNT", "1"]), Effect::Read).await?;
        match link.run(rights::command(&["DUMP", NO_KEY]), Effect::Read).await {
            Err(error) if !error.is_elsewhere() => return Err(error),
            _ => {}
        }
        self.expiry().await.map(drop)
    }

    async fn open(&self) -> Result<Dump> {
        let info = self.origin.server().info().await?;
        let clock = self.clock().await?;
        let began_ms = clock.now_ms();
        let mut facts = DumpFacts::new(DumpMethod::Keys, self.origin.node.clone(), began_ms);
        let (version, target) = server_of(&info);
        let (functions, unseen) = self.functions().await?;
        facts.missing.extend(unseen);
        let about = About { version, created_s: began_ms / 1000, functions, target };
        let sweep = ShardDatabases {
            source: self.clone(),
            fields: self.fields(&info).await?,
            expiry: self.expiry().await?,
            left: self.databases(&info)?,
        };
        let node = self.origin.node.clone();
        let image = KeyImage::new(node, Arc::clone(&self.pace), clock, about, Box::new(sweep));
        Ok(Dump { facts, bytes: image.into_stream() })
    }
}

/// The databases of one node, one behind the other.
struct ShardDatabases {
    source: KeysSource,
    fields: KeyFields,
    expiry: Expiry,
    left: VecDeque<u64>,
}

#[async_trait]
impl Databases for ShardDatabases {
    async fn next(&mut self) -> Result<Option<OpenDatabase>> {
        let Some(number) = self.left.pop_front() else { return Ok(None) };
        let source = &self.source;
        let origin = &source.origin;
        let mut scan = ScanOptions::with_fields(self.fields);
        scan.pace = Arc::clone(&source.pace);
        let shards: Arc<dyn Shards> = Arc::new(ThisShard(origin.shard.clone()));
        let mut sweeper = Sweeper::over_links(Arc::clone(&source.sweeper.link), shards);
        let fetch: Box<dyn Fetch> = match &origin.own {
            Some((dialer, endpoint)) => {
                let dialer = dialer.in_database(number);
                let elsewhere = Arc::new(RedisKeys::new(source.sweeper.clone()));
                let reads_replica = origin.read_from == ReadFrom::Replica && !origin.shard.slots.is_empty();
                let wire = dialer.dial(endpoint, Introduction { reads_replica }).await?;
                scan.read_from = origin.read_from;
                sweeper.dialer = Some(dialer);
                Box::new(FetchByWire::new(wire.with_patience(source.patience), self.expiry, elsewhere))
            }
            None => Box::new(FetchByKeys(Arc::new(RedisKeys::new(Sweeper::over_links(
                Arc::clone(&origin.link),
                Arc::clone(&sweeper.shards),
            ))))),
        };
        Ok(Some(OpenDatabase { number, batches: RedisKeys::new(sweeper).scan(scan), fetch }))
    }
}

/// One shard, and the node of it that is read.
#[derive(Debug)]
struct ThisShard(Shard);

#[async_trait]
impl Shards for ThisShard {
    async fn shards(&self) -> Result<Vec<Shard>> {
        Ok(vec![self.0.clone()])
    }
}

/// The version of the server, and the format of a file of it that has no key.
fn server_of(info: &Info) -> (Option<String>, Target) {
    let (version, is_valkey) = match info.field("valkey_version") {
        Some(version) => (Some(version), true),
        None => (info.field("redis_version"), false),
    };
    let mut numbers = version.unwrap_or_default().split('.').map(str::parse);
    let target = match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if is_valkey => larder_rdb::Server::valkey(major, minor),
        (Some(Ok(major)), Some(Ok(minor))) => larder_rdb::Server::redis(major, minor),
        // Every server takes it.
        _ => larder_rdb::Server::redis(5, 0),
    };
    (version.map(str::to_owned), Target::OfPayloads(target))
}
