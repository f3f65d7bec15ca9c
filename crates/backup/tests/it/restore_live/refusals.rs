//! What is refused before anything is touched.

use anyhow::{Result, ensure};
use larder_backup::{Error, LiveRestoreOptions};
use larder_test_support::{TestCluster, TestServer, on_every_server, server_programs, until};

use super::setting::{
    fill_field_ttls, fill_rest, fill_types, has_field_ttls, image, into_cluster, into_server, restore, say,
    server,
};

fn keys(server: &TestServer) -> Result<u64> {
    server.run(&["DBSIZE"])
}

#[tokio::test(flavor = "multi_thread")]
async fn too_little_room_is_told_with_figures() {
    on_every_server(async |program| {
        let from = server(program)?;
        fill_types(&from)?;
        let images = vec![image(&from)?];
        for (policy, part) in [("noeviction", "refuse writes"), ("allkeys-lru", "evict keys")] {
            let builder = TestServer::builder(program).config("maxmemory 6mb");
            let to = builder.config(format!("maxmemory-policy {policy}")).start()?;
            let mut options = LiveRestoreOptions::default();
            let live = restore(images.clone(), into_server(&to), options.clone());
            let plan = live.plan().await?;
            let [words] = plan.refusals.as_slice() else { anyhow::bail!("{plan:?}") };
            ensure!(words.contains("6.0 MiB") && words.contains(part) && words.contains(policy), "{words}");
            ensure!(matches!(live.apply(&plan).await, Err(Error::Refused { .. })) && keys(&to)? == 0);

            options.force = true;
            let live = restore(images.clone(), into_server(&to), options);
            let plan = live.plan().await?;
            ensure!(plan.may_go() && plan.notes.iter().any(|note| note.contains("6.0 MiB")), "{plan:?}");
            let outcome = live.apply(&plan).await?;
            ensure!(outcome.restored > 0, "{outcome:?}");
            if policy == "noeviction" {
                let words = outcome.ended_by.unwrap_or_default();
                ensure!(words.contains("maxmemory"), "{words}");
            }
        }
        // Keys that are there already take no more room.
        let to = TestServer::builder(program).config("maxmemory 30mb").start()?;
        let live = restore(images, into_server(&to), LiveRestoreOptions::default());
        let plan = live.plan().await?;
        ensure!(live.apply(&plan).await?.is_whole());
        let used: u64 = to.info("used_memory")?.unwrap_or_default().parse()?;
        to.run::<()>(&["CONFIG", "SET", "maxmemory", &(used + (2 << 20)).to_string()])?;
        let again = live.plan().await?;
        ensure!(again.may_go() && again.comes.memory_bytes > 2 << 20, "{again:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_expire_are_refused_where_there_are_none() {
    let programs = server_programs();
    let (with, without): (Vec<_>, Vec<_>) = programs.iter().partition(|program| has_field_ttls(program));
    for from in with {
        let source = server(from).unwrap();
        say(&source, &["SET plain 1"]).unwrap();
        fill_field_ttls(&source).unwrap();
        for to in &without {
            let target = server(to).unwrap();
            let images = vec![image(&source).unwrap()];
            let live = restore(images, into_server(&target), LiveRestoreOptions::default());
            let plan = live.plan().await.unwrap();
            let [words] = plan.refusals.as_slice() else { panic!("{from} to {to}: {plan:?}") };
            assert!(
                words.contains("does not load hashes with field TTLs: 1 keys")
                    && words.contains("hash:fields"),
                "{from} to {to}: {words}"
            );
            assert!(matches!(live.apply(&plan).await, Err(Error::Refused { .. })));
            assert_eq!(keys(&target).unwrap(), 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_found_before_anything_is_touched() {
    on_every_server(async |program| {
        let (from, to) = (server(program)?, server(program)?);
        fill_types(&from)?;
        let image = image(&from)?;
        let mut flipped = image.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 4;
        for bytes in [flipped, image[..middle].to_vec(), b"no dump".to_vec()] {
            let live = restore(vec![image.clone(), bytes], into_server(&to), LiveRestoreOptions::default());
            match live.plan().await {
                Err(Error::Dump { of, .. }) => ensure!(of == "shard 2", "{of}"),
                other => anyhow::bail!("{other:?}"),
            }
        }
        ensure!(keys(&to)? == 0);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caches_that_take_no_writes_are_refused() {
    on_every_server(async |program| {
        let from = server(program)?;
        fill_rest(&from)?;
        let images = vec![image(&from)?];
        let refused = async |target, part: &str| {
            let plan = restore(images.clone(), target, LiveRestoreOptions::default()).plan().await?;
            ensure!(plan.refusals.iter().any(|words| words.contains(part)), "{part}: {:?}", plan.refusals);
            Ok(())
        };
        let replica = from.start_replica()?;
        refused(into_server(&replica), "is a replica").await?;
        let loading = TestServer::builder(program).config("enable-debug-command yes").start_loading()?;
        refused(into_server(&loading), "is loading").await?;
        drop(loading);

        let cluster = TestCluster::start(program, 0)?;
        refused(into_cluster(&cluster), "into database 9, which cannot be used").await?;
        refused(into_server(&cluster.servers[0]), "redis-cluster://").await?;
        let slot = cluster.servers[0].run::<()>(&["CLUSTER", "DELSLOTS", "7"]);
        slot.and_then(|()| {
            cluster.servers[0].run::<()>(&["CONFIG", "SET", "cluster-require-full-coverage", "no"])
        })?;
        refused(into_cluster(&cluster), "belong to no node").await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_cannot_be_reached_is_refused_where_the_cluster_does_not_mind() {
    on_every_server(async |program| {
        let from = server(program)?;
        from.run::<()>(&["SET", "a", "1"])?;
        let images = vec![image(&from)?];
        let mut cluster = TestCluster::configured(program, &["cluster-require-full-coverage no"])?;
        let plan =
            restore(images.clone(), into_cluster(&cluster), LiveRestoreOptions::default()).plan().await?;
        ensure!(plan.refusals.is_empty(), "{plan:?}");
        let gone = cluster.servers[2].node();
        cluster.servers[2].kill()?;
        let live = restore(images, into_cluster(&cluster), LiveRestoreOptions::default());
        let plan = live.plan().await?;
        let expected = format!("{gone} cannot be reached: ");
        ensure!(plan.refusals.iter().any(|words| words.starts_with(&expected)), "{:?}", plan.refusals);
        ensure!(matches!(live.apply(&plan).await, Err(Error::Refused { .. })));
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_primary_whose_replica_took_over_takes_no_part() {
    on_every_server(async |program| {
        let from = server(program)?;
        say(&from, &["MSET a 1 b 2 c 3 d 4 e 5 f 6"])?;
        let mut cluster = TestCluster::start(program, 1)?;
        cluster.servers[0].kill()?;
        let witness = &cluster.servers[1];
        until("the replica to take over", || {
            let nodes: String = witness.run(&["CLUSTER", "NODES"])?;
            let state: String = witness.run(&["CLUSTER", "INFO"])?;
            let is_whole = state.contains("cluster_slots_ok:16384") && state.contains("cluster_state:ok");
            Ok((nodes.contains("master,fail") && is_whole).then_some(()))
        })?;
        let live = restore(vec![image(&from)?], into_cluster(&cluster), LiveRestoreOptions::default());
        let plan = live.plan().await?;
        ensure!(plan.may_go() && plan.target.primaries == 3, "{plan:?}");
        ensure!(
            plan.notes.iter().any(|note| note.ends_with("serves no slots, and takes no part")),
            "{plan:?}"
        );
        ensure!(live.apply(&plan).await?.restored == 6 && live.verify().await?.is_whole());
        Ok(())
    })
    .await;
}
