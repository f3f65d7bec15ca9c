//! What happens between plan and apply, and between apply and undo.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use larder_cache_client::CacheClient;
use larder_keyspace::{
    CleanOutcome, CleanTask, Error, Policy, UndoFile, UndoOptions, apply_clean, plan_undo, undo,
};
use larder_test_support::{TestServer, on_every_server};

use super::{options, plan, reach};

const ORPHAN: &str = "codebase_rag:old:";
const LASTING: &str = "codebase_rag:search:";

/// Writes a key that has not been used for a while.
fn write_idle(server: &TestServer, key: &str, idle_s: u32) -> Result<()> {
    server.run::<()>(&["SET", key, "a value"])?;
    let mut connection = server.admin()?;
    let payload: Vec<u8> = redis::cmd("DUMP").arg(key).query(&mut connection)?;
    redis::cmd("RESTORE")
        .arg(key)
        .arg(0)
        .arg(payload)
        .arg("REPLACE")
        .arg("IDLETIME")
        .arg(idle_s)
        .query::<()>(&mut connection)?;
    Ok(())
}

async fn apply(
    client: &CacheClient,
    path: &Path,
    between: impl AsyncFnOnce() -> Result<()>,
) -> Result<CleanOutcome> {
    let mut made = plan(client, &Policy::guide()).await?;
    between().await?;
    Ok(apply_clean(client, &mut made, &options(), path).await?)
}

