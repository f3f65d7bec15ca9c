//! Databases of a cluster (Valkey 9.0, `cluster-databases`): every connection to a node is in the one that is named.

use anyhow::{Result, ensure};
use bytes::Bytes;
use larder_cache_client::{CacheUrl, ConnectOptions, open};
use larder_test_support::{ServerProgram, TestCluster, TestServer, server_programs, until_async};

const SLOTS: usize = 16_384;

/// Keys of a database, on one server.
fn keys(server: &TestServer, database: u32) -> Result<u64> {
    let line = server.info(&format!("db{database}"))?;
    Ok(line.and_then(|line| line.strip_prefix("keys=")?.split(',').next()?.parse().ok()).unwrap_or(0))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_stays_after_moved_and_after_reconnecting() {
    for program in server_programs() {
        if program.product == "valkey" && program.version.starts_with('9') {
            stays(&program).await.unwrap();
        }
    }
}

async fn stays(program: &ServerProgram) -> Result<()> {
    let cluster = TestCluster::configured(program, &["cluster-databases 4"])?;
    let url: CacheUrl = cluster.url().parse()?;
    let client = open(&url.with_database(2), &ConnectOptions::default()).await?;
    let names: Vec<Vec<u8>> = (0..30).map(|number| format!("key:{number}").into_bytes()).collect();
    let set = async || -> Result<()> {
        for name in &names {
            client.cache().set(name, Bytes::from_static(b"v"), None).await?;
        }
        Ok(())
    };
    let in_two = || -> Result<u64> { cluster.servers.iter().map(|server| keys(server, 2)).sum() };
    set().await?;
    ensure!(in_two()? == 30 && client.cache().get(b"key:7").await?.is_some());

    // Every connection is cut, and made anew.
    for server in &cluster.servers {
        server.run::<u64>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"])?;
    }
    for server in &cluster.servers {
        server.run::<()>(&["FLUSHALL"])?;
    }
    until_async("writes to work again", async || Ok(set().await.ok())).await?;
    ensure!(in_two()? == 30, "after reconnecting");

    // A slot that goes to another node: what the client sends to the old one is sent on.
    for server in &cluster.servers {
        server.run::<()>(&["FLUSHALL"])?;
    }
    let slot: usize = cluster.servers[0].run(&["CLUSTER", "KEYSLOT", "key:7"])?;
    let owner = (0..3).find(|shard| slot < (shard + 1) * SLOTS / 3).unwrap_or(2);
    let next = &cluster.servers[(owner + 1) % 3];
    let id: String = next.run(&["CLUSTER", "MYID"])?;
    for server in std::iter::once(next).chain(&cluster.servers) {
        server.run::<()>(&["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", &id])?;
    }
    client.cache().set(b"key:7", Bytes::from_static(b"w"), None).await?;
    ensure!(keys(next, 2)? == 1 && keys(next, 0)? == 0, "after MOVED");
    ensure!(client.cache().get(b"key:7").await?.as_deref() == Some(b"w".as_slice()));
    Ok(())
}
