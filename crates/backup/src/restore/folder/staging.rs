//! What is put together before anything of a folder is touched.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    FolderOptions, FolderOutcome, FolderPlan,
    append_only::write_append_only,
    configuration::{ConfigurationPlan, Placed},
    files::{belong_to_owner_of, failed, make_folder, sync_folder},
    plan::{APPEND_ONLY, CONFIGURATION, DUMP, homes},
    swap::{self, Step, Swap},
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

    /// Everything takes its place, or nothing does: what was placed before a failure is taken back.
    pub(super) fn take_place(
        &self,
        manifest: &Manifest,
        plan: &FolderPlan,
        options: &FolderOptions,
        outcome: &mut FolderOutcome,
    ) -> Result<()> {
        let mut steps = Vec::new();
        for (number, home) in homes(manifest, &plan.folder).into_iter().enumerate() {
            make_folder(&home)?;
            let aside = match number {
                0 if manifest.shards.len() == 1 => plan.aside.clone(),
                _ => plan.aside.join(format!("shard-{number}")),
            };
            let of_home = self.steps_of(number, &home, &aside, options)?;
            for kept in of_home.iter().filter_map(|step| step.kept.as_ref()) {
                if kept.exists() {
                    let reason =
                        format!("{} is there since the restore was planned: plan it again", kept.display());
                    return Err(Error::Refused { what: "the restore".to_owned(), reasons: vec![reason] });
                }
                outcome.aside = Some(plan.aside.clone());
            }
            outcome.written.push(home.join(DUMP));
            steps.extend(of_home);
        }
        let is_placed = |name: &str| name == CONFIGURATION && plan.configuration.is_some();
        for archive in manifest.archives.iter().filter(|archive| !is_placed(&archive.name)) {
            let to = plan.folder.join(format!("restored-{}-{}", archive.name, manifest.id));
            if !to.exists() {
                steps.push(Step::new(self.folder.join(&archive.name), to.clone(), None));
            }
            outcome.side_folders.push(to);
        }
        sync_folder(&self.folder)?;
        Swap::begin(&plan.folder, steps)?.run()
    }

    /// A server with an append-only file reads that alone: up to the last step it has its old data, or none.
    pub(super) fn steps_of(
        &self,
        number: usize,
        home: &Path,
        aside: &Path,
        options: &FolderOptions,
    ) -> Result<Vec<Step>> {
        let (new, dump) = (self.shard(number), home.join(DUMP));
        belong_to_owner_of(home, &new)?;
        let old = home.join(APPEND_ONLY);
        let had_append_only = old.exists();
        let kept = dump.exists().then(|| aside.join(DUMP));
        let mut steps = vec![Step::new(new.clone(), dump, kept)];
        if options.append_only || had_append_only {
            let folder = self.folder.join(format!("shard-{number}-{APPEND_ONLY}"));
            write_append_only(&new, &folder, home)?;
            steps.push(Step::new(folder, old, had_append_only.then(|| aside.join(APPEND_ONLY))));
        }
        Ok(steps)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What could not be taken back may still need it.
        if self.folder.parent().is_some_and(swap::is_under_way) {
            return;
        }
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
