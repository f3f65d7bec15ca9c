//! The example runs on every server, and its metrics are those of its own cache.

use std::{fs, process::Command};

use anyhow::{Context, ensure};
use larder_test_support::{TestServer, on_every_server};

#[tokio::test]
async fn the_service_collects_its_own_metrics() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let folder = server.folder().join("metrics");
        let run = Command::new(env!("CARGO_BIN_EXE_larder-example-embed"))
            .arg(server.url())
            .arg(&folder)
            .output()?;
        let stdout = String::from_utf8(run.stdout)?;
        ensure!(run.status.success(), "{stdout}{}", String::from_utf8_lossy(&run.stderr));
        // 300 questions about 20 things: 20 misses, and all others answered by the first tier.
        ensure!(
            stdout.contains("l1: 280 hits, 20 misses") && stdout.contains("l2: 0 hits, 20 misses"),
            "{stdout}"
        );

        let file = fs::read_dir(&folder)?.filter_map(Result::ok).map(|entry| entry.path());
        let daily = file.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "json"));
        let daily = fs::read_to_string(daily.context("a daily file")?)?;
        ensure!(daily.contains("\"cache\": \"orders\"") && daily.contains("\"tier_stats\""), "{daily}");
        Ok(())
    })
    .await;
}
