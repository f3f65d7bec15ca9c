//! Clusters with several databases (Valkey 9.0, `cluster-databases`).

use std::sync::Arc;

use anyhow::{Result, ensure};
use bytes::Bytes;
use chrono::Utc;
use larder_backup::{
    BackupOptions, Existing, LiveRestore, LiveRestoreOptions, LiveSource, ReadingOptions, Repository,
    create_backup,
};
use larder_cache_client::{CacheUrl, ConnectOptions, open};
use larder_test_support::{TestCluster, server_programs};
use object_store::memory::InMemory;

use super::setting::{image, into_cluster, source};

const KEYS: u32 = 200;

async fn fill(url: &CacheUrl) -> Result<()> {
    for database in [0, 2] {
        let client = open(&url.with_database(database), &ConnectOptions::default()).await?;
        for number in 0..KEYS {
            client
                .cache()
                .set(&format!("key:{database}:{number}").into_bytes(), Bytes::from_static(b"v"), None)
                .await?;
        }
    }
    Ok(())
}

fn keys(cluster: &TestCluster, database: u32) -> Result<u64> {
    let mut sum = 0;
    for server in &cluster.servers {
        let line = server.info(&format!("db{database}"))?;
        sum += line
            .and_then(|line| line.strip_prefix("keys=")?.split(',').next()?.parse().ok())
            .unwrap_or(0_u64);
    }
    Ok(sum)
}

#[tokio::test(flavor = "multi_thread")]
async fn they_come_back_and_are_refused_where_there_is_one_database() {
    for program in server_programs() {
        if program.product != "valkey" || !program.version.starts_with('9') {
            continue;
        }
        comes_back(&program).await.unwrap();
    }
}

async fn comes_back(program: &larder_test_support::ServerProgram) -> Result<()> {
    let several = ["cluster-databases 4"];
    let (from, to) =
        (TestCluster::configured(program, &several)?, TestCluster::configured(program, &several)?);
    let url: CacheUrl = from.url().parse()?;
    fill(&url).await?;
    ensure!([0, 1, 2].map(|database| keys(&from, database).unwrap()) == [200, 0, 200]);
    let repository = Repository::from_store(Arc::new(InMemory::new()), "");
    let client = open(&url, &ConnectOptions::default()).await?;
    let made = create_backup(&client, &repository, &BackupOptions::default(), Utc::now()).await?.manifest;
    let source_of = || LiveSource::of_backup(&repository, &made, &ReadingOptions::default());

    let live = LiveRestore::new(source_of(), into_cluster(&to), LiveRestoreOptions::default());
    let plan = live.plan().await?;
    ensure!(plan.may_go() && plan.comes.by_database == [(0, 200), (2, 200)].into(), "{plan:?}");
    ensure!(live.apply(&plan).await?.is_whole());
    let verified = live.verify().await?;
    ensure!(verified.is_whole() && Some(verified.digest) == made.digest, "{verified:?}");
    ensure!([0, 1, 2].map(|database| keys(&to, database).unwrap()) == [200, 0, 200]);

    // What is in it beside the backup goes, in each of its databases.
    let other = open(&to.url().parse::<CacheUrl>()?.with_database(3), &ConnectOptions::default()).await?;
    other.cache().set(b"extra", Bytes::from_static(b"v"), None).await?;
    let before = to.servers.iter().map(image).collect::<Result<Vec<_>>>()?;
    let mut options = LiveRestoreOptions::default();
    (options.exact, options.existing) = (true, Existing::Overwrite);
    let live = LiveRestore::new(source_of(), into_cluster(&to), options);
    ensure!(live.plan().await?.others.is_some_and(|others| others.keys == 1));
    ensure!(live.remove_others(&source(before)).await?.removed == 1 && keys(&to, 3)? == 0);

    let one = TestCluster::start(program, 0)?;
    let live = LiveRestore::new(source_of(), into_cluster(&one), LiveRestoreOptions::default());
    let refusals = live.plan().await?.refusals;
    let [words] = refusals.as_slice() else { anyhow::bail!("{refusals:?}") };
    ensure!(words.contains("200 keys go into database 2") && words.contains("--into-database"), "{words}");
    Ok(())
}
