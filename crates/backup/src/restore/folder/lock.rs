//! One restore into a folder at a time.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::files::failed;
use crate::{Error, Result};

const NAME: &str = ".larder-restore.lock";

/// Held while a folder is filled; a process that is killed holds it no more.
#[derive(Debug)]
pub(super) struct FolderLock {
    path: PathBuf,
    /// `None` where the file system has no locks.
    _held: Option<File>,
}

impl FolderLock {
    /// Takes it.
    ///
    /// # Errors
    /// [`Error::Refused`] where another restore into the folder is under way.
    pub(super) fn take(folder: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        loop {
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)
                .map_err(|source| failed(&path, "made", source))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(under_way(folder, &path)),
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                    tracing::warn!(path = %path.display(), "the file system has no locks: see to it that no other \
                        restore goes into this folder");
                    return Ok(Self { path, _held: None });
                }
                Err(TryLockError::Error(source)) => return Err(failed(&path, "locked", source)),
            }
            // Whoever had it may have removed the file between the two.
            if is_still(&file, &path) {
                return Ok(Self { path, _held: Some(file) });
            }
        }
    }
}

fn is_still(file: &File, path: &Path) -> bool {
    let (Ok(held), Ok(there)) = (file.metadata(), fs::metadata(path)) else { return false };
    (held.dev(), held.ino()) == (there.dev(), there.ino())
}

fn under_way(folder: &Path, path: &Path) -> Error {
    let reason = format!(
        "another restore into {} is under way (it holds {}): wait until it has ended, or name another folder",
        folder.display(),
        path.display()
    );
    Error::Refused { what: "the restore".to_owned(), reasons: vec![reason] }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // While it is held: what is opened after this is another file.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_until_the_first_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLock::take(folder.path()).unwrap();
        let second = FolderLock::take(folder.path()).unwrap_err().to_string();
        assert!(second.contains("wait until it has ended, or name another folder"), "{second}");
        drop(first);
        drop(FolderLock::take(folder.path()).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
