//! `larder keys` on caches that are alive.

use std::{
    fs,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use larder_test_support::{TestCluster, TestServer, on_every_server, server_programs, until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{
    keys::saved,
    larder::{Larder, Run},
};

/// Puts strings of two families into a server; every second one of `app:` has a TTL.
fn fill(server: &TestServer, keys: usize) -> Result<()> {
    let mut pipeline = redis::pipe();
    for number in 0..keys {
        let name = if number % 10 < 7 { format!("app:page:{number}") } else { format!("user:{number}") };
        pipeline.cmd("SET").arg(&name).arg("v".repeat(100));
        if number.is_multiple_of(2) {
            pipeline.cmd("EXPIRE").arg(&name).arg(7200);
        }
    }
    Ok(pipeline.exec(&mut server.admin()?)?)
}

fn family<'r>(report: &'r Value, name: &str) -> &'r Value {
    let families = report["families"].as_array().into_iter().flatten();
    families.into_iter().find(|family| family["name"] == name).unwrap_or(&Value::Null)
}

#[tokio::test]
async fn a_live_cache_is_reported_as_its_dump_is() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let file = saved(&server)?.display().to_string();
        let larder = Larder::of(&server.url());
        let live = larder.ends(0, &["--output", "json", "keys", "report"])?.json()?;
        let dump = larder.ends(0, &["--output", "json", "keys", "report", &file])?.json()?;
        for field in ["total_keys", "expiring_keys", "types", "databases", "complete"] {
            ensure!(live[field] == dump[field], "{field}: {live:#} {dump:#}");
        }
        ensure!(live["bytes_source"] == "measured" && dump["bytes_source"] == "estimated", "{live:#}");
        ensure!(dump["serialised_bytes"].is_u64() && live.get("serialised_bytes").is_none(), "{dump:#}");
        let search = family(&live, "app:search:");
        ensure!(search["keys"] == 2 && search["without_ttl"] == 1 && search["bytes"].is_u64(), "{search:#}");
        for (name, number) in [("bytes", 2.0), ("keys", 0.0)] {
            let [one, other] =
                [&live, &dump].map(|it| family(it, "app:search:")[name].as_f64().unwrap_or(0.0));
            ensure!((one - other).abs() <= number, "{name}: {one} {other}");
        }
        let url = server.url();
        let run = larder.ends(0, &["keys", "report", &url, "--rate", "max", "--fields", "ttl"])?;
        run.says("7 keys (14.3 % with a TTL)")?;

        let diff = larder.ends(0, &["--output", "json", "keys", "diff", &file, &url])?.json()?;
        ensure!(diff["families"] == serde_json::json!([]) && diff["unchanged_families"] == 5, "{diff:#}");
        let top = larder.ends(0, &["--output", "json", "keys", "top", "-n", "2", "--elements"])?.json()?;
        ensure!(top["by_elements"][0]["key"] == "app:queue:1", "{top:#}");
        ensure!(top["by_bytes"][0]["layout"].is_string(), "{top:#}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_live_cache_is_reported_by_its_image() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        server.run::<()>(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"])?;
        let file = saved(&server)?.display().to_string();
        let larder = Larder::of(&server.url());
        let report = ["--output", "json", "keys", "report"];
        let image = larder.ends(0, &[&report[..], &["--via", "dump"]].concat())?.json()?;
        let dump = larder.ends(0, &[&report[..], &[&file]].concat())?.json()?;
        let scan = larder.ends(0, &[&report[..], &["--via", "scan"]].concat())?.json()?;
        let of_all = ["total_keys", "expiring_keys", "types", "databases", "complete"];
        for field in of_all {
            ensure!(
                image[field] == scan[field] && image[field] == dump[field],
                "{field}: {image:#} {scan:#}"
            );
        }
        for field in ["bytes", "bytes_source", "serialised_bytes", "format", "layouts"] {
            ensure!(image[field] == dump[field] && !image[field].is_null(), "{field}: {image:#} {dump:#}");
        }
        ensure!(image["source"] == scan["source"] && image["nodes"] == scan["nodes"], "{image:#} {scan:#}");
        ensure!(image["skipped"].as_array().is_some_and(Vec::is_empty), "{image:#}");

        let top = ["--output", "json", "keys", "top"];
        let image = larder.ends(0, &[&top[..], &["--via", "dump"]].concat())?.json()?;
        let dump = larder.ends(0, &[&top[..], &[&file]].concat())?.json()?;
        ensure!(image["types"].as_object().is_some_and(|types| types.len() == 6), "{image:#}");
        let names = |found: &Value, order: &str| -> Vec<Value> {
            found[order].as_array().into_iter().flatten().map(|key| key["key"].clone()).collect()
        };
        for order in ["by_bytes", "by_elements"] {
            ensure!(names(&image, order) == names(&dump, order), "{order}: {image:#} {dump:#}");
        }

        server.run::<()>(&["ACL", "SETUSER", "few", "on", ">few", "~*", "+ping", "+info", "+scan"])?;
        let few = Larder::of(&server.url_as("few", "few"));
        let run = few.ends(1, &["keys", "report", "--via", "dump"])?;
        run.says("--via scan asks for the keys")?;
        run.says("+psync and +replconf")?;
        for words in [["--rate", "max"], ["--sample", "5%"], ["--resume", "x"]] {
            larder.ends(2, &[&["keys", "report", "--via", "dump"][..], &words].concat())?;
        }
        larder.ends(2, &["keys", "report", "--via", "dump", &file])?.says("there already")?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_changed_is_told_from_a_stored_report() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        fill(&server, 1000)?;
        let larder = Larder::of(&server.url());
        let before = larder.ends(0, &["--output", "json", "keys", "report", "--depth", "1"])?;
        larder.write("before.json", &before.stdout);
        server.run::<()>(&["SET", "new:1", "v"])?;
        server.run::<()>(&["DEL", "user:7", "user:8", "user:9"])?;
        let url = server.url();
        let diff = larder.ends(0, &["--output", "json", "keys", "diff", "before.json", &url])?.json()?;
        ensure!(diff["keys"]["by"] == -2, "{diff:#}");
        let changes: Vec<_> = diff["families"].as_array().into_iter().flatten().collect();
        ensure!(changes.len() == 2, "the rule is that of the stored report: {diff:#}");
        ensure!(changes[0]["name"] == "user:" && changes[0]["change"] == "shrunk", "{diff:#}");
        ensure!(changes[1]["name"] == "new:" && changes[1]["change"] == "new", "{diff:#}");
        larder.ends(0, &["keys", "diff", "before.json", &url])?.says("1 families are what they were")?;
        larder
            .ends(1, &["keys", "diff", "before.json", &url, "--depth", "2"])?
            .says("different delimiters or depths")?;
        larder.ends(0, &["keys", "report", "before.json", "--html", "page.html"])?.says("1000 keys")?;
        larder.write("other.json", "{\"a\": 1");
        larder.ends(2, &["keys", "diff", "other.json", &url])?.says("other.json holds no report of keys")
    })
    .await;
}

