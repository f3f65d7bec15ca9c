//! Configuration files, in a folder where they take effect.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::Serialize;
use tempfile::NamedTempFile;

use super::files::{belong_to_owner_of, failed, keep_as, make_folder, sync_folder};
use crate::{Error, Result};

/// What would be done with configuration files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConfigurationPlan {
    /// Where they are placed.
    pub folder: PathBuf,
    /// The files, each under the path that it has in the backup.
    pub files: Vec<PathBuf>,
    /// Those that are there already. They are put aside, unless they are the same.
    pub put_aside: Vec<PathBuf>,
    /// Where they are put.
    pub aside: PathBuf,
}

/// Files that were placed, which can be taken back.
#[derive(Debug, Default)]
pub(super) struct Placed {
    /// Where, and where what was there before is now.
    files: Vec<(PathBuf, Option<PathBuf>)>,
}

impl ConfigurationPlan {
    /// Plans to place files of these paths; says what stands against it.
    pub(super) fn of(paths: &[PathBuf], folder: &Path, aside: PathBuf, swap: bool) -> (Self, Vec<String>) {
        let files: Vec<PathBuf> = paths.iter().map(|path| folder.join(path)).collect();
        let put_aside: Vec<PathBuf> = files.iter().filter(|path| is_there(path)).cloned().collect();
        let mut refusals = Vec::new();
        for path in &put_aside {
            if !path.is_file() {
                refusals.push(format!("{} is there and is no file: move it away", path.display()));
            } else if !swap {
                refusals.push(format!(
                    "{} is there: put it aside with --swap, or name another folder with --configuration-to",
                    path.display()
                ));
            }
        }
        if folder.exists() && !folder.is_dir() {
            refusals.push(format!("{} is no folder", folder.display()));
        }
        (Self { folder: folder.to_path_buf(), files, put_aside, aside }, refusals)
    }

    /// Places what was unpacked under a folder. Where one file cannot be placed, those before it are taken back.
    pub(super) fn place(&self, unpacked: &Path) -> Result<Placed> {
        let mut placed = Placed::default();
        for target in &self.files {
            if let Err(error) = self.place_one(unpacked, target, &mut placed) {
                placed.take_back();
                return Err(error);
            }
        }
        Ok(placed)
    }

    fn place_one(&self, unpacked: &Path, target: &Path, placed: &mut Placed) -> Result<()> {
        let path = target.strip_prefix(&self.folder).unwrap_or(target);
        let source = unpacked.join(path);
        let home = target.parent().unwrap_or(&self.folder);
        make_folder(home)?;
        let new = beside(&source, home)?;
        belong_to_owner_of(home, new.path())?;
        if !is_there(target) {
            new.persist_noclobber(target).map_err(|error| failed(target, "put in its place", error.error))?;
            placed.files.push((target.to_path_buf(), None));
            return sync_folder(home);
        }
        if is_same(&source, target).map_err(|error| failed(target, "read", error))? {
            return Ok(());
        }
        if !self.put_aside.iter().any(|known| known == target) {
            let reason =
                format!("{} was not there when the restore was planned: plan it again", target.display());
            return Err(Error::Refused { what: "the restore".to_owned(), reasons: vec![reason] });
        }
        let kept = self.aside.join(path);
        make_folder(kept.parent().unwrap_or(&self.aside))?;
        keep_as(target, &kept)?;
        sync_folder(kept.parent().unwrap_or(&self.aside))?;
        new.persist(target).map_err(|error| failed(target, "put in its place", error.error))?;
        placed.files.push((target.to_path_buf(), Some(kept)));
        sync_folder(home)
    }
}

impl Placed {
    pub(super) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.files.iter().map(|(path, _)| path)
    }

    pub(super) fn has_put_aside(&self) -> bool {
        self.files.iter().any(|(_, kept)| kept.is_some())
    }

    /// Makes the folder be as it was; what is in the way of that is said.
    pub(super) fn take_back(&self) {
        for (path, kept) in self.files.iter().rev() {
            let taken_back = match kept {
                Some(kept) => fs::rename(kept, path),
                None => fs::remove_file(path),
            };
            if let Err(error) = taken_back {
                tracing::warn!(path = %path.display(), %error, "a configuration file could not be taken back");
            }
        }
    }
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// A copy in the folder where it is to be, under a name of its own.
fn beside(source: &Path, home: &Path) -> Result<NamedTempFile> {
    let copied = || {
        let mut from = File::open(source)?;
        let mut to = tempfile::Builder::new().prefix(".larder-").tempfile_in(home)?;
        io::copy(&mut from, to.as_file_mut())?;
        to.as_file().set_permissions(from.metadata()?.permissions())?;
        to.as_file().sync_all()?;
        Ok(to)
    };
    copied().map_err(|error| failed(source, "copied to its place", error))
}

fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (File::open(one)?, File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (one, other) = (io::BufReader::new(one), io::BufReader::new(other));
    for (byte, other) in one.bytes().zip(other.bytes()) {
        if byte? != other? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(folder: &Path, swap: bool) -> (ConfigurationPlan, Vec<String>) {
        let paths = ["a.conf", "etc/b.conf", "c.conf"].map(PathBuf::from);
        ConfigurationPlan::of(&paths, folder, folder.join("before"), swap)
    }

    #[test]
    fn what_is_there_is_put_aside_or_left_and_can_be_taken_back() {
        let (unpacked, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (unpacked, folder) = (unpacked.path(), folder.path());
        fs::create_dir(unpacked.join("etc")).unwrap();
        for path in ["a.conf", "etc/b.conf", "c.conf"] {
            fs::write(unpacked.join(path), "new").unwrap();
        }
        fs::write(folder.join("a.conf"), "old").unwrap();
        fs::write(folder.join("c.conf"), "new").unwrap();
        let read = |path: &str| fs::read_to_string(folder.join(path)).ok();
        let (_, refusals) = plan(folder, false);
        assert_eq!(refusals.len(), 2, "{refusals:?}");
        assert!(refusals[0].contains("a.conf is there: put it aside with --swap"), "{refusals:?}");

        let (swapping, refusals) = plan(folder, true);
        assert_eq!(refusals, [""; 0]);
        let placed = swapping.place(unpacked).unwrap();
        assert_eq!(placed.paths().count(), 2, "one was the same");
        assert_eq!([read("a.conf"), read("etc/b.conf")], [Some("new".to_owned()), Some("new".to_owned())]);
        assert_eq!(read("before/a.conf").unwrap(), "old");
        placed.take_back();
        assert_eq!([read("a.conf"), read("etc/b.conf")], [Some("old".to_owned()), None]);

        // One that cannot be placed, because a folder has come in its way, leaves the others as they were.
        let (swapping, _) = plan(folder, true);
        fs::remove_file(folder.join("c.conf")).unwrap();
        fs::create_dir(folder.join("c.conf")).unwrap();
        assert!(swapping.place(unpacked).is_err());
        assert_eq!([read("a.conf"), read("etc/b.conf")], [Some("old".to_owned()), None]);
    }
}
