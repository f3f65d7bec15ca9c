//! An embedded cache holds what servers hold, and gives it back to them.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use larder_cache_client::{
    CacheClient, ConnectOptions, DumpedValue, KeyChange, KeyFields, KeyRecord, KeyType, RestoreItem,
    ScanOptions, Ttl,
};
use larder_test_support::{ServerProgram, TestServer, on_every_server, server_programs};

use super::{check, reach};

/// Keys of every type, small and large; a large one has another encoding on every server.
const SMALL: usize = 5;
const LARGE: usize = 1_200;
const TIMED: &str = "string:timed";

async fn memory(url: &str) -> Result<CacheClient> {
    reach(url, &ConnectOptions::default()).await
}

fn with_debug(program: &ServerProgram) -> Result<TestServer> {
    TestServer::builder(program).config("enable-debug-command yes").start()
}

fn fill(server: &TestServer) -> Result<()> {
    let mut pipeline = redis::pipe();
    let mut add = |words: &[&str]| {
        pipeline.cmd(words[0]).arg(&words[1..]).ignore();
    };
    add(&["SET", "string:int", "-123456"]);
    add(&["SET", "string:short", "hello"]);
    add(&["SET", "string:long", &"compress me ".repeat(5_000)]);
    add(&["SET", TIMED, "v", "EX", "3600"]);
    add(&["SADD", "set:int", "1", "2", "70000"]);
    for (size, count) in [("small", SMALL), ("large", LARGE)] {
        for number in 0..count {
            let (name, value) = (format!("name-{number}"), format!("value {number}"));
            add(&["RPUSH", &format!("list:{size}"), &value]);
            add(&["SADD", &format!("set:{size}"), &name]);
            add(&["ZADD", &format!("zset:{size}"), &format!("{number}.25"), &name]);
            add(&["HSET", &format!("hash:{size}"), &name, &value]);
            add(&["XADD", &format!("stream:{size}"), &format!("{}-1", number + 1), &name, &value]);
        }
    }
    add(&["XGROUP", "CREATE", "stream:small", "group", "0"]);
    add(&["XREADGROUP", "GROUP", "group", "ann", "COUNT", "2", "STREAMS", "stream:small", ">"]);
    add(&["PEXPIRE", "hash:large", "7200000"]);
    pipeline.query::<()>(&mut server.admin()?).context("keys of every type")?;
    // Redis from 7.4 and Valkey from 9.0.
    let expiring = server
        .run::<redis::Value>(&["HSET", "hash:expiring", "f", "v", "g", "w"])
        .and_then(|_| server.run::<redis::Value>(&["HEXPIRE", "hash:expiring", "9000", "FIELDS", "1", "f"]));
    if expiring.is_err() {
        server.run::<redis::Value>(&["DEL", "hash:expiring"])?;
    }
    Ok(())
}

async fn records(client: &CacheClient) -> Result<BTreeMap<Bytes, KeyRecord>> {
    let fields =
        KeyFields::TYPE | KeyFields::TTL | KeyFields::ENCODING | KeyFields::ELEMENTS | KeyFields::BYTES;
    let batches: Vec<_> = client.keys().scan(ScanOptions::with_fields(fields)).try_collect().await?;
    let records = batches.into_iter().flat_map(|batch| batch.records);
    Ok(records.map(|record| (record.key.clone(), record)).collect())
}

async fn dump(client: &CacheClient, keys: &[Bytes]) -> Result<Vec<DumpedValue>> {
    let values = client.keys().dump(keys).await.into_iter().zip(keys);
    values.map(|(value, key)| value?.with_context(|| format!("{key:?} is not there"))).collect()
}

async fn restore(
    client: &CacheClient,
    keys: &[Bytes],
    values: Vec<DumpedValue>,
) -> Vec<larder_cache_client::Result<KeyChange>> {
    let items = keys.iter().zip(values);
    let items: Vec<RestoreItem> =
        items.map(|(key, value)| RestoreItem { key: key.clone(), value, overwrite: false }).collect();
    client.keys().restore(&items).await
}

