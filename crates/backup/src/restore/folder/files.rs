//! Files and folders as restores handle them.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::Path,
};

use crate::{Error, Result};

/// Keeps a file under another name, too; it is not there under its old name alone at any moment.
pub(super) fn keep_as(old: &Path, kept: &Path) -> Result<()> {
    fs::hard_link(old, kept)
        .or_else(|_| fs::copy(old, kept).map(drop))
        .map_err(|source| failed(kept, "written", source))
}

/// The server may run as another user than whoever restores.
pub(super) fn belong_to_owner_of(home: &Path, path: &Path) -> Result<()> {
    let owner = fs::metadata(home).map_err(|source| failed(home, "looked at", source))?;
    let own = fs::metadata(path).map_err(|source| failed(path, "looked at", source))?;
    if (owner.uid(), owner.gid()) == (own.uid(), own.gid()) {
        return Ok(());
    }
    std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid()))
        .map_err(|source| failed(path, "given to the owner of its folder", source))
}

pub(super) fn make_folder(path: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| failed(path, "made", source))
}

pub(super) fn sync_folder(path: &Path) -> Result<()> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|source| failed(path, "synced", source))
}

pub(super) fn failed(path: &Path, what: &'static str, source: io::Error) -> Error {
    Error::File { path: path.to_path_buf(), what, source }
}
