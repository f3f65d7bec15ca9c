//! `larder keys hot`, and the hot keys of `larder optimize`, while clients are at work.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use larder_test_support::{TestCluster, TestServer, on_every_server_at_once};
use serde_json::Value;

use crate::larder::{Larder, skipped};

const HOT: &str = "session:7 µ";

/// A client that asks until it is dropped: of twenty commands twelve read the hot key, and one writes it.
struct Client {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Client {
    fn of(server: &TestServer) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (mut connection, stopped) = (server.admin()?, Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for step in 0_u64.. {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let mut pipeline = redis::pipe();
                (0..12).for_each(|_| _ = pipeline.get(HOT));
                pipeline.set(HOT, "secret-value");
                (0..7).for_each(|number| _ = pipeline.get(format!("page:{}", step * 7 + number)));
                pipeline.exec(&mut connection)?;
                std::thread::sleep(Duration::from_millis(5));
            }
            Ok(())
        });
        Ok(Self { stop, thread: Some(thread) })
    }

    fn end(mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().context("a client ends once")?.join().map_err(|_| anyhow::anyhow!("the client"))?
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn hot(found: &Value) -> Vec<&Value> {
    let findings = found["findings"].as_array().into_iter().flatten();
    findings.filter(|finding| finding["id"] == "optimize.hot_keys").collect()
}

#[test]
fn the_hottest_key_is_named_whatever_the_policy_is() {
    on_every_server_at_once(async |program| {
        let server = TestServer::start(program)?;
        let larder = Larder::of(&server.url());
        larder.ends(0, &["collect"])?;
        let client = Client::of(&server)?;
        let run = larder.ends(0, &["--output", "json", "keys", "hot", "--for", "1s", "-n", "3"])?;
        run.hides("secret-value")?;
        let found = run.json()?;
        let node = &found["nodes"][0];
        ensure!(
            node["node"] == server.node().as_str() && found["skipped"] == serde_json::json!([]),
            "{found:#}"
        );
        ensure!(node["keys"].as_array().is_some_and(|keys| keys.len() == 3), "{found:#}");
        let hottest = &node["keys"][0];
        let share = hottest["share"].as_f64().context("a share")?;
        ensure!(hottest["key"] == HOT && (0.5..0.75).contains(&share), "{found:#}");
        let (commands, writes) = (hottest["commands"].as_f64(), hottest["writes"].as_f64());
        let of_writes = writes.zip(commands).map(|(writes, commands)| writes / commands).context("writes")?;
        ensure!((0.04..0.12).contains(&of_writes), "{found:#}");

        let people = larder.ends(0, &["keys", "hot", "--for", "1s", "--commands", "500"])?;
        people.says(HOT)?;
        people.says("looking at up to 500 commands of each primary for 1s")?;

        let found = larder.ends(0, &["--output", "json", "optimize", "--sample-traffic"])?.json()?;
        let [one] = hot(&found)[..] else { anyhow::bail!("{found:#}") };
        ensure!(one["subject"] == server.node().as_str() && one["severity"] == "warning", "{one:#}");
        ensure!(one["message"].as_str().is_some_and(|words| words.contains(HOT)), "{one:#}");
        larder.configure("[optimize]\nsample_traffic = true\n[optimize.thresholds]\nhot_key_share = 0.9\n");
        let found = larder.ends(0, &["--output", "json", "optimize", "--no-report"])?.json()?;
        ensure!(hot(&found).is_empty(), "{found:#}");
        ensure!(!skipped(&found).iter().any(|(what, _)| what.starts_with("hot keys")), "{found:#}");
        client.end()
    });
}

#[test]
fn what_cannot_be_told_is_said_with_the_reason() {
    on_every_server_at_once(async |program| {
        let server = TestServer::builder(program).user("user blind on >secret +@all -monitor").start()?;
        let larder =
            Larder::of(&server.url()).with("LARDER_USERNAME", "blind").with("LARDER_PASSWORD", "secret");
        larder.ends(1, &["keys", "hot", "--for", "1s"])?.says("does not let this user run MONITOR")?;
        larder.ends(0, &["collect"])?;
        let found = larder.ends(0, &["--output", "json", "optimize", "--sample-traffic"])?.json()?;
        let of_node = format!("hot keys of {}", server.node());
        let why = skipped(&found).into_iter().find(|(what, _)| *what == of_node).context("hot keys")?.1;
        ensure!(why.contains("MONITOR"), "{why}");

        let idle = Larder::of(&server.url());
        let found = idle.ends(0, &["--output", "json", "keys", "hot", "--for", "1s"])?.json()?;
        ensure!(found["nodes"][0]["keys"] == serde_json::json!([]), "{found:#}");
        idle.ends(0, &["keys", "hot", "--for", "1s"])?.says("no key was named")
    });
}

#[test]
fn a_primary_that_is_down_leaves_the_others() {
    on_every_server_at_once(async |program| {
        let mut cluster = TestCluster::start(program, 0)?;
        let larder = Larder::of(&cluster.url());
        let found = larder.ends(0, &["--output", "json", "keys", "hot", "--for", "1s"])?.json()?;
        ensure!(found["nodes"].as_array().is_some_and(|nodes| nodes.len() == 3), "{found:#}");
        let nodes: Vec<&str> = found["nodes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|node| node["node"].as_str())
            .collect();
        ensure!(nodes.is_sorted(), "{nodes:?}");
        let fields = "commands commands_per_second ended half_read keys node rounds seconds uncounted";
        let has: Vec<&String> =
            found["nodes"][0].as_object().into_iter().flat_map(|node| node.keys()).collect();
        ensure!(fields.split(' ').eq(has.iter().map(|name| name.as_str())), "{has:?}");
        drop(cluster.servers.pop());
        let run = larder.ends(4, &["--output", "json", "keys", "hot", "--for", "1s"])?;
        let found = run.json()?;
        ensure!(found["nodes"].as_array().is_some_and(|nodes| nodes.len() == 2), "{found:#}");
        run.says("commands of ")
    });
}

#[test]
fn one_that_hangs_keeps_no_other_from_being_told() {
    on_every_server_at_once(async |program| {
        let mut cluster = TestCluster::start(program, 0)?;
        let larder = Larder::of(&cluster.url()).with("LARDER_TIMEOUT", "1s");
        larder.ends(0, &["collect"])?;
        cluster.servers[1].pause()?;
        let run = larder.run(&["--output", "json", "optimize", "--sample-traffic", "--no-report"]);
        cluster.servers[1].resume()?;
        let run = run?;
        ensure!(run.code == 4, "{run:#?}");
        let skipped = skipped(&run.json()?);
        let known = format!("hot keys of {}", cluster.servers[0].node());
        ensure!(
            skipped.iter().any(|(what, why)| *what == known && why.contains("it takes 100")),
            "{skipped:#?}"
        );
        let hung = format!("hot keys of {}", cluster.servers[1].node());
        ensure!(
            skipped.iter().any(|(what, why)| *what == hung && why.contains("no answer within")),
            "{skipped:#?}"
        );
        Ok(())
    });
}

#[test]
fn what_makes_no_sense_is_refused() -> Result<()> {
    let larder = Larder::of("memory:sample");
    larder.ends(1, &["keys", "hot"])?.says("the cache is inside this process")?;
    let file = larder.write("a.rdb", "REDIS0011");
    larder.ends(2, &["keys", "hot", &file.display().to_string()])?.says("name a cache by its URL")?;
    for wrong in [["--for", "0s"], ["--for", "11m"], ["--for", "x"], ["--commands", "0"], ["-n", "0"]] {
        larder.ends(2, &["keys", "hot", wrong[0], wrong[1]])?;
    }
    larder.ends(2, &["--output", "nagios", "keys", "hot"])?.says("nagios")
}
