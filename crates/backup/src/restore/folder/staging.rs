//! What is put together before anything of a folder is touched.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    FolderOptions, FolderOutcome, FolderPlan,
    append_only::{move_append_only, write_append_only},
    configuration::{ConfigurationPlan, Placed},
    files::{belong_to_owner_of, failed, keep_as, make_folder, sync_folder},
    plan::{APPEND_ONLY, CONFIGURATION, DUMP, homes},
};
use crate::{Error, Manifest, Repository, Result, reading};

/// Where everything is put together.
const STAGING: &str = ".larder-restore";

/// What is put together, in a folder inside the one that is filled; it goes when this is dropped.
pub(super) struct Staging {
    folder: PathBuf,
}

impl Staging {
    /// What a run that was killed left behind is removed: nobody misses it.
    pub(super) fn begin(inside: &Path) -> Result<Self> {
        let folder = inside.join(STAGING);
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(|source| failed(&folder, "removed", source))?;
        }
        make_folder(&folder)?;
        Ok(Self { folder })
    }

    fn shard(&self, number: usize) -> PathBuf {
        self.folder.join(format!("shard-{number}.rdb"))
    }

    pub(super) async fn fill(
        &self,
        repository: &Repository,
        manifest: &Manifest,
        options: &FolderOptions,
    ) -> Result<u64> {
        let reading = options.reading();
        options.progress.begin(manifest.stored_bytes(), manifest.shards.len());
        let mut keys = 0;
        for (number, shard) in manifest.shards.iter().enumerate() {
            options.progress.begin_shard(number, None);
            let read =
                reading::read_image(repository, &manifest.id, shard, Some(&self.shard(number)), &reading)
                    .await?;
            refuse_damaged(manifest, &shard.artifact.path, &read.problems)?;
            keys += read.census.map_or(0, |census| census.counts.keys);
        }
        for archive in &manifest.archives {
            if ![CONFIGURATION, "metrics"].contains(&archive.name.as_str()) {
                let problem = format!("`{}` is no archive of a backup", archive.name);
                refuse_damaged(manifest, &archive.artifact.path, &[problem])?;
            }
            let folder = self.folder.join(&archive.name);
            make_folder(&folder)?;
            let read =
                reading::read_archive(repository, &manifest.id, &archive.artifact, Some(folder), &reading)
                    .await?;
            refuse_damaged(manifest, &archive.artifact.path, &read.problems)?;
        }
        Ok(keys)
    }

    /// Places the configuration files, where that is planned.
    pub(super) fn place_configuration(&self, plan: &FolderPlan) -> Result<Placed> {
        let place = |configuration: &ConfigurationPlan| configuration.place(&self.folder.join(CONFIGURATION));
        plan.configuration.as_ref().map(place).transpose().map(Option::unwrap_or_default)
    }

    pub(super) fn take_place(
        &self,
        manifest: &Manifest,
        plan: &FolderPlan,
        options: &FolderOptions,
        outcome: &mut FolderOutcome,
    ) -> Result<()> {
        for (number, home) in homes(manifest, &plan.folder).into_iter().enumerate() {
            make_folder(&home)?;
            let aside = match number {
                0 if manifest.shards.len() == 1 => plan.aside.clone(),
                _ => plan.aside.join(format!("shard-{number}")),
            };
            if put_aside(&home, &aside)? {
                outcome.aside = Some(plan.aside.clone());
            }
            let (new, dump) = (self.shard(number), home.join(DUMP));
            belong_to_owner_of(&home, &new)?;
            fs::rename(&new, &dump).map_err(|source| failed(&dump, "put in its place", source))?;
            // A server with an append-only file reads that alone: up to here it has its old data, from here on the new.
            let had_append_only = move_append_only(&home, &aside)?;
            if options.append_only || had_append_only {
                write_append_only(&home)?;
            }
            sync_folder(&home)?;
            outcome.written.push(dump);
        }
        let is_placed = |name: &str| name == CONFIGURATION && plan.configuration.is_some();
        for archive in manifest.archives.iter().filter(|archive| !is_placed(&archive.name)) {
            let to = plan.folder.join(format!("restored-{}-{}", archive.name, manifest.id));
            if !to.exists() {
                fs::rename(self.folder.join(&archive.name), &to)
                    .map_err(|source| failed(&to, "put in its place", source))?;
            }
            outcome.side_folders.push(to);
        }
        sync_folder(&plan.folder)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // It is empty by now, or of no use.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn refuse_damaged(manifest: &Manifest, artifact: &str, problems: &[String]) -> Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(Error::Damaged {
        id: manifest.id.clone(),
        artifact: artifact.to_owned(),
        reason: problems.join("; "),
    })
}

/// Keeps the old dump under another name, too, before the new one takes its own.
fn put_aside(home: &Path, aside: &Path) -> Result<bool> {
    let old = home.join(DUMP);
    if !old.exists() {
        return Ok(home.join(APPEND_ONLY).exists());
    }
    make_folder(aside)?;
    let kept = aside.join(DUMP);
    if kept.exists() {
        return Ok(true);
    }
    keep_as(&old, &kept)?;
    sync_folder(aside)?;
    Ok(true)
}
