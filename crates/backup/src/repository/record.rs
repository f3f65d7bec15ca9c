//! A manifest as a file.

use serde::{Deserialize, Serialize};

use super::{
    guide_file::{self, GuideFile},
    layout::Layout,
    seal,
};
use crate::{BackupId, Error, Manifest, Result};

#[derive(Serialize)]
pub(super) struct Sealed<'a> {
    #[serde(flatten)]
    manifest: &'a Manifest,
    checksum: &'a str,
}

/// What a manifest's file turned out to be.
#[derive(Debug)]
pub(super) enum Record {
    /// A manifest of ours.
    Ours(Box<Manifest>),
    /// What the guide's script wrote.
    Guide(GuideFile),
}

/// Writes a manifest in its layout.
pub(super) fn write(manifest: &Manifest) -> Result<String> {
    let sealed = Sealed { manifest, checksum: seal::OPEN };
    let text = match Layout::of(&manifest.id) {
        Layout::Ours => serde_json::to_string_pretty(&sealed),
        Layout::Guide => serde_json::to_string_pretty(&guide_file::written(manifest, sealed)?),
    };
    let text = text.map_err(|error| distrusted(&manifest.id, error.to_string()))?;
    Ok(seal::seal(text + "\n"))
}

/// Reads a manifest, and finds out whether it was altered.
pub(super) fn read(id: &BackupId, text: &[u8]) -> Result<Record> {
    match Layout::of(id) {
        Layout::Ours => {
            check(id, text)?;
            let manifest = parse::<Manifest>(id, text)?;
            ours(id, manifest)
        }
        Layout::Guide => read_guides(id, text),
    }
}

fn read_guides(id: &BackupId, text: &[u8]) -> Result<Record> {
    // One of the two is left whichever byte was altered.
    let bears_ours = seal::is_sealed(text) || guide_file::bears_ours(text);
    if bears_ours {
        check(id, text)?;
    }
    let mut file: GuideFile = parse(id, text).map_err(|error| match error {
        Error::Manifest { id, reason } => {
            let reason =
                format!("{reason}; without it, the files beside it are read as the guide's script left them");
            Error::Manifest { id, reason }
        }
        other => other,
    })?;
    match file.larder.take() {
        Some(manifest) => ours(id, *manifest),
        None if bears_ours => Err(distrusted(id, "the part that is ours is missing")),
        None => Ok(Record::Guide(file)),
    }
}

fn ours(id: &BackupId, manifest: Manifest) -> Result<Record> {
    if manifest.id == *id {
        return Ok(Record::Ours(Box::new(manifest)));
    }
    Err(distrusted(id, format!("it is the manifest of {}", manifest.id)))
}

fn check(id: &BackupId, text: &[u8]) -> Result<()> {
    seal::check(text).map_err(|reason| distrusted(id, reason))
}

fn parse<'a, T: Deserialize<'a>>(id: &BackupId, text: &'a [u8]) -> Result<T> {
    serde_json::from_slice(text).map_err(|error| distrusted(id, error.to_string()))
}

fn distrusted(id: &BackupId, reason: impl Into<String>) -> Error {
    Error::Manifest { id: id.clone(), reason: reason.into() }
}