fn digest(server: &TestServer, key: &str) -> Result<(Vec<String>, redis::Value)> {
    let digest = server.run(&["DEBUG", "DIGEST-VALUE", key])?;
    // The digest of a stream leaves its groups out.
    let groups =
        if key.contains("stream") { server.run(&["XINFO", "GROUPS", key])? } else { redis::Value::Nil };
    Ok((digest, groups))
}

fn said(key: &Bytes) -> Result<&str> {
    Ok(std::str::from_utf8(key)?)
}

#[tokio::test]
async fn what_went_through_memory_is_the_same_on_the_server() {
    on_every_server(async |program| {
        let server = with_debug(program)?;
        fill(&server)?;
        let client = memory(&server.url()).await?;
        let embedded = memory("memory:").await?;
        let there = records(&client).await?;
        let keys: Vec<Bytes> = there.keys().cloned().collect();
        ensure!(keys.len() >= 15, "{keys:?}");
        for answer in restore(&embedded, &keys, dump(&client, &keys).await?).await {
            ensure!(answer? == KeyChange::Done);
        }
        let held = records(&embedded).await?;
        for (key, record) in &there {
            let held = held.get(key).with_context(|| format!("{key:?} is not in memory"))?;
            ensure!((&held.kind, held.elements) == (&record.kind, record.elements), "{held:?} {record:?}");
        }
        let copies: Vec<Bytes> = keys.iter().map(|key| [b"copy:", &key[..]].concat().into()).collect();
        for (answer, key) in restore(&client, &copies, dump(&embedded, &keys).await?).await.iter().zip(&keys)
        {
            ensure!(matches!(answer, Ok(KeyChange::Done)), "{key:?}: {answer:?}");
        }
        for (key, copy) in keys.iter().zip(&copies) {
            ensure!(digest(&server, said(key)?)? == digest(&server, said(copy)?)?, "{key:?} is not the same");
        }
        let left: i64 = server.run(&["PTTL", &format!("copy:{TIMED}")])?;
        ensure!((3_500_000..=3_600_000).contains(&left), "{left} ms are left");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_came_from_one_server_is_restored_on_the_others() {
    on_every_server(async |program| {
        let from = with_debug(program)?;
        fill(&from)?;
        let embedded = memory("memory:").await?;
        let client = memory(&from.url()).await?;
        let keys: Vec<Bytes> = records(&client).await?.into_keys().collect();
        restore(&embedded, &keys, dump(&client, &keys).await?).await;
        for other in server_programs() {
            let to = with_debug(&other)?;
            let target = memory(&to.url()).await?;
            let answers = restore(&target, &keys, dump(&embedded, &keys).await?).await;
            for (answer, key) in answers.iter().zip(&keys) {
                let key = said(key)?;
                // Consumers have an active time since 7.2, and each line has its own way to let fields expire.
                let needs_more =
                    key.starts_with("stream:") && other.name() == "redis-7.0" || key == "hash:expiring";
                match answer {
                    Ok(KeyChange::Done) => ensure!(digest(&to, key)?.0 == digest(&from, key)?.0, "{key}"),
                    Err(error) if needs_more && *program != other => {
                        ensure!(error.with_causes().contains("payload version"), "{}", error.with_causes());
                    }
                    other => anyhow::bail!("{key} on {to:?}: {other:?}"),
                }
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_file_that_a_server_saved_has_what_the_server_says() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        fill(&server)?;
        server.run::<()>(&["SAVE"])?;
        let client = memory(&server.url()).await?;
        let before = records(&client).await?;
        let url = format!("memory:{}", server.folder().join("dump.rdb").display());
        let loaded = memory(&url).await?;
        ensure!(loaded.name() == url, "{}", loaded.name());
        let held = records(&loaded).await?;
        let after = records(&client).await?;
        ensure!(held.keys().eq(before.keys()), "{:?} instead of {:?}", held.keys(), before.keys());
        for (key, held) in &held {
            let (before, after) = (&before[key], &after[key]);
            ensure!((&held.kind, held.elements) == (&before.kind, before.elements), "{held:?} {before:?}");
            let is_list = held.kind == Some(KeyType::List);
            ensure!(is_list || held.encoding == before.encoding, "{held:?} {before:?}");
            ensure!(held.memory_bytes > Some(key.len() as u64), "{held:?}");
            let to_a_millisecond = Duration::from_millis(2);
            match (before.ttl, held.ttl, after.ttl) {
                (Some(Ttl::None), Some(Ttl::None), _) => {}
                (Some(Ttl::In(before)), Some(Ttl::In(left)), Some(Ttl::In(after)))
                    if left <= before + to_a_millisecond && left + to_a_millisecond >= after => {}
                other => anyhow::bail!("{key:?} has {other:?} left"),
            }
        }
        let wrong_type = loaded.cache().get(b"list:small").await;
        let on_server = client.cache().get(b"list:small").await;
        for answer in [wrong_type, on_server] {
            ensure!(answer.is_err_and(|error| error.with_causes().contains("wrong kind of value")));
        }
        check(&loaded).await.context("contracts of a cache with a dump")
    })
    .await;
}

#[tokio::test]
async fn files_of_every_server_have_what_their_lists_say() -> Result<()> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/rdb/tests/fixtures");
    let mut keys = 0;
    for folder in ["redis-7.0", "redis-8.0", "valkey-8.1", "valkey-9.1"].map(|name| fixtures.join(name)) {
        let list = fs::read_to_string(folder.join("MANIFEST.tsv"))?;
        let mut files = BTreeMap::<(&str, &str), Vec<Vec<&str>>>::new();
        for line in list.lines().skip(1) {
            let columns: Vec<&str> = line.split('\t').collect();
            files.entry((columns[0], columns[1])).or_default().push(columns);
        }
        for ((file, database), lines) in files {
            let url = format!("memory:{}?db={database}", folder.join(file).display());
            let held = records(&memory(&url).await?).await?;
            ensure!(held.len() == lines.len(), "{url}: {} keys of {}", held.len(), lines.len());
            let held: BTreeMap<String, KeyRecord> =
                held.into_iter().map(|(key, record)| (key.escape_ascii().to_string(), record)).collect();
            for columns in lines {
                let record = held.get(columns[2]).with_context(|| format!("{url}: {columns:?}"))?;
                compare(record, &columns).with_context(|| format!("{url}: {columns:?}"))?;
                keys += 1;
            }
        }
    }
    ensure!(keys > 1_000, "{keys} keys");
    Ok(())
}

/// A line has file, database, key, type, layout, encoding, elements, expiry.
fn compare(record: &KeyRecord, columns: &[&str]) -> Result<()> {
    ensure!(record.kind == Some(KeyType::from(columns[3])), "{record:?}");
    ensure!(record.ttl.is_some_and(|ttl| (ttl == Ttl::None) == (columns[7] == "-")), "{record:?}");
    // Of a string the lists count one, and of a module's value nobody knows.
    let is_one = matches!(record.kind, Some(KeyType::String | KeyType::Module(_)));
    ensure!(is_one || record.elements == Some(columns[6].parse()?), "{record:?}");
    let encodings = (record.encoding.as_deref().unwrap_or_default(), columns[5]);
    let same = match encodings {
        // A short list is one node of a quicklist in the file, and Valkey counts the key where it embeds a string.
        ("quicklist", "listpack") | ("embstr", "raw") | ("raw", "embstr") => true,
        (here, there) => here == there,
    };
    ensure!(same, "{record:?}");
    Ok(())
}
