//! `larder keys` on files that real servers saved.

use std::{fs, path::PathBuf};

use anyhow::{Result, ensure};
use larder_test_support::{TestServer, on_every_server};

use crate::larder::Larder;

/// A server's data, saved, and the file.
fn saved(server: &TestServer) -> Result<PathBuf> {
    for words in [
        ["SET", "app:search:1", "a value"].as_slice(),
        &["SET", "app:search:2", "another value", "EX", "600"],
        &["RPUSH", "app:queue:1", "a", "b", "c"],
        &["HSET", "user:7", "name", "Ann", "city", "Ulm"],
        &["ZADD", "ranking", "1", "a", "2", "b"],
        &["SADD", "tags", "x"],
        &["XADD", "events:1", "*", "kind", "start"],
    ] {
        server.run::<redis::Value>(words)?;
    }
    server.run::<()>(&["SAVE"])?;
    let [_, folder]: [String; 2] = server.run(&["CONFIG", "GET", "dir"])?;
    let [_, name]: [String; 2] = server.run(&["CONFIG", "GET", "dbfilename"])?;
    Ok(PathBuf::from(folder).join(name))
}

#[tokio::test]
async fn what_a_server_saved_is_reported() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let file = saved(&server)?.display().to_string();
        let larder = Larder::new();
        let report = larder.ends(0, &["--output", "json", "keys", "report", &file])?.json()?;
        ensure!(report["total_keys"] == 7 && report["expiring_keys"] == 1, "{report:#}");
        for kind in ["list", "hash", "zset", "set", "stream"] {
            ensure!(report["types"][kind] == 1, "{report:#}");
        }
        ensure!(report["types"]["string"] == 2, "{report:#}");
        let families = report["families"].as_array().map(Vec::as_slice).unwrap_or_default();
        let search = families.iter().find(|family| family["name"] == "app:search:");
        ensure!(search.is_some_and(|family| family["keys"] == 2 && family["without_ttl"] == 1), "{report:#}");
        larder.ends(0, &["keys", "report", &file])?.says("7 keys (14.3 % with a TTL)")?;

        let top = larder.ends(0, &["--output", "json", "keys", "top", "-n", "2", &file])?.json()?;
        ensure!(
            top["by_elements"][0]["key"] == "app:queue:1" && top["by_elements"][0]["elements"] == 3,
            "{top:#}"
        );
        ensure!(top["by_bytes"].as_array().map(Vec::len) == Some(2), "{top:#}");
        ensure!(top["types"]["hash"]["by_bytes"][0]["key"] == "user:7", "{top:#}");
        larder.ends(0, &["keys", "top", "--type", "zset", &file])?.says("ranking")?;
        larder.ends(2, &["keys", "top", "--type", "no-such", &file])?.says("it has hash, list")?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_refused_file_is_named_with_offset_and_key() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let bytes = fs::read(saved(&server)?)?;
        let larder = Larder::new();
        let refused = |name: &str, bytes: &[u8]| -> Result<()> {
            fs::write(larder.folder().join(name), bytes)?;
            for command in ["report", "top"] {
                let run = larder.ends(1, &["keys", command, name])?;
                ensure!(run.stdout.is_empty(), "a damaged file has no report: {run:#?}");
                run.says(&format!("{name} is refused"))?;
            }
            Ok(())
        };
        let value = bytes.windows(7).position(|window| window == b"a value");
        let inside = value.ok_or_else(|| anyhow::anyhow!("the value lies in the file as it is"))? + 3;
        refused("cut.rdb", &bytes[..inside])?;
        let run = larder.ends(1, &["keys", "report", "cut.rdb"])?;
        run.says("byte ")?;
        run.says("key \"app:search:1\"")?;
        let mut flipped = bytes.clone();
        flipped[inside] ^= 4;
        refused("flipped.rdb", &flipped)?;
        refused("none.rdb", b"")?;
        refused("text.rdb", b"this is no dump")
    })
    .await;
}

#[test]
fn a_file_that_is_not_there() -> Result<()> {
    Larder::new().ends(2, &["keys", "report", "missing.rdb"])?.says("missing.rdb")
}
