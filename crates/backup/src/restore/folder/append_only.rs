//! Append-only files: a server that has one reads nothing else.

use std::{fs::OpenOptions, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use super::files::{belong_to_owner_of, failed, keep_as, make_folder, sync_folder};
use crate::Result;

/// The parts of an append-only file since Redis 7.0: a base, which may be an RDB file, and a manifest that names it. They are
/// put together in a folder of their own, and belong to whoever owns the one where they will be.
pub(super) fn write_append_only(dump: &Path, folder: &Path, home: &Path) -> Result<()> {
    make_folder(folder)?;
    let base = folder.join("appendonly.aof.1.base.rdb");
    keep_as(dump, &base)?;
    let manifest = folder.join("appendonly.aof.manifest");
    let written =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&manifest).and_then(|mut file| {
            file.write_all(b"file appendonly.aof.1.base.rdb seq 1 type b\n")?;
            file.sync_all()
        });
    written.map_err(|source| failed(&manifest, "written", source))?;
    for path in [folder, &base, &manifest] {
        belong_to_owner_of(home, path)?;
    }
    sync_folder(folder)
}
