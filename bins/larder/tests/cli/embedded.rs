//! A dump stands in for the cache it was made of.

use std::{fs, path::PathBuf};

use anyhow::{Result, ensure};
use larder_test_support::{TestServer, on_every_server};

use crate::larder::Larder;

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../crates/rdb/tests/fixtures/redis-8.0/data.rdb")
}

#[tokio::test]
async fn what_a_server_saved_can_be_measured() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        server.run::<()>(&["SET", "text", "v", "EX", "3600"])?;
        server.run::<i64>(&["RPUSH", "list", "a", "b"])?;
        server.run::<i64>(&["HSET", "hash", "f", "v"])?;
        server.run::<()>(&["SAVE"])?;
        let larder = Larder::new();
        fs::copy(server.folder().join("dump.rdb"), larder.folder().join("dump.rdb"))?;

        larder.ends(0, &["--cache", "memory:dump.rdb", "health"])?;
        let snapshot =
            larder.ends(0, &["--cache", "memory:dump.rdb", "--output", "json", "collect"])?.json()?;
        let node = &snapshot["nodes"][0];
        ensure!(node["info"]["keyspace"]["db0"] == "keys=3,expires=1,avg_ttl=0", "{:#}", node["info"]);
        ensure!(snapshot["cache_stats"]["set_count"] == 0, "loading is no writing: {snapshot:#}");
        Ok(())
    })
    .await;
}

#[test]
fn keys_of_other_databases_are_said() -> Result<()> {
    let url = format!("memory:{}?db=9", fixture().display());
    let run = Larder::of(&url).ends(0, &["collect"])?;
    run.says("are left out, because they are not in database 9")
}

#[test]
fn a_damaged_file_is_refused_with_the_place() -> Result<()> {
    let larder = Larder::new();
    let good = fs::read(fixture())?;
    fs::write(larder.folder().join("bad.rdb"), &good[..good.len() / 2])?;
    for (code, command) in [(1, "collect"), (3, "health")] {
        let run = larder.ends(code, &["--cache", "memory:bad.rdb", command])?;
        ensure!(run.stderr.contains("the dump bad.rdb is refused: byte "), "{run:#?}");
    }
    Ok(())
}

#[test]
fn a_file_that_is_not_there_is_a_wrong_argument() -> Result<()> {
    for (code, command) in [(2, "collect"), (3, "health")] {
        let run = Larder::new().ends(code, &["--cache", "memory:none.rdb", command])?;
        run.says("the dump none.rdb cannot be used")?;
    }
    Ok(())
}
