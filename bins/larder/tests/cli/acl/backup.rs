//! The rights that `backup create` and `restore --to` need.

use anyhow::{Context as _, Result, ensure};
use larder_test_support::{TestCluster, TestSentinel, TestServer, on_every_server_at_once};

use super::{SENTINEL, allow, has_no_touch, logged_in, more_rights, refused, rights};
use crate::larder::{Larder, Run};

const REPLICATION: &str = "`backup create`, by replication stream";
const SAVE: &str = "`backup create --source save`";
const KEYS: &str = "`backup create --source keys`";
const SOURCES: [(&str, &str); 3] = [("replication", REPLICATION), ("save", SAVE), ("keys", KEYS)];
const RESTORE: &str = "`restore --to URL`";
const EXACT: &str = "`restore --to URL --exact`";
const CLUSTER: &str = "`backup create` and `restore --to` on a cluster";
const LIBRARY: &str = "#!lua name=fixture\nredis.register_function('answer', function() return 42 end)";
const COUNT: u64 = 5;

fn fill(server: &TestServer) -> Result<()> {
    let lines: [&[&str]; 3] =
        [&["SET", "a", "1"], &["SET", "b", "2", "EX", "9000"], &["RPUSH", "list", "1", "2"]];
    lines.iter().try_for_each(|line| server.run::<()>(line))?;
    server.run::<()>(&["HSET", "hash", "f", "v"])?;
    server.run::<()>(&["FUNCTION", "LOAD", LIBRARY])?;
    let mut pipeline = redis::pipe();
    pipeline.cmd("SELECT").arg(3).ignore().set("c", "3").ignore();
    Ok(pipeline.query(&mut server.admin()?)?)
}

fn empty(server: &TestServer) -> Result<()> {
    server.run::<()>(&["FLUSHALL"])?;
    server.run::<()>(&["FUNCTION", "FLUSH"])
}

fn create(larder: &Larder, source: &str) -> Result<Run> {
    larder.run(&["--output", "json", "backup", "create", "--repository", "r", "--source", source])
}

/// Makes a backup with the rights of a row, and looks that all is in it and nothing was refused.
fn suffices(larder: &Larder, servers: &[&TestServer], source: &str, keys: u64) -> Result<()> {
    let run = create(larder, source)?;
    for server in servers {
        let refused = refused(server)?;
        ensure!(refused.is_empty(), "{source}: {} refused {refused:?}", server.node());
    }
    ensure!(run.code == 0, "{source}: {run:#?}");
    let manifest = &run.json()?["manifest"];
    ensure!(manifest["counts"]["keys"] == keys, "{source}: {manifest:#}");
    ensure!(manifest["counts"]["functions"] == servers.len() as u64, "{source}: {manifest:#}");
    let missing = manifest["missing"].to_string();
    ensure!(!missing.contains("permissions"), "{source}: {missing}");
    Ok(())
}

#[test]
fn the_rows_for_backups_suffice_and_every_right_of_them_is_needed() {
    on_every_server_at_once(async |program| {
        let server = TestServer::start(program)?;
        fill(&server)?;
        let larder = logged_in(&server.url());
        for (source, row) in SOURCES {
            let all = rights(row)?;
            allow(&server, &all)?;
            suffices(&larder, &[&server], source, COUNT)?;
            for right in all.iter().filter(|right| right.starts_with('+')) {
                if right == "+client|no-touch" && !has_no_touch(&server) {
                    continue;
                }
                let rest: Vec<String> = all.iter().filter(|other| *other != right).cloned().collect();
                allow(&server, &rest)?;
                let run = create(&larder, source)?;
                let refused = refused(&server)?;
                ensure!(run.code != 0 || !refused.is_empty(), "{row}: {right} is not needed: {run:#?}");
            }
        }
        Ok(())
    });
}

