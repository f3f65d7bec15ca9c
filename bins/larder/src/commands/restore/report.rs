//! Recovery reports.

use std::{
    fs::{DirBuilder, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
};

use larder_backup::{Manifest, RecoveryReport};

use super::RestoreArgs;
use crate::{
    config::{RepositoryPlace, Settings},
    context::now,
    output::message,
};

/// Begins the report of a recovery that ends now, and has failed as far as it knows.
pub(super) fn begin(
    args: &RestoreArgs,
    place: &RepositoryPlace,
    manifest: &Manifest,
    target: String,
) -> RecoveryReport {
    let backup = format!("{} in {}", manifest.id, place.name);
    RecoveryReport::new(now(), backup, args.which.text().to_owned(), target)
}

/// Writes the report of a recovery; where that cannot be done, the recovery is one all the same.
pub(super) fn write(report: &RecoveryReport, settings: &Settings) {
    let folder = &settings.file.backup.report_folder;
    let path = folder.join(report.file_name());
    let written = DirBuilder::new().recursive(true).mode(0o700).create(folder).and_then(|()| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(report.to_text().as_bytes())?;
        file.sync_all()
    });
    match written {
        Ok(()) => message::note(&format!("recovery report: {}", path.display())),
        Err(error) => {
            message::warning(&format!("the recovery report {} cannot be written: {error}", path.display()));
        }
    }
}
