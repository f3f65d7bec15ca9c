//! What was left behind by what was cut off.

use chrono::{DateTime, TimeDelta, Utc};
use object_store::{ObjectMeta, ObjectStoreExt};

use super::{Repository, storage};
use crate::{BackupId, Error, Result};

/// What was written to within this time may still be in the making.
const STALE_AFTER: TimeDelta = TimeDelta::days(1);

/// Something that was left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leftover {
    /// What it is.
    pub kind: LeftoverKind,
    /// Its bytes.
    pub bytes: u64,
    /// When it was last written to.
    pub newest_write: DateTime<Utc>,
}

/// What was left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeftoverKind {
    /// Objects of a backup without a manifest.
    Backup(BackupId),
    /// A file of a folder that has no name of its own yet, by its path from the root.
    Temporary(String),
}

/// What was cleared away.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Cleared {
    /// What is gone.
    pub removed: Vec<Leftover>,
    /// What could not be removed, and why.
    pub failed: Vec<(Leftover, Error)>,
}

impl Repository {
    /// Lists what was left behind by writers and removals that were cut off, and that nothing was written to for a day.
    ///
    /// Parts of an upload to an object store that was cut off cannot be seen; a life-cycle rule of the bucket that ends
    /// incomplete uploads takes care of them.
    ///
    /// # Errors
    /// The store fails.
    pub async fn leftovers(&self, now: DateTime<Utc>) -> Result<Vec<Leftover>> {
        let unfinished = self.list().await?.unfinished.into_iter();
        let mut leftovers: Vec<Leftover> = unfinished
            .map(|one| Leftover {
                kind: LeftoverKind::Backup(one.id),
                bytes: one.bytes,
                newest_write: one.newest_write,
            })
            .collect();
        if let Some(folder) = &self.store.folder {
            let temporary = folder.temporary().await.map_err(storage("list temporary files"))?;
            leftovers.extend(temporary.iter().map(temporary_file));
        }
        leftovers.retain(|one| now.signed_duration_since(one.newest_write) > STALE_AFTER);
        Ok(leftovers)
    }

    /// Removes what was left behind, as [`leftovers`](Self::leftovers) lists it.
    ///
    /// # Errors
    /// The store cannot be listed; what fails after that is part of the outcome.
    pub async fn remove_leftovers(&self, now: DateTime<Utc>) -> Result<Cleared> {
        let mut cleared = Cleared::default();
        for leftover in self.leftovers(now).await? {
            match self.remove_leftover(&leftover.kind).await {
                Ok(()) => cleared.removed.push(leftover),
                Err(error) => cleared.failed.push((leftover, error)),
            }
        }
        Ok(cleared)
    }

    async fn remove_leftover(&self, kind: &LeftoverKind) -> Result<()> {
        match kind {
            LeftoverKind::Backup(id) => self.remove(id).await,
            LeftoverKind::Temporary(path) => self
                .store
                .inner
                .delete(&path.as_str().into())
                .await
                .map_err(storage(format!("remove {path}"))),
        }
    }
}

fn temporary_file(file: &ObjectMeta) -> Leftover {
    let kind = LeftoverKind::Temporary(file.location.to_string());
    Leftover { kind, bytes: file.size, newest_write: file.last_modified }
}
