//! Faults on purpose: each is the error that says so, names the node, and holds no password.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use larder_cache_client::{CacheUrl, ConnectOptions, Error, open};
use larder_metrics_model::NodeAddress;
use larder_test_support::{TestServer, on_every_server};

const PASSWORD: &str = "pa55word-that-must-not-show";

fn impatient() -> ConnectOptions {
    let mut options = ConnectOptions::default();
    options.response_timeout = Duration::from_millis(300);
    options.connect_timeout = Duration::from_millis(300);
    options.retries = 0;
    options
}

async fn set(url: &str, options: &ConnectOptions) -> Result<Error> {
    let client = open(&url.parse::<CacheUrl>()?, options).await?;
    let error = client.cache().set(b"k", Bytes::from_static(b"v"), None).await.err().context("no error")?;
    let words = format!("{client:?} {error:?} {}", error.with_causes());
    ensure!(!words.contains(PASSWORD), "the password is shown: {words}");
    Ok(error)
}

fn names(error: &Error, node: &NodeAddress) -> Result<()> {
    ensure!(error.to_string().contains(node.as_str()), "{node} is not named: {error}");
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_gone_or_frozen() {
    on_every_server(async |program| {
        let mut server = TestServer::start(program)?;
        server.pause()?;
        let begun = Instant::now();
        let error = set(&server.url(), &impatient()).await?;
        ensure!(matches!(error, Error::Timeout { .. }), "frozen: {error:?}");
        ensure!(begun.elapsed() < Duration::from_secs(2), "it took {:?}", begun.elapsed());
        names(&error, &server.node())?;
        server.resume()?;
        server.kill()?;
        let error = set(&server.url(), &impatient()).await?;
        ensure!(matches!(error, Error::Unreachable { .. }) && error.was_refused(), "killed: {error:?}");
        names(&error, &server.node())
    })
    .await;
}

#[tokio::test]
async fn credentials_and_rights() {
    on_every_server(async |program| {
        let server = TestServer::builder(program).user("user reader on >right ~* +get").start()?;
        let error = set(&server.url_as("reader", PASSWORD), &impatient()).await?;
        ensure!(matches!(error, Error::Authentication { .. }), "wrong password: {error:?}");
        names(&error, &server.node())?;
        let error = set(&server.url_as("reader", "right"), &impatient()).await?;
        ensure!(matches!(error, Error::NotPermitted { .. }) && error.is_blocked(), "no right: {error:?}");
        names(&error, &server.node())?;
        let server = TestServer::builder(program).password(PASSWORD).start()?;
        let error = set(&format!("redis://{}", server.node()), &impatient()).await?;
        ensure!(matches!(error, Error::Authentication { .. }), "no password: {error:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_a_server_refuses() {
    on_every_server(async |program| {
        let server = TestServer::builder(program).start_loading()?;
        let error = set(&server.url(), &impatient()).await?;
        ensure!(matches!(error, Error::Loading { .. }), "loading: {error:?}");
        names(&error, &server.node())?;

        let server = TestServer::builder(program).config("maxmemory 1").start()?;
        let error = set(&server.url(), &impatient()).await?;
        ensure!(matches!(error, Error::OutOfMemory { .. }), "maxmemory: {error:?}");

        let replica = TestServer::start(program)?;
        let replica = replica.start_replica()?;
        let error = set(&replica.url(), &impatient()).await?;
        ensure!(matches!(error, Error::ReadOnly { .. }), "a replica: {error:?}");
        names(&error, &replica.node())?;

        let server = TestServer::builder(program).config("maxclients 1").start()?;
        let held = server.admin()?;
        let error = set(&server.url(), &impatient()).await?;
        drop(held);
        ensure!(matches!(error, Error::TooManyClients { .. }), "maxclients: {error:?}");
        names(&error, &server.node())
    })
    .await;
}

#[tokio::test]
async fn tls_that_is_not_trusted() {
    on_every_server(async |program| {
        let server = TestServer::builder(program).tls().start()?;
        let error = set(&server.url(), &impatient()).await?;
        ensure!(matches!(error, Error::Tls { .. }), "an unknown authority: {error:?}");
        names(&error, &server.node())
    })
    .await;
}
