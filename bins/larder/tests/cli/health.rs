//! `larder health` on real servers of every topology.

use std::process::Stdio;

use anyhow::{Result, ensure};
use larder_test_support::{
    ContainerFixture, DockerEngine, TestCluster, TestSentinel, TestServer, on_every_server,
};
use serde_json::Value;

use crate::larder::{Larder, check, findings};

fn judged(larder: &Larder, code: i32) -> Result<Value> {
    larder.ends(code, &["--output", "json", "health"])?.json()
}

#[tokio::test]
async fn a_server_is_judged_in_every_form() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let node = server.node().to_string();
        let larder = Larder::of(&server.url());
        let verdict = judged(&larder, 0)?;
        for id in ["node.ping", "node.role", "node.loading", "node.save", "node.memory", "node.clients"] {
            ensure!(check(&verdict, id, &node).as_deref() == Some("ok"), "{id}: {verdict:#}");
        }
        larder.ends(0, &["health"])?.says("node.rejected_connections")?;
        let run = larder.ends(0, &["--output", "nagios", "health"])?;
        let first = run.stdout.lines().next().unwrap_or_default();
        let (text, data) = first.split_once(" | ").unwrap_or_default();
        ensure!(text.starts_with("LARDER HEALTH OK - "), "{first}");
        ensure!(data.contains(&format!("'{node} ping'=")) && data.contains("ms;25;50;0"), "{first}");
        ensure!(run.stdout.matches('|').count() == 1, "one bar only: {run:#?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn unix_sockets_and_tls_with_an_authority_and_certificates_of_ones_own() {
    on_every_server(async |program| {
        let plain = TestServer::start(program)?;
        judged(&Larder::of(&plain.socket_url()), 0)?;

        let server = TestServer::builder(program).tls_with_client_certificates().start()?;
        let files = server.certificates().expect("it has certificates");
        let path = |path: &std::path::Path| path.display().to_string();
        let larder = Larder::of(&server.url())
            .with("LARDER_TLS_CA", &path(&files.ca_file))
            .with("LARDER_TLS_CERT", &path(&files.client_cert_file))
            .with("LARDER_TLS_KEY", &path(&files.client_key_file));
        judged(&larder, 0)?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn of_a_cluster_every_node_is_judged_and_one_that_is_down_is_named() {
    on_every_server(async |program| {
        let mut cluster = TestCluster::start(program, 0)?;
        let larder = Larder::of(&cluster.url());
        let verdict = judged(&larder, 0)?;
        for server in &cluster.servers {
            ensure!(
                check(&verdict, "node.ping", &server.node().to_string()).as_deref() == Some("ok"),
                "{verdict:#}"
            );
        }
        ensure!(check(&verdict, "cluster.slots", "cluster").as_deref() == Some("ok"), "{verdict:#}");

        let down = cluster.servers[1].node().to_string();
        cluster.servers[1].kill()?;
        let verdict = judged(&larder, 2)?;
        ensure!(findings(&verdict, &down) == ["node.unreachable"], "{verdict:#}");
        for server in [&cluster.servers[0], &cluster.servers[2]] {
            ensure!(
                check(&verdict, "node.memory", &server.node().to_string()).as_deref() == Some("ok"),
                "{verdict:#}"
            );
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn behind_sentinels_primary_replicas_and_sentinels_are_judged() {
    on_every_server(async |program| {
        let mut sentinel = TestSentinel::start(program, 1)?;
        let larder = Larder::of(&sentinel.url());
        let verdict = judged(&larder, 0)?;
        for server in &sentinel.servers {
            ensure!(
                check(&verdict, "node.ping", &server.node().to_string()).as_deref() == Some("ok"),
                "{verdict:#}"
            );
        }
        let node = sentinel.sentinels[0].node().to_string();
        ensure!(check(&verdict, "node.ping", &node).as_deref() == Some("ok"), "{verdict:#}");

        let primary = sentinel.kill_primary()?;
        let verdict = judged(&larder, 2)?;
        ensure!(check(&verdict, "node.role", primary.as_str()).is_some(), "the new primary: {verdict:#}");
        ensure!(
            findings(&verdict, sentinel.servers[0].node().as_str()) == ["node.unreachable"],
            "{verdict:#}"
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_frozen_node_is_named_and_the_others_are_judged() {
    on_every_server(async |program| {
        let mut cluster = TestCluster::start(program, 0)?;
        let frozen = cluster.servers[2].node().to_string();
        cluster.servers[2].pause()?;
        let larder = Larder::of(&cluster.url()).with("LARDER_TIMEOUT", "500ms");
        let verdict = judged(&larder, 2)?;
        ensure!(findings(&verdict, &frozen) == ["node.timeout"], "{verdict:#}");
        let other = cluster.servers[0].node().to_string();
        ensure!(check(&verdict, "node.ping", &other).as_deref() == Some("ok"), "{verdict:#}");
        cluster.servers[2].resume()
    })
    .await;
}

#[tokio::test]
async fn a_silent_sentinel_or_seed_is_named_and_the_others_are_judged() {
    on_every_server(async |program| {
        let mut sentinel = TestSentinel::start(program, 1)?;
        let silent = sentinel.sentinels[0].node().to_string();
        sentinel.sentinels[0].pause()?;
        let larder = Larder::of(&sentinel.url()).with("LARDER_TIMEOUT", "1s");
        let verdict = judged(&larder, 2)?;
        ensure!(findings(&verdict, &silent) == ["node.timeout"], "{verdict:#}");
        for server in &sentinel.servers {
            let node = server.node().to_string();
            ensure!(check(&verdict, "node.memory", &node).as_deref() == Some("ok"), "{verdict:#}");
        }
        for other in &mut sentinel.sentinels[1..] {
            other.pause()?;
        }
        let verdict = judged(&larder, 2)?;
        for sentinel in &sentinel.sentinels {
            ensure!(findings(&verdict, sentinel.node().as_str()) == ["node.timeout"], "{verdict:#}");
        }

        let mut seed = TestServer::start(program)?;
        seed.pause()?;
        let larder = Larder::of(&format!("redis-cluster://{}", seed.node())).with("LARDER_TIMEOUT", "1s");
        let verdict = judged(&larder, 2)?;
        ensure!(findings(&verdict, seed.node().as_str()) == ["node.timeout"], "{verdict:#}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_server_that_says_nothing_of_itself_is_not_called_well() {
    on_every_server(async |program| {
        let server = TestServer::builder(program).user("user larder on >pass +ping").start()?;
        let run = Larder::of(&server.url_as("larder", "pass")).ends(3, &["health"])?;
        run.says("UNKNOWN")?;
        run.says("node.info")
    })
    .await;
}

#[tokio::test]
async fn a_reader_that_goes_away_does_not_make_it_well() {
    on_every_server(async |program| {
        let mut server = TestServer::start(program)?;
        server.kill()?;
        let larder = Larder::of(&server.url());
        let mut child = larder.command(&["health"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        drop(child.stdout.take());
        ensure!(child.wait()?.code() == Some(2));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn thresholds_come_from_the_configuration() {
    on_every_server(async |program| {
        let server = TestServer::builder(program).config("maxmemory 8mb").start()?;
        let larder = Larder::of(&server.url());
        judged(&larder, 0)?;
        larder.configure("[health.thresholds]\nmemory = { warning = 0.01, critical = 0.02 }\n");
        let verdict = judged(&larder, 2)?;
        ensure!(
            findings(&verdict, server.node().as_str()).contains(&"node.memory_high".to_owned()),
            "{verdict:#}"
        );
        // The guide's file gives its thresholds where larder.toml says nothing.
        larder.configure("");
        larder.write("monitoring_config.json", r#"{"thresholds": {"memory_usage_max_percent": 1}}"#);
        judged(&larder, 2)?;
        Ok(())
    })
    .await;
}

#[test]
fn containers_are_judged_where_there_is_an_engine() -> Result<()> {
    let engine = DockerEngine::start(vec![
        ContainerFixture::running("redis-cache", "redis:7-alpine"),
        ContainerFixture::running("website", "nginx"),
    ])?;
    let larder = Larder::of("memory:sample");
    larder.configure(&format!("[containers]\nsocket = \"{}\"\n", engine.socket().display()));
    let verdict = judged(&larder, 0)?;
    assert_eq!(check(&verdict, "container.state", "redis-cache").as_deref(), Some("ok"), "{verdict:#}");
    assert_eq!(check(&verdict, "container.state", "website"), None);

    let mut stopped = ContainerFixture::running("redis-cache", "redis:7-alpine");
    (stopped.state, stopped.status) = ("exited".to_owned(), "Exited (137) 2 minutes ago".to_owned());
    engine.set_containers(vec![stopped]);
    let verdict = judged(&larder, 2)?;
    assert_eq!(findings(&verdict, "redis-cache"), ["container.not_running"]);
    Ok(())
}