#[tokio::test]
async fn a_sample_says_how_sure_it_is() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        fill(&server, 10_000)?;
        let larder = Larder::of(&server.url());
        let report = larder.ends(0, &["--output", "json", "keys", "report", "--sample", "20%"])?.json()?;
        let read = report["sample"]["keys_read"].as_u64().unwrap_or(0);
        ensure!((2000..3100).contains(&read) && report["sample"]["of_keys"] == 10_000, "{report:#}");
        ensure!(report["total_keys"] == 10_000 && report["bytes_source"] == "sampled_measured", "{report:#}");
        let keys = &family(&report, "app:page:")["intervals"]["keys"];
        let bound = |name: &str| keys[name].as_u64().unwrap_or(0);
        ensure!(bound("low") < bound("high") && bound("high") < 10_000 && bound("low") > 5000, "{report:#}");
        larder.ends(0, &["keys", "report", "--sample", "500"])?.says("a sample: ")?;
        larder.ends(2, &["keys", "report", "--sample", "200%"])?.says("neither a share")?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_the_user_may_not_ask_is_skipped() {
    on_every_server(async |program| {
        let least = "user larder on >few ~* +ping +info +scan +ttl +pttl +type";
        let server = TestServer::builder(program).user(least).start()?;
        fill(&server, 100)?;
        let larder = Larder::of(&format!("redis://{}", server.node()))
            .with("LARDER_USERNAME", "larder")
            .with("LARDER_PASSWORD", "few");
        let report = larder.ends(0, &["--output", "json", "keys", "report"])?.json()?;
        ensure!(report["total_keys"] == 100 && report["bytes"].is_null(), "{report:#}");
        ensure!(family(&report, "user:")["bytes"].is_null() && report["expiring_keys"] == 50, "{report:#}");
        let skipped = report["skipped"].as_array().map(Vec::len);
        ensure!(skipped == Some(2), "bytes and idle: {report:#}");
        let run = larder.ends(0, &["keys", "report"])?;
        run.says("bytes of keys")?;
        larder.ends(1, &["keys", "top"])?.says("cannot be told")?;
        Ok(())
    })
    .await;
}

