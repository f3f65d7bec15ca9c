//! `larder keys` on files that real servers saved.

use std::{fs, path::PathBuf};

use anyhow::{Result, ensure};
use larder_test_support::{TestServer, on_every_server};

use crate::larder::Larder;

/// A server's data, saved, and the file.
pub(crate) fn saved(server: &TestServer) -> Result<PathBuf> {
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
        larder.ends(2, &["keys", "top", "--type", "strng", &file])?.says("string")?;
        let none = larder.ends(0, &["--output", "json", "keys", "top", "--type", "module", &file])?.json()?;
        ensure!(none["by_bytes"] == serde_json::json!([]), "{none:#}");
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

#[tokio::test]
async fn names_that_are_long_or_not_seen() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let long = "n".repeat(300_000);
        server.run::<()>(&["SET", &long, "v"])?;
        server.run::<()>(&["SET", "turned\u{202e}around\u{1b}[31m", "v"])?;
        let file = saved(&server)?;
        let larder = Larder::new();
        fs::copy(&file, larder.folder().join("dump.rdb"))?;
        let run = larder.ends(0, &["keys", "top", "dump.rdb"])?;
        run.says("(300000 bytes)")?;
        run.says("turned\\u{202e}around\\u{1b}[31m")?;
        ensure!(run.stdout.len() < 10_000, "a long name is cut");
        larder.ends(0, &["keys", "report", "dump.rdb"])?;

        // Damage inside the long name's value is told without the whole name.
        let bytes = fs::read(&file)?;
        let end = bytes.windows(long.len()).position(|window| window == long.as_bytes());
        let end = end.map_or(bytes.len() / 2, |start| start + long.len() + 1);
        fs::write(larder.folder().join("cut.rdb"), &bytes[..end])?;
        let run = larder.ends(1, &["keys", "report", "cut.rdb"])?;
        ensure!(run.stderr.len() < 2_000, "{} bytes", run.stderr.len());
        Ok(())
    })
    .await;
}

#[cfg(target_os = "linux")]
#[test]
fn the_name_of_a_file_need_not_be_utf8() -> Result<()> {
    use std::os::unix::ffi::OsStrExt;

    let larder = Larder::new();
    let name = std::ffi::OsStr::from_bytes(b"bad\xff.rdb");
    let mut file = b"REDIS0011\xff".to_vec();
    file.extend([0; 8]);
    fs::write(larder.folder().join(name), file)?;
    for command in ["report", "top"] {
        let output = larder.command(&["--output", "json", "keys", command]).arg(name).output()?;
        ensure!(output.status.success(), "{output:?}");
    }
    Ok(())
}
