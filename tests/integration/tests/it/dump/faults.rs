//! What breaks while an image is taken.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures_util::StreamExt as _;
use larder_cache_client::{Dump, DumpMethod, DumpOptions, Error};
use larder_test_support::{
    TestServer,
    conformance::{Contents, collect},
    on_every_server, until_async,
};

use super::{noise, populate, proxy::Proxy, reach, source};

const LARGE_BYTES: u64 = 48 << 20;

/// More than any socket holds on to.
fn with_much(server: &TestServer) -> Result<()> {
    redis::cmd("SET").arg("much").arg(noise(LARGE_BYTES)).query::<()>(&mut server.admin()?)?;
    Ok(())
}

/// Takes what is left, which must end with an error.
async fn broken(dump: Dump) -> Result<(u64, Error)> {
    let (mut received, mut pieces) = (0, dump.bytes);
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => received += piece.len() as u64,
            Err(error) => {
                ensure!(pieces.next().await.is_none(), "something comes behind the error");
                return Ok((received, error));
            }
        }
    }
    anyhow::bail!("the image ended as if it were whole, after {received} bytes")
}

#[tokio::test]
async fn a_server_that_is_killed_in_the_middle() {
    on_every_server(async |program| {
        for setting in ["yes", "no"] {
            for method in [DumpMethod::Replication, DumpMethod::Keys] {
                let mut server =
                    TestServer::builder(program).config(format!("repl-diskless-sync {setting}")).start()?;
                with_much(&server)?;
                populate(&server)?;
                let client = reach(&server.url()).await?;
                let source = source(&client, method, &DumpOptions::default()).await?;
                let dump = source.open().await?;
                server.kill()?;
                let (received, error) = broken(dump).await?;
                ensure!(received < LARGE_BYTES, "{received} bytes came of {method}");
                let words = error.with_causes();
                ensure!(words.contains(server.node().as_str()), "{words}");
                if method == DumpMethod::Replication {
                    ensure!(matches!(error, Error::Unreachable { .. }), "{error:?}");
                    ensure!(words.contains(&format!("{received} bytes of the image had come")), "{words}");
                }
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_cut_anywhere() {
    on_every_server(async |program| {
        for setting in ["yes", "no"] {
            let server =
                TestServer::builder(program).config(format!("repl-diskless-sync {setting}")).start()?;
            server.run::<()>(&["SET", "k", &"v".repeat(5000)])?;
            let whole =
                source(&reach(&server.url()).await?, DumpMethod::Replication, &DumpOptions::default())
                    .await?
                    .open()
                    .await?;
            let image = collect(whole).await?;
            // About 150 bytes of answers stand before the image, and 40 of the mark behind it.
            let mut cut_short = 0;
            for cut_after in (0..image.len() + 400).step_by(37) {
                let proxy = Proxy::start(server.port(), cut_after).await?;
                let client = reach(&format!("redis://127.0.0.1:{}", proxy.port)).await?;
                let taken = async {
                    let options = DumpOptions::default();
                    let source = source(&client, DumpMethod::Replication, &options).await?;
                    collect(source.open().await?).await
                };
                match taken.await {
                    Ok(found) => drop(Contents::of_image(&found).context("an image that is whole")?),
                    Err(error) => {
                        let broken = error.downcast_ref::<Error>().context("another error")?;
                        ensure!(matches!(broken, Error::Unreachable { .. }), "cut at {cut_after}: {error:?}");
                        cut_short += 1;
                    }
                }
            }
            ensure!(cut_short > image.len() / 37, "only {cut_short} were cut short");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_silent() {
    on_every_server(async |program| {
        let mut server = TestServer::start(program)?;
        with_much(&server)?;
        let client = reach(&server.url()).await?;
        let mut options = DumpOptions::default();
        // More than a server takes to begin, which it does once a second.
        options.transfer_patience = Duration::from_secs(4);
        let dump = source(&client, DumpMethod::Replication, &options).await?.open().await?;
        server.pause()?;
        let (_, error) = broken(dump).await?;
        server.resume()?;
        ensure!(
            matches!(error, Error::Timeout { after, .. } if after == options.transfer_patience),
            "{error:?}"
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_loading() {
    on_every_server(async |program| {
        let server = TestServer::builder(program).start_loading()?;
        let client = reach(&server.url()).await?;
        for method in super::EVERY_WAY {
            let source = source(&client, method, &DumpOptions::default()).await?;
            let error = source.open().await.err().context("an image")?;
            ensure!(matches!(error, Error::Loading { .. }), "open by {method}: {error:?}");
            let error = source.check().await.err().context("all is well")?;
            ensure!(matches!(error, Error::Loading { .. }), "check of {method}: {error:?}");
        }
        server.finish_loading()
    })
    .await;
}

#[tokio::test]
async fn a_replica_without_its_primary() {
    on_every_server(async |program| {
        let mut primary = TestServer::start(program)?;
        let replica = primary.start_replica()?;
        primary.kill()?;
        let client = reach(&replica.url()).await?;
        let source = source(&client, DumpMethod::Replication, &DumpOptions::default()).await?;
        let error = until_async("the link to be down", async || Ok(source.check().await.err())).await?;
        for error in [error, source.open().await.err().context("an image")?] {
            let words = error.with_causes();
            ensure!(!error.is_blocked() && words.contains("link to its primary is down"), "{words}");
        }
        Ok(())
    })
    .await;
}
