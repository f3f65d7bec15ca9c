//! Whether a server runs in a folder.

use std::{fs, path::Path};

const SERVERS: [&str; 3] = ["redis", "valkey", "keydb"];

/// Says which servers of this machine work in a folder. A server's folder is its working directory (`dir`, Redis 7.0
/// `src/config.c`, `setConfigDirOption`). Only what this user may see is seen, and only where the system tells (Linux).
pub(crate) fn servers_in(folder: &Path) -> Vec<String> {
    let Ok(folder) = folder.canonicalize() else { return Vec::new() };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let in_it = processes
        .filter(|process| fs::read_link(process.path().join("cwd")).is_ok_and(|path| path == folder));
    in_it
        .filter_map(|process| {
            let name = fs::read_to_string(process.path().join("comm")).ok()?;
            let is_server = SERVERS.iter().any(|server| name.contains(server));
            is_server.then(|| {
                format!(
                    "{} (process {}) runs in {}: stop it first",
                    name.trim(),
                    process.file_name().to_string_lossy(),
                    folder.display()
                )
            })
        })
        .collect()
}
