//! From every server to every other, into clusters and back.

use anyhow::{Context as _, Result, ensure};
use larder_backup::LiveRestoreOptions;
use larder_test_support::{TestCluster, TestServer, on_every_server, server_programs};

use super::setting::{
    bring_back, fill_field_ttls, fill_rest, fill_types, has_field_ttls, image, into_cluster, into_server,
    restore, server,
};

fn keys(server: &TestServer) -> Result<u64> {
    let keyspace: String = server.run(&["INFO", "keyspace"])?;
    let counts = keyspace
        .lines()
        .filter_map(|line| line.split_once("keys=")?.1.split(',').next()?.parse::<u64>().ok());
    Ok(counts.sum())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_comes_back_to_a_new_server() {
    on_every_server(async |program| {
        let from = server(program)?;
        fill_types(&from)?;
        fill_rest(&from)?;
        if has_field_ttls(program) {
            fill_field_ttls(&from)?;
        }
        let to = server(program)?;
        let restore = restore(vec![image(&from)?], into_server(&to), LiveRestoreOptions::default());
        let outcome = bring_back(&restore).await?;
        ensure!(outcome.restored == keys(&from)? && outcome.restored == keys(&to)?, "{outcome:?}");
        ensure!(outcome.functions == 1 && to.run::<String>(&["FCALL", "answer", "0"])? == "42");
        // The servers' own digest, of all databases and with TTLs.
        let digest = |server: &TestServer| server.run::<String>(&["DEBUG", "DIGEST"]);
        ensure!(digest(&from)? == digest(&to)?);
        let moment: i64 = to.run(&["PEXPIRETIME", "plain:0"])?;
        ensure!(moment == super::setting::FAR_MS + 1, "{moment}");

        let again = bring_back(&restore).await?;
        ensure!(again.restored == 0 && again.there_already == outcome.restored, "{again:?}");
        ensure!(again.functions == 0 && again.functions_there == 1, "{again:?}");
        ensure!(digest(&from)? == digest(&to)?);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_from_one_server_comes_to_the_others() {
    on_every_server(async |program| {
        let from = server(program)?;
        fill_types(&from)?;
        let image = image(&from)?;
        for other in server_programs() {
            let to = server(&other)?;
            let restore = restore(vec![image.clone()], into_server(&to), LiveRestoreOptions::default());
            let outcome = bring_back(&restore).await.with_context(|| format!("to {other}"))?;
            ensure!(outcome.restored == keys(&to)?, "to {other}: {outcome:?}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn into_a_cluster_and_back() {
    on_every_server(async |program| {
        let from = server(program)?;
        fill_types(&from)?;
        if has_field_ttls(program) {
            fill_field_ttls(&from)?;
        }
        let cluster = TestCluster::start(program, 0)?;
        let into = restore(vec![image(&from)?], into_cluster(&cluster), LiveRestoreOptions::default());
        let outcome = bring_back(&into).await?;
        let counts = cluster.servers.iter().map(keys).collect::<Result<Vec<_>>>()?;
        ensure!(counts.iter().sum::<u64>() == outcome.restored && !counts.contains(&0), "{counts:?}");

        let images = cluster.servers.iter().map(image).collect::<Result<Vec<_>>>()?;
        let to = server(program)?;
        let back = restore(images, into_server(&to), LiveRestoreOptions::default());
        ensure!(bring_back(&back).await?.restored == outcome.restored);
        let digest = |server: &TestServer| server.run::<String>(&["DEBUG", "DIGEST"]);
        ensure!(digest(&from)? == digest(&to)?);
        let (there, here) = (into.verify().await?.digest, back.verify().await?.digest);
        ensure!(there == here, "digests of parts add up");
        Ok(())
    })
    .await;
}

/// A key whose value a module writes in another way each time may be the same, or not.
#[tokio::test(flavor = "multi_thread")]
async fn vector_sets_come_back() {
    on_every_server(async |program| {
        if program.product != "redis" || !program.version.starts_with('8') {
            return Ok(());
        }
        let (from, to) = (server(program)?, server(program)?);
        for number in 0..50 {
            let (x, name) = (format!("0.{number}"), format!("element:{number}"));
            from.run::<()>(&["VADD", "vectors", "VALUES", "3", &x, "0.5", "1.5", &name])?;
        }
        let restore = restore(vec![image(&from)?], into_server(&to), LiveRestoreOptions::default());
        let plan = restore.plan().await?;
        let outcome = restore.apply(&plan).await?;
        ensure!(outcome.restored == 1 && to.run::<u64>(&["VCARD", "vectors"])? == 50, "{outcome:?}");
        let verified = restore.verify().await?;
        ensure!(verified.is_whole() && verified.equal + verified.unknown == 1, "{verified:?}");
        Ok(())
    })
    .await;
}
