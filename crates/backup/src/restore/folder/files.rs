//! Files and folders as restores handle them.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use crate::{Error, Result};

/// Keeps a file under another name, too; it is not there under its old name alone at any moment.
pub(super) fn keep_as(old: &Path, kept: &Path) -> Result<()> {
    fs::hard_link(old, kept)
        .or_else(|_| fs::copy(old, kept).map(drop))
        .map_err(|source| failed(kept, "written", source))
}

/// Two files or folders change places, at one moment.
///
/// # Errors
/// The file system cannot do that, or one of them is not there; nothing was changed then.
#[cfg(target_os = "linux")]
pub(super) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

/// Two files or folders change places, at one moment: not to be had here.
#[cfg(not(target_os = "linux"))]
pub(super) fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
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

/// Folders that were made, and go again where nothing came into them.
#[derive(Debug)]
pub(super) struct MadeFolders(Vec<PathBuf>);

impl MadeFolders {
    /// Makes a folder, and those that it is in.
    pub(super) fn make(path: &Path) -> Result<Self> {
        let missing = path.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.exists());
        let missing = missing.map(Path::to_path_buf).collect();
        make_folder(path)?;
        Ok(Self(missing))
    }
}

impl Drop for MadeFolders {
    fn drop(&mut self) {
        for folder in &self.0 {
            // Only where it is empty.
            let _ = fs::remove_dir(folder);
        }
    }
}

pub(super) fn sync_folder(path: &Path) -> Result<()> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|source| failed(path, "synced", source))
}

pub(super) fn failed(path: &Path, what: &'static str, source: io::Error) -> Error {
    Error::File { path: path.to_path_buf(), what, source }
}
