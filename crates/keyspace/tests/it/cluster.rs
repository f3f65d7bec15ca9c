//! Reports of clusters, also while a primary is lost.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use futures_util::TryStreamExt;
use larder_cache_client::{CacheClient, ConnectOptions, FixedRate, KeyFields, ScanOptions, open};
use larder_keyspace::{
    About, BytesSource, KeyReport, KeySource, LiveSource, NotSeen, ReportBuilder, ReportOptions,
    StreamOptions, Survey, SurveyOptions, Wanted,
};
use larder_test_support::{ServerProgram, TestCluster, on_every_server, server_programs, until};

use crate::{
    batches::{everything, family, report},
    stream::images,
};

const KEYS: u64 = 6000;

/// Fills a cluster with strings of two families, a third of them with a TTL.
fn fill(cluster: &TestCluster) -> Result<()> {
    let seeds: Vec<String> =
        cluster.servers.iter().take(3).map(|server| format!("redis://{}", server.node())).collect();
    let mut connection = redis::cluster::ClusterClient::new(seeds)?.get_connection()?;
    for number in 0..KEYS {
        let mut command = redis::cmd("SET");
        command.arg(format!("{}:{number}", ["even", "odd"][usize::try_from(number % 2)?])).arg("v");
        if number.is_multiple_of(3) {
            command.arg("EX").arg(7200);
        }
        command.exec(&mut connection)?;
    }
    for (primary, replica) in cluster.servers.iter().zip(cluster.servers.iter().skip(3)) {
        // What a replica has not got is lost with its primary, and that is no fault of the sweep.
        until("the replica to have every key", || {
            let keys: u64 = primary.run(&["DBSIZE"])?;
            Ok((replica.run::<u64>(&["DBSIZE"])? == keys).then_some(()))
        })?;
    }
    Ok(())
}

fn agrees(report: &KeyReport) -> Result<()> {
    ensure!((report.total_keys, report.expiring_keys) == (KEYS, Some(KEYS * 2 / 6)), "{report:#?}");
    for name in ["even:", "odd:"] {
        ensure!(family(report, name).figures.keys == KEYS / 2, "{report:#?}");
    }
    Ok(())
}

async fn client(cluster: &TestCluster, options: &ConnectOptions) -> Result<CacheClient> {
    Ok(open(&cluster.url().parse()?, options).await?)
}

#[tokio::test]
async fn every_shard_of_a_cluster_is_counted_once() {
    on_every_server(async |program| {
        let cluster = TestCluster::start(program, 0)?;
        fill(&cluster)?;
        let client = client(&cluster, &ConnectOptions::default()).await?;
        let mut options = SurveyOptions::default();
        options.fields = KeyFields::all();
        let survey = Survey::of(&client, options).await?;
        ensure!((survey.keys, survey.nodes.len(), survey.run_ids.len()) == (Some(KEYS), 3, 3), "{survey:?}");
        ensure!(!survey.has_random_order, "a node may have a table a slot");
        let source = LiveSource::new(&client, ScanOptions::default());
        let report = report(&source, everything(), 0).await?;
        agrees(&report)?;
        ensure!(report.nodes.len() == 3 && report.nodes.values().all(|keys| *keys > 1000), "{report:#?}");

        for server in &cluster.servers {
            server.run::<()>(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"])?;
        }
        let source = images(&client, StreamOptions::default()).await?;
        let by_image = self::report(&source, everything(), 0).await?;
        agrees(&by_image)?;
        ensure!(by_image.nodes == report.nodes, "{:?} {:?}", by_image.nodes, report.nodes);
        ensure!(source.outcome().len() == 3);
        Ok(())
    })
    .await;
}

/// Goes through a cluster so slowly that one of its primaries is lost on the way.
async fn swept_while_one_is_lost(
    cluster: &mut TestCluster,
    patience: Duration,
) -> Result<(ReportBuilder, Vec<NotSeen>)> {
    fill(cluster)?;
    let mut connect = ConnectOptions::default();
    connect.failover_patience = patience;
    let client = client(cluster, &connect).await?;
    let mut options = ScanOptions::default();
    options.pace = Arc::new(FixedRate::new(2000));
    let source = LiveSource::new(&client, options);
    let mut batches = source.batches(Wanted::new(KeyFields::TTL));
    let (mut builder, mut not_seen, mut lost) =
        (ReportBuilder::new(ReportOptions::default()), Vec::new(), false);
    loop {
        match batches.try_next().await {
            Ok(Some(batch)) => builder.add(&batch, 0),
            Ok(None) => break,
            Err(error) => not_seen.push(NotSeen::of(&error)),
        }
        if !lost && builder.keys() > KEYS / 4 {
            lost = true;
            cluster.servers[0].kill()?;
        }
    }
    Ok((builder, not_seen))
}

/// Failovers take seconds, so they are tried on one server of each line.
fn one_of_each_line() -> Vec<ServerProgram> {
    let mut programs = server_programs();
    programs.dedup_by(|one, other| one.product == other.product);
    programs
}

#[tokio::test]
async fn a_shard_that_fails_over_is_counted_anew() -> Result<()> {
    for program in one_of_each_line() {
        let mut cluster = TestCluster::start(&program, 1)?;
        let patience = Duration::from_secs(40);
        let (builder, not_seen) = swept_while_one_is_lost(&mut cluster, patience).await?;
        ensure!(not_seen.is_empty(), "{program}: {not_seen:?}");
        agrees(&builder.report(&About::new("cluster", BytesSource::Measured))).context(program)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_shard_that_is_lost_is_named() -> Result<()> {
    for program in one_of_each_line() {
        let mut cluster = TestCluster::start(&program, 0)?;
        let lost = cluster.servers[0].node().to_string();
        let (builder, not_seen) = swept_while_one_is_lost(&mut cluster, Duration::from_secs(1)).await?;
        let [gap] = not_seen.as_slice() else { anyhow::bail!("{program}: one is not seen: {not_seen:?}") };
        ensure!(gap.shard.as_ref() == Some(&lost), "{program}: {gap:?}");
        ensure!(gap.slots.as_deref() == Some("slots 0-5460"), "{program}: {gap:?}");
        ensure!(!gap.reason.is_empty(), "{program}: {gap:?}");
        let mut about = About::new("cluster", BytesSource::Measured);
        about.not_seen = not_seen;
        let report = builder.report(&about);
        ensure!(!report.complete && report.total_keys < KEYS, "{program}: {}", report.total_keys);
        ensure!(report.total_keys > KEYS / 2, "{program}: the others go on: {}", report.total_keys);
    }
    Ok(())
}
