//! New data takes the place of old, in steps that can be taken back even after a kill.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Component, Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::files::{failed, keep_as, make_folder, sync_folder};
use crate::{Error, Result, restore::in_use};

/// Which steps are under way; it is there from before the first until after the last.
const JOURNAL: &str = ".larder-restore.journal";

/// One file or folder that takes its place. All paths are inside the folder that is filled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Step {
    /// Where it was put together.
    pub(super) new: PathBuf,
    /// Where it is to be.
    pub(super) place: PathBuf,
    /// Where that goes which is in its place now.
    pub(super) kept: Option<PathBuf>,
    /// Device and inode of the new: what is in its place later may be of a server that was started meanwhile.
    identity: Option<(u64, u64)>,
}

impl Step {
    pub(super) fn new(new: PathBuf, place: PathBuf, kept: Option<PathBuf>) -> Self {
        Self { identity: identity(&new), new, place, kept }
    }

    /// A file stays where it is until the new one replaces it; a folder has to go first.
    fn put_aside(&self) -> Result<()> {
        let Some(kept) = &self.kept else { return Ok(()) };
        let aside = folder_of(kept);
        make_folder(aside)?;
        if self.new.is_dir() {
            fs::rename(&self.place, kept).map_err(|source| failed(kept, "put aside", source))?;
        } else {
            keep_as(&self.place, kept)?;
        }
        sync_folder(aside)
    }

    fn put_in_place(&self) -> Result<()> {
        fs::rename(&self.new, &self.place)
            .map_err(|source| failed(&self.place, "put in its place", source))?;
        sync_folder(folder_of(&self.place))
    }

    /// Does nothing where nothing of it was done. What was put together is there again afterwards.
    fn take_back(&self) -> io::Result<()> {
        let is_placed = self.is_placed();
        if is_placed {
            fs::create_dir_all(folder_of(&self.new))?;
        }
        let kept = self.kept.as_ref().filter(|kept| is_there(kept));
        match kept {
            Some(kept) if kept.is_file() && is_placed => {
                if !is_there(&self.new) {
                    fs::hard_link(&self.place, &self.new)
                        .or_else(|_| fs::copy(&self.place, &self.new).map(drop))?;
                }
                fs::rename(kept, &self.place)?;
            }
            Some(kept) if is_there(&self.place) && !is_placed => {
                if kept.is_file() && is_there(&self.new) {
                    fs::remove_file(kept)?;
                } else if !is_there(&self.new) {
                    let what = "something else has come into its place";
                    return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
                }
            }
            _ => {
                if is_placed {
                    fs::rename(&self.place, &self.new)?;
                }
                if let Some(kept) = kept {
                    fs::rename(kept, &self.place)?;
                }
            }
        }
        if let Some(kept) = &self.kept {
            // Only where it is empty.
            let _ = fs::remove_dir(folder_of(kept));
        }
        Ok(())
    }

    fn is_placed(&self) -> bool {
        self.identity.is_some() && identity(&self.place) == self.identity
    }

    fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.new, &self.place].into_iter().chain(&self.kept)
    }
}

/// All that takes its place, or nothing of it.
#[derive(Debug)]
pub(super) struct Swap {
    journal: PathBuf,
    steps: Vec<Step>,
}

