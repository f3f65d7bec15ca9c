//! The file system as a process sees it: in a container, or under a root of its own, a path is of another file.

use std::{
    fs::{self, File},
    io,
    os::fd::OwnedFd,
};

use rustix::fs::{Dir, Mode, OFlags};

/// What a process sees under `/`.
pub(super) struct View {
    root: OwnedFd,
    /// The mounts of the process and of this one, where only they tell whether a path is of the same file.
    mounts: Option<(String, String)>,
}

impl View {
    /// Opens it; `/proc/PID/root` is open to the process's user and to root alone (proc(5)).
    pub(super) fn of(process: u32) -> io::Result<Self> {
        let folder = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open(format!("/proc/{process}/root"), folder, Mode::empty()) {
            Ok(root) => Ok(Self { root, mounts: None }),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let theirs = fs::read_to_string(format!("/proc/{process}/mountinfo"))?;
                let ours = fs::read_to_string("/proc/self/mountinfo")?;
                let root = rustix::fs::open("/", folder, Mode::empty())?;
                Ok(Self { root, mounts: Some((theirs, ours)) })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a regular file; anything else may never end, or block.
    pub(super) fn open(&self, path: &str) -> io::Result<File> {
        let file = File::from(self.open_as(path, OFlags::NONBLOCK | OFlags::NOCTTY)?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        Ok(file)
    }

    /// Returns the names in a folder.
    pub(super) fn names(&self, folder: &str) -> io::Result<Vec<String>> {
        let folder = if folder.is_empty() { "/" } else { folder };
        let opened = self.open_as(folder, OFlags::DIRECTORY)?;
        let mut names = Vec::new();
        for entry in Dir::new(opened)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }

    fn open_as(&self, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
        if let Some((theirs, ours)) = &self.mounts
            && (place(theirs, path).is_none() || place(theirs, path) != place(ours, path))
        {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        open_under(&self.root, path, flags | OFlags::RDONLY | OFlags::CLOEXEC)
    }
}

/// Opens a path as if `root` were `/`, symbolic links included.
#[cfg(target_os = "linux")]
fn open_under(root: &OwnedFd, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
    use rustix::fs::{ResolveFlags, openat2};
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    Ok(openat2(root, path, flags, Mode::empty(), resolve)?)
}

/// There is no `/proc/PID/root` here either.
#[cfg(not(target_os = "linux"))]
fn open_under(_: &OwnedFd, _: &str, _: OFlags) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Returns where a path is by the mounts of `mountinfo` (proc(5)): the device, and the path on it.
fn place(mounts: &str, path: &str) -> Option<(String, String)> {
    let mut found: Option<(usize, String, String)> = None;
    for line in mounts.lines() {
        let mut fields = line.split(' ').skip(2);
        let (Some(device), Some(root), Some(point)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let Some(inner) = path.strip_prefix(point.trim_end_matches('/')) else { continue };
        let is_under = inner.is_empty() || inner.starts_with('/');
        // Of two at one point the later hides the earlier.
        if is_under && found.as_ref().is_none_or(|(length, ..)| *length <= point.len()) {
            found = Some((point.len(), device.to_owned(), format!("{}{inner}", root.trim_end_matches('/'))));
        }
    }
    found.map(|(_, device, path)| (device, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:25 / /run rw,nosuid shared:2 - tmpfs tmpfs rw
";

    #[test]
    fn a_path_is_of_the_same_file_where_device_and_path_on_it_are_the_same() {
        // As systemd mounts a folder again that a service may write to.
        let service =
            "90 1 8:1 / / ro - ext4 /dev/sda1 rw\n91 90 8:1 /etc/redis /etc/redis rw - ext4 /dev/sda1 rw\n";
        let container = "90 1 0:60 / / rw - overlay overlay rw\n";
        let bound = "90 1 0:60 / / rw - overlay overlay rw\n91 90 8:1 /srv/redis.conf /etc/redis/redis.conf ro - ext4 /dev/sda1 rw\n";
        let hidden = "90 1 8:1 / / rw - ext4 /dev/sda1 rw\n91 90 8:1 /a /etc rw - ext4 x rw\n92 91 8:1 /b /etc rw - ext4 x rw\n";
        let path = "/etc/redis/redis.conf";
        let on_disk = |path: &str| Some(("8:1".to_owned(), path.to_owned()));
        assert_eq!(place(OURS, path), on_disk(path));
        assert_eq!(place(service, path), on_disk(path));
        assert_ne!(place(container, path), on_disk(path));
        assert_eq!(place(bound, path), on_disk("/srv/redis.conf"));
        assert_eq!(place(hidden, path), on_disk("/b/redis/redis.conf"));
        assert_eq!(place(OURS, "/runner"), on_disk("/runner"));
        assert_eq!(place(OURS, "/run"), Some(("0:25".to_owned(), String::new())));
        // What is under a root of its own shows no mount that covers it.
        assert_eq!(place("", path), None);
        assert_eq!(place("garbage\n\n1 2 3", path), None);
    }

    #[test]
    fn a_link_is_followed_under_the_root_of_the_process() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("real"), "inside").unwrap();
        std::os::unix::fs::symlink("/real", folder.path().join("link")).unwrap();
        let root =
            rustix::fs::open(folder.path(), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        let view = View { root, mounts: None };
        assert_eq!(io::read_to_string(view.open("/link").unwrap()).unwrap(), "inside");
        assert_eq!(io::read_to_string(view.open("/../../real").unwrap()).unwrap(), "inside");
        assert!(view.names("").unwrap().contains(&"link".to_owned()));
    }
}
