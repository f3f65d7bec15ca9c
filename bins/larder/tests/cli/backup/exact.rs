//! Restores that leave nothing else in the cache, and the way back of every restore.

use anyhow::{Context as _, Result, ensure};
use larder_test_support::{TestServer, on_every_server_at_once};

use super::{created, filled};
use crate::larder::Larder;

/// The command that a run says is the way back, without the name of the program.
fn way_back(text: &str) -> Result<Vec<String>> {
    let (_, words) = text.split_once("the way back: larder ").context("no way back")?;
    let line = words.lines().next().unwrap_or_default();
    Ok(line.split_whitespace().map(ToOwned::to_owned).collect())
}

#[test]
fn the_way_back_is_said_and_works() {
    on_every_server_at_once(async |program| {
        let (from, to) =
            (filled(program)?, TestServer::builder(program).config("enable-debug-command yes").start()?);
        let larder = Larder::of(&from.url());
        created(&larder, &["--repository", "r"])?;
        let digest = |server: &TestServer| server.run::<String>(&["DEBUG", "DIGEST"]);
        let url = to.url();
        let restore = ["restore", "latest", "--repository", "r", "--to", &url];

        let run = larder.ends(0, &[&restore[..], &["--apply"]].concat())?;
        run.says("the way back: the cache was empty before")?;
        let manifest = larder.ends(0, &["backup", "show", "latest", "--repository", "r"])?;
        let shown = manifest.stdout.lines().find_map(|line| line.strip_prefix("digest "));
        run.says(&format!("digest {}", shown.context("a digest")?))?;
        run.says("1 function libraries are as they are in the backup")?;

        to.run::<()>(&["FLUSHALL"])?;
        for number in 0..30 {
            to.run::<()>(&["SET", &format!("mine:{number}"), "1"])?;
        }
        to.run::<()>(&["SET", "app:page:1", "mine", "PXAT", "4102444800000"])?;
        let before = digest(&to)?;
        let plan = larder.ends(0, &[&restore[..], &["--exact"]].concat())?;
        plan.says("30 keys of the cache that the backup does not have are removed")?;
        plan.says("  and 10 more")?;
        ensure!(digest(&to)? == before, "a plan changes nothing");

        let run = larder.ends(0, &[&restore[..], &["--overwrite", "--apply"]].concat())?;
        let back = way_back(&run.stderr)?;
        let back: Vec<&str> = back.iter().map(String::as_str).collect();
        larder.ends(0, &back)?.says("61 removed, because the backup does not have them")?;
        ensure!(digest(&to)? == before, "it is not what it was");

        let run = larder.ends(0, &[&["--output", "json"], &restore[..], &["--exact", "--apply"]].concat())?;
        let report = run.json()?;
        ensure!(report["others"]["removed"] == 30 && report["others"]["failed"] == 0, "{report:#}");
        ensure!(digest(&to)? == digest(&from)?, "{report:#}");
        ensure!(
            report["way_back"].as_str().is_some_and(|words| words.contains("--exact --apply")),
            "{report:#}"
        );
        Ok(())
    });
}

#[test]
fn with_a_part_of_a_backup_it_is_refused() {
    let larder = Larder::of("redis://127.0.0.1:1");
    let restore = ["restore", "latest", "--repository", "r", "--to", "redis://127.0.0.1:1", "--exact"];
    for more in [
        &["--no-safety-backup"][..],
        &["--prefix", "a"],
        &["--family", "a"],
        &["--type", "hash"],
        &["--rename", "a=b"],
        &["--into-database", "0"],
    ] {
        larder.ends(2, &[&restore[..], more].concat()).unwrap();
    }
}
