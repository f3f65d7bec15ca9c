//! The rights that `clean` and `undo` need.

use std::cell::Cell;

use anyhow::{Result, ensure};
use larder_test_support::{TestCluster, TestServer, on_every_server};

use super::{allow, logged_in, more_rights, refused, rights};
use crate::larder::{Larder, Run};

const PLAN: &str = "`clean`: the plan";
const APPLY: &str = "`clean --apply` |";
const UNDO_PLAN: &str = "`undo FILE`: the plan";
const UNDO: &str = "`undo FILE --apply`";
const KEYS: usize = 40;

/// What one row of the table allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Plan,
    Apply,
    UndoPlan,
    Undo,
}

const ALL: [(Work, &str); 4] =
    [(Work::Plan, PLAN), (Work::Apply, APPLY), (Work::UndoPlan, UNDO_PLAN), (Work::Undo, UNDO)];

/// Servers, and the binary as the user whose rights are tried.
struct Tried<'a> {
    servers: &'a [TestServer],
    larder: Larder,
    /// Undo files must not be there yet.
    runs: Cell<u32>,
    /// What is needed to reach the servers at all.
    more: Vec<String>,
}

impl<'a> Tried<'a> {
    fn new(url: &str, servers: &'a [TestServer], more: Vec<String>) -> Self {
        let larder = logged_in(url);
        larder.configure("[clean]\naudit = false\n");
        Self { servers, larder, runs: Cell::new(0), more }
    }

    fn allow(&self, rights: &[String]) -> Result<()> {
        let all: Vec<String> = rights.iter().chain(&self.more).cloned().collect();
        self.servers.iter().try_for_each(|server| allow(server, &all))
    }

    fn refused(&self) -> Result<Vec<String>> {
        let refused = self.servers.iter().map(refused).collect::<Result<Vec<_>>>()?;
        Ok(refused.into_iter().flatten().collect())
    }

    /// Makes the keys anew that something is to be done about; with hash tags, each server of a cluster has some.
    fn fill(&self) -> Result<()> {
        let seeds: Vec<String> = self.servers.iter().map(TestServer::url).collect();
        let mut connection: Box<dyn redis::ConnectionLike> = match seeds.len() {
            1 => Box::new(self.servers[0].admin()?),
            _ => Box::new(redis::cluster::ClusterClient::new(seeds)?.get_connection()?),
        };
        for number in 0..KEYS {
            let name =
                format!("codebase_rag:{}:{number}", if number % 2 == 0 { "search" } else { "forgotten" });
            redis::cmd("SET").arg(name).arg("a value").query::<()>(connection.as_mut())?;
        }
        Ok(())
    }

    /// Does what a row allows, after everything that has to come before it.
    fn run(&self, work: Work, rights_of_it: &[String]) -> Result<Run> {
        let file = format!("{}.rdb", self.runs.replace(self.runs.get() + 1));
        self.fill()?;
        let apply = ["--output", "json", "clean", "--policy", "guide", "--apply", "--undo-file", &file];
        if matches!(work, Work::UndoPlan | Work::Undo) {
            self.allow(&rights(APPLY)?)?;
            self.larder.ends(0, &apply)?;
        }
        self.allow(rights_of_it)?;
        let run = match work {
            Work::Plan => self.larder.run(&["--output", "json", "clean", "--policy", "guide"]),
            Work::Apply => self.larder.run(&apply),
            Work::UndoPlan => self.larder.run(&["--output", "json", "undo", &file]),
            Work::Undo => self.larder.run(&["--output", "json", "undo", &file, "--apply"]),
        }?;
        Ok(run)
    }

    /// Looks that what a row says is done to the last key, and that nothing was refused.
    fn suffices(&self) -> Result<()> {
        for (work, row) in ALL {
            let run = self.run(work, &rights(row)?)?;
            let refused = self.refused()?;
            ensure!(refused.is_empty() && run.code == 0, "{row}: {refused:?} of {run:#?}");
            let report = run.json()?;
            let done = match work {
                Work::Plan => &report["planned_keys"],
                Work::Apply => &report["changed_keys"],
                Work::UndoPlan | Work::Undo => &report["keys"],
            };
            ensure!(*done == KEYS, "{row}: {report:#}");
            if work == Work::Undo {
                ensure!(report["restored"] == KEYS / 2 && report["ttl_given_back"] == KEYS / 2, "{report:#}");
            }
        }
        Ok(())
    }
}

