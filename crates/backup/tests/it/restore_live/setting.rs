//! Servers with keys, their images, and where those are brought.

use std::{fs, io::Cursor, io::Read, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use larder_backup::{LiveOutcome, LiveRestore, LiveRestoreOptions, LiveSource, LiveTarget};
use larder_cache_client::{CacheUrl, ConnectOptions, open};
use larder_test_support::{ServerProgram, TestCluster, TestServer};
use redis::{ConnectionLike, cmd};

/// In the year 2100.
pub(crate) const FAR_MS: i64 = 4_102_444_800_000;
/// Plain strings among the keys.
pub(crate) const PLAIN: usize = 2000;

/// A server whose DEBUG may be used.
pub(crate) fn server(program: &ServerProgram) -> Result<TestServer> {
    TestServer::builder(program).config("enable-debug-command yes").start()
}

/// Tells whether hashes of a server can have fields that expire.
pub(crate) fn has_field_ttls(program: &ServerProgram) -> bool {
    let major: u32 = program.version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    (program.product == "redis" && major >= 8) || (program.product == "valkey" && major >= 9)
}

fn words(line: &str) -> redis::Cmd {
    let mut words = line.split(' ');
    let mut command = cmd(words.next().unwrap());
    for word in words {
        command.arg(word);
    }
    command
}

/// Runs commands that are lines of words.
pub(crate) fn say(server: &TestServer, lines: &[&str]) -> Result<()> {
    let mut admin = server.admin()?;
    for line in lines {
        words(line).query::<redis::Value>(&mut admin).with_context(|| (*line).to_owned())?;
    }
    Ok(())
}

/// A value of every type and of every size of encoding, some with a TTL, in database 0.
pub(crate) fn fill_types(server: &TestServer) -> Result<()> {
    let mut admin = server.admin()?;
    let mut pipeline = redis::pipe();
    for number in 0..PLAIN {
        let value = "x".repeat(number % 300);
        if number % 3 == 0 {
            pipeline
                .cmd("SET")
                .arg(format!("plain:{number}"))
                .arg(value)
                .arg("PXAT")
                .arg(FAR_MS + 1)
                .ignore();
        } else {
            pipeline.cmd("SET").arg(format!("plain:{number}")).arg(value).ignore();
        }
    }
    for (size, count) in [("small", 5), ("large", 700)] {
        for number in 0..count {
            pipeline.cmd("RPUSH").arg(format!("list:{size}")).arg(format!("item {number}")).ignore();
            pipeline.cmd("SADD").arg(format!("set:{size}")).arg(format!("member {number}")).ignore();
            pipeline.cmd("SADD").arg(format!("integers:{size}")).arg(number * 7).ignore();
            pipeline.cmd("ZADD").arg(format!("zset:{size}")).arg(number).arg(format!("m{number}")).ignore();
            pipeline.cmd("HSET").arg(format!("hash:{size}")).arg(format!("f{number}")).arg(number).ignore();
            let id = format!("1700000000000-{}", number + 1);
            pipeline.cmd("XADD").arg(format!("stream:{size}")).arg(id).arg("name").arg(number).ignore();
        }
        pipeline.cmd("PEXPIREAT").arg(format!("hash:{size}")).arg(FAR_MS).ignore();
    }
    pipeline.query::<()>(&mut admin)?;
    // Larger than a batch, and of bytes that do not compress.
    let large: Vec<u8> =
        (0..9_000_000_u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    admin.req_command(cmd("SET").arg("large").arg(large))?;
    say(
        server,
        &[
            "PFADD hyperloglog a b c",
            "XGROUP CREATE stream:small readers 0",
            "XREADGROUP GROUP readers alice COUNT 3 STREAMS stream:small >",
            "XACK stream:small readers 1700000000000-1",
        ],
    )
}

/// Keys of other databases, and a library of functions.
pub(crate) fn fill_rest(server: &TestServer) -> Result<()> {
    let code = "#!lua name=fixture\nredis.register_function('answer', function() return 42 end)";
    server.run::<()>(&["FUNCTION", "LOAD", code])?;
    let mut admin = server.admin()?;
    for line in ["SELECT 1", "SET one 1", "RPUSH one:list a b", "SELECT 9", "SET nine 9"] {
        words(line).query::<redis::Value>(&mut admin)?;
    }
    Ok(())
}

/// Hashes with fields that expire.
pub(crate) fn fill_field_ttls(server: &TestServer) -> Result<()> {
    for number in 0..20 {
        let (field, at) = (format!("f{number}"), (FAR_MS + number).to_string());
        server.run::<()>(&["HSET", "hash:fields", &field, "v"])?;
        if number % 2 == 0 {
            server.run::<redis::Value>(&["HPEXPIREAT", "hash:fields", &at, "FIELDS", "1", &field])?;
        }
    }
    Ok(())
}

/// The image that a server saves.
pub(crate) fn image(server: &TestServer) -> Result<Vec<u8>> {
    server.run::<()>(&["SAVE"])?;
    Ok(fs::read(server.folder().join("dump.rdb"))?)
}

pub(crate) fn source(images: Vec<Vec<u8>>) -> LiveSource {
    let images: Arc<[Bytes]> = images.into_iter().map(Bytes::from).collect();
    LiveSource::new(vec![None; images.len()], move |shard| {
        Ok(Box::new(Cursor::new(images[shard].clone())) as Box<dyn Read + Send>)
    })
}

pub(crate) fn into_server(server: &TestServer) -> LiveTarget {
    let url = server.url();
    LiveTarget::new(move |database| {
        let url = format!("{url}/{database}");
        async move { Ok(open(&url.parse().expect("a URL"), &ConnectOptions::default()).await?) }
    })
}

pub(crate) fn into_cluster(cluster: &TestCluster) -> LiveTarget {
    let url: CacheUrl = cluster.url().parse().expect("a URL");
    LiveTarget::new(move |database| {
        let url = url.with_database(u32::try_from(database).expect("a small number"));
        async move { Ok(open(&url, &ConnectOptions::default()).await?) }
    })
}

/// Plans, restores and compares; everything must be there.
pub(crate) async fn bring_back(restore: &LiveRestore) -> Result<LiveOutcome> {
    let plan = restore.plan().await?;
    ensure!(plan.may_go(), "{:?}", plan.refusals);
    let outcome = restore.apply(&plan).await?;
    ensure!(outcome.is_whole(), "{outcome:?}");
    let brought = outcome.restored + outcome.overwritten + outcome.there_already;
    let left: u64 = outcome.left_alone.values().sum();
    ensure!(brought + left == plan.comes.keys, "{brought} of {}: {outcome:?}", plan.comes.keys);
    if left == 0 {
        let verified = restore.verify().await?;
        ensure!(verified.is_whole() && verified.equal == brought, "{verified:?}");
    }
    Ok(outcome)
}

pub(crate) fn restore(images: Vec<Vec<u8>>, target: LiveTarget, options: LiveRestoreOptions) -> LiveRestore {
    LiveRestore::new(source(images), target, options)
}
