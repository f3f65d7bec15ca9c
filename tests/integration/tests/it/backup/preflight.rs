//! What stands against a backup, and going past it.

use anyhow::{Context as _, Result, ensure};
use larder_backup::{BackupOptions, Error};
use larder_cache_client::{CacheClient, DumpMethod};
use larder_test_support::{TestCluster, TestServer, on_every_server_at_once, until};

use super::{back_up, by};
use crate::dump::reach;

/// The reasons for which a backup is refused.
async fn refusal(client: &CacheClient, options: &BackupOptions) -> Result<String> {
    let error = back_up(client, options).await.err().context("a backup")?;
    match error.downcast_ref() {
        Some(Error::Refused { reasons, .. }) => Ok(reasons.join("; ")),
        _ => Err(error),
    }
}

fn forced(mut options: BackupOptions) -> BackupOptions {
    options.force = true;
    options
}

#[test]
fn slots_that_move() {
    on_every_server_at_once(async |program| {
        let cluster = TestCluster::start(program, 0)?;
        let id = |index: usize| cluster.servers[index].run::<String>(&["CLUSTER", "MYID"]);
        for slot in ["1", "2", "3"] {
            cluster.servers[1].run::<()>(&["CLUSTER", "SETSLOT", slot, "IMPORTING", &id(0)?])?;
            cluster.servers[0].run::<()>(&["CLUSTER", "SETSLOT", slot, "MIGRATING", &id(1)?])?;
        }
        let client = reach(&cluster.url()).await?;
        let words = refusal(&client, &by(DumpMethod::Save)).await?;
        ensure!(words.contains("3 slots are being moved"), "{words}");
        let made = back_up(&client, &forced(by(DumpMethod::Save))).await?;
        ensure!(made.notes.iter().any(|note| note.contains("gone past: 3 slots")), "{:?}", made.notes);
        for slot in ["1", "2", "3"] {
            for server in &cluster.servers[..2] {
                server.run::<()>(&["CLUSTER", "SETSLOT", slot, "STABLE"])?;
            }
        }
        ensure!(back_up(&client, &by(DumpMethod::Save)).await?.notes.len() == 1);
        Ok(())
    });
}

#[test]
fn a_cluster_with_a_hole() {
    on_every_server_at_once(async |program| {
        let cluster = TestCluster::start(program, 0)?;
        for server in &cluster.servers {
            server.run::<()>(&["CONFIG", "SET", "cluster-require-full-coverage", "no"])?;
        }
        // What one node says no more, the others do not forget.
        until("every node to miss the slots", || {
            let mut missing = true;
            for server in &cluster.servers {
                // Those that miss them already refuse.
                server.run::<()>(&["CLUSTER", "DELSLOTSRANGE", "0", "9"]).ok();
                missing &=
                    server.run::<String>(&["CLUSTER", "INFO"])?.contains("cluster_slots_assigned:16374");
            }
            Ok(missing.then_some(()))
        })?;
        let client = reach(&cluster.url()).await?;
        let words = refusal(&client, &by(DumpMethod::Save)).await?;
        ensure!(words.contains("10 of the 16384 slots"), "{words}");
        Ok(())
    });
}

#[test]
fn another_fork() {
    on_every_server_at_once(async |program| {
        let server = TestServer::start(program)?;
        for number in 0..15 {
            server.run::<()>(&["SET", &format!("k:{number}"), "v"])?;
        }
        // A second a key: longer than a fork is waited for, twice.
        server.run::<()>(&["CONFIG", "SET", "rdb-key-save-delay", "1000000"])?;
        server.run::<()>(&["BGSAVE"])?;
        until("the save", || Ok(server.info("rdb_bgsave_in_progress")?.filter(|flag| flag == "1")))?;
        server.run::<()>(&["CONFIG", "SET", "rdb-key-save-delay", "0"])?;
        let client = reach(&server.url()).await?;
        let words = refusal(&client, &by(DumpMethod::Replication)).await?;
        ensure!(words.contains("another fork of") && words.contains("an RDB file is being saved"), "{words}");
        // Key by key nothing is forked.
        let made = back_up(&client, &by(DumpMethod::Keys)).await?;
        ensure!(made.manifest.counts.is_some_and(|counts| counts.keys == 15));
        let made = back_up(&client, &forced(by(DumpMethod::Replication))).await?;
        ensure!(made.manifest.counts.is_some_and(|counts| counts.keys == 15));
        ensure!(made.notes.iter().any(|note| note.contains("gone past: another fork")), "{:?}", made.notes);
        Ok(())
    });
}

#[test]
fn a_server_that_loads() {
    on_every_server_at_once(async |program| {
        let server = TestServer::builder(program).start_loading()?;
        let client = reach(&server.url()).await?;
        for method in super::EVERY_WAY {
            let error = back_up(&client, &by(method)).await.err().context("a backup")?;
            let words = format!("{error:#}");
            ensure!(words.contains("loading its data set"), "by {method}: {words}");
        }
        server.finish_loading()?;
        let made = back_up(&client, &BackupOptions::default()).await?;
        ensure!(made.manifest.counts.is_some_and(|counts| counts.keys == 3000));
        Ok(())
    });
}
