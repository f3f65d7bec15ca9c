//! Removing a backup.

use object_store::{ObjectStoreExt, path::Path};

use super::{
    Repository,
    layout::{Layout, manifest_path, owner},
    storage,
};
use crate::{BackupId, Error, Result, SideArchive};

impl Repository {
    /// Removes a backup: first that by which it is listed, then the rest. Cut off in the middle, it leaves objects that are
    /// listed as unfinished.
    ///
    /// # Errors
    /// [`Error::NoBackup`] where nothing is there; the store fails.
    pub async fn remove(&self, id: &BackupId) -> Result<()> {
        let mut paths = self.paths_of(id).await?;
        if paths.is_empty() {
            return Err(Error::NoBackup { wanted: id.to_string() });
        }
        let manifest = manifest_path(id);
        paths.sort_by_key(|path| rank(id, &manifest, path.as_ref()));
        for path in paths {
            match self.store.inner.delete(&path).await {
                // Someone else removes it too.
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(storage(format!("remove {path}"))(error)),
            }
        }
        Ok(())
    }

    /// Takes away what was stored of a backup that does not come to be; what stays is listed as unfinished.
    pub(crate) async fn discard(&self, archives: &[SideArchive]) {
        for SideArchive { artifact, .. } in archives {
            if let Err(error) = self.store.inner.delete(&Path::from(artifact.path.as_str())).await {
                tracing::debug!(path = artifact.path, %error, "what was stored cannot be taken away");
            }
        }
    }

    async fn paths_of(&self, id: &BackupId) -> Result<Vec<Path>> {
        let objects = self.objects().await?;
        let paths = objects.into_iter().map(|object| object.location);
        Ok(paths.filter(|path| owner(path.as_ref()).as_ref() == Some(id)).collect())
    }
}

/// What makes a backup be listed is its manifest; the guide's are listed by their dump as well, so that it goes first there
/// and the manifest last. Without the manifest a `.rdb` is not complete, and with it a `.rdb.gz` beside it does not count: the
/// plain one goes last of the two.
fn rank(id: &BackupId, manifest: &str, path: &str) -> u8 {
    match Layout::of(id) {
        Layout::Ours if path == manifest => 0,
        Layout::Guide if path == manifest => 3,
        Layout::Guide if path.starts_with("redis_") => u8::from(path.strip_suffix(".gz").is_none()),
        _ => 2,
    }
}
