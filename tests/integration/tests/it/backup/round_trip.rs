//! There and back: to a folder that a server boots from, and into caches that run.

use anyhow::{Context as _, Result, ensure};
use larder_backup::Error;
use larder_cache_client::DumpMethod;
use larder_test_support::{ServerProgram, TestCluster, TestServer, on_every_server_at_once, server_programs};

use super::{
    back_up, back_up_in_every_way, boot, bring_all_back, by, data, digest_of, into_cluster, into_server,
    live, prove, restored_to_folder,
};
use crate::dump::reach;

fn server(program: &ServerProgram) -> Result<TestServer> {
    TestServer::builder(program).config("enable-debug-command yes").start()
}

fn empty(servers: &[TestServer]) -> Result<()> {
    for server in servers {
        server.run::<()>(&["FLUSHALL"])?;
        server.run::<()>(&["FUNCTION", "FLUSH"])?;
    }
    Ok(())
}

#[test]
fn a_server_there_and_back() {
    on_every_server_at_once(async |program| {
        let from = server(program)?;
        data::fill(&from)?;
        let to = server(program)?;
        let client = reach(&from.url()).await?;
        for made in back_up_in_every_way(&client, &[&from]).await? {
            let there_and_back = async {
                prove(&made, program).await?;
                for append_only in [false, true] {
                    let folders = restored_to_folder(&made, append_only).await?;
                    let booted = boot(program, &folders.homes[0], append_only)?;
                    data::ensure_same(&from, &booted)?;
                    // With the moments at which keys end, which the servers' own digest leaves out.
                    ensure!(digest_of(&booted.url()).await? == made.manifest.digest);
                }
                empty(std::slice::from_ref(&to))?;
                bring_all_back(&made, into_server(&to)).await?;
                data::ensure_same(&from, &to)
            };
            there_and_back.await.with_context(|| format!("by {:?}", made.manifest.shards[0].method))?;
        }
        Ok(())
    });
}

#[test]
fn a_cluster_there_and_back() {
    on_every_server_at_once(async |program| {
        let from = TestCluster::start(program, 0)?;
        data::fill_cluster(&from)?;
        let (to, larger) = (server(program)?, TestCluster::of_shards(program, 5)?);
        let client = reach(&from.url()).await?;
        let servers: Vec<&TestServer> = from.servers.iter().collect();
        for made in back_up_in_every_way(&client, &servers).await? {
            ensure!(
                made.manifest.shards.len() == 3
                    && made.notes.iter().any(|note| note.contains("apart in time"))
            );
            let there_and_back = async {
                prove(&made, program).await?;
                for append_only in [false, true] {
                    let folders = restored_to_folder(&made, append_only).await?;
                    for (shard, home) in made.manifest.shards.iter().zip(&folders.homes) {
                        let of = from.servers.iter().find(|server| server.node() == shard.node);
                        let booted = boot(program, home, append_only)?;
                        data::ensure_same(of.context("its server")?, &booted)?;
                        ensure!(digest_of(&booted.url()).await? == shard.digest);
                    }
                }
                empty(std::slice::from_ref(&to))?;
                bring_all_back(&made, into_server(&to)).await.context("into a server")?;
                empty(&larger.servers)?;
                bring_all_back(&made, into_cluster(&larger)).await.context("into five shards")
            };
            there_and_back.await.with_context(|| format!("by {:?}", made.manifest.shards[0].method))?;
        }
        let held: Vec<u64> =
            larger.servers.iter().map(|server| server.run(&["DBSIZE"])).collect::<Result<_>>()?;
        ensure!(!held.contains(&0), "{held:?}");
        Ok(())
    });
}

#[test]
fn three_shards_to_one_server_to_four_shards() {
    on_every_server_at_once(async |program| {
        let (from, middle) = (TestCluster::start(program, 0)?, server(program)?);
        data::fill_cluster(&from)?;
        let first = back_up(&reach(&from.url()).await?, &by(DumpMethod::Save)).await?;
        bring_all_back(&first, into_server(&middle)).await?;
        let second = back_up(&reach(&middle.url()).await?, &by(DumpMethod::Replication)).await?;
        let to = TestCluster::of_shards(program, 4)?;
        bring_all_back(&second, into_cluster(&to)).await?;
        let third = back_up(&reach(&to.url()).await?, &by(DumpMethod::Keys)).await?;
        ensure!(third.manifest.shards.len() == 4);
        let counts =
            |made: &super::Made| made.manifest.counts.clone().map(|counts| (counts.keys, counts.by_type));
        ensure!(counts(&first) == counts(&third) && counts(&first).is_some());
        Ok(())
    });
}

#[test]
fn databases_that_a_cluster_does_not_have_are_refused() {
    on_every_server_at_once(async |program| {
        let from = server(program)?;
        data::fill(&from)?;
        let made = back_up(&reach(&from.url()).await?, &by(DumpMethod::Save)).await?;
        let to = TestCluster::start(program, 0)?;
        let restore = live(&made, into_cluster(&to));
        let plan = restore.plan().await?;
        ensure!(plan.refusals.iter().any(|words| words.contains("database 9")), "{:?}", plan.refusals);
        ensure!(matches!(restore.apply(&plan).await, Err(Error::Refused { .. })));
        for server in &to.servers {
            ensure!(server.run::<u64>(&["DBSIZE"])? == 0);
        }
        Ok(())
    });
}

#[test]
fn fields_that_expire_are_refused_up_front_by_a_server_without_them() {
    on_every_server_at_once(async |program| {
        if !program.has_field_ttls() {
            return Ok(());
        }
        let from = server(program)?;
        data::fill(&from)?;
        let made = back_up(&reach(&from.url()).await?, &by(DumpMethod::Replication)).await?;
        for older in server_programs().iter().filter(|program| !program.has_field_ttls()) {
            let to = server(older)?;
            let restore = live(&made, into_server(&to));
            let plan = restore.plan().await?;
            let words = plan.refusals.join("; ");
            ensure!(
                words.contains("hashes with field TTLs") && words.contains("fields:"),
                "to {older}: {words}"
            );
            ensure!(matches!(restore.apply(&plan).await, Err(Error::Refused { .. })));
            ensure!(data::keyspaces(&[&to])?.is_empty(), "to {older}: something was written");
            ensure!(to.run::<Vec<redis::Value>>(&["FUNCTION", "LIST"])?.is_empty());
        }
        Ok(())
    });
}
