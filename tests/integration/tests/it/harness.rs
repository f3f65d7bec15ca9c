//! The harness itself: what it says is there is there.

use anyhow::ensure;
use larder_test_support::{TestCluster, TestSentinel, TestServer, on_every_server};

#[tokio::test]
async fn a_server_is_frozen_goes_on_and_comes_back() {
    on_every_server(async |program| {
        let mut server = TestServer::start(program)?;
        server.run::<()>(&["SET", "k", "v"])?;
        server.pause()?;
        server.resume()?;
        ensure!(server.run::<String>(&["GET", "k"])? == "v");
        server.restart()?;
        ensure!(server.run::<Option<String>>(&["GET", "k"])?.is_none());
        server.kill()?;
        ensure!(server.admin().is_err());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_server_loads_until_it_is_told_to_finish() {
    on_every_server(async |program| {
        let server = TestServer::builder(program).start_loading()?;
        let answer = server.run::<String>(&["PING"]);
        ensure!(answer.is_err_and(|error| format!("{error:#}").to_lowercase().contains("loading")));
        server.finish_loading()?;
        ensure!(server.run::<u64>(&["DBSIZE"])? == 3000);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn every_build_has_tls() {
    on_every_server(async |program| {
        TestServer::builder(program).tls().start()?;
        TestServer::builder(program).tls_with_client_certificates().start()?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn sentinels_agree_on_another_primary() {
    on_every_server(async |program| {
        let mut sentinel = TestSentinel::start(program, 1)?;
        let old = sentinel.servers[0].node();
        let new = sentinel.kill_primary()?;
        ensure!(new != old && new == sentinel.servers[1].node());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_cluster_has_three_shards_with_replicas() {
    on_every_server(async |program| {
        let cluster = TestCluster::start(program, 1)?;
        ensure!(cluster.servers.len() == 6);
        Ok(())
    })
    .await;
}
