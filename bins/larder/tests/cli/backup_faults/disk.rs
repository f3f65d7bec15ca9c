//! No room for more.

use std::fs;

use anyhow::{Result, ensure};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Kept, files, one_program};

/// A cache whose backup takes some 12 MB: more than one part of an upload.
fn with_noise() -> Result<Kept> {
    let kept = Kept::start(&one_program(), 100)?;
    let (mut random, mut pipeline) = (ChaCha8Rng::seed_from_u64(7), redis::pipe());
    for number in 0..200 {
        let mut value = vec![0_u8; 60_000];
        random.fill(&mut value[..]);
        pipeline.set(format!("noise:{number}"), value).ignore();
    }
    pipeline.query::<()>(&mut kept.server.admin()?)?;
    Ok(kept)
}

#[test]
fn a_disk_that_is_full_while_a_backup_is_made() -> Result<()> {
    let kept = with_noise()?;
    // At the first part, at the second one, and at the file that is published at once.
    for blocks in [2_048, 18_000, 0] {
        let run = kept.larder.run_within(blocks, &["backup", "create", "--rate", "max"])?;
        ensure!(run.code == 1, "{blocks} blocks: {run:#?}");
        run.says("File too large")?;
        run.says("kept/backups/")?;
        run.says("shard-0.rdb.zst")?;
        kept.holds_nothing()?;
    }
    kept.verify(&kept.create()?)
}

#[test]
fn a_disk_that_is_full_while_a_folder_is_filled() -> Result<()> {
    let kept = with_noise()?;
    kept.create()?;
    let folder = kept.larder.folder().join("data");
    fs::create_dir(&folder)?;
    fs::write(folder.join("dump.rdb"), "old")?;
    let run = kept.larder.run_within(2_048, &["restore", "--to-folder", "data", "--swap", "--apply"])?;
    ensure!(run.code == 1, "{run:#?}");
    run.says("data/.larder-restore/shard-0.rdb cannot be written: File too large")?;
    ensure!(fs::read_to_string(folder.join("dump.rdb"))? == "old");
    ensure!(files(&folder)?.len() == 1, "{:?} are left", files(&folder)?);
    kept.larder.ends(0, &["restore", "--to-folder", "data", "--swap", "--apply"]).map(drop)
}
