//! What the configuration file of a real server says, and the server no longer takes.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result, ensure};
use larder_metrics_model::ServerVersion;
use larder_test_support::{ServerProgram, TestServer, on_every_server};
use serde_json::Value;

use super::{audited, finding, ids, larder, well_kept};
use crate::larder::check;

const DEPRECATED: &str = "audit.deprecated_settings";
const IGNORED: &str = "audit.ignored_settings";

fn is_since(program: &ServerProgram, redis: &str, valkey: &str) -> Result<bool> {
    let since = if program.product == "redis" { redis } else { valkey };
    let parsed = |text: &str| text.parse::<ServerVersion>().map_err(anyhow::Error::msg);
    Ok(since.is_empty() || parsed(&program.version)? >= parsed(since)?)
}

fn message<'a>(verdict: &'a Value, id: &str) -> Result<&'a str> {
    let found = finding(verdict, id).with_context(|| format!("{id} is not found: {verdict:#}"))?;
    found["message"].as_str().context("it has a message")
}

/// Takes every line of the file that begins with a name out of it.
fn take_out(server: &TestServer, name: &str) -> Result<()> {
    let path = server.folder().join("server.conf");
    let kept: Vec<String> = fs::read_to_string(&path)?
        .lines()
        .filter(|line| !line.starts_with(name))
        .map(str::to_owned)
        .collect();
    Ok(fs::write(path, kept.join("\n"))?)
}

