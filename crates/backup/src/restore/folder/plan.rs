//! What would be done to a folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{FolderOptions, configuration::ConfigurationPlan, swap::Swap};
use crate::{
    BackupId, Manifest, Repository, Result,
    reading::{self, note_damage},
    restore::in_use,
};

/// What would be done to a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FolderPlan {
    /// The backup.
    pub id: BackupId,
    /// The folder.
    pub folder: PathBuf,
    /// The RDB files that are written, one a shard.
    pub files: Vec<PlannedFile>,
    /// What is there already, and is put aside.
    pub put_aside: Vec<PathBuf>,
    /// Where it is put.
    pub aside: PathBuf,
    /// Where configuration files are placed, where that was asked for.
    pub configuration: Option<ConfigurationPlan>,
    /// What stands against it.
    pub refusals: Vec<String>,
    /// What could not be looked at, and is to be made sure of.
    pub notes: Vec<String>,
}

/// One RDB file that is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlannedFile {
    /// Where.
    pub path: PathBuf,
    /// Bytes, where they are known.
    pub bytes: Option<u64>,
    /// Keys, where they are known.
    pub keys: Option<u64>,
}

pub(super) const DUMP: &str = "dump.rdb";
pub(super) const APPEND_ONLY: &str = "appendonlydir";
/// The archive of configuration files.
pub(super) const CONFIGURATION: &str = "config";

/// Looks what would be done to a folder; nothing is changed, and nothing of the backup is read but its manifest and, where
/// configuration files are to be placed, the names of those.
#[must_use]
pub fn plan_folder(
    manifest: &Manifest,
    folder: &Path,
    options: &FolderOptions,
    at: DateTime<Utc>,
) -> FolderPlan {
    let homes = homes(manifest, folder);
    let aside = free_aside(folder, &format!("before-{}-{}", manifest.id, at.format("%Y%m%d_%H%M%S")));
    let mut put_aside: Vec<PathBuf> = homes
        .iter()
        .flat_map(|home| [home.join(DUMP), home.join(APPEND_ONLY)])
        .filter(|path| path.symlink_metadata().is_ok())
        .collect();
    let files = homes.iter().zip(&manifest.shards).map(|(home, shard)| PlannedFile {
        path: home.join(DUMP),
        bytes: shard.rdb_bytes,
        keys: shard.counts.as_ref().map(|counts| counts.keys),
    });
    let mut refusals = Vec::new();
    match Swap::unfinished(folder) {
        // It is put back before anything else is done.
        Ok(Some(unfinished)) => unfinished.correct(&mut put_aside),
        Ok(None) => {}
        Err(error) => refusals.push(error.with_causes()),
    }
    refusals.extend(put_aside.iter().filter_map(|path| of_another_kind(path)));
    if !put_aside.is_empty() && !options.swap {
        refusals.push(format!(
            "{} holds data: name another folder, or put that aside with --swap",
            folder.display()
        ));
    }
    for home in &homes {
        refusals.extend(other_dumps(home));
        refusals.extend(in_use::servers_in(home));
    }
    if folder.exists() && !folder.is_dir() {
        refusals.push(format!("{} is no folder", folder.display()));
    }
    refusals.extend(too_little_room(manifest, folder));
    FolderPlan {
        configuration: None,
        id: manifest.id.clone(),
        folder: folder.to_path_buf(),
        files: files.collect(),
        put_aside,
        aside,
        refusals,
        notes: in_use::hidden_servers(),
    }
}

/// Each shard has a home of its own; where there is one shard, the folder is its home.
pub(super) fn homes(manifest: &Manifest, folder: &Path) -> Vec<PathBuf> {
    match manifest.shards.len() {
        1 => vec![folder.to_path_buf()],
        shards => (0..shards).map(|number| folder.join(format!("shard-{number}"))).collect(),
    }
}

/// Says what no server has written under its name, and no restore can put aside as data.
fn of_another_kind(path: &Path) -> Option<String> {
    let there = path.symlink_metadata().ok()?;
    let is_append_only = path.ends_with(APPEND_ONLY);
    let is_as_it_should_be = if is_append_only { there.is_dir() } else { there.is_file() };
    let kind = if is_append_only { "folder" } else { "regular file" };
    (!is_as_it_should_be).then(|| format!("{} is there and is no {kind}: move it away", path.display()))
}

