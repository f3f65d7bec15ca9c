//! New data takes the place of old, in steps that can be taken back even after a kill.

mod step;

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Component, Path, PathBuf},
};

pub(super) use self::step::Step;
use super::files::{failed, sync_folder};
use crate::{Error, Result, restore::in_use};

/// Which steps are under way; it is there from before the first until after the last.
const JOURNAL: &str = ".larder-restore.journal";

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
            let has_old = step.has_old_data();
            if step.is_placed() && !has_old {
                data.retain(|path| *path != step.place);
            } else if has_old && !data.contains(&step.place) {
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
            if let Err(error) = step.begin().and_then(|()| step.finish()) {
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

/// Whether a swap is under way in a folder, so that what was put together there is still needed.
pub(super) fn is_under_way(folder: &Path) -> bool {
    is_there(&folder.join(JOURNAL))
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

#[cfg(test)]
mod tests;