/// Starts a sweep so slow that it can be stopped, and stops it when its file is there.
fn interrupted(larder: &Larder, words: &[&str], ready: impl Fn() -> bool) -> Result<Run> {
    let child = larder.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    until("the sweep to be under way", || Ok(ready().then_some(())))?;
    let pid = Pid::from_raw(i32::try_from(child.id())?).context("a process has an id")?;
    kill_process(pid, Signal::INT)?;
    Run::try_from(child.wait_with_output()?)
}

#[tokio::test]
async fn a_sweep_that_was_stopped_goes_on() {
    on_every_server(async |program| {
        let mut server = TestServer::start(program)?;
        fill(&server, 12_000)?;
        let larder = Larder::of(&server.url());
        let state = larder.folder().join("state.json");
        let slow = ["--output", "json", "keys", "report", "--resume", "state.json", "--rate", "2000"];
        let run = interrupted(&larder, &slow, || state.exists())?;
        ensure!(run.code == 4, "{run:#?}");
        run.says("the same command goes on")?;
        let part = run.json()?;
        let counted = part["total_keys"].as_u64().unwrap_or(0);
        ensure!(part["complete"] == false && counted > 0 && counted < 12_000, "{part:#}");
        let kept = fs::read_to_string(&state)?;
        ensure!(!kept.contains(&server.url()) || !server.url().contains('@'), "no password is kept");

        let refused = |from: &str, to: &str, line: &str| -> Result<()> {
            ensure!(kept.contains(from), "{from}: {kept}");
            larder.write("other.json", &kept.replacen(from, to, 1));
            let run = larder.ends(1, &["keys", "report", "--resume", "other.json", "--rate", "max"])?;
            run.says(&format!("other.json:{line}"))
        };
        refused("\"cache\": \"", "\"cache\": \"x", "4: it is of the cache")?;
        refused("\"version\": 1", "\"version\": 9", "3: it is of another version")?;
        larder.write("other.json", &kept[..kept.len() / 2]);
        larder.ends(1, &["keys", "report", "--resume", "other.json"])?.says("it is damaged")?;

        // The same command, but faster.
        let fast = ["--output", "json", "keys", "report", "--resume", "state.json", "--rate", "max"];
        let report = larder.ends(0, &fast)?.json()?;
        ensure!(report["total_keys"] == 12_000 && report["complete"] == true, "{report:#}");
        ensure!(family(&report, "user:")["keys"] == 3600, "{report:#}");
        ensure!(!state.exists(), "it is removed when the report is complete");

        larder.write("old.json", &kept);
        server.run::<()>(&["SAVE"])?;
        server.restart()?;
        let run = larder.ends(1, &["keys", "report", "--resume", "old.json"])?;
        run.says("old.json:8: ")?;
        run.says("was restarted since")
    })
    .await;
}

#[tokio::test]
async fn a_sweep_that_is_stopped_without_a_file_says_what_it_saw() -> Result<()> {
    for program in server_programs().into_iter().take(1) {
        let server = TestServer::start(&program)?;
        fill(&server, 10_000)?;
        let larder = Larder::of(&server.url());
        let scanned = || {
            let calls = server.info("cmdstat_scan").ok().flatten();
            calls.is_some_and(|calls| !calls.starts_with("calls=1,"))
        };
        let run = interrupted(&larder, &["keys", "report", "--rate", "2000"], scanned)?;
        ensure!(run.code == 4, "{run:#?}");
        run.says("stopped: the report is of the keys that were read so far")?;
        run.says("this is a part of the keyspace only")?;
    }
    Ok(())
}

