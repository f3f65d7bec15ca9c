//! The folder of a scratch server, and whose it is.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::abandoned;
use crate::{Error, Result, thread};

/// How the folders of scratch servers begin.
pub(super) const PREFIX: &str = "larder-scratch-";
/// Locked by whoever made the folder, for as long as that process lives.
pub(super) const OWNER: &str = "owner.lock";
/// The name that the lock has until it is held: what is called [`OWNER`] and can be locked has no owner any more.
const OWNER_TO_BE: &str = "owner.new";
const DUMP_FILE: &str = "dump.rdb";

/// A folder for a scratch server, in which its dump is put before it is started. It goes when this is dropped.
#[derive(Debug)]
pub(crate) struct ScratchFolder {
    folder: TempDir,
    /// Held to the last, so that nobody takes the folder for one that was left behind.
    _owner: File,
}

impl ScratchFolder {
    /// Makes it in the folder for temporary files, or in another one; only its owner can look into it. What runs that were
    /// killed left in the same place is cleared away before.
    pub(crate) async fn make(inside: Option<&Path>) -> Result<Self> {
        let parent = inside.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let making = tokio::task::spawn_blocking(move || {
            abandoned::clear(&parent);
            make(&parent).map_err(|source| {
                // The path of what could not be made says no more than its parent.
                let source = io::Error::from(source.kind());
                Error::File { path: parent, what: "a place for scratch servers", source }
            })
        });
        making.await.map_err(thread::broken)?
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where the dump belongs.
    pub(crate) fn dump(&self) -> PathBuf {
        self.path().join(DUMP_FILE)
    }

    /// Where the server that works in it can be reached.
    pub(super) fn socket(&self) -> PathBuf {
        socket(self.path())
    }

    /// What its server is started with.
    pub(super) fn write_configuration(&self) -> Result<PathBuf> {
        let path = self.path().join("scratch.conf");
        let written = fs::write(&path, configuration(self.path()));
        written.map(|()| path.clone()).map_err(|source| Error::File { path, what: "written", source })
    }
}

pub(super) fn socket(folder: &Path) -> PathBuf {
    folder.join("socket")
}

fn make(parent: &Path) -> io::Result<ScratchFolder> {
    let mut builder = tempfile::Builder::new();
    let folder = builder.prefix(PREFIX).permissions(Permissions::from_mode(0o700)).tempdir_in(parent)?;
    let to_be = folder.path().join(OWNER_TO_BE);
    let owner = File::create_new(&to_be)?;
    match owner.lock() {
        Ok(()) => fs::rename(&to_be, folder.path().join(OWNER))?,
        // On such a file system nobody can tell what has no owner any more, and nothing is cleared away.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
        Err(error) => return Err(error),
    }
    Ok(ScratchFolder { folder, _owner: owner })
}

fn configuration(folder: &Path) -> String {
    let (socket, folder) = (socket(folder), folder.display());
    let socket = socket.display();
    format!(
        "port 0\nunixsocket \"{socket}\"\nunixsocketperm 700\ndir \"{folder}\"\ndbfilename {DUMP_FILE}\n\
         logfile \"{folder}/log\"\nsave \"\"\nappendonly no\ndaemonize no\ndatabases 16384\nrepl-diskless-load disabled\n\
         replicaof 127.0.0.1 1\nreplica-serve-stale-data yes\nreplica-read-only yes\n"
    )
}
