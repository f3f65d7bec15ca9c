//! Sweeps while servers fail, move and are looked at from a replica.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use larder_cache_client::{
    CacheClient, CacheUrl, ConnectOptions, FixedRate, KeyBatch, KeyFields, ReadFrom, ScanOptions, open,
};
use larder_test_support::{TestCluster, TestSentinel, TestServer, on_every_server, until_async};

const KEYS: u32 = 3_000;

async fn reach(url: &str) -> Result<CacheClient> {
    Ok(open(&url.parse::<CacheUrl>()?, &ConnectOptions::default()).await?)
}

async fn fill(client: &CacheClient) -> Result<BTreeSet<Bytes>> {
    let names: Vec<Bytes> = (0..KEYS).map(|number| Bytes::from(format!("key:{number}"))).collect();
    for chunk in names.chunks(200) {
        let set = |key: &Bytes| {
            let (cache, key) = (Arc::clone(client.cache()), key.clone());
            async move { cache.set(&key, Bytes::from_static(b"value"), None).await }
        };
        futures_util::future::try_join_all(chunk.iter().map(set)).await?;
    }
    Ok(names.into_iter().collect())
}

/// Waits until replicas hold every key.
async fn replicated(replicas: &[TestServer]) -> Result<()> {
    until_async("the replicas to hold every key", || async {
        let mut keys = 0;
        for replica in replicas {
            keys += replica.run::<u32>(&["DBSIZE"])?;
        }
        Ok((keys == KEYS).then_some(()))
    })
    .await
}

fn slowly(fields: KeyFields) -> ScanOptions {
    let mut options = ScanOptions::with_fields(fields);
    options.pace = Arc::new(FixedRate::new(1_500));
    options
}

/// The keys of the last round of every shard: what counts when a shard was begun anew.
#[derive(Default)]
struct Seen(std::collections::BTreeMap<String, (u32, Vec<Bytes>)>);

impl Seen {
    fn add(&mut self, batch: KeyBatch) {
        let (round, keys) = self.0.entry(batch.shard.to_string()).or_default();
        if batch.round > *round {
            *round = batch.round;
            keys.clear();
        }
        keys.extend(batch.records.into_iter().map(|record| record.key));
    }

    fn keys(&self) -> Vec<Bytes> {
        let mut keys: Vec<Bytes> = self.0.values().flat_map(|(_, keys)| keys.iter().cloned()).collect();
        keys.sort();
        keys
    }

    fn rounds(&self) -> u32 {
        self.0.values().map(|(round, _)| round).sum()
    }
}

#[tokio::test]
async fn a_primary_that_is_killed_in_the_middle_of_a_sweep_has_a_successor() {
    on_every_server(async |program| {
        let mut cluster = TestCluster::start(program, 1)?;
        let client = reach(&cluster.url()).await?;
        let all = fill(&client).await?;
        replicated(&cluster.servers[3..]).await?;
        let mut batches = client.keys().scan(slowly(KeyFields::TTL | KeyFields::TYPE));
        let (mut seen, mut count, mut killed) = (Seen::default(), 0, false);
        while let Some(batch) = batches.next().await {
            seen.add(batch.context("a batch")?);
            count += 1;
            if count == 30 && !killed {
                cluster.servers[0].kill()?;
                killed = true;
            }
        }
        ensure!(killed && seen.rounds() == 1, "one shard was begun anew, {} were", seen.rounds());
        let keys = seen.keys();
        ensure!(keys.len() == all.len(), "{} of {} keys, none of them twice", keys.len(), all.len());
        ensure!(keys.into_iter().collect::<BTreeSet<_>>() == all);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn behind_sentinels_a_sweep_goes_on_at_the_new_primary() {
    on_every_server(async |program| {
        let mut sentinel = TestSentinel::start(program, 1)?;
        let client = reach(&sentinel.url()).await?;
        let all = fill(&client).await?;
        replicated(&sentinel.servers[1..2]).await?;
        let mut batches = client.keys().scan(slowly(KeyFields::TTL));
        let (mut seen, mut count) = (Seen::default(), 0);
        while let Some(batch) = batches.next().await {
            seen.add(batch?);
            count += 1;
            if count == 10 {
                sentinel.kill_primary()?;
            }
        }
        ensure!(seen.rounds() == 1 && seen.keys().into_iter().collect::<BTreeSet<_>>() == all);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_restarted_is_gone_through_anew() {
    on_every_server(async |program| {
        let mut server = TestServer::start(program)?;
        let client = reach(&server.url()).await?;
        fill(&client).await?;
        let mut batches = client.keys().scan(slowly(KeyFields::TTL));
        let (mut seen, mut count) = (Seen::default(), 0);
        while let Some(batch) = batches.next().await {
            seen.add(batch?);
            count += 1;
            if count == 10 {
                server.restart()?;
                server.run::<()>(&["SET", "after", "the restart"])?;
            }
        }
        ensure!(seen.rounds() == 1 && seen.keys() == ["after"], "what it holds now is what counts");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_replica_is_read_where_one_is_asked_for() {
    on_every_server(async |program| {
        let cluster = TestCluster::start(program, 1)?;
        let client = reach(&cluster.url()).await?;
        let all = fill(&client).await?;
        let mut options = ScanOptions::with_fields(KeyFields::TTL | KeyFields::BYTES);
        options.read_from = ReadFrom::Replica;
        let replicas: BTreeSet<_> = cluster.servers[3..].iter().map(TestServer::node).collect();
        until_async("the replicas to have every key", || async {
            let batches: Vec<KeyBatch> = client.keys().scan(options.clone()).try_collect().await?;
            ensure!(batches.iter().all(|batch| replicas.contains(&batch.node)), "a primary was read");
            let keys: BTreeSet<_> =
                batches.into_iter().flat_map(|batch| batch.records).map(|record| record.key).collect();
            Ok((keys == all).then_some(()))
        })
        .await?;

        let alone = TestServer::start(program)?;
        let client = reach(&alone.url()).await?;
        let error = client.keys().scan(options).next().await.context("an item")?.err().context("an error")?;
        ensure!(matches!(error, larder_cache_client::Error::NoReplica { .. }), "{error}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn looking_is_not_using() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let client = reach(&server.url()).await?;
        client.cache().set(b"k", Bytes::from_static(b"v"), None).await?;
        let idle = async || -> Result<u64> {
            let fields = KeyFields::all().difference(KeyFields::ELEMENTS);
            let mut batches = client.keys().scan(ScanOptions::with_fields(fields));
            let record = batches.next().await.context("a batch")??.records.pop().context("the key")?;
            Ok(record.idle.context("idle")?.as_secs())
        };
        until_async("the key to be idle for two seconds", || async { Ok((idle().await? >= 2).then_some(())) })
            .await
    })
    .await;
}

#[tokio::test]
async fn a_sweep_is_as_patient_as_it_is_told() {
    on_every_server(async |program| {
        let mut server = TestServer::start(program)?;
        let mut connect = ConnectOptions::default();
        connect.failover_patience = Duration::from_secs(1);
        let client = open(&server.url().parse()?, &connect).await?;
        fill(&client).await?;
        let mut batches = client.keys().scan(slowly(KeyFields::TTL));
        batches.next().await.context("a batch")??;
        server.kill()?;
        let rest: Vec<_> = batches.collect().await;
        let error = rest.into_iter().find_map(Result::err).context("an error")?;
        let words = error.with_causes();
        ensure!(words.contains(server.node().as_str()) && words.contains("every key"), "{words}");
        Ok(())
    })
    .await;
}