#[tokio::test]
async fn a_shard_that_is_lost_is_named() -> Result<()> {
    for program in server_programs().into_iter().take(1) {
        let mut cluster = TestCluster::start(&program, 0)?;
        let mut connection =
            redis::cluster::ClusterClient::new([format!("redis://{}", cluster.servers[0].node())])?
                .get_connection()?;
        for number in 0..300 {
            redis::cmd("SET").arg(format!("k:{number}")).arg("v").exec(&mut connection)?;
        }
        let larder = Larder::of(&cluster.url());
        let whole = larder.ends(0, &["--output", "json", "keys", "report"])?.json()?;
        ensure!(
            whole["total_keys"] == 300 && whole["nodes"].as_object().map(serde_json::Map::len) == Some(3)
        );
        let sample = larder.ends(0, &["--output", "json", "keys", "report", "--sample", "50%"])?.json()?;
        ensure!(
            sample["total_keys"] == 300 && sample["sample"]["coverage"] == "chosen_by_name",
            "{sample:#}"
        );
        // The key that is looked for beforehand is in a slot of the second one.
        let lost = cluster.servers[2].node().to_string();
        cluster.servers[2].kill()?;
        let begun = Instant::now();
        let run = larder.ends(4, &["--output", "json", "--timeout", "500ms", "keys", "report"])?;
        ensure!(begun.elapsed() < Duration::from_secs(90));
        let part = run.json()?;
        ensure!(part["complete"] == false && part["not_seen"][0]["shard"] == lost.as_str(), "{part:#}");
        ensure!(
            part["not_seen"][0]["slots"].as_str().is_some_and(|slots| slots.starts_with("slots ")),
            "{part:#}"
        );
    }
    Ok(())
}

#[test]
fn the_page_of_the_sample_needs_nothing_but_itself() -> Result<()> {
    let larder = Larder::new();
    larder
        .ends(0, &["keys", "report", "memory:sample", "--html", "page.html"])?
        .says("written to page.html")?;
    let page = fs::read_to_string(larder.folder().join("page.html"))?;
    ensure!(page.starts_with("<!DOCTYPE html>") && page.contains("<svg") && page.contains("</html>"));
    ensure!(!page.contains("://") && !page.contains("<script") && !page.contains("src="), "{page}");
    larder
        .ends(1, &["keys", "report", "memory:sample", "--html", "no/folder.html"])?
        .says("cannot be written")
}

#[test]
fn what_makes_no_sense_is_refused() -> Result<()> {
    let larder = Larder::new();
    larder.ends(2, &["keys", "report", "redis://h:notaport"])?.says("is wrong")?;
    larder.ends(2, &["keys", "report", "memory:sample", "--depth", "0"])?.says("1 to 16 segments")?;
    larder.ends(2, &["keys", "report", "memory:sample", "--rate", "fast"])?.says("`max`")?;
    larder.ends(2, &["keys", "report", "memory:sample", "--fields", "size"])?.says("possible values")?;
    larder
        .ends(2, &["keys", "report", "memory:sample", "--via", "dump"])?
        .says("has no replication stream")?;
    larder.ends(2, &["keys", "top", "memory:sample", "--via", "dump"])?.says("has no replication stream")?;
    larder
        .ends(2, &["keys", "report", "memory:sample", "--resume", "x", "--replica"])?
        .says("cannot be used with")?;
    larder
        .ends(1, &["--timeout", "200ms", "keys", "report", "redis://127.0.0.1:1"])?
        .says("cannot be reached")?;
    let mut file = b"REDIS0011\xff".to_vec();
    file.extend([0; 8]);
    fs::write(larder.folder().join("dump.rdb"), file)?;
    larder.ends(2, &["keys", "report", "dump.rdb", "--sample", "5%"])?.says("mean nothing for it")?;
    let run = larder.ends(0, &["keys", "report", "redis://u:secret@127.0.0.1:1", "--help"])?;
    run.hides("secret")?;
    let run = larder.ends(1, &["--timeout", "200ms", "keys", "report", "redis://u:secret@127.0.0.1:1"])?;
    run.says("can be read by everyone who lists processes")?;
    run.hides("secret")
}

#[test]
fn the_built_in_data_set_is_reported() -> Result<()> {
    let report = Larder::new().ends(0, &["--output", "json", "keys", "report", "memory:sample"])?.json()?;
    ensure!(report["bytes_source"] == "estimated" && report["total_keys"].as_u64() > Some(10), "{report:#}");
    let sampled = Larder::new()
        .ends(0, &["--output", "json", "keys", "report", "memory:sample", "--sample", "50%"])?
        .json()?;
    ensure!(
        sampled["sample"]["coverage"] == "chosen_by_name",
        "the order of an embedded cache is no random one"
    );
    Ok(())
}
