//! A keyspace whose contents are known, planned, applied and taken back.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use larder_cache_client::CacheClient;
use larder_keyspace::{Action, CleanTask, Policy, UndoFile, UndoOptions, apply_clean, undo};
use larder_test_support::{Fate, TestCluster, TestServer, on_every_server, seed, seed_cluster, seeded_key};

use super::{digest, options, plan, planned, reach};

/// How many keys there are: 200,000, or what `LARDER_TEST_KEYS` says. A million take some minutes on every server:
///
/// ```text
/// LARDER_TEST_KEYS=1000000 cargo nextest run --release -p larder-integration-tests million
/// ```
fn keys() -> u64 {
    std::env::var("LARDER_TEST_KEYS").ok().and_then(|keys| keys.parse().ok()).unwrap_or(200_000)
}

fn names(keys: u64, fate: Fate) -> BTreeSet<String> {
    (0..keys).map(seeded_key).filter(|key| key.fate == fate).map(|key| key.name).collect()
}

/// When the time of some keys is up, as the servers say it.
async fn moments(client: &CacheClient, keys: u64) -> Result<BTreeMap<String, Option<i64>>> {
    let names: Vec<String> = (0..keys).step_by(997).map(|number| seeded_key(number).name).collect();
    let wanted: Vec<bytes::Bytes> = names.iter().map(|name| bytes::Bytes::from(name.clone())).collect();
    let found = client.keys().dump(&wanted).await;
    names
        .into_iter()
        .zip(found)
        .map(|(name, value)| Ok((name, value?.context("a key is missing")?.expires_at_ms)))
        .collect()
}

async fn there_and_back(client: &CacheClient, servers: &[TestServer], keys: u64) -> Result<()> {
    let policy = Policy::guide();
    let before = (digest(servers)?, moments(client, keys).await?);
    let mut made = plan(client, &policy).await?;
    ensure!(made.seen_keys == keys, "{} keys were seen", made.seen_keys);
    ensure!(made.not_seen.is_empty() && made.limits_exceeded.is_empty(), "{made:?}");
    let (missing, orphans) = (names(keys, Fate::MissingTtl), names(keys, Fate::Orphan));
    ensure!(planned(&mut made, Action::SetTtl)? == missing, "not exactly the keys that must have a TTL");
    ensure!(planned(&mut made, Action::Remove)? == orphans, "not exactly the orphans");
    let of = |task| made.task(task).map_or(0, |task| task.keys);
    let counted = (of(CleanTask::Ttl), of(CleanTask::Orphans));
    ensure!(counted == (missing.len() as u64, orphans.len() as u64), "{counted:?}");
    ensure!(digest(servers)? == before.0, "a plan changes nothing");

    let folder = tempfile::tempdir()?;
    let path = folder.path().join("undo.rdb");
    let outcome = apply_clean(client, &mut made, &options(), &path).await?;
    ensure!(outcome.is_whole() && outcome.done() == counted.0 + counted.1, "{outcome:?}");
    let after = plan(client, &policy).await?;
    ensure!(after.keys() == 0 && after.seen_keys == keys - counted.1, "what was done need not be done again");
    ensure!(digest(servers)? != before.0, "something was changed");

    let file = UndoFile::open(&path)?;
    ensure!(file.is_whole() && file.keys() == counted.0 + counted.1);
    let outcome = undo(client, &file, &UndoOptions::default()).await?;
    ensure!(outcome.failed == 0 && outcome.count.left_alone.is_empty(), "{outcome:?}");
    ensure!((outcome.count.ttl_given_back, outcome.count.restored) == counted, "{outcome:?}");
    ensure!(digest(servers)? == before.0, "the keyspace is what it was");
    let moments = moments(client, keys).await?;
    let moved = moments.iter().filter(|(name, moment)| match (&before.1[*name], moment) {
        (Some(before), Some(moment)) => before.abs_diff(*moment) > 2_000,
        (before, moment) => before != *moment,
    });
    ensure!(moved.count() == 0, "every key has the time that it had");
    Ok(())
}

#[tokio::test]
async fn a_million_keys_are_planned_cleaned_and_given_back() {
    on_every_server(async |program| {
        let server = TestServer::builder(program).config("enable-debug-command yes").start()?;
        seed(&mut server.admin()?, keys())?;
        let client = reach(&server.url()).await?;
        there_and_back(&client, std::slice::from_ref(&server), keys()).await
    })
    .await;
}

#[tokio::test]
async fn a_million_keys_of_a_cluster_are_planned_cleaned_and_given_back() {
    on_every_server(async |program| {
        let cluster = TestCluster::start(program, 0)?;
        // A node that makes its digest answers nobody, and must not be taken for dead.
        for server in &cluster.servers {
            server.run::<()>(&["CONFIG", "SET", "cluster-node-timeout", "120000"])?;
        }
        let seeds: Vec<String> = cluster.servers.iter().map(TestServer::url).collect();
        let mut connection = redis::cluster::ClusterClient::new(seeds)?.get_connection()?;
        seed_cluster(&mut connection, keys())?;
        let client = reach(&cluster.url()).await?;
        there_and_back(&client, &cluster.servers, keys()).await
    })
    .await;
}
