//! Images of shards, taken in every way from every server.

mod faults;
mod proxy;
mod rights;
mod saves;
mod topologies;

use anyhow::{Context as _, Result, ensure};
use larder_cache_client::{
    CacheClient, CacheUrl, ConnectOptions, DumpMethod, DumpOptions, DumpShard, DumpSource, open,
};
use larder_test_support::{
    TestServer,
    conformance::{self, Contents},
    on_every_server, seed,
};

const LIBRARY: &str = "#!lua name=larder\nredis.register_function('larder_one', function() return 1 end)";

pub(crate) async fn reach(url: &str) -> Result<CacheClient> {
    Ok(open(&url.parse::<CacheUrl>()?, &ConnectOptions::default()).await?)
}

pub(crate) async fn only_shard(client: &CacheClient, options: &DumpOptions) -> Result<DumpShard> {
    let mut shards = client.dump_shards(options).await?;
    ensure!(shards.len() == 1, "{} shards", shards.len());
    Ok(shards.remove(0))
}

pub(crate) async fn source(
    client: &CacheClient,
    method: DumpMethod,
    options: &DumpOptions,
) -> Result<std::sync::Arc<dyn DumpSource>> {
    let shard = only_shard(client, options).await?;
    shard.source(method).cloned().with_context(|| format!("no way by {method}"))
}

/// Bytes that no server compresses.
pub(crate) fn noise(bytes: u64) -> Vec<u8> {
    let mixed = |n: u64| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ n).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (0..bytes).map(|n| mixed(n).to_be_bytes()[0]).collect()
}

/// Keys of every type and of several sizes, in two databases, and a function library.
pub(crate) fn populate(server: &TestServer) -> Result<()> {
    let mut admin = server.admin()?;
    seed(&mut admin, 1_500)?;
    redis::cmd("FUNCTION").arg("LOAD").arg(LIBRARY).query::<()>(&mut admin)?;
    let mut pipeline = redis::pipe();
    pipeline.set("large", noise(3 << 20)).ignore();
    pipeline.set(b"name\r\n\0\xff", "binary").ignore();
    for number in 0..3_000 {
        pipeline.hset("hash:large", number, format!("value {number}")).ignore();
        pipeline.zadd("sorted:large", number, f64::from(number) / 7.0).ignore();
        pipeline.sadd("set:large", number * 3).ignore();
        pipeline.rpush("list:large", format!("item {number}")).ignore();
    }
    pipeline.cmd("XADD").arg("stream").arg("1-1").arg("f").arg("v").ignore();
    pipeline.cmd("XGROUP").arg("CREATE").arg("stream").arg("group").arg("0").ignore();
    pipeline.cmd("SELECT").arg(3).ignore();
    pipeline.set("large", "another of the same name").ignore();
    pipeline.cmd("SET").arg("timed").arg("v").arg("PX").arg(3_600_123).ignore();
    pipeline.query::<()>(&mut admin)?;
    // Only Redis 7.4 and Valkey 9 have fields that expire.
    let mut expire = redis::cmd("HEXPIRE");
    expire.arg("hash:expiring").arg(3_600).arg("FIELDS").arg(1).arg("field");
    redis::cmd("HSET")
        .arg("hash:expiring")
        .arg("field")
        .arg("v")
        .arg("other")
        .arg("v")
        .query::<()>(&mut admin)?;
    drop(expire.query::<redis::Value>(&mut admin));
    Ok(())
}

/// Holds every way of a shard against what its node holds.
pub(crate) async fn check(shard: &DumpShard, held: &Contents, methods: &[DumpMethod]) -> Result<()> {
    let found: Vec<DumpMethod> = shard.sources.iter().map(|source| source.method()).collect();
    ensure!(found == methods, "the ways are {found:?}, not {methods:?}");
    for source in &shard.sources {
        conformance::dump_source(source.as_ref(), held).await?;
    }
    Ok(())
}

pub(crate) const EVERY_WAY: [DumpMethod; 3] = [DumpMethod::Replication, DumpMethod::Save, DumpMethod::Keys];

#[tokio::test]
async fn every_way_with_a_disk_and_without() {
    on_every_server(async |program| {
        for is_diskless in [true, false] {
            let setting = if is_diskless { "yes" } else { "no" };
            let server =
                TestServer::builder(program).config(format!("repl-diskless-sync {setting}")).start()?;
            populate(&server)?;
            let held = Contents::of_server(&server)?;
            // The database of the URL does not matter.
            let client = reach(&format!("{}/3", server.url())).await?;
            let shard = only_shard(&client, &DumpOptions::default()).await?;
            check(&shard, &held, &EVERY_WAY).await?;
            let replication = shard.source(DumpMethod::Replication).context("replication")?;
            let facts = replication.open().await?.facts;
            ensure!(facts.total_bytes.is_none() == is_diskless, "diskless {setting}: {facts:?}");
            let id = server.info("master_replid")?.context("master_replid")?;
            ensure!(facts.replication.is_some_and(|(found, _)| found == id), "the stream has another id");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_server_without_keys() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let shard = only_shard(&reach(&server.url()).await?, &DumpOptions::default()).await?;
        check(&shard, &Contents::default(), &EVERY_WAY).await
    })
    .await;
}

#[tokio::test]
async fn tls_with_a_password_and_a_unix_socket() {
    on_every_server(async |program| {
        let server = TestServer::builder(program).tls().password("s3cret").start()?;
        populate(&server)?;
        let held = Contents::of_server(&server)?;
        let mut connect = ConnectOptions::default();
        connect.tls.ca_file = Some(server.certificates().context("certificates")?.ca_file.clone());
        for url in [server.url(), server.socket_url()] {
            let client = open(&url.parse()?, &connect).await?;
            let shard = only_shard(&client, &DumpOptions::default()).await?;
            check(&shard, &held, &EVERY_WAY).await.with_context(|| url.replace("s3cret", "***"))?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn nothing_is_left_of_an_image_that_is_given_up() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        populate(&server)?;
        let client = reach(&server.url()).await?;
        let source = source(&client, DumpMethod::Replication, &DumpOptions::default()).await?;
        let dump = source.open().await?;
        let replicas = || server.info("connected_slaves");
        ensure!(replicas()?.as_deref() == Some("1"), "it is not there while it is held");
        drop(dump);
        larder_test_support::until("the replica to go", || Ok(replicas()?.filter(|count| count == "0")))?;
        Ok(())
    })
    .await;
}
