//! Makes the fixtures: `tests/fixtures/generate` runs this with the servers to make them with.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use larder_rdb::{Reader, ServerLine};

use crate::data;
use crate::servers::{Installed, Running, installed};

pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The fixtures that a server made, by their path.
pub(crate) fn made_by(installed: &Installed) -> Vec<PathBuf> {
    let Ok(folder) = std::fs::read_dir(fixtures().join(&installed.name)) else { return Vec::new() };
    let paths = folder.map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|name| name == "rdb")).collect();
    files.sort();
    files
}

#[test]
#[ignore = "writes the fixtures; run tests/fixtures/generate"]
fn write_the_fixtures() {
    for installed in installed("write_the_fixtures") {
        let folder = fixtures().join(&installed.name);
        std::fs::create_dir_all(&folder).unwrap();
        let mut variants: Vec<(&str, Vec<&str>)> = vec![
            ("data", vec![]),
            ("lru", vec!["--maxmemory-policy", "allkeys-lru"]),
            ("lfu", vec!["--maxmemory-policy", "allkeys-lfu"]),
            ("plain", vec!["--rdbcompression", "no", "--rdbchecksum", "no"]),
        ];
        if installed.server.line() == ServerLine::Redis || installed.server.version() >= (9, 0) {
            variants.push(("cluster", vec!["--cluster-enabled", "yes"]));
        }
        let mut manifest = String::from(
            "file\tdb\tkey\ttype\trdb type\tencoding\telements\texpires at ms\tmemory usage samples 0\n",
        );
        for (name, arguments) in variants {
            let mut running = installed.start(None, &arguments);
            if name == "data" {
                data::fill(&mut running, installed.server);
            } else {
                few_keys(&mut running, name);
            }
            let bytes = running.save();
            let path = folder.join(format!("{name}.rdb"));
            std::fs::write(&path, &bytes).unwrap();
            // Sizes are those after loading, when nothing is allocated ahead. A node of a cluster that was not met by
            // the others ends itself, so that file is loaded outside of one.
            let alone = if name == "cluster" { &[] } else { &arguments[..] };
            let mut loaded = installed.start(Some(&path), alone);
            describe(&mut loaded, &bytes, name, &mut manifest);
        }
        std::fs::write(folder.join("MANIFEST.tsv"), manifest).unwrap();
    }
}

fn few_keys(running: &mut Running, name: &str) {
    if name == "cluster" {
        running.say("CLUSTER ADDSLOTSRANGE 0 16383");
        while !running.say("CLUSTER INFO").text().contains("cluster_state:ok") {
            std::thread::yield_now();
        }
    }
    for i in 0..20 {
        running.say(&format!(
            "SET key:{i} value-that-is-long-enough-to-be-compressed-{i}-aaaaaaaaaaaaaaaaaaaaaaaa"
        ));
        running.say(&format!("HSET hash:{i} field {i} other aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
        running.say(&format!("SADD set:{i} one two three {i}"));
    }
    running.say(&format!("PEXPIREAT key:3 {}", data::EXPIRES_AT_MS));
    for _ in 0..50 {
        running.say("GET key:7");
    }
}

/// Writes down what the server says of every key of the file.
fn describe(running: &mut Running, bytes: &[u8], name: &str, manifest: &mut String) {
    let mut reader = Reader::from_slice(bytes).unwrap();
    let mut db = 0;
    while let Some(skimmed) = reader.skim_next().unwrap() {
        if skimmed.db != db {
            db = skimmed.db;
            running.say(&format!("SELECT {db}"));
        }
        let key = skimmed.key;
        let kind = running.run(&[b"TYPE", key]).text();
        let encoding = running.run(&[b"OBJECT", b"ENCODING", key]).text();
        let count: &[&[u8]] = match kind.as_str() {
            "list" => &[b"LLEN", key],
            "set" => &[b"SCARD", key],
            "zset" => &[b"ZCARD", key],
            "hash" => &[b"HLEN", key],
            "stream" => &[b"XLEN", key],
            _ => &[b"EXISTS", key],
        };
        let elements = running.run(count).int();
        let expires = running.run(&[b"PEXPIRETIME", key]).int();
        let memory = running.run(&[b"MEMORY", b"USAGE", key, b"SAMPLES", b"0"]).int();
        let expires = if expires < 0 { "-".to_owned() } else { expires.to_string() };
        let (key, value_type) = (key.escape_ascii(), skimmed.value_type);
        writeln!(
            manifest,
            "{name}.rdb\t{db}\t{key}\t{kind}\t{value_type}\t{encoding}\t{elements}\t{expires}\t{memory}"
        )
        .unwrap();
    }
}
