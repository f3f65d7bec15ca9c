//! What is in a repository.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::{ObjectMeta, ObjectStore, path::Path};

use super::{
    Record, Repository, Verification, VerificationLevel, guide_file,
    layout::{BACKUPS, Layout, manifest_path, owner, verification_path},
    storage,
};
use crate::{BackupId, Error, Manifest, Result};

/// Small objects read at once.
const READ_AT_ONCE: usize = 8;

/// What is in a repository.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Listing {
    /// The backups, the newest first.
    pub backups: Vec<ListedBackup>,
    /// What has no manifest: it is being written, or its writing or its removal was cut off.
    pub unfinished: Vec<UnfinishedBackup>,
    /// What has a manifest that cannot be trusted, or not be read: nothing is known of it, and it is left alone.
    pub damaged: Vec<DamagedBackup>,
    /// Objects that belong to no backup.
    pub foreign: u64,
}

/// A backup as it was found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ListedBackup {
    /// What it consists of.
    pub manifest: Manifest,
    /// The last verification of each level, the deepest one last.
    pub verifications: Vec<Verification>,
    /// Objects that are not there, or not as long as the manifest says.
    pub problems: Vec<String>,
}

/// Objects of a backup that has no manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnfinishedBackup {
    /// Whose.
    pub id: BackupId,
    /// Objects of it.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the last of them was written.
    pub newest_write: DateTime<Utc>,
}

/// A backup whose manifest cannot be trusted, or not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DamagedBackup {
    /// Which.
    pub id: BackupId,
    /// What is wrong.
    pub reason: String,
}

enum Found {
    Backup(Box<ListedBackup>),
    Unfinished(UnfinishedBackup),
    Damaged(DamagedBackup),
}

impl ListedBackup {
    /// Makes one as a repository would list it.
    #[must_use]
    pub fn new(manifest: Manifest, verifications: Vec<Verification>) -> Self {
        Self { manifest, verifications, problems: Vec::new() }
    }

    /// Returns the verification that ended last.
    #[must_use]
    pub fn last_verification(&self) -> Option<&Verification> {
        self.verifications.iter().max_by_key(|one| (one.at, one.level))
    }

    /// Returns the last verification that went this deep or deeper and found nothing wrong.
    #[must_use]
    pub fn passed(&self, level: VerificationLevel) -> Option<&Verification> {
        self.verifications.iter().filter(|one| one.ok && one.level >= level).max_by_key(|one| one.at)
    }

    /// Returns a verification that failed, and that no later one as deep has put right.
    #[must_use]
    pub fn standing_failure(&self) -> Option<&Verification> {
        let is_put_right =
            |failed: &Verification| self.passed(failed.level).is_some_and(|passed| passed.at > failed.at);
        self.verifications.iter().rfind(|one| !one.ok && !is_put_right(one))
    }

    /// Tells whether it is known to be of no use as it is.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        self.what_is_wrong().is_some()
    }

    /// Says why it is known to be of no use as it is: objects that are missing, and a verification that failed.
    #[must_use]
    pub fn what_is_wrong(&self) -> Option<String> {
        let failed = self.standing_failure();
        let failed = failed.map(|one| format!("{} failed: {}", one.level, one.problems.join(", ")));
        let all: Vec<String> = self.problems.iter().cloned().chain(failed).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// Tells whether its dump was decoded, or loaded, and all was well, and nothing has shown the contrary since. What is
    /// without a manifest is never proven: nothing says that the dump was whole when the backup ended.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        !self.manifest.is_without_manifest()
            && !self.is_bad()
            && self.passed(VerificationLevel::Structure).is_some()
    }
}

impl Repository {
    /// Lists what is there: the paths of all objects, and the manifests.
    ///
    /// # Errors
    /// The store cannot be listed. A manifest that cannot be trusted, or not be read, is part of the result.
    pub async fn list(&self) -> Result<Listing> {
        let mut listing = Listing::default();
        let objects = self.objects().await?;
        let mut owned: BTreeMap<BackupId, Vec<ObjectMeta>> = BTreeMap::new();
        for object in objects {
            match owner(object.location.as_ref()) {
                Some(id) => owned.entry(id).or_default().push(object),
                None => listing.foreign += 1,
            }
        }
        let found = stream::iter(owned).map(|(id, objects)| self.look_at(id, objects));
        let mut found = found.buffer_unordered(READ_AT_ONCE);
        while let Some(found) = found.next().await {
            match found {
                Some(Found::Backup(backup)) => listing.backups.push(*backup),
                Some(Found::Unfinished(unfinished)) => listing.unfinished.push(unfinished),
                Some(Found::Damaged(damaged)) => listing.damaged.push(damaged),
                None => {}
            }
        }
        listing.backups.sort_by_key(|backup| Reverse(newness(&backup.manifest)));
        listing.unfinished.sort_by(|one, other| other.id.cmp(&one.id));
        listing.damaged.sort_by(|one, other| other.id.cmp(&one.id));
        Ok(listing)
    }

