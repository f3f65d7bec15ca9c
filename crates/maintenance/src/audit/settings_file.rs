//! Reading the configuration file of a server on this machine, as the server sees it.

mod view;

use std::io::{self, Read as _};

use glob::{MatchOptions, Pattern};
use larder_analysis::SettingsFile;
use larder_metrics_model::{Info, Observed};

use self::view::View;
use crate::deadline::failed;

/// A server that includes more is not set up by hand.
const FILES_MAX: usize = 64;
const DEPTH_MAX: usize = 8;
/// The shipped file has about 110 KiB.
const BYTES_MAX: u64 = 1 << 20;

/// Says why the file of a server cannot be read from here.
pub(super) fn out_of_sight(info: &Info, why: &str) -> Observed<SettingsFile> {
    Observed::Skipped(
        named(info).map_or_else(str::to_owned, |_| format!("{why}; run larder there to have it read")),
    )
}

/// Reads the file that INFO names, and what it includes.
pub(super) async fn read(process: u32, info: &Info) -> Observed<SettingsFile> {
    let path = match named(info) {
        Ok(path) => path.to_owned(),
        Err(why) => return Observed::skipped(why),
    };
    let words = |error: &io::Error| format!("{path}: {}", why(error));
    let own = path.clone();
    match tokio::task::spawn_blocking(move || Reading::of(process, &own)).await {
        Ok(Ok(file)) => Observed::Known(file),
        // As on another machine, it is no fault of the cache that it is not to be seen from here.
        Ok(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => Observed::Skipped(words(&error)),
        Ok(Err(error)) => failed(format!("its configuration file {}", words(&error))),
        Err(error) => failed(error),
    }
}

fn named(info: &Info) -> Result<&str, &'static str> {
    match info.field("config_file") {
        None => Err("the server does not say which file it was started with"),
        Some("") => Err("it was started without one; what its command line sets is not to be seen"),
        Some(path) => Ok(path),
    }
}

/// A configuration that is being read.
struct Reading {
    view: View,
    file: SettingsFile,
    files: usize,
}

impl Reading {
    fn of(process: u32, path: &str) -> io::Result<SettingsFile> {
        let mut reading = Self { view: View::of(process)?, file: SettingsFile::new(path), files: 0 };
        reading.take_in(path, 0)?;
        Ok(reading.file)
    }

    fn take_in(&mut self, path: &str, depth: usize) -> io::Result<()> {
        if depth > DEPTH_MAX || self.files >= FILES_MAX {
            return Err(io::Error::other(format!("more than {FILES_MAX} files, or {DEPTH_MAX} deep")));
        }
        self.files += 1;
        let text = self.text(path)?;
        for pattern in self.file.take_in(path, &text) {
            if let Err(error) = self.include(&pattern, depth + 1) {
                self.file.unread.push(format!("{pattern}: {}", why(&error)));
            }
        }
        Ok(())
    }

    fn text(&self, path: &str) -> io::Result<String> {
        let mut bytes = Vec::new();
        self.view.open(path)?.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > BYTES_MAX {
            return Err(io::Error::other("it is larger than 1 MiB"));
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn include(&mut self, pattern: &str, depth: usize) -> io::Result<()> {
        if !pattern.starts_with('/') {
            return Err(io::Error::other(
                "it depends on the folder that the server was started in; write the whole path",
            ));
        }
        if !pattern.contains(['*', '?', '[']) {
            return self.take_in(pattern, depth);
        }
        for path in self.matching(pattern)? {
            self.take_in(&path, depth)?;
        }
        Ok(())
    }

    /// Returns the files that a pattern names, in their order; as for the server, there may be none.
    fn matching(&self, pattern: &str) -> io::Result<Vec<String>> {
        let (folder, names) = pattern.rsplit_once('/').unwrap_or_default();
        if folder.contains(['*', '?', '[']) {
            return Err(io::Error::other("folders that are named by a pattern are not followed"));
        }
        let names = Pattern::new(names).map_err(io::Error::other)?;
        // As `glob(3)` does it without flags.
        let mut options = MatchOptions::new();
        options.require_literal_leading_dot = true;
        let all = match self.view.names(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            all => all?,
        };
        let mut paths: Vec<String> = all
            .iter()
            .filter(|name| names.matches_with(name, options))
            .map(|name| format!("{folder}/{name}"))
            .collect();
        paths.sort();
        Ok(paths)
    }
}

fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "this user may not read it; run larder as root, as the server's user, or as one of its group"
                .to_owned()
        }
        io::ErrorKind::NotFound => {
            "it is not there; the next start of the server fails without it".to_owned()
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(folder: &std::path::Path, text: &str) -> io::Result<SettingsFile> {
        let path = folder.join("redis.conf");
        fs::write(&path, text.replace("FOLDER", &folder.to_string_lossy())).unwrap();
        Reading::of(std::process::id(), &path.to_string_lossy())
    }

    fn names(file: &SettingsFile) -> Vec<&str> {
        file.lines.iter().map(|line| line.name.as_str()).filter(|name| *name != "include").collect()
    }

    #[tokio::test]
    async fn a_server_that_names_no_file_has_none_to_be_read() {
        for (info, expected) in [
            ("# Server\nconfig_file:\n", "it was started without one"),
            ("# Server\nprocess_id:1\n", "the server does not say"),
        ] {
            let read = super::read(std::process::id(), &Info::parse(info)).await;
            assert!(matches!(&read, Observed::Skipped(why) if why.contains(expected)), "{read:?}");
        }
    }

    #[test]
    fn included_files_are_read_by_name_and_by_pattern() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in
            [("b.conf", "b 1"), ("a.conf", "a 1\ninclude FOLDER/deep"), (".h.conf", "h 1"), ("deep", "d 1")]
        {
            fs::write(folder.path().join(name), text.replace("FOLDER", &folder.path().to_string_lossy()))
                .unwrap();
        }
        let file =
            read(folder.path(), "port 1\ninclude FOLDER/?.conf\ninclude FOLDER/none*\ninclude /none/x*\n")
                .unwrap();
        assert_eq!(names(&file), ["port", "a", "d", "b"]);
        assert!(file.unread.is_empty(), "{file:?}");
    }

    #[test]
    fn what_is_not_followed_is_said() {
        let folder = tempfile::tempdir().unwrap();
        for (include, expected) in [
            ("other.conf", "write the whole path"),
            ("FOLDER/none.conf", "it is not there"),
            ("FOLDER/*/x.conf", "folders that are named by a pattern"),
            ("FOLDER", "it is no file"),
            ("FOLDER/redis.conf", "more than 64 files, or 8 deep"),
            ("/dev/zero", "it is no file"),
        ] {
            let file = read(folder.path(), &format!("port 1\ninclude {include}\n")).unwrap();
            assert!(file.unread.iter().any(|unread| unread.contains(expected)), "{include}: {file:?}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_or_is_no_text_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let gone = why(&Reading::of(std::process::id(), "/none/redis.conf").unwrap_err());
        assert!(gone.contains("it is not there"), "{gone}");
        let large = why(&read(folder.path(), &"# filled up\n".repeat(100_000)).unwrap_err());
        assert!(large.contains("larger than 1 MiB"), "{large}");
        assert!(read(folder.path(), "").unwrap().lines.is_empty());
    }
}