impl Swap {
    /// Writes down what is about to be done. From here on, a kill is seen by the next run.
    pub(super) fn begin(folder: &Path, steps: Vec<Step>) -> Result<Self> {
        let swap = Self { journal: folder.join(JOURNAL), steps };
        let inside = |path: &Path| path.strip_prefix(folder).unwrap_or(path).to_path_buf();
        let written: Vec<Step> = swap.steps.iter().map(|step| step.with_paths(inside)).collect();
        let beginning = swap.journal.with_extension("part");
        let write = || {
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beginning)?;
            file.write_all(&serde_json::to_vec(&written)?)?;
            file.sync_all()?;
            fs::rename(&beginning, &swap.journal)
        };
        write().map_err(|source| failed(&swap.journal, "written", source))?;
        sync_folder(folder)?;
        Ok(swap)
    }

    /// What a run that was killed has written down, where it did not come to its end.
    ///
    /// # Errors
    /// [`Error::Refused`] where what is written there is no such thing; [`Error::File`].
    pub(super) fn unfinished(folder: &Path) -> Result<Option<Self>> {
        let journal = folder.join(JOURNAL);
        let bytes = match fs::read(&journal) {
            Ok(bytes) => bytes,
            Err(error) if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind()) => {
                return Ok(None);
            }
            Err(source) => return Err(failed(&journal, "read", source)),
        };
        let steps: Vec<Step> = serde_json::from_slice(&bytes).unwrap_or_default();
        let is_inside = |path: &PathBuf| path.components().all(|part| matches!(part, Component::Normal(_)));
        if steps.is_empty() || !steps.iter().flat_map(Step::paths).all(is_inside) {
            let reason = format!(
                "{} was not written by a restore: see what is in {}, put right what is missing there, and remove that file",
                journal.display(),
                folder.display()
            );
            return Err(Error::Refused { what: "the restore".to_owned(), reasons: vec![reason] });
        }
        let steps = steps.iter().map(|step| step.with_paths(|path| folder.join(path))).collect();
        Ok(Some(Self { journal, steps }))
    }

    /// Corrects a list of the data that is in the folder to what it is once this is taken back.
    pub(super) fn correct(&self, data: &mut Vec<PathBuf>) {
        let steps = self.steps.iter().filter(|_| !self.is_done());
        for step in steps {
            let is_kept = step.kept.as_ref().is_some_and(|kept| is_there(kept));
            if step.is_placed() && !is_kept {
                data.retain(|path| *path != step.place);
            } else if is_kept && !data.contains(&step.place) {
                data.push(step.place.clone());
            }
        }
    }

    /// Takes back what a run that was killed has begun, or forgets it where all of it was done.
    ///
    /// # Errors
    /// [`Error::Refused`] where a server runs there, or where something has come into the way of what is put back.
    pub(super) fn recover(self) -> Result<()> {
        if self.is_done() {
            return self.end();
        }
        let homes: BTreeSet<&Path> = self.steps.iter().map(|step| folder_of(&step.place)).collect();
        let mut reasons: Vec<String> = homes.into_iter().flat_map(in_use::servers_in).collect();
        if reasons.is_empty() {
            reasons = self.take_back();
        }
        if !reasons.is_empty() {
            return Err(Error::Refused { what: "the restore".to_owned(), reasons });
        }
        Ok(())
    }

    /// Does it. Where a step fails, those before it are taken back; what cannot be is said.
    pub(super) fn run(self) -> Result<()> {
        for step in &self.steps {
            if let Err(error) = step.put_aside().and_then(|()| step.put_in_place()) {
                let mut reasons = self.take_back();
                if reasons.is_empty() {
                    return Err(error);
                }
                reasons.insert(0, error.with_causes());
                return Err(Error::Refused { what: "the restore".to_owned(), reasons });
            }
        }
        self.end()
    }

    fn is_done(&self) -> bool {
        self.steps.iter().all(|step| !is_there(&step.new) && is_there(&step.place))
    }

    /// Says what could not be taken back; the journal goes only where all was.
    fn take_back(&self) -> Vec<String> {
        let mut left = Vec::new();
        for step in self.steps.iter().rev() {
            if let Err(error) = step.take_back() {
                left.push(match &step.kept {
                    Some(kept) => format!(
                        "{} could not be put back to {}: {error}; move it there by hand, or move what is in its place away, \
                         and run this again",
                        kept.display(),
                        step.place.display()
                    ),
                    None => format!("{} could not be taken away again: {error}", step.place.display()),
                });
            }
        }
        let homes: BTreeSet<&Path> = self.steps.iter().map(|step| folder_of(&step.place)).collect();
        let failures = homes.into_iter().filter_map(|home| sync_folder(home).err());
        left.extend(failures.map(|error| error.with_causes()));
        if left.is_empty() {
            left.extend(self.end().err().map(|error| error.with_causes()));
        }
        left
    }

    fn end(&self) -> Result<()> {
        fs::remove_file(&self.journal).map_err(|source| failed(&self.journal, "removed", source))?;
        sync_folder(folder_of(&self.journal))
    }
}

impl Step {
    fn with_paths(&self, change: impl Fn(&Path) -> PathBuf) -> Self {
        Self {
            new: change(&self.new),
            place: change(&self.place),
            kept: self.kept.as_deref().map(change),
            identity: self.identity,
        }
    }
}

/// Whether a swap is under way in a folder, so that what was put together there is still needed.
pub(super) fn is_under_way(folder: &Path) -> bool {
    is_there(&folder.join(JOURNAL))
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    path.symlink_metadata().ok().map(|there| (there.dev(), there.ino()))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

#[cfg(test)]
mod tests;
