//! One file or folder that takes its place.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{folder_of, is_there};
use crate::{
    Result,
    restore::folder::files::{exchange, failed, keep_as, make_folder, sync_folder},
};

/// One file or folder that takes its place. All paths are inside the folder that is filled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::restore::folder) struct Step {
    /// Where it was put together.
    pub(super) new: PathBuf,
    /// Where it is to be.
    pub(in crate::restore::folder) place: PathBuf,
    /// Where that goes which is in its place now.
    pub(in crate::restore::folder) kept: Option<PathBuf>,
    /// Device and inode of the new: what is in its place later may be of a server that was started meanwhile.
    identity: Option<(u64, u64)>,
}

impl Step {
    pub(in crate::restore::folder) fn new(new: PathBuf, place: PathBuf, kept: Option<PathBuf>) -> Self {
        Self { identity: identity(&new), new, place, kept }
    }

    /// The first half. The old stays where it is: a file bears a second name; a folder and the new one change places, so
    /// that a server which boots at any moment finds one of them. Only where the file system cannot do that, the old is moved away.
    pub(super) fn begin(&self) -> Result<()> {
        let Some(kept) = &self.kept else { return Ok(()) };
        let aside = folder_of(kept);
        make_folder(aside)?;
        if !self.new.is_dir() {
            keep_as(&self.place, kept)?;
        } else if exchange(&self.new, &self.place).is_err() {
            fs::rename(&self.place, kept).map_err(|source| failed(kept, "put aside", source))?;
        }
        sync_folder(folder_of(&self.place))?;
        sync_folder(aside)
    }

    /// The second half: the new takes its place, or, where it has it, the old goes aside.
    pub(super) fn finish(&self) -> Result<()> {
        if let Some(kept) = self.kept.as_ref().filter(|_| self.is_exchanged()) {
            fs::rename(&self.new, kept).map_err(|source| failed(kept, "put aside", source))?;
            return sync_folder(folder_of(kept));
        }
        fs::rename(&self.new, &self.place)
            .map_err(|source| failed(&self.place, "put in its place", source))?;
        sync_folder(folder_of(&self.place))
    }

    /// Does nothing where nothing of it was done. What was put together is there again afterwards.
    pub(super) fn take_back(&self) -> io::Result<()> {
        if self.is_placed() {
            fs::create_dir_all(folder_of(&self.new))?;
        }
        let kept = self.kept.as_deref().filter(|kept| is_there(kept));
        match kept {
            None => self.take_away()?,
            Some(kept) if kept.is_file() => self.take_back_file(kept)?,
            Some(kept) => self.take_back_folder(kept)?,
        }
        if let Some(kept) = &self.kept {
            // Only where it is empty.
            let _ = fs::remove_dir(folder_of(kept));
        }
        Ok(())
    }

    fn take_away(&self) -> io::Result<()> {
        if self.is_exchanged() {
            exchange(&self.new, &self.place)
        } else if self.is_placed() {
            fs::rename(&self.place, &self.new)
        } else {
            Ok(())
        }
    }

    fn take_back_file(&self, kept: &Path) -> io::Result<()> {
        if self.is_placed() && !is_there(&self.new) {
            fs::hard_link(&self.place, &self.new).or_else(|_| fs::copy(&self.place, &self.new).map(drop))?;
        }
        if self.is_placed() || !is_there(&self.place) {
            fs::rename(kept, &self.place)
        } else if is_there(&self.new) {
            // It never left its place.
            fs::remove_file(kept)
        } else {
            Err(something_else_is_there())
        }
    }

    fn take_back_folder(&self, kept: &Path) -> io::Result<()> {
        if self.is_placed() && exchange(kept, &self.place).is_err() {
            fs::rename(&self.place, &self.new)?;
        }
        if self.is_new(kept) {
            fs::rename(kept, &self.new)
        } else if is_there(&self.place) {
            Err(something_else_is_there())
        } else {
            fs::rename(kept, &self.place)
        }
    }

    /// Whether the new is where it is to be.
    pub(super) fn is_placed(&self) -> bool {
        self.is_new(&self.place)
    }

    /// Whether what was there before is somewhere else now.
    pub(super) fn has_old_data(&self) -> bool {
        self.kept.as_deref().is_some_and(is_there) || self.is_exchanged()
    }

    /// Whether the old is where the new was put together.
    fn is_exchanged(&self) -> bool {
        let Some(kept) = &self.kept else { return false };
        self.is_placed() && is_there(&self.new) && !is_there(kept)
    }

    fn is_new(&self, path: &Path) -> bool {
        self.identity.is_some() && identity(path) == self.identity
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.new, &self.place].into_iter().chain(&self.kept)
    }

    pub(super) fn with_paths(&self, change: impl Fn(&Path) -> PathBuf) -> Self {
        Self {
            new: change(&self.new),
            place: change(&self.place),
            kept: self.kept.as_deref().map(change),
            identity: self.identity,
        }
    }
}

fn something_else_is_there() -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, "something else has come into its place")
}

pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    path.symlink_metadata().ok().map(|there| (there.dev(), there.ino()))
}
