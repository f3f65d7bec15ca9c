//! Planned, done and given back.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use anyhow::{Context, Result, ensure};
use larder_test_support::{Fate, on_every_server};
use serde_json::Value;

use super::{Before, Seeded, count};
use crate::larder::{Larder, Run};

const KEYS: u64 = 4_000;

fn mode(path: &Path) -> Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o777)
}

fn task<'a>(report: &'a Value, name: &str) -> Result<&'a Value> {
    let tasks = report["tasks"].as_array().context("tasks")?;
    tasks.iter().find(|task| task["task"] == name).with_context(|| format!("no task {name}: {report:#}"))
}

#[tokio::test]
async fn a_plan_says_what_and_why_and_changes_nothing() {
    on_every_server(async |program| {
        let cache = Seeded::start(program, KEYS)?;
        let before = Before::of(&cache)?;
        let (missing, orphans) = (count(KEYS, Fate::MissingTtl), count(KEYS, Fate::Orphan));
        let run = cache.larder.ends(0, &["--output", "json", "clean", "--policy", "guide"])?;
        run.says("nothing was changed; --apply does it")?;
        let plan = run.json()?;
        ensure!(plan["seen_keys"] == KEYS && plan["planned_keys"] == missing + orphans, "{plan:#}");
        ensure!(plan["applied"] == false && plan["changed_keys"] == 0 && plan["kept_keys"] == 0, "{plan:#}");
        ensure!(plan["undo_file"].is_null() && plan["limits_exceeded"] == serde_json::json!([]), "{plan:#}");
        let names: Vec<&Value> =
            plan["tasks"].as_array().into_iter().flatten().map(|task| &task["task"]).collect();
        ensure!(names == ["ttl", "orphans", "memory", "history", "integrity"], "{names:?}");
        ensure!(task(&plan, "ttl")?["keys"] == missing && task(&plan, "orphans")?["keys"] == orphans);
        let line = &task(&plan, "ttl")?["lines"][0];
        ensure!(line["reason"] == "missing_ttl" && line["action"] == "set_ttl", "{line:#}");
        ensure!(line["ttl_s"].as_u64().is_some_and(|ttl| ttl >= 1_800), "{line:#}");
        let line = &task(&plan, "orphans")?["lines"][0];
        ensure!(line["reason"] == "orphan" && line["action"] == "remove", "{line:#}");
        ensure!(line["examples"].as_array().is_some_and(|names| names.len() == 3), "{line:#}");
        ensure!(line["bytes"].as_u64() > line["keys"].as_u64(), "{line:#}");

        let run = cache.larder.ends(0, &["clean", "--policy", "guide"])?;
        run.says(&format!("ttl: {missing} keys would get a TTL"))?;
        run.says(&format!("orphans: {orphans} keys of no family would be removed"))?;
        let listed = cache.larder.ends(0, &["clean", "--policy", "guide", "--list", "-"])?.stdout;
        let listed = listed.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
        ensure!(listed.len() as u64 == missing + orphans, "{} keys are listed", listed.len());
        let removed = listed.iter().filter(|key| key["action"] == "remove").count() as u64;
        ensure!(removed == orphans && listed[0]["key"].is_string(), "{removed}");

        before.is_again(&cache)?;
        ensure!(!cache.file("undo").exists(), "a plan leaves nothing behind");
        Ok(())
    })
    .await;
}

