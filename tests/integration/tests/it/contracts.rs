//! The contracts of the seams, held on every server and every way to reach one.

mod embedded;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use larder_cache_client::{
    CacheClient, CacheUrl, ConnectOptions, MemoryCache, MemoryOptions, TieredCache, TieredOptions, open,
};
use larder_test_support::{TestCluster, TestSentinel, TestServer, conformance, on_every_server};

async fn reach(url: &str, options: &ConnectOptions) -> Result<CacheClient> {
    Ok(open(&url.parse::<CacheUrl>()?, options).await?)
}

async fn check(client: &CacheClient) -> Result<()> {
    let cache = client.cache().as_ref();
    let keys = client.keys().as_ref();
    // All four are held before the verdict, so that one broken contract does not hide another.
    let verdicts = [
        conformance::cache(cache).await.context("contract of Cache"),
        conformance::keys(keys, cache).await.context("contract of Keys"),
        conformance::nodes(client.nodes().as_ref()).await.context("contract of Nodes and Server"),
        conformance::stats_source(client.stats().as_ref(), Some(cache))
            .await
            .context("contract of StatsSource"),
    ];
    let broken: Vec<String> =
        verdicts.into_iter().filter_map(Result::err).map(|error| format!("{error:#}")).collect();
    ensure!(broken.is_empty(), "{}", broken.join("\n"));
    Ok(())
}

#[tokio::test]
async fn standalone() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        check(&reach(&server.url(), &ConnectOptions::default()).await?).await
    })
    .await;
}

#[tokio::test]
async fn unix_socket_with_a_password() {
    on_every_server(async |program| {
        let server = TestServer::builder(program).password("s3cret").start()?;
        check(&reach(&server.socket_url(), &ConnectOptions::default()).await?).await
    })
    .await;
}

#[tokio::test]
async fn tls_with_client_certificates() {
    on_every_server(async |program| {
        let server = TestServer::builder(program).tls_with_client_certificates().start()?;
        let made = server.certificates().context("certificates")?;
        let mut options = ConnectOptions::default();
        options.tls.ca_file = Some(made.ca_file.clone());
        options.tls.cert_file = Some(made.client_cert_file.clone());
        options.tls.key_file = Some(made.client_key_file.clone());
        check(&reach(&server.url(), &options).await?).await
    })
    .await;
}

#[tokio::test]
async fn a_user_of_an_acl() {
    on_every_server(async |program| {
        let server = TestServer::builder(program).user("user larder on >pass ~* &* +@all").start()?;
        check(&reach(&server.url_as("larder", "pass"), &ConnectOptions::default()).await?).await
    })
    .await;
}

#[tokio::test]
async fn a_user_with_ping_and_info_only() {
    on_every_server(async |program| {
        let server = TestServer::builder(program).user("user larder on >pass ~* +ping +info").start()?;
        let client = reach(&server.url_as("larder", "pass"), &ConnectOptions::default()).await?;
        conformance::nodes(client.nodes().as_ref()).await
    })
    .await;
}

#[tokio::test]
async fn sentinel() {
    on_every_server(async |program| {
        let sentinel = TestSentinel::start(program, 1)?;
        check(&reach(&sentinel.url(), &ConnectOptions::default()).await?).await
    })
    .await;
}

#[tokio::test]
async fn cluster() {
    on_every_server(async |program| {
        let cluster = TestCluster::start(program, 0)?;
        check(&reach(&cluster.url(), &ConnectOptions::default()).await?).await
    })
    .await;
}

#[tokio::test]
async fn memory() -> Result<()> {
    check(&CacheClient::from_memory(MemoryCache::new(MemoryOptions::default()))).await
}

#[tokio::test]
async fn a_connection_that_is_there() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let connection = redis::Client::open(format!("redis://{}", server.node()))?;
        let connection = connection.get_multiplexed_async_connection().await?;
        check(&CacheClient::from_connection(connection, "embedded", Duration::from_secs(5))).await
    })
    .await;
}

#[tokio::test]
async fn tiered() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let second = reach(&server.url(), &ConnectOptions::default()).await?;
        let first = MemoryCache::new(MemoryOptions::default());
        let tiered = Arc::new(TieredCache::new(first, Arc::clone(second.cache()), TieredOptions::default()));
        conformance::cache(tiered.as_ref()).await.context("contract of Cache")?;
        conformance::stats_source(tiered.as_ref(), Some(tiered.as_ref()))
            .await
            .context("contract of StatsSource")
    })
    .await;
}
