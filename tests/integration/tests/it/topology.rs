//! Failovers, nodes that go, and connections that the embedding service owns.

use std::{
    collections::BTreeSet,
    io::Write,
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use futures_util::StreamExt;
use larder_cache_client::{
    CacheClient, CacheUrl, ConnectOptions, DumpedValue, KeyChange, KeyFields, RestoreItem, ScanOptions, Ttl,
    open,
};
use larder_metrics_model::Role;
use larder_test_support::{TestCluster, TestSentinel, TestServer, conformance, on_every_server, until_async};

async fn reach(url: &str) -> Result<CacheClient> {
    Ok(open(&url.parse::<CacheUrl>()?, &ConnectOptions::default()).await?)
}

async fn fill(client: &CacheClient, keys: u32) -> Result<()> {
    for number in 0..keys {
        let ttl = (number % 2 == 0).then_some(Duration::from_mins(10));
        client.cache().set(format!("key:{number}").as_bytes(), Bytes::from_static(b"value"), ttl).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_cluster_connection_that_is_there() {
    on_every_server(async |program| {
        let cluster = TestCluster::start(program, 0)?;
        let seeds: Vec<String> = cluster.servers.iter().map(TestServer::url).collect();
        let connection = redis::cluster::ClusterClient::new(seeds)?.get_async_connection().await?;
        let client = CacheClient::from_cluster_connection(connection, "embedded", Duration::from_secs(5));
        conformance::cache(client.cache().as_ref()).await?;
        conformance::keys(client.keys().as_ref(), client.cache().as_ref()).await?;
        conformance::nodes(client.nodes().as_ref()).await?;
        conformance::stats_source(client.stats().as_ref(), Some(client.cache().as_ref())).await
    })
    .await;
}

#[tokio::test]
async fn a_shard_that_is_gone_ends_its_own_part_of_a_scan() {
    on_every_server(async |program| {
        let mut cluster = TestCluster::start(program, 0)?;
        let mut connect = ConnectOptions::default();
        connect.failover_patience = Duration::from_secs(2);
        let client = open(&cluster.url().parse()?, &connect).await?;
        fill(&client, 300).await?;
        let kept: i64 =
            cluster.servers[1].run::<i64>(&["DBSIZE"])? + cluster.servers[2].run::<i64>(&["DBSIZE"])?;
        cluster.servers[0].kill()?;

        let mut options = ScanOptions::with_fields(KeyFields::TTL | KeyFields::TYPE);
        options.batch_keys = 20;
        let (mut keys, mut failed) = (BTreeSet::new(), 0);
        let mut batches = client.keys().scan(options);
        while let Some(batch) = batches.next().await {
            match batch {
                Ok(batch) => keys.extend(batch.records.into_iter().map(|record| record.key)),
                Err(error) => {
                    failed += 1;
                    ensure!(error.to_string().contains(cluster.servers[0].node().as_str()), "{error}");
                    ensure!(error.to_string().contains("slots 0-5460"), "{error}");
                }
            }
        }
        ensure!(failed == 1, "one error, not {failed}");
        ensure!(i64::try_from(keys.len())? == kept, "{} of {kept} keys", keys.len());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn behind_sentinels_a_failover_is_followed() {
    on_every_server(async |program| {
        let mut sentinel = TestSentinel::start(program, 1)?;
        let client = reach(&sentinel.url()).await?;
        client.cache().set(b"before", Bytes::from_static(b"1"), None).await?;
        let primary = sentinel.kill_primary()?;
        until_async("writes to the new primary", async || {
            Ok(client.cache().set(b"after", Bytes::from_static(b"2"), None).await.ok())
        })
        .await?;
        let new =
            sentinel.servers.iter().find(|server| server.node() == primary).context("the new primary")?;
        ensure!(new.run::<i64>(&["EXISTS", "after"])? == 1);
        let topology = client.nodes().discover().await?;
        let found = topology.nodes.iter().find(|node| node.known_role() == Some(Role::Primary));
        ensure!(found.map(|node| node.node()) == Some(&primary), "{topology:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_replica_takes_no_part_in_the_sums() {
    on_every_server(async |program| {
        let cluster = TestCluster::start(program, 1)?;
        let client = reach(&cluster.url()).await?;
        fill(&client, 60).await?;
        ensure!(client.nodes().discover().await?.nodes.len() == 6);
        let statistics = client.stats().statistics().await?;
        ensure!(statistics.stats.set_count == Some(60), "{statistics:?}");
        // Replicas hold the same keys, and are not gone through.
        let mut keys = 0;
        let mut batches = client.keys().scan(ScanOptions::default());
        while let Some(batch) = batches.next().await {
            keys += batch?.records.len();
        }
        ensure!(keys == 60, "{keys} keys");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn after_a_restart_the_connection_is_made_anew() {
    on_every_server(async |program| {
        let mut server = TestServer::start(program)?;
        let client = reach(&server.url()).await?;
        client.cache().exists(b"k").await?;
        let before = client.stats().statistics().await?.stats.origin;
        server.restart()?;
        client.cache().exists(b"k").await.context("a read is sent again over a new connection")?;
        let after = client.stats().statistics().await?.stats.origin;
        ensure!(before.is_some() && before != after, "another process counts now");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_changed_by_another_type_or_gone_does_not_end_a_scan() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let client = reach(&server.url()).await?;
        for words in [
            ["RPUSH", "list", "a", "b"].as_slice(),
            &["SADD", "set", "a"],
            &["ZADD", "sorted", "1", "a"],
            &["HSET", "hash", "f", "v"],
            &["XADD", "stream", "*", "f", "v"],
            &["SET", "string", "12345"],
            &["PEXPIRE", "string", "600000"],
        ] {
            server.run::<redis::Value>(words)?;
        }
        let fields = KeyFields::all().difference(KeyFields::FREQUENCY);
        let mut batches = client.keys().scan(ScanOptions::with_fields(fields));
        let mut found = BTreeSet::new();
        while let Some(batch) = batches.next().await {
            for record in batch?.records {
                ensure!(
                    record.memory_bytes > Some(0) && record.encoding.is_some() && record.idle.is_some(),
                    "{record:?}"
                );
                ensure!(matches!(record.ttl, Some(Ttl::In(_))) == (record.key == "string"), "{record:?}");
                found.insert((String::from_utf8(record.key.to_vec())?, record.elements));
            }
        }
        let expected = [("hash", 1), ("list", 2), ("set", 1), ("sorted", 1), ("stream", 1), ("string", 5)];
        let expected: BTreeSet<_> =
            expected.into_iter().map(|(key, elements)| (key.to_owned(), Some(elements))).collect();
        ensure!(found == expected, "{found:?}");
        Ok(())
    })
    .await;
}

/// A cluster of one node that does what DEL says, and hangs up instead of answering.
struct HangsUp {
    port: u16,
    deletions: Arc<AtomicUsize>,
}

impl HangsUp {
    fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (port, deletions) = (listener.local_addr()?.port(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&deletions);
        // Ends with the process of the test.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counted = Arc::clone(&counted);
                std::thread::spawn(move || serve(stream, port, &counted));
            }
        });
        Ok(Self { port, deletions })
    }
}

fn serve(mut stream: TcpStream, port: u16, deletions: &AtomicUsize) {
    let mut parser = redis::Parser::new();
    while let Ok(command) = parser.parse_value(&mut stream) {
        let words: Vec<String> = redis::from_redis_value(command).unwrap_or_default();
        let answer = match words.first().map(String::as_str) {
            Some("CLUSTER") => format!("*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:{port}\r\n"),
            Some("DEL") => {
                deletions.fetch_add(1, Ordering::Relaxed);
                return;
            }
            _ => "+OK\r\n".to_owned(),
        };
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_not_sent_again() -> Result<()> {
    let node = HangsUp::start()?;
    for url in
        [format!("redis-cluster://127.0.0.1:{}", node.port), format!("redis://127.0.0.1:{}", node.port)]
    {
        node.deletions.store(0, Ordering::Relaxed);
        let deleted = reach(&url).await?.cache().delete(b"k").await;
        ensure!(deleted.is_err(), "nobody knows whether the key was there: {deleted:?}");
        let sent = node.deletions.load(Ordering::Relaxed);
        ensure!(sent == 1, "{url}: sent {sent} times");
    }
    Ok(())
}

/// Brings a value back under a name, and in the same batch under one of another slot.
async fn restore_as(client: &CacheClient, value: &DumpedValue, name: &'static [u8]) -> Result<()> {
    let other = Bytes::from([b"other:", name.split_at(b"{moving}".len()).1].concat());
    let items = [Bytes::from_static(name), other].map(|key| RestoreItem {
        key,
        value: value.clone(),
        overwrite: false,
    });
    for answer in client.keys().restore(&items).await {
        ensure!(answer? == KeyChange::Done);
    }
    Ok(())
}

#[tokio::test]
async fn a_slot_that_moves_is_followed() {
    on_every_server(async |program| {
        let cluster = TestCluster::start(program, 0)?;
        let client = reach(&cluster.url()).await?;
        client.cache().set(b"{moving}a", Bytes::from_static(b"1"), None).await?;
        let slot: u16 = cluster.servers[0].run(&["CLUSTER", "KEYSLOT", "{moving}"])?;
        let mut from = None;
        for (index, server) in cluster.servers.iter().enumerate() {
            if server.run::<i64>(&["CLUSTER", "COUNTKEYSINSLOT", &slot.to_string()])? == 1 {
                from = Some(index);
            }
        }
        let from = from.context("the node that has the key")?;
        let (from, to) = (&cluster.servers[from], &cluster.servers[(from + 1) % 3]);
        let (from_id, to_id): (String, String) =
            (from.run(&["CLUSTER", "MYID"])?, to.run(&["CLUSTER", "MYID"])?);
        let slot = slot.to_string();
        let value = client.keys().dump(&[Bytes::from_static(b"{moving}a")]).await.remove(0)?;
        let value = value.context("it is there")?;
        restore_as(&client, &value, b"{moving}r1").await?;
        to.run::<()>(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id])?;
        from.run::<()>(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id])?;
        // A key that is not there yet is asked for on the other side (ASK), and written there.
        client.cache().set(b"{moving}b", Bytes::from_static(b"2"), None).await?;
        restore_as(&client, &value, b"{moving}r2").await?;
        ensure!(client.cache().get(b"{moving}b").await?.as_deref() == Some(b"2".as_slice()));
        ensure!(client.cache().get(b"{moving}a").await?.as_deref() == Some(b"1".as_slice()));
        let port = to.port().to_string();
        for key in ["{moving}a", "{moving}r1"] {
            from.run::<()>(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"])?;
        }
        for server in [to, from] {
            server.run::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id])?;
        }
        // And then it has moved (MOVED).
        ensure!(client.cache().get(b"{moving}a").await?.as_deref() == Some(b"1".as_slice()));
        client.cache().set(b"{moving}c", Bytes::from_static(b"3"), None).await?;
        restore_as(&client, &value, b"{moving}r3").await?;
        ensure!(to.run::<i64>(&["CLUSTER", "COUNTKEYSINSLOT", &slot])? == 6);
        Ok(())
    })
    .await;
}
