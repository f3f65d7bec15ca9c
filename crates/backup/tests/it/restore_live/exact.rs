//! A cache that holds what the backup holds, and nothing else.

use std::sync::Arc;

use anyhow::{Result, ensure};
use larder_backup::{
    Error, Existing, LiveRestore, LiveRestoreOptions, LiveTarget, OthersOutcome, Rename, TtlChoice,
};
use larder_test_support::{TestCluster, TestServer, on_every_server};

use super::setting::{FAR_MS, fill_types, image, into_cluster, into_server, restore, say, server, source};

fn exact() -> LiveRestoreOptions {
    let mut options = LiveRestoreOptions::default();
    options.existing = Existing::Overwrite;
    options.exact = true;
    options
}

fn digest(server: &TestServer) -> Result<String> {
    server.run(&["DEBUG", "DIGEST"])
}

fn keys(server: &TestServer, database: u64) -> Result<u64> {
    let line = server.info(&format!("db{database}"))?;
    let count = line.and_then(|line| line.strip_prefix("keys=")?.split(',').next()?.parse().ok());
    Ok(count.unwrap_or(0))
}

/// Brings back, removes what is in these images of before, and compares.
async fn apply(live: &LiveRestore, before: Vec<Vec<u8>>) -> Result<OthersOutcome> {
    let outcome = live.apply(&live.plan().await?).await?;
    ensure!(outcome.is_whole(), "{outcome:?}");
    let others = live.remove_others(&source(before)).await?;
    let verified = live.verify().await?;
    ensure!(verified.is_whole(), "{verified:?}");
    Ok(others)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_its_own_way_back() {
    on_every_server(async |program| {
        let (from, to) = (server(program)?, server(program)?);
        say(&from, &["SET a 1", "SET b 2", "SELECT 1", "SET one 1"])?;
        let images = vec![image(&from)?];
        let at = FAR_MS.to_string();
        say(&to, &["SET a 1", "SET b other", "HSET x f v", "SET y 1", &format!("PEXPIREAT y {at}")])?;
        say(&to, &["SET written 1", "SET longer 1", &format!("PEXPIREAT longer {at}"), "SET gone 1"])?;
        say(&to, &["SELECT 1", "SET one other", "RPUSH z 1 2", "SELECT 2", "SET w 1"])?;
        let (before, digest_before) = (vec![image(&to)?], digest(&to)?);

        let live = restore(images.clone(), into_server(&to), exact());
        let others = live.plan().await?.others.unwrap();
        ensure!(others.keys == 7 && others.named.len() == 7, "{others:?}");
        ensure!(others.named.contains(&"\"z\"".to_owned()), "{others:?}");
        ensure!(digest(&to)? == digest_before, "a plan changes nothing");

        say(
            &to,
            &["SET written 2", &format!("PEXPIREAT longer {}", FAR_MS + 5000), "DEL gone", "SET new 1"],
        )?;
        let others = apply(&live, before.clone()).await?;
        ensure!((others.removed, others.written_since, others.gone) == (4, 2, 1), "{others:?}");
        ensure!(others.is_whole() && others.failed == 0);
        // a, b, what was written since the backup, and what came since.
        ensure!(keys(&to, 0)? == 5 && keys(&to, 1)? == 1 && keys(&to, 2)? == 0);
        ensure!(to.run::<Option<String>>(&["GET", "written"])?.as_deref() == Some("2"));

        // Done again, there is nothing left to do but what was written meanwhile.
        let others = apply(&live, vec![image(&to)?]).await?;
        ensure!((others.removed, others.written_since) == (3, 0), "{others:?}");
        ensure!(digest(&to)? == digest(&from)?);

        let back = restore(before, into_server(&to), exact());
        let others = apply(&back, vec![image(&to)?]).await?;
        ensure!(others.removed == 0 && digest(&to)? == digest_before, "{others:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_a_restore_added_go_again() {
    on_every_server(async |program| {
        let (from, to) = (server(program)?, server(program)?);
        fill_types(&from)?;
        say(&to, &["SET there 1", "SADD set:small other"])?;
        let (before, digest_before) = (vec![image(&to)?], digest(&to)?);
        let mut overwrites = LiveRestoreOptions::default();
        overwrites.existing = Existing::Overwrite;
        let live = restore(vec![image(&from)?], into_server(&to), overwrites);
        ensure!(live.apply(&live.plan().await?).await?.is_whole());
        let added = keys(&to, 0)? - 2;

        let back = restore(before, into_server(&to), exact());
        let plan = back.plan().await?.others.unwrap();
        ensure!(plan.keys == added && plan.named.len() == 20, "{plan:?}");
        let others = apply(&back, vec![image(&to)?]).await?;
        ensure!(others.removed == added && digest(&to)? == digest_before, "{others:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_named_is_the_only_one_that_is_touched() {
    on_every_server(async |program| {
        let (from, to) = (server(program)?, server(program)?);
        say(&from, &["SET not-asked-for 1", "SELECT 1", "SET one 1"])?;
        say(&to, &["SET zero 1", "SELECT 1", "SET x 1", "SELECT 2", "SET two 1"])?;
        let before = vec![image(&to)?];
        let target = || into_server(&to).with_only_database(1);
        let mut options = exact();
        options.filter.databases = Some([1].into());
        let live = restore(vec![image(&from)?], target(), options.clone());
        let plan = live.plan().await?;
        ensure!(plan.others.is_some_and(|others| others.named == ["\"x\""]));
        ensure!(apply(&live, before.clone()).await?.removed == 1);
        ensure!([0, 1, 2].map(|database| keys(&to, database).unwrap()) == [1, 1, 1]);

        let back = restore(before, target(), options);
        ensure!(apply(&back, vec![image(&to)?]).await?.removed == 1);
        let mut admin = to.admin()?;
        let there: Vec<String> = redis::pipe()
            .cmd("SELECT")
            .arg(1)
            .ignore()
            .cmd("KEYS")
            .arg("*")
            .query::<Vec<Vec<String>>>(&mut admin)?
            .concat();
        ensure!(there == ["x"], "{there:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_cluster_as_well() {
    on_every_server(async |program| {
        let from = server(program)?;
        say(&from, &["SET a 1", "SET b 2", "RPUSH c 1 2"])?;
        let cluster = TestCluster::start(program, 0)?;
        let seeds: Vec<String> = cluster.servers.iter().map(TestServer::url).collect();
        let mut connection = redis::cluster::ClusterClient::new(seeds)?.get_connection()?;
        for number in 0..300 {
            redis::cmd("SET").arg(format!("key:{number}")).arg("v").query::<()>(&mut connection)?;
        }
        redis::cmd("SET").arg("a").arg("other").query::<()>(&mut connection)?;
        let images = || cluster.servers.iter().map(image).collect::<Result<Vec<_>>>();
        let before = images()?;
        redis::cmd("SET").arg("key:7").arg("w").query::<()>(&mut connection)?;

        let live = restore(vec![image(&from)?], into_cluster(&cluster), exact());
        ensure!(live.plan().await?.others.is_some_and(|others| others.keys == 300));
        let others = apply(&live, before.clone()).await?;
        ensure!((others.removed, others.written_since) == (299, 1), "{others:?}");
        let back = restore(before, into_cluster(&cluster), exact());
        let others = apply(&back, images()?).await?;
        ensure!(others.removed == 2, "{others:?}");
        let count: u64 = cluster.servers.iter().map(|server| keys(server, 0).unwrap()).sum();
        ensure!(count == 301, "{count}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_removed_where_a_backup_is_not_sound() {
    on_every_server(async |program| {
        let (from, to) = (server(program)?, server(program)?);
        fill_types(&from)?;
        say(&to, &["SET x 1", "SET y 1"])?;
        let (good, before) = (image(&from)?, image(&to)?);
        let cut = |image: &[u8]| image[..image.len() - 9].to_vec();
        for (names, before, part) in
            [(cut(&good), before.clone(), "shard 1"), (good.clone(), cut(&before), "made before")]
        {
            let live = restore(vec![names], into_server(&to), exact());
            match live.remove_others(&source(vec![before])).await {
                Err(Error::Dump { of, .. }) => ensure!(of.contains(part), "{of}"),
                other => anyhow::bail!("{other:?}"),
            }
            ensure!(keys(&to, 0)? == 2);
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_part_of_a_backup_says_nothing_of_the_rest() {
    type Change = fn(&mut LiveRestoreOptions);
    let changes: [(Change, &str); 7] = [
        (|options| options.filter.databases = Some([0].into()), "single databases"),
        (|options| options.filter.types = Some([larder_rdb::Kind::Set].into()), "single types"),
        (|options| options.filter.keys = Some(Arc::new(|_| true)), "a choice of names"),
        (|options| options.rename = Some(Rename::default()), "other names"),
        (|options| options.databases.into_database = Some(0), "other databases"),
        (|options| options.ttl = TtlChoice::Drop, "other TTLs"),
        (|options| options.existing = Existing::Leave, "overwritten"),
    ];
    for (change, part) in changes {
        let mut options = exact();
        change(&mut options);
        let nowhere = LiveTarget::new(|_| async { Err(Error::Stopped) });
        let live = restore(Vec::new(), nowhere, options);
        for refused in [live.plan().await.map(drop), live.remove_others(&source(Vec::new())).await.map(drop)]
        {
            let Err(Error::Refused { reasons, .. }) = refused else { panic!("{part}: {refused:?}") };
            assert!(reasons.len() == 1 && reasons[0].contains(part), "{reasons:?}");
        }
    }
}
