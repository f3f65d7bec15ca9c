//! Append-only files: a server that has one reads nothing else.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use super::{
    files::{belong_to_owner_of, failed, keep_as, make_folder, sync_folder},
    plan::{APPEND_ONLY, DUMP},
};
use crate::Result;

/// Puts the old one aside; tells whether there was one.
pub(super) fn move_append_only(home: &Path, aside: &Path) -> Result<bool> {
    let old = home.join(APPEND_ONLY);
    if !old.exists() {
        return Ok(false);
    }
    make_folder(aside)?;
    let kept = aside.join(APPEND_ONLY);
    fs::rename(&old, &kept).map_err(|source| failed(&kept, "put aside", source))?;
    Ok(true)
}

/// The parts of an append-only file since Redis 7.0: a base, which may be an RDB file, and a manifest that names it.
pub(super) fn write_append_only(home: &Path) -> Result<()> {
    let folder = home.join(APPEND_ONLY);
    make_folder(&folder)?;
    let base = folder.join("appendonly.aof.1.base.rdb");
    let dump = home.join(DUMP);
    keep_as(&dump, &base)?;
    let manifest = folder.join("appendonly.aof.manifest");
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&manifest)
        .and_then(|mut file| file.write_all(b"file appendonly.aof.1.base.rdb seq 1 type b\n"));
    written.map_err(|source| failed(&manifest, "written", source))?;
    for path in [&folder, &base, &manifest] {
        belong_to_owner_of(home, path)?;
    }
    sync_folder(&folder)
}
