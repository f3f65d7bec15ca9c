//! A data folder that a server boots from.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::in_use;
use crate::{
    BackupId, Effort, Error, Keyring, Manifest, Progress, Repository, Result,
    reading::{self, Reading},
};

/// How a folder is filled.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FolderOptions {
    /// What opens the backup, where it is encrypted.
    pub keyring: Keyring,
    /// Data that is in the folder is put aside, and takes its place again when it is moved back. Without it, a folder with
    /// data is refused.
    pub swap: bool,
    /// Writes the data as an append-only file as well: a server with `appendonly yes` reads nothing else.
    pub append_only: bool,
    /// How it stands to other work on this machine.
    pub effort: Effort,
    /// How far it is.
    pub progress: Progress,
    /// Ends it; the folder is then as it was.
    pub stop: CancellationToken,
}

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
    /// What stands against it.
    pub refusals: Vec<String>,
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

/// What was done to a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FolderOutcome {
    /// The RDB files that were written.
    pub written: Vec<PathBuf>,
    /// What was there before, and is now here.
    pub aside: Option<PathBuf>,
    /// Configuration, metrics and logs.
    pub side_folders: Vec<PathBuf>,
    /// Keys.
    pub keys: u64,
}

const DUMP: &str = "dump.rdb";
const APPEND_ONLY: &str = "appendonlydir";
/// Where everything is put together before anything of the folder is touched.
const STAGING: &str = ".larder-restore";

/// Looks what would be done to a folder; nothing is changed.
#[must_use]
pub fn plan_folder(
    manifest: &Manifest,
    folder: &Path,
    options: &FolderOptions,
    at: DateTime<Utc>,
) -> FolderPlan {
    let homes = homes(manifest, folder);
    let aside = folder.join(format!("before-{}-{}", manifest.id, at.format("%Y%m%d_%H%M%S")));
    let put_aside: Vec<PathBuf> = homes
        .iter()
        .flat_map(|home| [home.join(DUMP), home.join(APPEND_ONLY)])
        .filter(|path| path.exists())
        .collect();
    let files = homes.iter().zip(&manifest.shards).map(|(home, shard)| PlannedFile {
        path: home.join(DUMP),
        bytes: shard.rdb_bytes,
        keys: shard.counts.as_ref().map(|counts| counts.keys),
    });
    let mut refusals = Vec::new();
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
        id: manifest.id.clone(),
        folder: folder.to_path_buf(),
        files: files.collect(),
        put_aside,
        aside,
        refusals,
    }
}

