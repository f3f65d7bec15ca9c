//! Orphans that were marked, to be removed when they stay unused.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The keys of a cache that were marked, and when. They are kept in a file of JSON lines that is replaced as a whole.
#[derive(Clone, Debug)]
pub struct Marks {
    path: PathBuf,
    cache: String,
    marked_at_ms: HashMap<Vec<u8>, i64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    larder_marks: u32,
    cache: String,
}

/// A key as it stands in the file: its bytes as text where they are text, as numbers where they are not.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<Vec<u8>>,
    at_ms: i64,
}

const WHAT: &str = "file of marks";

impl Marks {
    /// Reads the marks of a cache; none where there is no file yet.
    ///
    /// # Errors
    /// [`Error::File`] where the file cannot be read, is damaged, or has the marks of another cache; the cause names the
    /// line.
    pub fn open(path: impl AsRef<Path>, cache: &str) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        let mut marks = Self { path, cache: cache.to_owned(), marked_at_ms: HashMap::new() };
        match File::open(&marks.path) {
            Ok(file) => marks.read(BufReader::new(file)).map_err(|source| marks.failed(source))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(marks.failed(source)),
        }
        Ok(marks)
    }

    fn read(&mut self, file: impl BufRead) -> io::Result<()> {
        let wrong = |line: usize, words: String| {
            io::Error::new(io::ErrorKind::InvalidData, format!("line {line}: {words}"))
        };
        for (number, line) in (1..).zip(file.lines()) {
            let line = line?;
            if number == 1 {
                let head: Head = serde_json::from_str(&line).map_err(|error| wrong(1, error.to_string()))?;
                if head.cache != self.cache {
                    let words = format!("the marks are of {}, not of {}", head.cache, self.cache);
                    return Err(wrong(1, words));
                }
                continue;
            }
            let line: Line = serde_json::from_str(&line).map_err(|error| wrong(number, error.to_string()))?;
            let key = line.key.map(String::into_bytes).or(line.bytes);
            let key = key.ok_or_else(|| wrong(number, "it names no key".to_owned()))?;
            self.marked_at_ms.insert(key, line.at_ms);
        }
        Ok(())
    }

    /// Returns when a key was marked, in milliseconds since 1970.
    #[must_use]
    pub fn marked_at_ms(&self, key: &[u8]) -> Option<i64> {
        self.marked_at_ms.get(key).copied()
    }

    /// Marks a key.
    pub fn mark(&mut self, key: &[u8], at_ms: i64) {
        self.marked_at_ms.insert(key.to_vec(), at_ms);
    }

    /// Takes a mark away.
    pub fn forget(&mut self, key: &[u8]) {
        self.marked_at_ms.remove(key);
    }

    /// Returns how many keys are marked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.marked_at_ms.len()
    }

    /// Tells whether no key is marked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.marked_at_ms.is_empty()
    }

    /// Writes the marks down: beside the file, which is replaced when they are on the disk.
    ///
    /// # Errors
    /// [`Error::File`]; the file is then what it was.
    pub fn save(&self) -> Result<()> {
        self.write().map_err(|source| self.failed(source))
    }

    fn write(&self) -> io::Result<()> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        {
            let mut writer = BufWriter::new(file.as_file_mut());
            serde_json::to_writer(&mut writer, &Head { larder_marks: 1, cache: self.cache.clone() })?;
            writer.write_all(b"\n")?;
            for (key, at_ms) in &self.marked_at_ms {
                let text = std::str::from_utf8(key).ok().map(str::to_owned);
                let bytes = text.is_none().then(|| key.clone());
                serde_json::to_writer(&mut writer, &Line { key: text, bytes, at_ms: *at_ms })?;
                writer.write_all(b"\n")?;
            }
            writer.flush()?;
        }
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        File::open(folder)?.sync_all()
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::File { what: WHAT, path: self.path.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_kept_of_keys_of_any_bytes_and_of_one_cache() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("marks");
        let mut marks = Marks::open(&path, "redis://a").unwrap();
        assert!(marks.is_empty());
        for (number, key) in (0..).zip([&b"k"[..], b"", b"\xff\n\"", "größe".as_bytes()]) {
            marks.mark(key, number);
        }
        marks.forget(b"k");
        marks.save().unwrap();
        let again = Marks::open(&path, "redis://a").unwrap();
        assert_eq!(again.marked_at_ms, marks.marked_at_ms);
        assert_eq!((again.len(), again.marked_at_ms(b"\xff\n\"")), (3, Some(2)));

        let words = |error: Error| std::error::Error::source(&error).unwrap().to_string();
        let other = words(Marks::open(&path, "redis://b").unwrap_err());
        assert_eq!(other, "line 1: the marks are of redis://a, not of redis://b");
        std::fs::write(&path, "{\"larder_marks\":1,\"cache\":\"redis://a\"}\n{\"at_ms\":1}\n").unwrap();
        assert_eq!(words(Marks::open(&path, "redis://a").unwrap_err()), "line 2: it names no key");
        assert!(matches!(Marks::open(folder.path(), "redis://a"), Err(Error::File { .. })));
    }
}
