//! Whether a server runs in a folder.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// What servers are called, and the file that Debian's server is a link to: it is one program under several names.
const PROGRAMS: [&str; 4] = ["redis-server", "valkey-server", "keydb-server", "redis-check-rdb"];

/// Says which servers of this machine work in a folder. A server's folder is its working directory (`dir`, Redis 7.0
/// `src/config.c`, `setConfigDirOption`). Only what this user may see is seen, and only where the system tells (Linux).
pub(crate) fn servers_in(folder: &Path) -> Vec<String> {
    let Ok(folder) = folder.canonicalize() else { return Vec::new() };
    let in_it = processes().filter(|process| process.folder().is_ok_and(|path| path == folder));
    let servers = in_it.filter(Process::is_server);
    servers.map(|server| format!("{server} runs in {}: stop it first", folder.display())).collect()
}

/// Says of which servers of this machine it is not to be seen where they work: they are another user's.
pub(crate) fn hidden_servers() -> Vec<String> {
    let is_hidden = |process: &Process| {
        process.folder().is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    };
    let servers = processes().filter(is_hidden).filter(Process::is_server);
    servers
        .map(|server| {
            format!(
                "{server} is another user's, and where it works cannot be seen: make sure that it is not here"
            )
        })
        .collect()
}

/// A process, by its folder in `/proc` (see `proc(5)`).
#[derive(Debug)]
struct Process(PathBuf);

fn processes() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter(|entry| is_number(&entry.file_name())).map(|entry| Process(entry.path()))
}

fn is_number(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().iter().all(u8::is_ascii_digit)
}

impl Process {
    fn folder(&self) -> io::Result<PathBuf> {
        fs::read_link(self.0.join("cwd"))
    }

    /// A server that a loader or a wrapper started has their name: its own is among its arguments, until it puts its title
    /// there, and among the files that it is mapped from.
    fn is_server(&self) -> bool {
        self.is_named_in("comm") || self.is_named_in("cmdline") || self.is_named_in("maps")
    }

    fn is_named_in(&self, file: &str) -> bool {
        let text = fs::read(self.0.join(file)).unwrap_or_default();
        let words = text.split(|byte| *byte == 0 || byte.is_ascii_whitespace());
        words.filter_map(|word| word.rsplit(|byte| *byte == b'/').next()).any(is_server_name)
    }
}

fn is_server_name(name: &[u8]) -> bool {
    PROGRAMS.iter().any(|program| program.as_bytes() == name)
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = fs::read_to_string(self.0.join("comm")).unwrap_or_default();
        let id = self.0.file_name().unwrap_or_default().to_string_lossy();
        write!(f, "{} (process {id})", name.trim())
    }
}

#[cfg(test)]
mod tests {
    use larder_test_support::{TestServer, server_programs};

    use super::*;

    #[test]
    fn a_server_is_seen_in_its_folder_however_it_was_started() {
        for program in server_programs() {
            let server = TestServer::start(&program).unwrap();
            let seen = servers_in(server.folder());
            assert_eq!(seen.len(), 1, "{program:?}: {seen:?}");
            assert!(seen[0].ends_with(": stop it first"), "{seen:?}");
        }
    }

    #[test]
    fn another_program_in_the_folder_is_no_server() {
        let folder = tempfile::tempdir().unwrap();
        let mut other =
            std::process::Command::new("sleep").arg("30").current_dir(folder.path()).spawn().unwrap();
        let seen = servers_in(folder.path());
        other.kill().and_then(|()| other.wait()).unwrap();
        assert_eq!(seen, [""; 0]);
        assert_eq!(servers_in(Path::new("/no/such/folder")), [""; 0]);
    }
}