/// A server whose `dbfilename` is another would not see what is written, and boot with its old data.
fn other_dumps(home: &Path) -> Option<String> {
    let entries = fs::read_dir(home).into_iter().flatten().flatten();
    let other = entries.map(|entry| entry.path()).find(|path| {
        path.extension().is_some_and(|extension| extension == "rdb")
            && path.file_name().is_some_and(|name| name != DUMP)
    })?;
    Some(format!(
        "{} is there: a server whose dbfilename says so would boot with it and not with {DUMP}; move it away",
        other.display()
    ))
}

fn too_little_room(manifest: &Manifest, folder: &Path) -> Option<String> {
    let needed: u64 = manifest.shards.iter().filter_map(|shard| shard.rdb_bytes).sum();
    let there = folder.ancestors().find(|path| path.is_dir())?;
    let left = rustix::fs::statvfs(there).ok().map(|room| room.f_bavail.saturating_mul(room.f_frsize))?;
    (left < needed).then(|| {
        format!(
            "{} has {} left, and {} are needed",
            there.display(),
            bytesize::ByteSize(left),
            bytesize::ByteSize(needed)
        )
    })
}

impl FolderPlan {
    /// Plans to place the backup's configuration files in a folder as well, each under the path that it has in the archive. For
    /// that the archive is read.
    ///
    /// # Errors
    /// As [`read_backup`](Self::read_backup).
    pub async fn place_configuration(
        &mut self,
        repository: &Repository,
        manifest: &Manifest,
        to: &Path,
        options: &FolderOptions,
    ) -> Result<()> {
        let Some(archive) = manifest.archives.iter().find(|archive| archive.name == CONFIGURATION) else {
            self.refusals.push(format!(
                "the backup holds no configuration files that could be put into {}: leave --configuration-to away",
                to.display()
            ));
            return Ok(());
        };
        let read =
            reading::read_archive(repository, &manifest.id, &archive.artifact, None, &options.reading())
                .await;
        let Some(read) = note_damage(read, &mut self.refusals)? else { return Ok(()) };
        self.refusals.extend(read.problems);
        // The aside of the data bears the moment of the plan.
        let aside = self.aside.file_name().map(|name| to.join(name)).unwrap_or_default();
        let (plan, refusals) = ConfigurationPlan::of(&read.files, to, aside, options.swap);
        self.refusals.extend(refusals);
        self.configuration = Some(plan);
        Ok(())
    }

    /// Reads the backup whole (its sums, what opens it, every element of every key), so that what could not be brought back is
    /// refused before anything else is done about it. Filling the folder reads it again, and trusts nothing of this.
    ///
    /// # Errors
    /// [`Error::Locked`](crate::Error::Locked) where it is encrypted and nothing opens it;
    /// [`Error::Storage`](crate::Error::Storage) where it cannot be read at all; [`Error::Stopped`](crate::Error::Stopped).
    /// What is damaged becomes a refusal.
    pub async fn read_backup(
        &mut self,
        repository: &Repository,
        manifest: &Manifest,
        options: &FolderOptions,
    ) -> Result<()> {
        let reading = options.reading();
        options.progress.begin(manifest.stored_bytes(), manifest.shards.len());
        for (number, (shard, file)) in manifest.shards.iter().zip(&mut self.files).enumerate() {
            options.progress.begin_shard(number, None);
            let read = reading::read_image(repository, &manifest.id, shard, None, &reading).await;
            let Some(read) = note_damage(read, &mut self.refusals)? else { continue };
            self.refusals.extend(read.problems);
            if let Some(census) = read.census {
                (file.bytes, file.keys) = (Some(census.bytes), Some(census.counts.keys));
            }
        }
        for archive in &manifest.archives {
            let read =
                reading::read_archive(repository, &manifest.id, &archive.artifact, None, &reading).await;
            if let Some(read) = note_damage(read, &mut self.refusals)? {
                self.refusals.extend(read.problems);
            }
        }
        // The same may have been said when the configuration was planned.
        let mut said = std::collections::BTreeSet::new();
        self.refusals.retain(|refusal| said.insert(refusal.clone()));
        Ok(())
    }
}

/// A folder that is not there yet: another restore of the same second has its own.
fn free_aside(folder: &Path, name: &str) -> PathBuf {
    let numbered = (2..).map(|number: u32| folder.join(format!("{name}-{number}")));
    let mut names = std::iter::once(folder.join(name)).chain(numbered);
    names.find(|path| path.symlink_metadata().is_err()).unwrap_or_else(|| folder.join(name))
}
