//! Images that the server saves.

use std::fs;

use anyhow::{Context as _, ensure};
use larder_cache_client::{DumpMethod, DumpOptions, Error};
use larder_test_support::{
    TestServer,
    conformance::{Contents, collect},
    on_every_server, until,
};

use super::{populate, reach, source};

#[tokio::test]
async fn a_save_that_fails() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        populate(&server)?;
        // The server's own file cannot take its place, and the one that is looked at is another.
        fs::create_dir_all(server.folder().join("dump.rdb/in-the-way"))?;
        let mut options = DumpOptions::default();
        options.rdb_file = Some(server.folder().join("elsewhere.rdb"));
        let source = source(&reach(&server.url()).await?, DumpMethod::Save, &options).await?;
        let error = source.open().await.err().context("an image")?;
        let words = error.with_causes();
        ensure!(matches!(error, Error::Server { .. }) && words.contains("the save failed"), "{words}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_not_that_of_the_server() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        populate(&server)?;
        let other = server.folder().join("other.rdb");
        fs::write(&other, b"REDIS0011")?;
        let mut options = DumpOptions::default();
        for (path, first) in [(other, "is not"), ("/no/such/folder/dump.rdb".into(), "not there")] {
            options.rdb_file = Some(path.clone());
            let source = source(&reach(&server.url()).await?, DumpMethod::Save, &options).await?;
            let error = source.open().await.err().context("an image")?;
            let words = error.with_causes();
            ensure!(matches!(error, Error::SavedFile { .. }) && error.is_blocked(), "{error:?}");
            ensure!(words.contains(&path.display().to_string()) && words.contains(first), "{words}");
            ensure!(words.contains("--rdb-file"), "{words}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_file_where_this_machine_sees_it() {
    on_every_server(async |program| {
        let server = TestServer::builder(program).config("rename-command CONFIG \"\"").start()?;
        populate(&server)?;
        let held = Contents::of_server(&server)?;
        let mut options = DumpOptions::default();
        options.rdb_file = Some(server.folder().join("dump.rdb"));
        let source = source(&reach(&server.url()).await?, DumpMethod::Save, &options).await?;
        for _ in 0..2 {
            source.check().await?;
            held.ensure_same(&Contents::of_image(&collect(source.open().await?).await?)?, 0)?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_save_that_is_under_way_is_not_taken_for_ours() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        server.run::<()>(&["SET", "before", "v"])?;
        // A key a tenth of a second.
        server.run::<()>(&["CONFIG", "SET", "rdb-key-save-delay", "100000"])?;
        for number in 0..5 {
            server.run::<()>(&["SET", &format!("k:{number}"), "v"])?;
        }
        server.run::<()>(&["BGSAVE"])?;
        server.run::<()>(&["SET", "after", "v"])?;
        server.run::<()>(&["CONFIG", "SET", "rdb-key-save-delay", "0"])?;
        let source = source(&reach(&server.url()).await?, DumpMethod::Save, &DumpOptions::default()).await?;
        let image = collect(source.open().await?).await?;
        ensure!(Contents::of_image(&image)?.keys.contains_key(&(0, b"after".to_vec())));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_save_takes_no_longer_than_it_may() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        server.run::<()>(&["SET", "k", "v"])?;
        server.run::<()>(&["CONFIG", "SET", "rdb-key-save-delay", "10000000"])?;
        let mut options = DumpOptions::default();
        options.save_patience = std::time::Duration::from_millis(200);
        let source = source(&reach(&server.url()).await?, DumpMethod::Save, &options).await?;
        let error = source.open().await.err().context("an image")?;
        ensure!(matches!(error, Error::Timeout { .. }), "{error:?}");
        until("the save", || Ok(server.info("rdb_bgsave_in_progress")?.filter(|flag| flag == "1")))?;
        Ok(())
    })
    .await;
}