/// Each shard has a home of its own; where there is one shard, the folder is its home.
fn homes(manifest: &Manifest, folder: &Path) -> Vec<PathBuf> {
    match manifest.shards.len() {
        1 => vec![folder.to_path_buf()],
        shards => (0..shards).map(|number| folder.join(format!("shard-{number}"))).collect(),
    }
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

/// Fills a folder as planned. Everything is read, checked and written beside the old data first; only then does the new take the
/// place of the old, file by file, each by one rename.
///
/// # Errors
/// [`Error::Refused`] where something stands against it, [`Error::Damaged`] where the backup is not what it should be,
/// [`Error::File`]; the folder is then as it was.
pub async fn restore_to_folder(
    repository: &Repository,
    manifest: &Manifest,
    plan: &FolderPlan,
    options: &FolderOptions,
) -> Result<FolderOutcome> {
    if !plan.refusals.is_empty() {
        return Err(Error::Refused { what: "the restore".to_owned(), reasons: plan.refusals.clone() });
    }
    make_folder(&plan.folder)?;
    let staging = Staging::begin(&plan.folder)?;
    let keys = staging.fill(repository, manifest, options).await?;
    let mut outcome = FolderOutcome { written: Vec::new(), aside: None, side_folders: Vec::new(), keys };
    // Whoever started a server there meanwhile would not see the new data, and overwrite it at its next save.
    for home in homes(manifest, &plan.folder) {
        let reasons = in_use::servers_in(&home);
        if !reasons.is_empty() {
            return Err(Error::Refused { what: "the restore".to_owned(), reasons });
        }
    }
    staging.take_place(manifest, plan, options, &mut outcome)?;
    Ok(outcome)
}

/// What is put together, in a folder inside the one that is filled; it goes when this is dropped.
struct Staging {
    folder: PathBuf,
}

impl Staging {
    /// What a run that was killed left behind is removed: nobody misses it.
    fn begin(inside: &Path) -> Result<Self> {
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

    async fn fill(
        &self,
        repository: &Repository,
        manifest: &Manifest,
        options: &FolderOptions,
    ) -> Result<u64> {
        let reading = Reading {
            keyring: options.keyring.clone(),
            effort: options.effort,
            progress: options.progress.clone(),
            stop: options.stop.clone(),
        };
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
            if !["config", "metrics"].contains(&archive.name.as_str()) {
                let problem = format!("`{}` is no archive of a backup", archive.name);
                refuse_damaged(manifest, &archive.artifact.path, &[problem])?;
            }
            let folder = self.folder.join(&archive.name);
            make_folder(&folder)?;
            let problems =
                reading::read_archive(repository, &manifest.id, &archive.artifact, Some(folder), &reading)
                    .await?;
            refuse_damaged(manifest, &archive.artifact.path, &problems)?;
        }
        Ok(keys)
    }

    fn take_place(
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
        for archive in &manifest.archives {
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
    fs::hard_link(&old, &kept)
        .or_else(|_| fs::copy(&old, &kept).map(drop))
        .map_err(|source| failed(&kept, "written", source))?;
    sync_folder(aside)?;
    Ok(true)
}

/// Tells whether there was one.
fn move_append_only(home: &Path, aside: &Path) -> Result<bool> {
    let old = home.join(APPEND_ONLY);
    if !old.exists() {
        return Ok(false);
    }
    make_folder(aside)?;
    let kept = aside.join(APPEND_ONLY);
    fs::rename(&old, &kept).map_err(|source| failed(&kept, "put aside", source))?;
    Ok(true)
}

/// The parts of an append-only file since Redis 7.0: a base, which may be an RDB file, and a manifest that names it.
fn write_append_only(home: &Path) -> Result<()> {
    let folder = home.join(APPEND_ONLY);
    make_folder(&folder)?;
    let base = folder.join("appendonly.aof.1.base.rdb");
    let dump = home.join(DUMP);
    fs::hard_link(&dump, &base)
        .or_else(|_| fs::copy(&dump, &base).map(drop))
        .map_err(|source| failed(&base, "written", source))?;
    let manifest = folder.join("appendonly.aof.manifest");
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&manifest)
        .and_then(|mut file| file.write_all(b"file appendonly.aof.1.base.rdb seq 1 type b\n"));
    written.map_err(|source| failed(&manifest, "written", source))?;
    for path in [&folder, &base, &manifest] {
        belong_to_owner_of(home, path)?;
    }
    sync_folder(&folder)
}

/// The server may run as another user than whoever restores.
fn belong_to_owner_of(home: &Path, path: &Path) -> Result<()> {
    let owner = fs::metadata(home).map_err(|source| failed(home, "looked at", source))?;
    let own = fs::metadata(path).map_err(|source| failed(path, "looked at", source))?;
    if (owner.uid(), owner.gid()) == (own.uid(), own.gid()) {
        return Ok(());
    }
    std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid()))
        .map_err(|source| failed(path, "given to the owner of its folder", source))
}

fn make_folder(path: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| failed(path, "made", source))
}

fn sync_folder(path: &Path) -> Result<()> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|source| failed(path, "synced", source))
}

fn failed(path: &Path, what: &'static str, source: io::Error) -> Error {
    Error::File { path: path.to_path_buf(), what, source }
}
