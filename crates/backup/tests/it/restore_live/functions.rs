//! Function libraries of a backup and of the cache.

use std::sync::Arc;

use anyhow::{Result, ensure};
use chrono::Utc;
use larder_backup::{
    BackupOptions, Existing, LiveRestore, LiveRestoreOptions, LiveSource, Manifest, ReadingOptions,
    Repository, create_backup,
};
use larder_cache_client::{ConnectOptions, open};
use larder_test_support::{TestCluster, TestServer, on_every_server};
use object_store::memory::InMemory;

use super::setting::{fill_rest, fill_types, image, into_cluster, into_server, restore, say, server};

const LIBRARY: &str = "#!lua name=fixture\nredis.register_function('answer', function() return 42 end)";
const OTHER: &str = "#!lua name=fixture\nredis.register_function('answer', function() return 43 end)";

async fn backup(url: &str, repository: &Repository) -> Result<Manifest> {
    let client = open(&url.parse()?, &ConnectOptions::default()).await?;
    Ok(create_backup(&client, repository, &BackupOptions::default(), Utc::now()).await?.manifest)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_digest_after_a_whole_restore_is_that_of_the_backup() {
    on_every_server(async |program| {
        let repository = Repository::from_store(Arc::new(InMemory::new()), "");
        let (from, to) = (server(program)?, server(program)?);
        fill_types(&from)?;
        fill_rest(&from)?;
        let manifest = backup(&from.url(), &repository).await?;
        let source = LiveSource::of_backup(&repository, &manifest, &ReadingOptions::default());
        let live = LiveRestore::new(source, into_server(&to), LiveRestoreOptions::default());
        ensure!(live.apply(&live.plan().await?).await?.is_whole());
        let verified = live.verify().await?;
        ensure!(verified.is_whole() && verified.functions_equal == 1, "{verified:?}");
        ensure!(Some(verified.digest) == manifest.digest, "{verified:?}");

        // Every shard has the library, and it counts once: of the cluster, and of one server that gets its keys.
        let (cluster, other) = (TestCluster::start(program, 0)?, server(program)?);
        let into = restore(vec![image(&from)?], into_cluster(&cluster), {
            let mut options = LiveRestoreOptions::default();
            options.filter.databases = Some([0].into());
            options
        });
        ensure!(into.apply(&into.plan().await?).await?.is_whole() && into.verify().await?.is_whole());
        let manifest = backup(&cluster.url(), &repository).await?;
        let source = LiveSource::of_backup(&repository, &manifest, &ReadingOptions::default());
        let there = LiveRestore::new(source.clone(), into_cluster(&cluster), LiveRestoreOptions::default());
        ensure!(Some(there.verify().await?.digest) == manifest.digest);
        let live = LiveRestore::new(source, into_server(&other), LiveRestoreOptions::default());
        ensure!(live.apply(&live.plan().await?).await?.functions == 1);
        ensure!(Some(live.verify().await?.digest) == manifest.digest);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn libraries_that_are_missing_or_differ_are_found() {
    on_every_server(async |program| {
        let from = server(program)?;
        say(&from, &["SET a 1"])?;
        from.run::<()>(&["FUNCTION", "LOAD", LIBRARY])?;
        let images = vec![image(&from)?];
        let cluster = TestCluster::start(program, 0)?;
        let last: &TestServer = &cluster.servers[2];
        let live = restore(images.clone(), into_cluster(&cluster), LiveRestoreOptions::default());
        ensure!(live.apply(&live.plan().await?).await?.functions == 1);
        let whole = live.verify().await?;
        ensure!(whole.is_whole() && whole.functions_equal == 1, "{whole:?}");

        last.run::<()>(&["FUNCTION", "FLUSH"])?;
        let verified = live.verify().await?;
        ensure!(!verified.is_whole() && verified.functions_missing == 1, "{verified:?}");
        ensure!(verified.function_notes[0].contains("does not have the function library `fixture`"));
        ensure!(verified.digest != whole.digest && verified.equal == 1);

        last.run::<()>(&["FUNCTION", "LOAD", OTHER])?;
        let verified = live.verify().await?;
        ensure!(!verified.is_whole() && verified.functions_differing == 1, "{verified:?}");
        let mut options = LiveRestoreOptions::default();
        options.existing = Existing::Overwrite;
        let live = restore(images.clone(), into_cluster(&cluster), options);
        ensure!(live.apply(&live.plan().await?).await?.is_whole());
        ensure!(live.verify().await? == whole);

        let mut options = LiveRestoreOptions::default();
        options.functions = false;
        let verified = restore(images, into_cluster(&cluster), options).verify().await?;
        ensure!(verified.is_whole() && verified.functions_equal == 0, "{verified:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn libraries_that_may_not_be_seen_are_not_called_the_same() {
    on_every_server(async |program| {
        let (from, to) = (server(program)?, server(program)?);
        from.run::<()>(&["FUNCTION", "LOAD", LIBRARY])?;
        let images = vec![image(&from)?];
        let live = restore(images, into_server(&to), LiveRestoreOptions::default());
        ensure!(live.apply(&live.plan().await?).await?.is_whole());
        to.run::<()>(&["ACL", "SETUSER", "default", "-function|list"])?;
        let verified = live.verify().await?;
        ensure!(verified.functions_unknown == 1 && verified.functions_equal == 0, "{verified:?}");
        ensure!(verified.function_notes[0].contains("not compared"), "{verified:?}");
        Ok(())
    })
    .await;
}