fn audit(cache: &Seeded) -> Result<Vec<Value>> {
    let lines = fs::read_to_string(cache.file("undo/audit.jsonl"))?;
    Ok(lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

#[tokio::test]
async fn what_is_done_is_kept_written_down_and_given_back() {
    on_every_server(async |program| {
        let cache = Seeded::start(program, KEYS)?;
        let before = Before::of(&cache)?;
        let (missing, orphans) = (count(KEYS, Fate::MissingTtl), count(KEYS, Fate::Orphan));
        let words = ["--output", "json", "clean", "--policy", "guide", "--apply", "--undo-file", "u.rdb"];
        let done = cache.larder.ends(0, &words)?.json()?;
        ensure!(done["applied"] == true && done["changed_keys"] == missing + orphans, "{done:#}");
        ensure!(done["undo_file"] == "u.rdb" && done["kept_keys"] == missing + orphans, "{done:#}");
        ensure!(task(&done, "ttl")?["outcome"]["done"] == missing, "{done:#}");
        ensure!(task(&done, "orphans")?["outcome"]["done"] == orphans, "{done:#}");
        ensure!(cache.keys()? == KEYS - orphans && before.changed(&cache)?.len() as u64 == missing + orphans);
        let modes = [mode(&cache.file("u.rdb"))?, mode(&cache.file("undo/audit.jsonl"))?];
        ensure!(modes == [0o600; 2] && mode(&cache.file("undo"))? == 0o700, "{modes:?}");

        let entries = audit(&cache)?;
        for (name, keys) in [("ttl", missing), ("orphans", orphans)] {
            let entry = entries.iter().find(|entry| entry["task"] == name).context("an entry")?;
            ensure!(
                entry["command"] == "clean" && entry["keys"] == keys && entry["failed"] == 0,
                "{entry:#}"
            );
            ensure!(entry["cache"] == cache.server.url() && entry["undo_file"] == "u.rdb", "{entry:#}");
            ensure!(entry["by"].as_str().is_some_and(|by| by.contains("guide")), "{entry:#}");
            ensure!(entry["at"].is_string(), "{entry:#}");
        }

        let plan = cache.larder.ends(0, &["--output", "json", "undo", "u.rdb"])?.json()?;
        ensure!(plan["applied"] == false && plan["whole"] == true && plan["stopped"] == false, "{plan:#}");
        ensure!(plan["restored"] == orphans && plan["ttl_given_back"] == missing, "{plan:#}");
        ensure!(plan["cache"] == cache.server.url() && plan["keys"] == missing + orphans, "{plan:#}");
        ensure!(cache.keys()? == KEYS - orphans, "a plan changes nothing");
        let done = cache.larder.ends(0, &["--output", "json", "undo", "u.rdb", "--apply"])?.json()?;
        ensure!(done["applied"] == true && done["failed"] == 0, "{done:#}");
        ensure!(done["restored"] == orphans && done["ttl_given_back"] == missing, "{done:#}");
        before.is_again(&cache)?;
        let entry = audit(&cache)?.pop().context("an entry")?;
        ensure!(entry["command"] == "undo" && entry["by"] == "u.rdb", "{entry:#}");
        ensure!(entry["keys"] == missing + orphans, "{entry:#}");

        let again = cache.larder.ends(0, &["undo", "u.rdb", "--apply"])?;
        again.says(&format!("{orphans} were left alone: written since"))?;
        again.says(&format!("{missing} were left alone: as it was already"))?;
        before.is_again(&cache)
    })
    .await;
}

#[tokio::test]
async fn without_a_name_the_undo_file_is_named_for_the_moment() {
    on_every_server(async |program| {
        let cache = Seeded::start(program, 1_000)?;
        let before = Before::of(&cache)?;
        let run = cache.larder.ends(0, &["clean", "--policy", "guide", "--apply"])?;
        let names = fs::read_dir(cache.file("undo"))?
            .map(|entry| Ok(entry?.file_name()))
            .collect::<Result<Vec<_>>>()?;
        let name = names.iter().filter_map(|name| name.to_str()).find(|name| name.starts_with("undo_"));
        let path = format!("undo/{}", name.context("an undo file")?);
        run.says(&format!("`larder undo {path} --apply` gives them back"))?;
        cache.undoes(&path, &before)?;
        // What is as it should be leaves no undo file behind.
        let none = cache.larder.ends(0, &["clean", "--policy", "guide", "--apply", "--task", "integrity"])?;
        none.says("no key was changed")?;
        ensure!(fs::read_dir(cache.file("undo"))?.count() == names.len(), "an empty undo file is left");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_is_written_between_is_left_as_it_is() {
    on_every_server(async |program| {
        let cache = Seeded::start(program, 1_000)?;
        cache.larder.ends(0, &["clean", "--policy", "guide", "--apply", "--undo-file", "u.rdb"])?;
        let orphan = (0..1_000).map(larder_test_support::seeded_key).find(|key| key.fate == Fate::Orphan);
        let orphan = orphan.context("an orphan")?.name;
        cache.server.run::<()>(&["SET", &orphan, "written since"])?;
        cache.larder.ends(0, &["undo", "u.rdb", "--apply"])?.says("1 were left alone: written since")?;
        ensure!(cache.server.run::<String>(&["GET", &orphan])? == "written since");
        Ok(())
    })
    .await;
}

/// What a run without a server shows.
fn demo() -> Result<Run> {
    Larder::new().ends(0, &["--cache", "memory:sample", "clean", "--policy", "guide"])
}

#[test]
fn it_can_be_tried_without_a_server() -> Result<()> {
    let run = demo()?;
    for words in ["memory:sample", "keys would get a TTL", "codebase_rag:", "nothing was changed"] {
        run.says(words)?;
    }
    let applied =
        Larder::new().ends(0, &["--cache", "memory:sample", "clean", "--policy", "guide", "--apply"])?;
    applied.says("gives them back")
}
