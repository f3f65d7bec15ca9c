//! The example runs on every server, and cleans what is its own.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use anyhow::{Context, ensure};
use larder_cache_client::{ConnectOptions, open};
use larder_keyspace::{UndoFile, UndoOptions, undo};
use larder_test_support::{TestServer, on_every_server};

#[tokio::test]
async fn the_service_cleans_its_own_cache() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let folder = server.folder().join("undo");
        let run = Command::new(env!("CARGO_BIN_EXE_larder-example-clean"))
            .arg(server.url())
            .arg(&folder)
            .output()?;
        let stdout = String::from_utf8(run.stdout)?;
        ensure!(run.status.success(), "{stdout}{}", String::from_utf8_lossy(&run.stderr));
        for words in [
            "150 keys were looked at",
            "20 keys of answers: no TTL where one is required: set a TTL",
            "30 keys of orders:v1:: of no family: remove",
            "50 of 50 planned keys were changed",
            "100 entries of the first tier were past their time",
            "50 keys are kept in ",
        ] {
            ensure!(stdout.contains(words), "it does not say `{words}`: {stdout}");
        }

        ensure!(server.run::<u64>(&["DBSIZE"])? == 120, "the orphans are gone, and nothing else is");
        for (key, least, most) in [("orders:answer:5", 480, 600), ("orders:answer:6", 240, 300)] {
            let ttl: i64 = server.run(&["TTL", key])?;
            ensure!((least..=most).contains(&ttl), "{key}: {ttl} s");
        }
        for key in ["orders:stock:3", "users:3"] {
            ensure!(server.run::<i64>(&["TTL", key])? == -1, "{key} was touched");
        }
        let names = fs::read_dir(&folder)?.filter_map(Result::ok).map(|entry| entry.path());
        let found = names.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "rdb"));
        let undo_file = found.context("an undo file")?;
        let mode = fs::metadata(&undo_file)?.permissions().mode();
        ensure!(mode & 0o777 == 0o600, "{mode:o}");
        let audit = fs::read_to_string(folder.join("audit.jsonl"))?;
        ensure!(audit.lines().count() == 2 && audit.contains("the policy of orders"), "{audit}");

        let client = open(&server.url().parse()?, &ConnectOptions::default()).await?;
        let given = undo(&client, &UndoFile::open(undo_file)?, &UndoOptions::default()).await?;
        ensure!(given.count.restored == 30 && given.count.ttl_given_back == 20, "{given:?}");
        ensure!(server.run::<u64>(&["DBSIZE"])? == 150, "everything is back");
        Ok(())
    })
    .await;
}
