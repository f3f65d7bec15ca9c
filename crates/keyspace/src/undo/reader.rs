//! Reading an undo file, whole or cut short.

use std::{
    collections::HashSet,
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use larder_rdb::{Checksum, Error as RdbError, RawValue, ReadOptions, Reader, Record, Server};

use super::{
    act::{ACT, Act, CHECKSUM, HEADER, LEFT, UndoHeader, VERSION},
    writer::UndoWriter,
};
use crate::{Error, Result};

/// An undo file that was read to its end once: it is one, it is sound as far as it goes, and it is known how far.
#[derive(Clone, Debug)]
pub struct UndoFile {
    path: PathBuf,
    header: UndoHeader,
    /// Whether it was ended; otherwise whoever wrote it was.
    is_whole: bool,
    keys: u64,
    sound_until: u64,
    /// The numbers of the keys that were left alone.
    left: Arc<HashSet<u64>>,
}

/// A key as it was before something was done to it.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) key: Bytes,
    pub(super) act: Act,
    pub(super) expires_at_ms: Option<i64>,
    pub(super) value: RawValue,
}

impl UndoFile {
    /// Reads a file to its end, or to the last place where it is known to be sound: a run that was killed leaves what it
    /// had not yet acted on behind that.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::Refused`] for what is no RDB file or is damaged, [`Error::NoUndo`] for an RDB file that is no
    /// undo file, or a newer one, and [`Error::NothingKept`] for a file that ends before anything was kept in it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut scan = Scan::default();
        let read = scan.read(path);
        let refused = |source| Error::Refused { path: path.to_path_buf(), source };
        let is_whole = match read? {
            None => true,
            // A file that was cut short ends somewhere; one that is damaged before the last checksum is refused.
            Some(RdbError::Truncated { .. }) if scan.header.is_some() => false,
            // The file is made before the first key is looked at again.
            Some(RdbError::Truncated { .. }) if scan.keys == 0 => {
                return Err(Error::NothingKept { path: path.to_path_buf() });
            }
            Some(error) => return Err(refused(error)),
        };
        let Some(header) = scan.header else { return Err(Error::NoUndo { path: path.to_path_buf() }) };
        let (keys, sound_until) =
            if is_whole { (scan.keys, scan.offset) } else { (scan.sound_keys, scan.sound_until) };
        Ok(Self { path: path.to_path_buf(), header, is_whole, keys, sound_until, left: Arc::new(scan.left) })
    }

    /// Looks whether an undo file can be made here, before anything is looked at or changed; nothing is left behind.
    ///
    /// # Errors
    /// [`Error::UndoUnwritable`] where there is such a file already, or none can be written.
    pub fn try_place(path: impl AsRef<Path>) -> Result<()> {
        UndoWriter::create(path.as_ref(), UndoHeader::new("", "", 0))?.finish().error.map_or(Ok(()), Err)
    }

    /// Returns who wrote it.
    #[must_use]
    pub fn header(&self) -> &UndoHeader {
        &self.header
    }

    /// Tells whether it was ended; otherwise whoever wrote it was killed, and what had been done by then is in it.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Returns how many keys it gives back at the most.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.keys.saturating_sub(self.left.len() as u64)
    }

    /// Returns the databases and keys that are given back, by their names.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn names(&self) -> Result<Vec<(u64, Vec<u8>)>> {
        let mut names = Vec::new();
        self.each(|database, kept| {
            names.push((database, kept.key.to_vec()));
            Ok(())
        })?;
        Ok(names)
    }

    /// Hands on every key that was not left alone.
    pub(super) fn each(&self, mut take: impl FnMut(u64, Kept) -> Result<()>) -> Result<()> {
        let refused = |source| Error::Refused { path: self.path.clone(), source };
        let mut reader = open(&self.path)?;
        let (mut act, mut number) = (None, 0);
        while reader.offset() < self.sound_until {
            match reader.next_record().map_err(refused)? {
                None => break,
                Some(Record::Aux { name, value }) if name == ACT => act = Act::parse(value),
                Some(Record::Key(entry)) => {
                    let (key, meta) = (Bytes::copy_from_slice(entry.key()), entry.meta());
                    let value = entry.raw_value().map_err(refused)?;
                    let is_left = self.left.contains(&number);
                    number += 1;
                    let Some(act) = act.take().filter(|_| !is_left) else { continue };
                    take(meta.db, Kept { key, act, expires_at_ms: meta.expires_at_ms, value })?;
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

fn open(path: &Path) -> Result<Reader<BufReader<File>>> {
    let file = File::open(path).map_err(|source| Error::Open { path: path.to_path_buf(), source })?;
    Reader::with_options(BufReader::new(file), ReadOptions::default())
        .map_err(|source| Error::Refused { path: path.to_path_buf(), source })
}

/// What a first reading finds.
#[derive(Debug, Default)]
struct Scan {
    header: Option<UndoHeader>,
    keys: u64,
    offset: u64,
    sound_keys: u64,
    sound_until: u64,
    left: HashSet<u64>,
    /// What was left alone as far as is not yet known to be sound.
    left_since: Vec<u64>,
}

impl Scan {
    /// Gives what ended the reading before the end of the file.
    fn read(&mut self, path: &Path) -> Result<Option<RdbError>> {
        let mut reader = match open(path) {
            Ok(reader) => reader,
            Err(Error::Refused { source, .. }) => return Ok(Some(source)),
            Err(error) => return Err(error),
        };
        loop {
            // The checksum is of what lies in front of the field that holds it.
            let refused = |source| Error::Refused { path: path.to_path_buf(), source };
            let (before, so_far) = (reader.offset(), reader.checksum_so_far().map_err(refused)?);
            match reader.next_record() {
                Ok(None) => {
                    self.offset = reader.offset();
                    self.left.extend(self.left_since.drain(..));
                    // Without a checksum damage would go unseen, and no undo file is without one.
                    let Checksum::Verified(_) = reader.checksum() else {
                        let computed = so_far.unwrap_or(0);
                        return Ok(Some(RdbError::Checksum { stored: 0, computed, bytes: before }));
                    };
                    return Ok(None);
                }
                Ok(Some(Record::Aux { name, value })) if name == HEADER => {
                    self.header = serde_json::from_slice(value).ok();
                    if self.header.as_ref().is_some_and(|header| header.version > VERSION) {
                        return Err(Error::NoUndo { path: path.to_path_buf() });
                    }
                }
                Ok(Some(Record::Aux { name, value })) if name == CHECKSUM => {
                    let stored =
                        std::str::from_utf8(value).ok().and_then(|it| u64::from_str_radix(it, 16).ok());
                    let (stored, computed) = (stored.unwrap_or(0), so_far.unwrap_or(0));
                    if stored != computed {
                        return Ok(Some(RdbError::Checksum { stored, computed, bytes: before }));
                    }
                    (self.sound_keys, self.sound_until) = (self.keys, reader.offset());
                    self.left.extend(self.left_since.drain(..));
                }
                Ok(Some(Record::Aux { name, value })) if name == LEFT => {
                    let number = std::str::from_utf8(value).ok().and_then(|it| it.parse::<u64>().ok());
                    self.left_since.extend(number.filter(|number| *number < self.keys));
                }
                Ok(Some(Record::Key(entry))) => {
                    // The value is passed by now, so that the next record begins where the reader is.
                    match entry.skim() {
                        Ok(_) => self.keys += 1,
                        Err(error) => return Ok(Some(error)),
                    }
                }
                Ok(Some(_)) => {}
                Err(error) => return Ok(Some(error)),
            }
        }
    }
}

impl Kept {
    /// The payload that the server takes which gave it, and every later one of its line.
    pub(super) fn payload(&self) -> Result<Bytes> {
        let server = Server::writing(self.value.format());
        self.value
            .to_payload(server, &self.key)
            .map(Bytes::from)
            .map_err(|why| Error::Unkept { key: crate::KeyName::new(&self.key), source: why.into() })
    }
}