/// The list that the rules judge by, held against what the servers themselves do.
#[tokio::test]
async fn what_the_list_says_of_a_server_is_so() {
    const LIST: &str = include_str!("../../../../../crates/analysis/src/audit/deprecated_settings.json");
    on_every_server(async |program| {
        let list: Vec<Value> = serde_json::from_str(LIST)?;
        let server = TestServer::start(program)?;
        let starts = |line: &str| TestServer::builder(program).config(line).start().is_ok();
        for one in &list {
            let text = |field: &str| one[field].as_str();
            let (name, instead) = (text("name").context("a name")?, text("instead").unwrap_or_default());
            let holds = match (text("redis"), text("valkey")) {
                (redis, Some(valkey)) => is_since(program, redis.unwrap_or("99"), valkey)?,
                // What was so in Redis 7.2 is so in every Valkey.
                (Some(redis), None) => is_since(program, redis, if redis < "7.3" { "0" } else { "99" })?,
                (None, None) => false,
            };
            let is_so = match text("is") {
                Some("renamed") => {
                    let both: BTreeMap<String, String> = server.run(&["CONFIG", "GET", name, instead])?;
                    both.contains_key(name) && both.contains_key(instead) == holds
                }
                Some("ignored") => starts(&format!("{name} banana")) == holds,
                Some("refused") => holds && !starts(&format!("{name} yes")),
                Some("deprecated") => true,
                _ => false,
            };
            ensure!(is_so, "{one:#}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn old_names_are_found_and_mended_as_it_is_advised() {
    /// Since when, of Redis and of Valkey; without one, of all that are tested.
    const OLD: [(&str, &str, &str); 17] = [
        ("slave-priority 99", "", ""),
        ("Slave-Read-Only yes", "", ""),
        ("slave-serve-stale-data yes", "", ""),
        ("slave-announce-ip 127.0.0.1", "", ""),
        ("slave-announce-port 7000", "", ""),
        ("slave-ignore-maxmemory no", "", ""),
        ("slave-lazy-flush yes", "", ""),
        ("repl-ping-slave-period 9", "", ""),
        ("min-slaves-max-lag 9", "", ""),
        ("cluster-slave-validity-factor 9", "", ""),
        ("cluster-slave-no-failover yes", "", ""),
        ("\"hash-max-ziplist-entries\" 99", "", ""),
        ("hash-max-ziplist-value 99", "", ""),
        ("zset-max-ziplist-entries 99", "", ""),
        ("list-max-ziplist-size -1", "", ""),
        ("lua-time-limit 4000", "", ""),
        ("slowlog-max-len 99", "99", "8.1"),
    ];
    on_every_server(async |program| {
        let mut builder = well_kept(program);
        let mut expected = Vec::new();
        for (line, redis, valkey) in OLD {
            builder = builder.config(line);
            if is_since(program, redis, valkey)? {
                expected.push(line.split(' ').next().unwrap_or_default().trim_matches('"').to_lowercase());
            }
        }
        let server = builder.start()?;
        let larder = larder(&server);
        let verdict = audited(&larder)?;
        ensure!(ids(&verdict) == [DEPRECATED], "{verdict:#}");
        let found = finding(&verdict, DEPRECATED).context("it is there")?;
        ensure!(found["severity"] == "info", "{found:#}");
        let said = format!("has {} deprecated settings: slave-priority (line ", expected.len());
        ensure!(message(&verdict, DEPRECATED)?.contains(&said), "{said}: {found:#}");
        let evidence = found["evidence"].to_string();
        for name in &expected {
            ensure!(evidence.contains(&format!("{name} (")), "{name}: {evidence}");
        }
        server.run::<()>(&["CONFIG", "REWRITE"])?;
        let mended = audited(&larder)?;
        ensure!(ids(&mended).is_empty(), "{mended:#}");
        let state = check(&mended, DEPRECATED, server.node().as_str());
        ensure!(state.as_deref() == Some("ok"), "{mended:#}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn each_setting_that_does_nothing_is_found_and_mended() {
    const IDLE: [(&str, &str, &str, &str); 9] = [
        ("list-max-ziplist-entries 512", IGNORED, "", ""),
        ("list-max-ziplist-value 64", IGNORED, "", ""),
        ("lua-replicate-commands no", IGNORED, "", ""),
        ("lua-replicate-commands yes", DEPRECATED, "", ""),
        ("io-threads-do-reads no", IGNORED, "8.0", "8.1"),
        ("io-threads-do-reads YES", DEPRECATED, "8.0", "8.1"),
        ("dynamic-hz no", IGNORED, "99", "8.1"),
        ("dynamic-hz yes", DEPRECATED, "99", "8.1"),
        ("rename-command MONITOR hush-hush", DEPRECATED, "", ""),
    ];
    on_every_server(async |program| {
        for (line, id, redis, valkey) in IDLE {
            let server = well_kept(program).config(line).start()?;
            let larder = larder(&server);
            let verdict = audited(&larder)?;
            if !is_since(program, redis, valkey)? {
                ensure!(ids(&verdict).is_empty(), "{line}: {verdict:#}");
                continue;
            }
            ensure!(ids(&verdict) == [id], "{line}: {verdict:#}");
            larder.run(&["audit"])?.says(message(&verdict, id)?)?;
            ensure!(!verdict.to_string().contains("hush-hush"), "no value is shown: {verdict:#}");
            take_out(&server, line.split(' ').next().unwrap_or_default())?;
            ensure!(ids(&audited(&larder)?).is_empty(), "{line} is still there");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_the_next_start_would_refuse_is_found_before_it() {
    const REFUSED: [&str; 4] =
        ["gopher-enabled no", "hash-max-zipmap-entries 64", "hash-max-zipmap-value 64", "glueoutputbuf yes"];
    on_every_server(async |program| {
        let server = well_kept(program).start()?;
        let path = server.folder().join("server.conf");
        let text = fs::read_to_string(&path)?;
        for line in REFUSED {
            fs::write(&path, format!("{text}\n{line}\n"))?;
            let verdict = audited(&larder(&server))?;
            ensure!(ids(&verdict) == [IGNORED], "{line}: {verdict:#}");
            ensure!(message(&verdict, IGNORED)?.contains("so the next start fails"), "{verdict:#}");
            let start = std::process::Command::new(&program.path).arg(&path).output()?;
            ensure!(!start.status.success(), "{line}: {start:?}");
        }
        fs::write(&path, text)?;
        ensure!(ids(&audited(&larder(&server))?).is_empty(), "it is mended");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_is_included_is_read_and_what_cannot_be_is_said() {
    on_every_server(async |program| {
        let folder = tempfile::tempdir()?;
        let place = folder.path().to_string_lossy();
        fs::write(folder.path().join("replication.conf"), "# a part\nslave-priority 99\n")?;
        let server = well_kept(program).config(format!("include {place}/*.conf")).start()?;
        let larder = larder(&server);
        let verdict = audited(&larder)?;
        let said = format!("slave-priority ({place}/replication.conf:2: replica-priority since Redis 5.0)");
        ensure!(message(&verdict, DEPRECATED)?.contains(&said), "{said}: {verdict:#}");

        fs::write(folder.path().join("replication.conf"), "replica-priority 99\ninclude relative.conf\n")?;
        let verdict = audited(&larder)?;
        let node = server.node();
        ensure!(check(&verdict, DEPRECATED, node.as_str()).as_deref() == Some("unknown"), "{verdict:#}");
        larder.run(&["audit"])?.says("relative.conf: it depends on the folder")?;

        fs::remove_file(server.folder().join("server.conf"))?;
        let verdict = audited(&larder)?;
        ensure!(ids(&verdict).is_empty(), "{verdict:#}");
        for id in [DEPRECATED, IGNORED] {
            ensure!(check(&verdict, id, node.as_str()).as_deref() == Some("unknown"), "{verdict:#}");
        }
        let run = larder.run(&["audit"])?;
        run.says("server.conf: it is not there; the next start of the server fails without it")?;
        ensure!(
            run.stdout.matches("it is not there").count() <= 2,
            "said once, and in the first line: {run:#?}"
        );
        Ok(())
    })
    .await;
}
