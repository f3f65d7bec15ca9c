//! Undo files that cannot be written, from the beginning or from some block on.

use std::fs;

use anyhow::{Result, ensure};
use larder_keyspace::UndoFile;
use larder_test_support::{ServerProgram, on_every_server};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Before, Seeded};

const APPLY: [&str; 8] = ["--output", "json", "clean", "--policy", "guide", "--apply", "--rate", "max"];

fn applying(file: &str) -> Vec<&str> {
    [APPLY.as_slice(), &["--undo-file", file]].concat()
}

/// A cache with orphans that take more room in the undo file than in the list of planned keys, which is a file as well:
/// three batches of 1,000 keys, about 900 blocks each.
fn with_large_orphans(program: &ServerProgram) -> Result<Seeded> {
    let mut cache = Seeded::start(program, 4_000)?;
    let (mut random, mut pipeline) = (ChaCha8Rng::seed_from_u64(7), redis::pipe());
    for number in 0..1_500 {
        let name = format!("codebase_rag:draft:large:{number}");
        let value: Vec<u8> = (0..600).map(|_| random.random()).collect();
        pipeline.set(&name, value).ignore();
        cache.names.push(name);
    }
    pipeline.query::<()>(&mut cache.server.admin()?)?;
    Ok(cache)
}

#[tokio::test]
async fn where_the_disk_is_full_nothing_is_done_that_is_not_kept() {
    on_every_server(async |program| {
        let cache = with_large_orphans(program)?;
        let before = Before::of(&cache)?;
        for (number, blocks) in (0..).zip([1_900, 1_200, 1_000]) {
            let name = format!("{number}.rdb");
            let run = cache.larder.run_within(blocks, &applying(&name))?;
            ensure!(run.code == 4, "{blocks} blocks: {run:#?}");
            run.says(&format!("the undo file {name} cannot be written: File too large"))?;
            let done = run.json()?;
            let changed = before.changed(&cache)?;
            ensure!(done["changed_keys"] == changed.len() && !changed.is_empty(), "{done:#}");
            ensure!(done["planned_keys"].as_u64() > Some(changed.len() as u64), "{done:#}");
            ensure!(done["kept_keys"] == changed.len() && done["undo_file"] == name.as_str(), "{done:#}");
            let failed: u64 = done["tasks"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|task| task["outcome"]["failed"].as_u64())
                .sum();
            ensure!((1..=1_000).contains(&failed), "the keys of the batch: {done:#}");
            let mut names: Vec<String> = UndoFile::open(cache.file(&name))?
                .names()?
                .into_iter()
                .map(|(_, key)| String::from_utf8_lossy(&key).into_owned())
                .collect();
            names.sort();
            ensure!(names == changed, "{} keys are kept, {} changed", names.len(), changed.len());
            cache.undoes(&name, &before)?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn where_the_first_batch_cannot_be_kept_nothing_is_done_at_all() {
    on_every_server(async |program| {
        let cache = with_large_orphans(program)?;
        let before = Before::of(&cache)?;
        let run = cache.larder.run_within(500, &applying("u.rdb"))?;
        ensure!(run.code == 1, "{run:#?}");
        run.says("the undo file u.rdb cannot be written: File too large")?;
        let done = run.json()?;
        ensure!(
            done["changed_keys"] == 0 && done["kept_keys"] == 0 && done["undo_file"].is_null(),
            "{done:#}"
        );
        ensure!(!cache.file("u.rdb").exists(), "what is of no use is not left behind");
        before.is_again(&cache)
    })
    .await;
}

#[tokio::test]
async fn a_place_where_none_can_be_written_is_refused_before_anything() {
    on_every_server(async |program| {
        let cache = Seeded::start(program, 1_000)?;
        let before = Before::of(&cache)?;
        cache.larder.write("there.rdb", "something of someone");
        for (place, words) in [
            ("there.rdb", "the undo file there.rdb is there already"),
            ("no/such/u.rdb", "the undo file no/such/u.rdb cannot be written: No such file or directory"),
            ("there.rdb/u.rdb", "the undo file there.rdb/u.rdb cannot be written: Not a directory"),
            ("/proc/self/u.rdb", "the undo file /proc/self/u.rdb cannot be written: "),
        ] {
            let run = cache.larder.ends(2, &applying(place))?;
            run.says(words)?;
            ensure!(run.stdout.is_empty(), "it was refused before anything was looked at: {run:#?}");
        }
        ensure!(fs::read_to_string(cache.file("there.rdb"))? == "something of someone");
        cache.larder.ends(2, &["clean", "--policy", "guide", "--undo-file", "u.rdb"])?.says("--apply")?;
        ensure!(!cache.file("undo").exists(), "nothing was done that could be written down");
        before.is_again(&cache)
    })
    .await;
}
