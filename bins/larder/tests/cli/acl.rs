//! A user with no more rights than the README says can do what it says.

use anyhow::{Context, Result, ensure};
use larder_test_support::{TestCluster, TestSentinel, TestServer, on_every_server};

use crate::larder::{Larder, skipped};

mod backup;
mod clean;

const README: &str = include_str!("../../../../README.md");
const PASSWORD: &str = "least-privilege";

/// The rights of the line of the README's table that begins with `row`.
fn rights(row: &str) -> Result<Vec<String>> {
    let line = README.lines().find(|line| line.starts_with(&format!("| {row}")));
    let line = line.with_context(|| format!("the README has no row `{row}`"))?;
    let acl = line
        .split('`')
        .rfind(|part| part.starts_with("user larder") || part.starts_with('+'))
        .context("it has no ACL line")?;
    let rights = acl
        .replace("\\|", "|")
        .split_whitespace()
        .filter(|word| word.starts_with(['+', '~', '%']))
        .map(Into::into)
        .collect();
    Ok(rights)
}

/// The rights that a row adds to those of another.
fn more_rights(row: &str) -> Result<Vec<String>> {
    let line = README.lines().find(|line| line.starts_with(&format!("| {row} | and `")));
    let line = line.with_context(|| format!("the README has no row `{row}`"))?.replace("\\|", "|");
    Ok(line.split([' ', '`', ',']).filter(|word| word.starts_with('+')).map(Into::into).collect())
}

fn allow(server: &TestServer, rights: &[String]) -> Result<()> {
    let password = format!(">{PASSWORD}");
    let mut words = vec!["ACL", "SETUSER", "larder", "reset", "on", &password];
    // A server refuses rights to commands that it does not have.
    let has = |right: &str| -> Result<bool> {
        let Some(command) = right.strip_prefix('+') else { return Ok(true) };
        Ok(server
            .run::<Vec<Option<redis::Value>>>(&["COMMAND", "INFO", command])?
            .iter()
            .all(Option::is_some))
    };
    for right in rights {
        if has(right)? {
            words.push(right);
        }
    }
    server.run::<()>(&words)?;
    server.run::<()>(&["ACL", "LOG", "RESET"])
}

/// Runs every command of the line, and looks that the server refused nothing.
fn suffices(larder: &Larder, servers: &[&TestServer]) -> Result<()> {
    let larder_runs = |code, words: &[&str]| larder.ends(code, words);
    larder_runs(0, &["health"])?;
    larder_runs(0, &["collect"])?;
    larder_runs(0, &["capacity"])?;
    larder_runs(0, &["maintain", "daily"])?;
    larder_runs(0, &["watch", "--count", "1"])?;
    for server in servers {
        let refused = refused(server)?;
        ensure!(refused.is_empty(), "{} refused {refused:?}", server.node());
    }
    Ok(())
}

/// The commands and keys that a server refused.
fn refused(server: &TestServer) -> Result<Vec<String>> {
    let entries: Vec<std::collections::HashMap<String, redis::Value>> = server.run(&["ACL", "LOG"])?;
    let objects = entries.into_iter().filter_map(|mut entry| entry.remove("object"));
    Ok(objects.map(redis::from_redis_value).collect::<Result<_, _>>()?)
}

fn logged_in(url: &str) -> Larder {
    Larder::of(url).with("LARDER_USERNAME", "larder").with("LARDER_PASSWORD", PASSWORD)
}

/// Whether a server has CLIENT NO-TOUCH, and with it the right to it.
fn has_no_touch(server: &TestServer) -> bool {
    server.run::<()>(&["CLIENT", "NO-TOUCH", "OFF"]).is_ok()
}

/// Runs the commands about keys, and looks that the servers refused nothing.
fn suffices_for_keys(larder: &Larder, servers: &[&TestServer]) -> Result<()> {
    for words in [
        ["keys", "report", "--rate", "max"].as_slice(),
        &["keys", "report", "--fields", "ttl,type,bytes,idle,encoding", "--rate", "max"],
        &["keys", "top"],
    ] {
        let run = larder.ends(0, words)?;
        ensure!(!run.stdout.contains("skipped"), "{run:#?}");
    }
    for server in servers {
        let refused: Vec<redis::Value> = server.run(&["ACL", "LOG"])?;
        ensure!(refused.is_empty(), "{} refused {refused:?}", server.node());
    }
    Ok(())
}

#[tokio::test]
async fn the_line_for_keys_on_a_server_suffices() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        server.run::<()>(&["SET", "app:page:1", "v"])?;
        let mut rights = rights(KEYS)?;
        if has_no_touch(&server) {
            rights.extend(self::rights(KEYS_NO_TOUCH)?);
        }
        allow(&server, &rights)?;
        suffices_for_keys(&logged_in(&server.url()), &[&server])
    })
    .await;
}