#[test]
fn less_suffices_for_an_image_and_what_is_not_in_it_is_said() {
    on_every_server_at_once(async |program| {
        let server = TestServer::start(program)?;
        fill(&server)?;
        let larder = logged_in(&server.url());
        for (source, least, says) in [
            ("replication", "+psync +replconf", ["settings of", "what stands against it"]),
            ("save", "+bgsave +info +config|get", ["id", "id"]),
            (
                "keys",
                "%R~* +info +scan +dump +pexpiretime +select",
                ["settings of", "not in it: function libraries of"],
            ),
        ] {
            let least: Vec<String> = least.split(' ').map(Into::into).collect();
            allow(&server, &least)?;
            let run = create(&larder, source)?;
            ensure!(run.code == 0 && run.json()?["manifest"]["counts"]["keys"] == COUNT, "{run:#?}");
            says.iter().try_for_each(|words| run.says(words))?;
        }
        Ok(())
    });
}

#[test]
fn the_row_for_restores_suffices_and_every_right_of_it_is_needed() {
    on_every_server_at_once(async |program| {
        let (from, to) = (TestServer::start(program)?, TestServer::start(program)?);
        fill(&from)?;
        let larder = logged_in(&to.url());
        // The user is that of the other server; here everyone may do everything.
        let all: Vec<String> = ["~*", "allcommands"].map(Into::into).to_vec();
        allow(&from, &all)?;
        larder.ends(0, &["--cache", &from.url(), "backup", "create", "--repository", "r"])?;
        let restore = || {
            let url = to.url();
            let words =
                ["restore", "latest", "--repository", "r", "--to", &url, "--apply", "--no-safety-backup"];
            larder.run(&[["--output", "json"].as_slice(), &words].concat())
        };
        let all = rights(RESTORE)?;
        for left_out in std::iter::once(None).chain(all.iter().map(Some)) {
            // Whether there is a PING before the end is the governor's matter.
            if left_out.is_some_and(|right| ["~*", "+ping", "+client|no-touch"].contains(&right.as_str())) {
                continue;
            }
            empty(&to)?;
            let some: Vec<String> = all.iter().filter(|right| Some(*right) != left_out).cloned().collect();
            allow(&to, &some)?;
            let run = restore()?;
            let Some(left_out) = left_out else {
                ensure!(run.code == 0, "{run:#?}");
                let report = run.json()?;
                ensure!(
                    report["outcome"]["restored"] == COUNT && report["outcome"]["functions"] == 1,
                    "{report:#}"
                );
                ensure!(report["verified"]["equal"] == COUNT, "{report:#}");
                continue;
            };
            let is_refused =
                refused(&to)?.iter().any(|command| Some(command.as_str()) == left_out.strip_prefix('+'));
            ensure!(run.code != 0 || is_refused, "{left_out} is not needed: {run:#?}");
        }

        // What is there is backed up first, which takes more.
        allow(&to, &[all.as_slice(), &rights(REPLICATION)?].concat())?;
        to.run::<()>(&["SET", "there", "before"])?;
        let url = to.url();
        let run = larder.ends(0, &["restore", "latest", "--repository", "r", "--to", &url, "--apply"])?;
        run.says("backed up first")?;
        allow(&to, &all)?;
        let run = larder.ends(1, &["restore", "latest", "--repository", "r", "--to", &url, "--apply"])?;
        run.says("nothing was changed")
    });
}

#[test]
fn the_row_for_exact_restores_suffices_and_every_right_of_it_is_needed() {
    on_every_server_at_once(async |program| {
        let (from, to) = (TestServer::start(program)?, TestServer::start(program)?);
        fill(&from)?;
        let larder = logged_in(&to.url());
        let everything: Vec<String> = ["~*", "allcommands"].map(Into::into).to_vec();
        allow(&from, &everything)?;
        larder.ends(0, &["--cache", &from.url(), "backup", "create", "--repository", "r"])?;
        let id = larder.ends(0, &["--output", "json", "backup", "list", "--repository", "r"])?.json()?;
        let id = id["backups"][0]["id"].as_str().context("an id")?.to_owned();
        let url = to.url();
        let words = ["--output", "json", "restore", &id, "--repository", "r", "--to", &url, "--exact"];
        let prepare = || {
            empty(&to)?;
            to.run::<()>(&["SET", "extra", "1"])
        };
        let (row, more) = ([rights(RESTORE)?, rights(REPLICATION)?].concat(), more_rights(EXACT)?);
        prepare()?;
        allow(&to, &[row.clone(), more.clone()].concat())?;
        let plan = larder.ends(0, &words)?.json()?;
        ensure!(plan["plan"]["others"]["keys"] == 1, "{plan:#}");
        let report = larder.ends(0, &[&words[..], &["--apply"]].concat())?.json()?;
        ensure!(report["others"]["removed"] == 1, "{report:#}");
        ensure!(report["verified"]["equal"] == COUNT, "{report:#}");
        for right in &more {
            prepare()?;
            let rest: Vec<String> = more.iter().filter(|other| *other != right).cloned().collect();
            allow(&to, &[row.clone(), rest].concat())?;
            let run = larder.run(&[&words[..], &["--apply"]].concat())?;
            ensure!(run.code != 0, "{right} is not needed: {run:#?}");
            ensure!(to.run::<u64>(&["EXISTS", "extra"])? == 1, "without {right} nothing is removed");
        }
        Ok(())
    });
}

