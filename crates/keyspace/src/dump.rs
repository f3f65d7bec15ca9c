//! The keys of a dump.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use larder_rdb::{Checksum, Format, ReadOptions, Reader, Skimmed};

use crate::{Error, Result};

/// An RDB file on disk.
#[derive(Debug)]
pub struct DumpFile {
    path: PathBuf,
    file: File,
    bytes: Option<u64>,
}

/// How far reading has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes read.
    pub bytes: u64,
    /// Bytes in the file; a pipe or a device has no length.
    pub total_bytes: Option<u64>,
}

/// What reading a file to its end has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DumpRead {
    /// Who wrote it, and in which version.
    pub format: Format,
    /// What became of its checksum.
    pub checksum: Checksum,
    /// Keys in it.
    pub keys: u64,
}

impl DumpFile {
    /// Opens a file; nothing is read yet.
    ///
    /// # Errors
    /// [`Error::Open`] where it is not there or cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        let open = |path: &Path| -> io::Result<(File, Option<u64>)> {
            let file = File::open(path)?;
            let about = file.metadata()?;
            if about.is_dir() {
                return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
            }
            Ok((file, about.is_file().then_some(about.len())))
        };
        match open(&path) {
            Ok((file, bytes)) => Ok(Self { path, file, bytes }),
            Err(source) => Err(Error::Open { path, source }),
        }
    }

    /// Goes through all keys, checksum included; `progress` is told now and then how far it is.
    ///
    /// # Errors
    /// [`Error::Refused`] where the file is damaged; what came before has been seen by then.
    pub fn read(self, mut key: impl FnMut(&Skimmed<'_>), progress: impl FnMut(Progress)) -> Result<DumpRead> {
        let Self { path, file, bytes } = self;
        let mut options = ReadOptions::default();
        options.total_bytes = bytes;
        let source = Counted { file, read: 0, told: 0, total_bytes: bytes, progress };
        let all = || -> larder_rdb::Result<DumpRead> {
            let mut reader = Reader::with_options(source, options)?;
            let mut keys = 0;
            while let Some(skimmed) = reader.skim_next()? {
                key(&skimmed);
                keys += 1;
            }
            Ok(DumpRead { format: reader.format(), checksum: reader.checksum(), keys })
        };
        all().map_err(|source| Error::Refused { path, source })
    }
}

/// Counts what is read, and tells of it every few megabytes.
struct Counted<P> {
    file: File,
    read: u64,
    told: u64,
    total_bytes: Option<u64>,
    progress: P,
}

const TOLD_EVERY_BYTES: u64 = 4 << 20;

impl<P: FnMut(Progress)> Read for Counted<P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        self.read += length as u64;
        if self.read - self.told >= TOLD_EVERY_BYTES || length == 0 {
            self.told = self.read;
            (self.progress)(Progress { bytes: self.read, total_bytes: self.total_bytes });
        }
        Ok(length)
    }
}
