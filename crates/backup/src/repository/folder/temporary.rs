//! Files that have no name of their own until they are complete.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

const FRONT: &str = ".larder-";
const END: &str = ".part";

/// A file beside the place where it will be; removed unless it is published.
#[derive(Debug)]
pub(super) struct Temporary {
    file: File,
    path: PathBuf,
    is_published: bool,
}

/// Tells whether a file of this name is one that is not complete.
pub(super) fn is_temporary(name: &str) -> bool {
    name.starts_with(FRONT) && name.ends_with(END)
}

impl Temporary {
    /// Makes one for `target`, with the folders above it; no one else may read them.
    pub(super) fn beside(target: &Path) -> io::Result<Self> {
        let folder = folder_of(target)?;
        let path = folder.join(format!("{FRONT}{:016x}{END}", rand::random::<u64>()));
        // A removal that empties the folder may take it away just before.
        let file = match create(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                make_folders(folder)?;
                create(&path)?
            }
            created => created?,
        };
        Ok(Self { file, path, is_published: false })
    }

    /// Takes its name away; whoever still writes to it writes to nothing.
    pub(super) fn forget(&self) {
        // What cannot be removed is found as a leftover.
        let _ = fs::remove_file(&self.path);
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Gives it its name, for good: the file and its folder are on the disk before this returns.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] where `replace` is not set and there is such a file.
    pub(super) fn publish(mut self, target: &Path, replace: bool) -> io::Result<()> {
        self.file.sync_all()?;
        if replace {
            fs::rename(&self.path, target)?;
            self.is_published = true;
        } else {
            self.is_published = link_new(&self.path, target)?;
        }
        sync_folder(folder_of(target)?)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_published {
            self.forget();
        }
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Gives a file a second name that must be new; tells whether the first is gone already.
fn link_new(path: &Path, target: &Path) -> io::Result<bool> {
    match fs::hard_link(path, target) {
        Ok(()) => Ok(false),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        // Some file systems (FAT, many over FUSE) have no second names. Two writers of one name could both pass here; names
        // of backups have a random mark, so that there are none.
        Err(_) if target.symlink_metadata().is_ok() => Err(ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(path, target).map(|()| true),
    }
}

fn make_folders(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> =
        folder.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    for made in missing {
        sync_folder(folder_of(made)?)?;
    }
    Ok(())
}

/// Puts the names in a folder on the disk.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

pub(super) fn folder_of(path: &Path) -> io::Result<&Path> {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Ok(Path::new(".")),
        Some(folder) => Ok(folder),
        None => Err(ErrorKind::InvalidInput.into()),
    }
}