#[tokio::test]
async fn the_rows_for_keys_suffice_on_a_server() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        Tried::new(&server.url(), std::slice::from_ref(&server), Vec::new()).suffices()
    })
    .await;
}

#[tokio::test]
async fn the_rows_for_keys_suffice_on_a_cluster() {
    on_every_server(async |program| {
        let cluster = TestCluster::start(program, 0)?;
        let more = more_rights("`clean` and `undo` on a cluster")?;
        let tried = Tried::new(&cluster.url(), &cluster.servers, more.clone());
        tried.suffices()?;
        for right in &more {
            let fewer = more.iter().filter(|other| *other != right).cloned().collect();
            let tried = Tried::new(&cluster.url(), &cluster.servers, fewer);
            tried.run(Work::Apply, &rights(APPLY)?)?;
            ensure!(!tried.refused()?.is_empty(), "{right} is not needed");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn every_right_of_the_rows_for_keys_is_needed() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let tried = Tried::new(&server.url(), std::slice::from_ref(&server), Vec::new());
        for (work, row) in ALL {
            let all = rights(row)?;
            ensure!(
                all.len() > 5 && all.iter().filter(|right| !right.starts_with('+')).count() == 1,
                "{all:?}"
            );
            for right in &all {
                // Servers before Redis 7.2 do not have it.
                if right == "+client|no-touch" && program.name() == "redis-7.0" {
                    continue;
                }
                let rest: Vec<String> = all.iter().filter(|other| *other != right).cloned().collect();
                tried.run(work, &rest)?;
                ensure!(!tried.refused()?.is_empty(), "{row}: {right} is not needed");
            }
        }
        Ok(())
    })
    .await;
}

const EVERYTHING: &str = r#"
[[family]]
prefix = "codebase_rag:search:"
types = ["string"]
values = "utf8"
"#;

#[tokio::test]
async fn what_a_policy_asks_for_beyond_the_guide_has_rows_of_its_own() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let tried = Tried::new(&server.url(), std::slice::from_ref(&server), Vec::new());
        tried.fill()?;
        tried.larder.write("p.toml", EVERYTHING);
        let (plan, more) =
            (rights(PLAN)?, more_rights("the plan where the policy has `types`, or `values`")?);
        ensure!(more == ["+type", "+dump", "+pexpiretime"], "{more:?}");
        let look = || tried.larder.ends(0, &["clean", "--policy", "p.toml", "--values", "100%"]);
        tried.allow(&[plan.as_slice(), &more].concat())?;
        look()?;
        ensure!(tried.refused()?.is_empty(), "{:?}", tried.refused()?);
        tried.allow(&plan)?;
        let less = look()?;
        less.says("skipped: TYPE is blocked")?;
        less.says("skipped: values are not decoded")?;

        // A server whose memory is in pieces is not had for the asking, so the server says what it would allow.
        tried.allow(&more_rights("`clean --apply` where memory is to be relieved")?)?;
        for command in [
            ["MEMORY", "PURGE"].as_slice(),
            &["CONFIG", "GET", "activedefrag"],
            &["CONFIG", "SET", "activedefrag", "no"],
        ] {
            let answer: String = server.run(&[["ACL", "DRYRUN", "larder"].as_slice(), command].concat())?;
            ensure!(answer == "OK", "{command:?}: {answer}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn without_the_right_to_change_nothing_is_begun() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let tried = Tried::new(&server.url(), std::slice::from_ref(&server), Vec::new());
        for right in ["+eval", "+dump", "+unlink"] {
            let rest: Vec<String> = rights(APPLY)?.into_iter().filter(|other| other != right).collect();
            let run = tried.run(Work::Apply, &rest)?;
            let command = if right == "+dump" { "DUMP" } else { "EVAL" };
            run.says(&format!("{} does not let this user run {command}", server.node()))?;
            // Without UNLINK there are still TTLs to be set.
            ensure!(run.code == if right == "+eval" { 1 } else { 4 }, "{right}: {run:#?}");
            ensure!(server.run::<usize>(&["DBSIZE"])? == KEYS, "{right}: keys are gone");
        }
        Ok(())
    })
    .await;
}
