//! What is in a folder.

use std::{
    fs::{self, DirEntry, Metadata},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use object_store::{ObjectMeta, path::Path as Location};

use super::temporary::is_temporary;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) objects: Vec<ObjectMeta>,
    pub(super) folders: Vec<Location>,
    pub(super) temporary: Vec<ObjectMeta>,
}

/// Lists what is under a folder of the root. Symbolic links are no objects, and are not followed: what is behind them
/// belongs to someone else. An absent folder is empty; an absent root is an error, for it may be a disk that is not there.
pub(super) fn walk(root: &Path, under: &Location, is_deep: bool) -> io::Result<Found> {
    root.metadata()?;
    let mut found = Found::default();
    let mut folders = vec![under.clone()];
    while let Some(folder) = folders.pop() {
        let known = found.folders.len();
        list(root, &folder, &mut found)?;
        if is_deep {
            folders.extend(found.folders.drain(known..));
        }
    }
    Ok(found)
}

fn list(root: &Path, folder: &Location, found: &mut Found) -> io::Result<()> {
    let entries = match fs::read_dir(place(root, folder)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let Some(location) = location(folder, &entry) else { continue };
        let facts = match entry.metadata() {
            // It was removed in the meantime.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            facts => facts?,
        };
        if facts.is_dir() {
            found.folders.push(location);
        } else if facts.is_file() {
            let is_temporary = location.filename().is_some_and(is_temporary);
            let list = if is_temporary { &mut found.temporary } else { &mut found.objects };
            list.push(object(location, &facts)?);
        }
    }
    Ok(())
}

/// A name that the store has no form for is none of ours.
fn location(folder: &Location, entry: &DirEntry) -> Option<Location> {
    let name = entry.file_name();
    let name = name.to_str()?;
    let location = if folder.as_ref().is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
    Location::parse(location).ok()
}

fn object(location: Location, facts: &Metadata) -> io::Result<ObjectMeta> {
    let last_modified: DateTime<Utc> = facts.modified()?.into();
    Ok(ObjectMeta { location, last_modified, size: facts.len(), e_tag: None, version: None })
}

pub(super) fn place(root: &Path, location: &Location) -> PathBuf {
    let mut place = root.to_owned();
    place.extend(location.as_ref().split('/').filter(|part| !part.is_empty()));
    place
}
