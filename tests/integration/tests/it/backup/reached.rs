//! Backups of replicas, behind Sentinels, over TLS.

use anyhow::{Context as _, ensure};
use larder_backup::BackupOptions;
use larder_cache_client::{ConnectOptions, ReadFrom, open};
use larder_metrics_model::Role;
use larder_test_support::{TestSentinel, TestServer, on_every_server_at_once, until, until_async};

use super::{EVERY_WAY, back_up, bring_all_back, by, data, ensure_counted, into_server};
use crate::dump::reach;

fn from_replica(mut options: BackupOptions) -> BackupOptions {
    options.dump.read_from = ReadFrom::Replica;
    options
}

#[test]
fn from_a_replica() {
    on_every_server_at_once(async |program| {
        let primary = TestServer::builder(program).password("s3cret").start()?;
        data::fill(&primary)?;
        let replica = primary.start_replica()?;
        let client = reach(&primary.url()).await?;
        let of_primary = back_up(&client, &BackupOptions::default()).await?;
        until_async("the replica to be on line", async || {
            Ok(client.dump_shards(&from_replica(BackupOptions::default()).dump).await.ok())
        })
        .await?;
        for method in EVERY_WAY {
            let made = back_up(&client, &from_replica(by(method))).await?;
            ensure_counted(&made.manifest, &[&replica])?;
            let shard = &made.manifest.shards[0];
            ensure!((&shard.node, shard.role) == (&replica.node(), Some(Role::Replica)), "{shard:?}");
            ensure!(made.notes.iter().any(|note| note.contains("from the replica")), "{:?}", made.notes);
            ensure!(made.manifest.digest == of_primary.manifest.digest, "by {method}");
        }
        Ok(())
    });
}

#[test]
fn a_replica_whose_link_is_down_is_refused() {
    on_every_server_at_once(async |program| {
        let mut primary = TestServer::start(program)?;
        let replica = primary.start_replica()?;
        primary.kill()?;
        until("the link to be down", || {
            Ok(replica.info("master_link_status")?.filter(|status| status == "down"))
        })?;
        let client = reach(&replica.url()).await?;
        let refused = back_up(&client, &BackupOptions::default()).await.err().context("a backup")?;
        ensure!(format!("{refused:#}").contains("link to its primary is down"), "{refused:#}");
        Ok(())
    });
}

#[test]
fn behind_sentinels() {
    on_every_server_at_once(async |program| {
        let sentinel = TestSentinel::start(program, 1)?;
        data::fill(&sentinel.servers[0])?;
        let client = reach(&sentinel.url()).await?;
        let mut digests = Vec::new();
        for method in EVERY_WAY {
            let made = back_up(&client, &by(method)).await?;
            ensure_counted(&made.manifest, &[&sentinel.servers[0]])?;
            ensure!(made.manifest.shards[0].node == sentinel.servers[0].node());
            digests.push(made.manifest.digest);
        }
        ensure!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
        let keys = || data::keyspaces(&[&sentinel.servers[0]]);
        until("the replica to have all", || {
            Ok((data::keyspaces(&[&sentinel.servers[1]])? == keys()?).then_some(()))
        })?;
        let made = back_up(&client, &from_replica(BackupOptions::default())).await?;
        ensure!(made.manifest.shards[0].node == sentinel.servers[1].node());
        let to = TestServer::start(program)?;
        bring_all_back(&made, into_server(&to)).await
    });
}

#[test]
fn over_tls_with_a_password() {
    on_every_server_at_once(async |program| {
        let server = TestServer::builder(program).tls().password("s3cret").start()?;
        data::fill(&server)?;
        let mut connect = ConnectOptions::default();
        connect.tls.ca_file = Some(server.certificates().context("certificates")?.ca_file.clone());
        let client = open(&server.url().parse()?, &connect).await?;
        for method in EVERY_WAY {
            let made = back_up(&client, &by(method)).await.with_context(|| format!("by {method}"))?;
            ensure_counted(&made.manifest, &[&server])?;
            ensure!(
                !serde_json::to_string(&made.manifest)?.contains("s3cret"),
                "the manifest tells a secret"
            );
        }
        Ok(())
    });
}