#[test]
fn the_rows_for_backups_suffice_on_a_cluster() {
    on_every_server_at_once(async |program| {
        let cluster = TestCluster::start(program, 0)?;
        let seeds: Vec<String> = cluster.servers.iter().map(TestServer::url).collect();
        let mut connection = redis::cluster::ClusterClient::new(seeds)?.get_connection()?;
        for number in 0..30 {
            redis::cmd("SET").arg(format!("key:{number}")).arg("v").query::<()>(&mut connection)?;
        }
        let servers: Vec<&TestServer> = cluster.servers.iter().collect();
        for server in &servers {
            server.run::<()>(&["FUNCTION", "LOAD", LIBRARY])?;
        }
        let larder = logged_in(&cluster.url());
        let more = more_rights(CLUSTER)?;
        for (source, row) in SOURCES {
            for server in &servers {
                allow(server, &[rights(row)?, more.clone()].concat())?;
            }
            suffices(&larder, &servers, source, 30)?;
        }
        for server in &servers {
            empty(server)?;
            allow(server, &[rights(RESTORE)?, more.clone()].concat())?;
        }
        let words = ["--output", "json", "restore", "latest", "--repository", "r", "--to"];
        let url = cluster.url();
        let report = larder.ends(0, &[&words[..], &[&url, "--apply"]].concat())?.json()?;
        ensure!(report["outcome"]["restored"] == 30 && report["verified"]["equal"] == 30, "{report:#}");
        // Each of them is needed by one of the two.
        for right in &more {
            let rest: Vec<String> = more.iter().filter(|other| *other != right).cloned().collect();
            let mut is_needed = false;
            for server in &servers {
                allow(server, &[rights(REPLICATION)?, rights(RESTORE)?, rest.clone()].concat())?;
            }
            is_needed |= create(&larder, "replication")?.code != 0;
            is_needed |= larder.run(&[&words[..], &[&url, "--apply"]].concat())?.code != 0;
            for server in &servers {
                is_needed |= refused(server)?.contains(&right.trim_start_matches('+').to_owned());
            }
            ensure!(is_needed, "{right} is not needed");
        }
        Ok(())
    });
}

#[test]
fn the_rows_for_backups_suffice_behind_sentinels() {
    on_every_server_at_once(async |program| {
        let sentinel = TestSentinel::start(program, 1)?;
        fill(&sentinel.servers[0])?;
        for server in &sentinel.sentinels {
            allow(server, &rights(SENTINEL)?)?;
        }
        let larder = logged_in(&sentinel.url());
        larder.write("sentinel-password", super::PASSWORD);
        larder.configure("[sentinel]\nusername = \"larder\"\npassword_file = \"sentinel-password\"\n");
        let servers: Vec<&TestServer> = sentinel.sentinels.iter().chain(&sentinel.servers).collect();
        for (source, row) in SOURCES {
            for server in &sentinel.servers {
                allow(server, &rights(row)?)?;
            }
            let run = create(&larder, source)?;
            for server in &servers {
                let refused = refused(server).context("ACL LOG")?;
                ensure!(refused.is_empty(), "{source}: {} refused {refused:?}", server.node());
            }
            ensure!(run.code == 0, "{source}: {run:#?}");
        }
        Ok(())
    });
}
