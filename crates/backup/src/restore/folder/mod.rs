//! A data folder that a server boots from.

mod append_only;
mod configuration;
mod files;
mod lock;
mod plan;
mod staging;
mod swap;

use std::path::PathBuf;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

pub use self::{
    configuration::ConfigurationPlan,
    plan::{FolderPlan, PlannedFile, plan_folder},
};
use self::{files::MadeFolders, lock::FolderLock, plan::homes, staging::Staging, swap::Swap};
use super::in_use;
use crate::{Effort, Error, Keyring, Manifest, Progress, Repository, Result, reading::Reading};

/// How a folder is filled.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FolderOptions {
    /// What opens the backup, where it is encrypted.
    pub keyring: Keyring,
    /// Data that is in the folder is put aside, and takes its place again when it is moved back. Without it, a folder with
    /// data is refused.
    pub swap: bool,
    /// Writes the data as an append-only file as well: a server with `appendonly yes` reads nothing else.
    pub append_only: bool,
    /// How it stands to other work on this machine.
    pub effort: Effort,
    /// How far it is.
    pub progress: Progress,
    /// Ends it; the folder is then as it was.
    pub stop: CancellationToken,
}

impl FolderOptions {
    fn reading(&self) -> Reading {
        Reading {
            keyring: self.keyring.clone(),
            effort: self.effort,
            progress: self.progress.clone(),
            stop: self.stop.clone(),
        }
    }
}

/// What was done to a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FolderOutcome {
    /// The RDB files that were written.
    pub written: Vec<PathBuf>,
    /// What was there before, and is now here.
    pub aside: Option<PathBuf>,
    /// Configuration files that were placed.
    pub configuration: Vec<PathBuf>,
    /// Configuration files that were there before, and are now here.
    pub configuration_aside: Option<PathBuf>,
    /// Configuration that was not placed, metrics and logs.
    pub side_folders: Vec<PathBuf>,
    /// Keys.
    pub keys: u64,
}

/// Fills a folder as planned. Everything is read, checked and written beside the old data first; only then does the new take the
/// place of the old, file by file, each by one rename. Configuration files, where they are to be placed, come before the data.
///
/// # Errors
/// [`Error::Refused`] where something stands against it, or where another restore into the folder is under way;
/// [`Error::Damaged`] where the backup is not what it should be; [`Error::File`]. The folder is then as it was; what
/// could not be put back is named in the error, and put back by the next run.
pub async fn restore_to_folder(
    repository: &Repository,
    manifest: &Manifest,
    plan: &FolderPlan,
    options: &FolderOptions,
) -> Result<FolderOutcome> {
    if !plan.refusals.is_empty() {
        return Err(Error::Refused { what: "the restore".to_owned(), reasons: plan.refusals.clone() });
    }
    let _made = MadeFolders::make(&plan.folder)?;
    let _lock = FolderLock::take(&plan.folder)?;
    if let Some(unfinished) = Swap::unfinished(&plan.folder)? {
        unfinished.recover()?;
    }
    let staging = Staging::begin(&plan.folder)?;
    let keys = staging.fill(repository, manifest, options).await?;
    // Whoever started a server there meanwhile would not see the new data, and overwrite it at its next save.
    for home in homes(manifest, &plan.folder) {
        let reasons = in_use::servers_in(&home);
        if !reasons.is_empty() {
            return Err(Error::Refused { what: "the restore".to_owned(), reasons });
        }
    }
    let placed = staging.place_configuration(plan)?;
    let aside = plan.configuration.as_ref().map(|configuration| configuration.aside.clone());
    let mut outcome = FolderOutcome {
        written: Vec::new(),
        aside: None,
        configuration: placed.paths().cloned().collect(),
        configuration_aside: aside.filter(|_| placed.has_put_aside()),
        side_folders: Vec::new(),
        keys,
    };
    if let Err(error) = staging.take_place(manifest, plan, options, &mut outcome) {
        placed.take_back();
        return Err(error);
    }
    Ok(outcome)
}
