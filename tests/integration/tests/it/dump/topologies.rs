//! Clusters, replicas, Sentinels, connections that are there, and embedded caches.

use std::{collections::HashMap, time::Duration};

use anyhow::{Context as _, Result, ensure};
use larder_cache_client::{CacheClient, DumpMethod, DumpOptions, Error, ReadFrom};
use larder_test_support::{
    TestCluster, TestSentinel, TestServer,
    conformance::{self, Contents},
    on_every_server, seed_cluster, until,
};

use super::{EVERY_WAY, check, only_shard, populate, reach};

const KEYS: u64 = 1_000;

fn from_replicas() -> DumpOptions {
    let mut options = DumpOptions::default();
    options.read_from = ReadFrom::Replica;
    options
}

#[tokio::test]
async fn a_cluster_of_three_shards() {
    on_every_server(async |program| {
        let cluster = TestCluster::start(program, 1)?;
        let seeds: Vec<String> = cluster.servers.iter().map(TestServer::url).collect();
        seed_cluster(&mut redis::cluster::ClusterClient::new(seeds)?.get_connection()?, KEYS)?;
        let client = reach(&cluster.url()).await?;
        for options in [DumpOptions::default(), from_replicas()] {
            let shards = client.dump_shards(&options).await?;
            ensure!(shards.len() == 3, "{} shards", shards.len());
            let slots: Vec<_> = shards.iter().flat_map(|shard| shard.slots.clone()).collect();
            ensure!(slots == [(0, 5460), (5461, 10921), (10922, 16383)], "{slots:?}");
            let mut all = Contents::default();
            for (index, shard) in shards.iter().enumerate() {
                let of = cluster
                    .servers
                    .iter()
                    .find(|server| server.node() == shard.node)
                    .context("its server")?;
                let place = if options.read_from == ReadFrom::Primary { index } else { index + 3 };
                ensure!(cluster.servers[place].node() == shard.node, "{} is in another place", shard.node);
                // What a replica has not yet got would not be in its image.
                let of_primary = Contents::of_server(&cluster.servers[index])?;
                let held = until("the replica to have all", || {
                    Ok(Some(Contents::of_server(of)?).filter(|held| held.keys.len() == of_primary.keys.len()))
                })?;
                // Each transfer waits for the next second of the server, so one shard of replicas has to do.
                if options.read_from == ReadFrom::Primary || index == 0 {
                    check(shard, &held, &EVERY_WAY).await?;
                }
                all.extend(held);
            }
            ensure!(all.keys.len() as u64 == KEYS, "{} keys", all.keys.len());
        }
        let mut options = DumpOptions::default();
        options.rdb_file = Some("/tmp/one.rdb".into());
        let refused = client.dump_shards(&options).await;
        ensure!(matches!(refused, Err(Error::SavedFile { .. })), "one file for three shards: {refused:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_replica_that_its_primary_tells_of() {
    on_every_server(async |program| {
        let primary = TestServer::builder(program).password("s3cret").start()?;
        populate(&primary)?;
        let client = reach(&primary.url()).await?;
        let none = client.dump_shards(&from_replicas()).await;
        ensure!(none.is_err_and(|error| error.is_blocked()), "a replica where there is none");
        let replica = primary.start_replica()?;
        let shard = until_known(&client).await?;
        ensure!(shard.node == replica.node(), "{} is not the replica", shard.node);
        check(&shard, &Contents::of_server(&replica)?, &EVERY_WAY).await
    })
    .await;
}

/// A primary calls a replica on line a moment after the replica calls its link up.
async fn until_known(client: &CacheClient) -> Result<larder_cache_client::DumpShard> {
    larder_test_support::until_async("the replica to be on line", async || {
        Ok(only_shard(client, &from_replicas()).await.ok())
    })
    .await
}

#[tokio::test]
async fn a_primary_and_a_replica_that_sentinels_watch() {
    on_every_server(async |program| {
        let sentinel = TestSentinel::start(program, 1)?;
        populate(&sentinel.servers[0])?;
        let held = Contents::of_server(&sentinel.servers[0])?;
        until("the replica to have all", || {
            Ok((Contents::of_server(&sentinel.servers[1])? == held).then_some(()))
        })?;
        let client = reach(&sentinel.url()).await?;
        for (options, index) in [(DumpOptions::default(), 0), (from_replicas(), 1)] {
            let shard = only_shard(&client, &options).await?;
            ensure!(shard.node == sentinel.servers[index].node(), "{}", shard.node);
            check(&shard, &held, &EVERY_WAY).await?;
        }
        // While an image is held, the primary tells the Sentinels of one more replica, which has no port.
        let shard = only_shard(&client, &DumpOptions::default()).await?;
        let dump = shard.source(DumpMethod::Replication).context("replication")?.open().await?;
        let asked = |name: &str| -> Result<Option<String>> {
            let facts: HashMap<String, String> =
                sentinel.sentinels[0].run(&["SENTINEL", "MASTER", sentinel.service()])?;
            Ok(facts.get(name).cloned())
        };
        let before: u64 = asked("info-refresh")?.context("info-refresh")?.parse()?;
        until("another look of the Sentinel", || {
            let since: u64 = asked("info-refresh")?.context("info-refresh")?.parse()?;
            Ok((since < before).then_some(()))
        })?;
        drop(dump);
        ensure!(asked("num-slaves")?.as_deref() == Some("1"), "{:?} replicas", asked("num-slaves")?);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_there() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        populate(&server)?;
        let ways = [DumpMethod::Save, DumpMethod::Keys];
        let connection = redis::Client::open(format!("redis://{}", server.node()))?;
        let connection = connection.get_multiplexed_async_connection().await?;
        let client = CacheClient::from_connection(connection, "embedded", Duration::from_secs(5));
        let shard = only_shard(&client, &DumpOptions::default()).await?;
        // Keys of another database are not left out without a word.
        let source = shard.source(DumpMethod::Keys).context("key by key")?;
        for refused in [source.check().await.err(), source.open().await.err()] {
            let error = refused.context("an image")?;
            ensure!(error.is_blocked() && error.to_string().contains("databases [3]"), "{error}");
        }
        server.run::<()>(&["FLUSHALL"])?;
        let mut admin = server.admin()?;
        larder_test_support::seed(&mut admin, 500)?;
        check(&shard, &Contents::of_server(&server)?, &ways).await
    })
    .await;
}

#[tokio::test]
async fn a_cluster_connection_that_is_there() {
    on_every_server(async |program| {
        let cluster = TestCluster::start(program, 0)?;
        let seeds: Vec<String> = cluster.servers.iter().map(TestServer::url).collect();
        let made = redis::cluster::ClusterClient::new(seeds)?;
        seed_cluster(&mut made.get_connection()?, 300)?;
        let connection = made.get_async_connection().await?;
        let client = CacheClient::from_cluster_connection(connection, "embedded", Duration::from_secs(5));
        let shards = client.dump_shards(&DumpOptions::default()).await?;
        ensure!(shards.len() == 3, "{} shards", shards.len());
        for (shard, server) in shards.iter().zip(&cluster.servers) {
            check(shard, &Contents::of_server(server)?, &[DumpMethod::Save, DumpMethod::Keys]).await?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_embedded_cache() -> Result<()> {
    for url in ["memory:", "memory:sample"] {
        let client = reach(url).await?;
        let held = Contents::of_keys(client.keys().as_ref()).await?;
        let shard = only_shard(&client, &DumpOptions::default()).await?;
        check(&shard, &held, &[DumpMethod::Keys]).await.with_context(|| url.to_owned())?;
    }
    Ok(())
}

/// What a server saved goes into an embedded cache, out again as an image, and into the same server.
#[tokio::test]
async fn an_image_of_an_embedded_cache_is_loaded_by_the_server_that_it_came_from() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        populate(&server)?;
        let (mut held, folder) = (Contents::of_server(&server)?, tempfile::tempdir()?);
        held.keys.retain(|(database, _), _| *database == 0);
        held.functions.clear();
        let file = folder.path().join("one.rdb");
        let shard = only_shard(&reach(&server.url()).await?, &DumpOptions::default()).await?;
        let dump = shard.source(DumpMethod::Keys).context("key by key")?.open().await?;
        std::fs::write(&file, conformance::collect(dump).await?)?;
        let client = reach(&format!("memory:{}", file.display())).await?;
        let shard = only_shard(&client, &DumpOptions::default()).await?;
        let image = conformance::collect(shard.sources[0].open().await?).await?;
        held.ensure_same(&Contents::of_image(&image)?, 200)?;
        let mut other = TestServer::start(program)?;
        std::fs::write(other.folder().join("dump.rdb"), image)?;
        other.restart()?;
        held.ensure_same(&Contents::of_server(&other)?, 200)
    })
    .await;
}