#[tokio::test]
async fn a_key_that_changed_between_plan_and_apply_is_left_alone() {
    on_every_server(async |program| {
        // Idle for long, and just written: the first is told by its idle time, the second by its value.
        for idle_s in [1_000, 0] {
            let server = TestServer::start(program)?;
            let client = reach(&server.url()).await?;
            let prefixes = [ORPHAN, LASTING];
            let names = ["same", "timed", "rewritten", "used", "gone", "of another type"];
            for (prefix, name) in prefixes.iter().flat_map(|prefix| names.map(|name| (prefix, name))) {
                write_idle(&server, &format!("{prefix}{name}"), idle_s)?;
            }
            let folder = tempfile::tempdir()?;
            let path = folder.path().join("undo.rdb");
            let outcome = apply(&client, &path, async || {
                for prefix in prefixes {
                    let key = |name: &str| format!("{prefix}{name}");
                    server.run::<()>(&["EXPIRE", &key("timed"), "5000"])?;
                    server.run::<()>(&["SET", &key("rewritten"), "another"])?;
                    if idle_s > 0 {
                        server.run::<Option<String>>(&["GET", &key("used")])?;
                    }
                    server.run::<()>(&["DEL", &key("gone"), &key("of another type")])?;
                    server.run::<()>(&["RPUSH", &key("of another type"), "item"])?;
                }
                Ok(())
            })
            .await?;
            // What is only looked at within the same second as it was written cannot be told from the writing.
            let used = u64::from(idle_s > 0);
            for task in [CleanTask::Ttl, CleanTask::Orphans] {
                let task = outcome.tasks.get(&task).context("the task was done")?;
                ensure!(task.done == 2 - used && task.is_whole(), "idle {idle_s}: {task:?}");
                ensure!(task.left_alone.values().sum::<u64>() == 4 + used, "idle {idle_s}: {task:?}");
                ensure!(task.left_alone.get("gone since") == Some(&1), "{task:?}");
                ensure!(task.left_alone.get("got a TTL since") == Some(&1), "{task:?}");
            }
            for prefix in prefixes {
                let key = |name: &str| format!("{prefix}{name}");
                ensure!(server.run::<String>(&["GET", &key("rewritten")])? == "another");
                ensure!(server.run::<i64>(&["TTL", &key("rewritten")])? == -1, "it got no TTL");
                ensure!(server.run::<i64>(&["TTL", &key("timed")])? > 4_000, "its TTL is its own");
                ensure!(server.run::<i64>(&["LLEN", &key("of another type")])? == 1);
                if idle_s > 0 {
                    ensure!(server.run::<i64>(&["TTL", &key("used")])? == -1, "it is there, without a TTL");
                }
            }
            ensure!(!server.run::<bool>(&["EXISTS", &format!("{ORPHAN}same")])?);
            ensure!(server.run::<i64>(&["TTL", &format!("{LASTING}same")])? > 0);
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn undo_never_overwrites_what_was_written_since() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let client = reach(&server.url()).await?;
        for number in 0..4 {
            write_idle(&server, &format!("{ORPHAN}{number}"), 1_000)?;
            write_idle(&server, &format!("{LASTING}{number}"), 1_000)?;
        }
        for (key, ttl) in [("short", "2000"), ("long", "500000")] {
            server.run::<()>(&["SET", &format!("{ORPHAN}{key}"), "v", "PX", ttl])?;
        }
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("undo.rdb");
        let outcome = apply(&client, &path, async || Ok(())).await?;
        ensure!(outcome.done() == 10, "{outcome:?}");
        server.run::<()>(&["SET", &format!("{ORPHAN}0"), "written since"])?;
        server.run::<()>(&["SET", &format!("{LASTING}0"), "written since", "EX", "77"])?;
        server.run::<()>(&["EXPIRE", &format!("{LASTING}1"), "7777"])?;
        server.run::<()>(&["DEL", &format!("{LASTING}2")])?;
        tokio::time::sleep(Duration::from_millis(2_100)).await;

        let file = UndoFile::open(&path)?;
        let made = plan_undo(&client, &file, &UndoOptions::default()).await?;
        ensure!(
            server.run::<String>(&["GET", &format!("{ORPHAN}0")])? == "written since",
            "a plan changes nothing"
        );
        let outcome = undo(&client, &file, &UndoOptions::default()).await?;
        ensure!(made.count == outcome.count, "the plan said what was done: {made:?}, {outcome:?}");
        ensure!((outcome.count.restored, outcome.count.ttl_given_back) == (4, 1), "{outcome:?}");
        for (reason, keys) in [("written since", 3), ("removed since", 1), ("its time was up meanwhile", 1)] {
            ensure!(outcome.count.left_alone.get(reason) == Some(&keys), "{reason}: {outcome:?}");
        }
        ensure!(server.run::<String>(&["GET", &format!("{ORPHAN}0")])? == "written since");
        ensure!(server.run::<i64>(&["TTL", &format!("{LASTING}0")])? <= 77);
        ensure!(server.run::<i64>(&["TTL", &format!("{LASTING}1")])? > 7_000);
        ensure!(server.run::<i64>(&["TTL", &format!("{LASTING}3")])? == -1);
        let left = server.run::<i64>(&["PTTL", &format!("{ORPHAN}long")])?;
        ensure!((400_000..498_000).contains(&left), "the time went on while the key was away: {left}");
        let again = undo(&client, &file, &UndoOptions::default()).await?;
        ensure!(again.count.restored == 0 && again.count.ttl_given_back == 0, "a second time: {again:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_key_whose_time_was_set_and_is_up_comes_back() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let client = reach(&server.url()).await?;
        write_idle(&server, &format!("{LASTING}k"), 1_000)?;
        let policy = Policy::parse(
            "[[family]]\nprefix = \"codebase_rag:search:\"\nttl = { required = true, default = \"1s\" }\n",
            "a policy",
        )?;
        let mut made = plan(&client, &policy).await?;
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("undo.rdb");
        apply_clean(&client, &mut made, &options(), &path).await?;
        larder_test_support::until_async("the key to be gone", || async {
            Ok((!server.run::<bool>(&["EXISTS", &format!("{LASTING}k")])?).then_some(()))
        })
        .await?;
        let outcome = undo(&client, &UndoFile::open(&path)?, &UndoOptions::default()).await?;
        ensure!(outcome.count.restored == 1, "{outcome:?}");
        ensure!(server.run::<i64>(&["TTL", &format!("{LASTING}k")])? == -1);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn protected_families_limits_and_rights_are_kept() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let client = reach(&server.url()).await?;
        for number in 0..2_000 {
            client.cache().set(format!("{ORPHAN}{number}").as_bytes(), Bytes::from_static(b"v"), None).await?;
        }
        client.cache().set(b"kept:1", Bytes::from_static(b"v"), None).await?;
        let text = "[[family]]\nprefix = \"kept:\"\nprotected = true\nttl = { required = true, default = \"1h\" }\n\
                    [orphans]\n[limits]\nmax_keys = 1500\n";
        let policy = Policy::parse(text, "a policy")?;
        let mut made = plan(&client, &policy).await?;
        ensure!(made.limits_exceeded.len() == 2, "keys and share: {:?}", made.limits_exceeded);
        ensure!(made.task(CleanTask::Ttl).is_some_and(|task| task.keys == 0 && task.lines[0].protected));
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("undo.rdb");
        let refused = apply_clean(&client, &mut made, &options(), &path).await;
        ensure!(matches!(refused, Err(Error::OverLimits { .. })), "{refused:?}");
        ensure!(server.run::<u64>(&["DBSIZE"])? == 2_001 && !path.exists(), "nothing was changed");

        // A user who may look and not change in one step.
        server.run::<()>(&["ACL", "SETUSER", "looks", "on", ">p", "~*", "+@all", "-eval"])?;
        let looks = reach(&server.url_as("looks", "p")).await?;
        let mut allowed = options();
        allowed.over_limits = true;
        let refused = apply_clean(&looks, &mut made, &allowed, &path).await;
        ensure!(matches!(&refused, Err(Error::Cache { source }) if source.is_blocked()), "{refused:?}");
        ensure!(server.run::<u64>(&["DBSIZE"])? == 2_001 && !path.exists(), "nothing was changed");

        let outcome = apply_clean(&client, &mut made, &allowed, &path).await?;
        ensure!(outcome.done() == 2_000 && server.run::<u64>(&["DBSIZE"])? == 1);
        ensure!(server.run::<i64>(&["TTL", "kept:1"])? == -1, "protected is protected");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_undo_file_is_loaded_by_the_server_that_it_came_from() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let client = reach(&server.url()).await?;
        server.run::<()>(&["HSET", &format!("{ORPHAN}h"), "f", "v"])?;
        server.run::<()>(&["XADD", &format!("{ORPHAN}s"), "1-1", "f", "v"])?;
        server.run::<()>(&["SET", &format!("{LASTING}k"), "v"])?;
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("undo.rdb");
        apply(&client, &path, async || Ok(())).await?;
        // Its keys, in a server of their own.
        let mut other = TestServer::start(program)?;
        std::fs::copy(&path, other.folder().join("dump.rdb"))?;
        other.restart()?;
        ensure!(other.run::<u64>(&["DBSIZE"])? == 3, "{}", other.log());
        ensure!(other.run::<String>(&["HGET", &format!("{ORPHAN}h"), "f"])? == "v");
        Ok(())
    })
    .await;
}
