//! Scratch servers whose owner was killed.
//!
//! A process that is killed (SIGKILL, out of memory) ends neither its scratch server nor removes its folder. Whoever needs a
//! scratch server next does both: a folder whose lock can be had has no owner any more. The server is asked to end over
//! the socket in that folder, and only after it has said that it works there; no process is ever ended by its number, which
//! may be another's by now.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Write},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        net::UnixStream,
    },
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::folder::{OWNER, PREFIX, socket};
use crate::restore::in_use;

/// How long a server may take to end.
const PATIENCE: Duration = Duration::from_secs(20);
/// One that loads answers between two pieces of its dump.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);
const LOOKS: Duration = Duration::from_millis(20);
/// What group and others may do.
const OF_OTHERS: u32 = 0o077;
/// More than an answer with a path in it has.
const MOST_ANSWER_BYTES: usize = 16 << 10;

/// Ends the scratch servers in this folder whose owner is gone, and removes their folders. What cannot be done is said, and
/// is no reason to do without a server of one's own.
pub(super) fn clear(parent: &Path) {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    for folder in entries.filter(|entry| is_scratch(&entry.file_name())).map(|entry| entry.path()) {
        match clear_one(&folder) {
            Ok(None) => {}
            Ok(Some(had_server)) => tracing::info!(
                folder = %folder.display(),
                had_server,
                "removed the folder of a scratch server whose owner was killed"
            ),
            // Another one was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(
                folder = %folder.display(),
                %error,
                "what a killed run left there, a scratch server or its folder, stays"
            ),
        }
    }
}

fn is_scratch(name: &std::ffi::OsStr) -> bool {
    name.to_string_lossy().starts_with(PREFIX)
}

/// Clears one, if nobody owns it; tells whether a server ran there.
fn clear_one(folder: &Path) -> io::Result<Option<bool>> {
    let about = fs::symlink_metadata(folder)?;
    let is_private = about.is_dir() && about.permissions().mode() & OF_OTHERS == 0;
    // In the folder for temporary files anybody may make one that looks like ours.
    if !is_private || about.uid() != rustix::process::geteuid().as_raw() {
        return Ok(None);
    }
    // One without a lock is being made, or being removed.
    let lock = match File::open(folder.join(OWNER)) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let had_server = end_server(&folder.canonicalize()?)?;
    fs::remove_dir_all(folder)?;
    Ok(Some(had_server))
}

/// Ends the server that works in a folder; tells whether there was one.
fn end_server(folder: &Path) -> io::Result<bool> {
    let until = Instant::now() + PATIENCE;
    let mut was_there = false;
    loop {
        match UnixStream::connect(socket(folder)) {
            Ok(stream) if !was_there => {
                was_there = true;
                ask_to_end(stream, folder)?;
            }
            // Nobody listens: it has ended, or is about to begin to listen.
            Err(_) if in_use::servers_in(folder).is_empty() => return Ok(was_there),
            Ok(_) | Err(_) => {}
        }
        if Instant::now() > until {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "its server does not end"));
        }
        thread::sleep(LOOKS);
    }
}

/// Inline commands are what a server takes without any client (Redis 7.0 `src/networking.c`, `processInlineBuffer`); both are
/// taken while it loads.
fn ask_to_end(mut stream: UnixStream, folder: &Path) -> io::Result<()> {
    stream.set_read_timeout(Some(ANSWER_PATIENCE))?;
    stream.set_write_timeout(Some(ANSWER_PATIENCE))?;
    stream.write_all(b"CONFIG GET dir\r\n")?;
    let answer = answer(&mut stream)?;
    if named_folder(&answer) != Some(folder.to_path_buf()) {
        let words = "what listens there does not say that it works there, and is left alone";
        return Err(io::Error::new(io::ErrorKind::InvalidData, words));
    }
    stream.write_all(b"SHUTDOWN NOSAVE\r\n")?;
    // It answers by closing the connection; until it does, it may not have read that.
    let _ = stream.read(&mut [0; 64]);
    Ok(())
}

/// `*2`, `$3`, `dir`, `$LENGTH`, the folder: five lines.
fn answer(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    let mut piece = [0; 1024];
    let is_whole = |answer: &[u8]| {
        let lines = answer.windows(2).filter(|pair| pair == b"\r\n").count();
        lines >= 5 || (lines >= 1 && answer.starts_with(b"-"))
    };
    while !is_whole(&answer) && answer.len() < MOST_ANSWER_BYTES {
        let length = stream.read(&mut piece)?;
        if length == 0 {
            break;
        }
        answer.extend_from_slice(&piece[..length]);
    }
    Ok(answer)
}

fn named_folder(answer: &[u8]) -> Option<PathBuf> {
    let text = std::str::from_utf8(answer).ok()?;
    let lines: Vec<&str> = text.split("\r\n").collect();
    match lines[..] {
        ["*2", "$3", "dir", _, folder, ""] => PathBuf::from(folder).canonicalize().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn folder(parent: &Path, name: &str, lock: bool) -> PathBuf {
        let folder = parent.join(name);
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        if lock {
            fs::write(folder.join(OWNER), "").unwrap();
        }
        folder
    }

    #[test]
    fn what_has_an_owner_or_is_none_of_ours_stays() {
        let parent = tempfile::tempdir().unwrap();
        let gone = folder(parent.path(), "larder-scratch-gone", true);
        let in_the_making = folder(parent.path(), "larder-scratch-new", false);
        let other = folder(parent.path(), "larder-other", true);
        let open_to_all = folder(parent.path(), "larder-scratch-open", true);
        fs::set_permissions(&open_to_all, fs::Permissions::from_mode(0o755)).unwrap();
        let owned = folder(parent.path(), "larder-scratch-owned", true);
        let lock = File::open(owned.join(OWNER)).unwrap();
        lock.lock().unwrap();
        clear(parent.path());
        assert!(!gone.exists());
        for stays in [&in_the_making, &other, &open_to_all, &owned] {
            assert!(stays.exists(), "{}", stays.display());
        }
        drop(lock);
        clear(parent.path());
        assert!(!owned.exists());
    }

    #[test]
    fn what_listens_there_and_does_not_work_there_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let left = folder(parent.path(), "larder-scratch-left", true);
        let listener = UnixListener::bind(socket(&left)).unwrap();
        let said = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 16];
            stream.read_exact(&mut asked).unwrap();
            stream.write_all(b"*2\r\n$3\r\ndir\r\n$4\r\n/tmp\r\n").unwrap();
            let mut more = Vec::new();
            stream.read_to_end(&mut more).unwrap();
            (asked.to_vec(), more)
        });
        clear(parent.path());
        let (asked, more) = said.join().unwrap();
        assert_eq!(asked, b"CONFIG GET dir\r\n");
        assert_eq!(more, b"", "it is not asked to end");
        assert!(left.exists());
    }
}