    /// What keeps one backup from being read, such as a right to one object, ends no listing of the others.
    async fn look_at(&self, id: BackupId, objects: Vec<ObjectMeta>) -> Option<Found> {
        let reason = match self.found(&id, &objects).await {
            Ok(found) => return found,
            Err(Error::Manifest { reason, .. }) => reason,
            Err(error) => format!("it could not be read: {}", error.with_causes()),
        };
        Some(Found::Damaged(DamagedBackup { id, reason }))
    }

    async fn found(&self, id: &BackupId, objects: &[ObjectMeta]) -> Result<Option<Found>> {
        let is_there = |path: &str| objects.iter().any(|object| object.location.as_ref() == path);
        let record = if is_there(&manifest_path(id)) { self.record(id).await? } else { None };
        let manifest = match record {
            Some(Record::Ours(manifest)) => {
                // Of the guide's layout, the dump is removed first, so that its absence is the end of the backup.
                let is_without_dump = manifest.shards.iter().all(|shard| !is_there(&shard.artifact.path));
                (!(id.is_guides() && is_without_dump)).then_some(*manifest)
            }
            Some(Record::Guide(file)) => guide_file::described(id, Some(file), objects),
            None if id.is_guides() => guide_file::described(id, None, objects),
            None => None,
        };
        let Some(manifest) = manifest else {
            return Ok(unfinished(id.clone(), objects).map(Found::Unfinished));
        };
        let verifications =
            if is_there(&verification_path(id)) { self.verifications(id).await? } else { Vec::new() };
        let problems = problems(&manifest, objects);
        Ok(Some(Found::Backup(Box::new(ListedBackup { manifest, verifications, problems }))))
    }

    /// Names a backup that begins now. The guide's names are moments alone: where another was begun within the same second,
    /// the next one that is free is taken.
    pub(crate) async fn free_id(&self, layout: Layout, at: DateTime<Utc>) -> Result<BackupId> {
        let id = layout.id(at, rand::random());
        if layout == Layout::Ours {
            return Ok(id);
        }
        let objects = match self.objects_at_root().await {
            // A folder is made with its first backup.
            Err(Error::Storage { source: object_store::Error::NotFound { .. }, .. }) => Vec::new(),
            objects => objects?,
        };
        let taken: BTreeSet<BackupId> =
            objects.iter().filter_map(|object| owner(object.location.as_ref())).collect();
        let seconds = (0..=taken.len()).filter_map(|second| i64::try_from(second).ok());
        let mut ids = seconds.map(|second| layout.id(at + TimeDelta::seconds(second), 0));
        Ok(ids.find(|id| !taken.contains(id)).unwrap_or(id))
    }

    /// Lists the objects of all backups, and those at the root.
    pub(super) async fn objects(&self) -> Result<Vec<ObjectMeta>> {
        let mut objects = self.objects_at_root().await?;
        let backups = Path::from(BACKUPS);
        let mut under = self.store.inner.list(Some(&backups));
        while let Some(object) = under.try_next().await.map_err(storage("list the backups"))? {
            objects.push(object);
        }
        Ok(objects)
    }

    pub(super) async fn objects_at_root(&self) -> Result<Vec<ObjectMeta>> {
        let root = self.store.inner.list_with_delimiter(None).await;
        Ok(root.map_err(storage("list the backups"))?.objects)
    }
}

/// Of two that began at one moment, the greater name counts as the newer.
pub(crate) fn newness(manifest: &Manifest) -> (DateTime<Utc>, BackupId) {
    (manifest.began_at, manifest.id.clone())
}

fn unfinished(id: BackupId, objects: &[ObjectMeta]) -> Option<UnfinishedBackup> {
    Some(UnfinishedBackup {
        id,
        objects: objects.len() as u64,
        bytes: objects.iter().map(|object| object.size).sum(),
        newest_write: objects.iter().map(|object| object.last_modified).max()?,
    })
}

fn problems(manifest: &Manifest, objects: &[ObjectMeta]) -> Vec<String> {
    let mut problems = Vec::new();
    for artifact in manifest.artifacts() {
        let path = &artifact.path;
        match objects.iter().find(|object| object.location.as_ref() == path) {
            None => problems.push(format!("{path} is not there")),
            Some(object) if object.size != artifact.bytes => {
                problems.push(format!("{path} has {} bytes, and had {}", object.size, artifact.bytes));
            }
            Some(_) => {}
        }
    }
    problems
}