#[tokio::test]
async fn the_line_for_hot_keys_suffices() {
    on_every_server(async |program| {
        let cluster = TestCluster::start(program, 0)?;
        let server = TestServer::start(program)?;
        let rights = rights("`keys hot`, and")?;
        let more = [rights.clone(), more_rights("`keys hot` on a cluster")?].concat();
        for one in cluster.servers.iter().chain([&server]) {
            allow(one, if one.node() == server.node() { &rights } else { &more })?;
        }
        for url in [server.url(), cluster.url()] {
            logged_in(&url).ends(0, &["keys", "hot", "--for", "1s"])?;
        }
        for one in cluster.servers.iter().chain([&server]) {
            let refused = refused(one)?;
            ensure!(refused.is_empty(), "{} refused {refused:?}", one.node());
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_line_for_images_suffices() {
    on_every_server(async |program| {
        let cluster = TestCluster::start(program, 0)?;
        let server = TestServer::start(program)?;
        let rights = rights(IMAGES)?;
        let more = [rights.clone(), more_rights(IMAGES_CLUSTER)?].concat();
        let all: Vec<&TestServer> = cluster.servers.iter().chain([&server]).collect();
        for one in &all {
            one.run::<()>(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"])?;
            allow(one, if one.node() == server.node() { &rights } else { &more })?;
        }
        for url in [server.url(), cluster.url()] {
            let run = logged_in(&url).ends(0, &["keys", "report", "--via", "dump"])?;
            ensure!(!run.stdout.contains("skipped"), "{run:#?}");
        }
        for one in all {
            let refused: Vec<redis::Value> = one.run(&["ACL", "LOG"])?;
            ensure!(refused.is_empty(), "{} refused {refused:?}", one.node());
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_line_for_keys_on_a_cluster_suffices() {
    on_every_server(async |program| {
        let cluster = TestCluster::start(program, 0)?;
        let mut rights = rights(KEYS_CLUSTER)?;
        if has_no_touch(&cluster.servers[0]) {
            rights.extend(self::rights(KEYS_NO_TOUCH)?);
        }
        for server in &cluster.servers {
            allow(server, &rights)?;
        }
        let servers: Vec<&TestServer> = cluster.servers.iter().collect();
        suffices_for_keys(&logged_in(&cluster.url()), &servers)
    })
    .await;
}

const KEYS: &str = "`keys report`, `keys top`, `keys diff` on a server";
const KEYS_CLUSTER: &str = "these on a cluster";
const IMAGES: &str = "`keys report --via dump`, `keys top --via dump`";
const IMAGES_CLUSTER: &str = "`--via dump` on a cluster";
const KEYS_NO_TOUCH: &str = "these, where there is CLIENT NO-TOUCH";
const SERVER: &str = "`health`, `watch`, `collect`, `capacity`, `maintain daily` on a server";
const AUDIT: &str = "`audit` on a server, or behind Sentinel";
const OPTIMIZE: &str = "`optimize` on a server, or behind Sentinel";
const OPTIMIZE_CLUSTER: &str = "`optimize` on a cluster";
const AUDIT_CLUSTER: &str = "`audit` on a cluster";
const CLUSTER: &str = "the same on a cluster";
const SENTINEL: &str = "the same, on the Sentinels";

#[tokio::test]
async fn the_line_for_a_server_suffices_and_all_else_is_skipped() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let rights = rights(SERVER)?;
        ensure!(rights == ["+ping", "+info"], "{rights:?}");
        allow(&server, &rights)?;
        suffices(&logged_in(&server.url()), &[&server])
    })
    .await;
}

#[tokio::test]
async fn the_line_for_audit_suffices() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        allow(&server, &rights(AUDIT)?)?;
        let verdict = logged_in(&server.url()).ends(1, &["--output", "json", "audit"])?.json()?;
        let mut checks = verdict["checks"].as_array().into_iter().flatten();
        ensure!(checks.all(|check| check["state"] != "unknown"), "{verdict:#}");
        let refused = refused(&server)?;
        ensure!(refused.is_empty(), "{} refused {refused:?}", server.node());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_line_for_optimize_suffices() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        allow(&server, &rights(OPTIMIZE)?)?;
        let larder = logged_in(&server.url());
        larder.ends(0, &["collect"])?;
        let found = larder.ends(0, &["--output", "json", "optimize"])?.json()?;
        let skipped = skipped(&found);
        ensure!(!skipped.iter().any(|(what, _)| what.contains("slow log")), "{skipped:#?}");
        let refused = refused(&server)?;
        ensure!(refused.is_empty(), "{} refused {refused:?}", server.node());

        let cluster = TestCluster::start(program, 0)?;
        let rights = [rights(OPTIMIZE)?, more_rights(OPTIMIZE_CLUSTER)?].concat();
        for server in &cluster.servers {
            allow(server, &rights)?;
        }
        let larder = logged_in(&cluster.url());
        larder.ends(0, &["collect"])?;
        let found = larder.ends(0, &["--output", "json", "optimize"])?.json()?;
        let skipped = self::skipped(&found);
        ensure!(!skipped.iter().any(|(what, _)| what.contains("slow log")), "{skipped:#?}");
        for server in &cluster.servers {
            let refused = self::refused(server)?;
            ensure!(refused.is_empty(), "{} refused {refused:?}", server.node());
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_line_for_audit_on_a_cluster_suffices_and_no_less_does() {
    on_every_server(async |program| {
        let cluster = TestCluster::start(program, 0)?;
        let allow_all =
            |rights: &[String]| cluster.servers.iter().try_for_each(|server| allow(server, rights));
        let line = rights(AUDIT_CLUSTER)?;
        allow_all(&line)?;
        let larder = logged_in(&cluster.url());
        let verdict = larder.ends(1, &["--output", "json", "audit"])?.json()?;
        let mut checks = verdict["checks"].as_array().into_iter().flatten();
        ensure!(checks.all(|check| check["state"] != "unknown"), "{verdict:#}");
        for server in &cluster.servers {
            let refused = refused(server)?;
            ensure!(refused.is_empty(), "{} refused {refused:?}", server.node());
        }
        let nodes = |verdict: &serde_json::Value| {
            let checks = verdict["checks"].as_array().into_iter().flatten();
            checks.filter(|check| check["id"] == "audit.no_password").count()
        };
        ensure!(nodes(&verdict) == 3, "{verdict:#}");
        let less: Vec<String> = line.into_iter().filter(|right| right != "+cluster|nodes").collect();
        allow_all(&less)?;
        let run = larder.run(&["--output", "json", "audit"])?;
        let skipped = skipped(&run.json()?);
        ensure!(skipped.iter().any(|(what, _)| what == "the other nodes of the cluster"), "{skipped:#?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_line_for_a_cluster_suffices() {
    on_every_server(async |program| {
        let cluster = TestCluster::start(program, 0)?;
        let rights = rights(CLUSTER)?;
        for server in &cluster.servers {
            allow(server, &rights)?;
        }
        let servers: Vec<&TestServer> = cluster.servers.iter().collect();
        suffices(&logged_in(&cluster.url()), &servers)
    })
    .await;
}

#[tokio::test]
async fn with_ping_and_info_alone_a_cluster_still_gets_a_verdict() {
    on_every_server(async |program| {
        let cluster = TestCluster::start(program, 0)?;
        for server in &cluster.servers {
            allow(server, &rights(SERVER)?)?;
        }
        let verdict = logged_in(&cluster.url()).ends(0, &["--output", "json", "health"])?.json()?;
        let skipped = skipped(&verdict);
        let names = |what: &str| {
            skipped.iter().any(|(skipped, why)| skipped.contains(what) && why.contains("CLUSTER"))
        };
        ensure!(names("the other nodes of the cluster"), "{skipped:#?}");
        ensure!(names("cluster"), "{skipped:#?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn every_right_of_a_line_is_needed() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        for (right, lost) in [("+ping", "node.ping"), ("+info", "node.info")] {
            let rest: Vec<String> = rights(SERVER)?.into_iter().filter(|other| other != right).collect();
            allow(&server, &rest)?;
            let run = logged_in(&server.url()).run(&["--output", "json", "health"])?;
            let skipped = skipped(&run.json()?);
            ensure!(skipped.iter().any(|(what, _)| what.starts_with(lost)), "{right}: {skipped:#?}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_line_for_sentinels_suffices() {
    on_every_server(async |program| {
        let sentinel = TestSentinel::start(program, 1)?;
        for server in &sentinel.servers {
            allow(server, &rights(SERVER)?)?;
        }
        for server in &sentinel.sentinels {
            allow(server, &rights(SENTINEL)?)?;
        }
        let larder = logged_in(&sentinel.url());
        larder.write("sentinel-password", PASSWORD);
        larder.configure("[sentinel]\nusername = \"larder\"\npassword_file = \"sentinel-password\"\n");
        let servers: Vec<&TestServer> = sentinel.servers.iter().chain(&sentinel.sentinels).collect();
        suffices(&larder, &servers)
    })
    .await;
}
