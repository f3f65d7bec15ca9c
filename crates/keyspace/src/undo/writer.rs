//! Writing an undo file so that it is there before anything is changed.

use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use larder_cache_client::DumpedValue;
use larder_rdb::{Format, KeyMeta, Payload, RawValue, Server, WriteOptions, Writer};

use super::act::{ACT, Act, CHECKSUM, HEADER, LEFT, UndoHeader};
use crate::{Error, Result};

/// An undo file that is being written. Nothing in it counts before [`UndoWriter::sync`] has returned.
#[derive(Debug)]
pub(crate) struct UndoWriter {
    path: PathBuf,
    header: UndoHeader,
    /// Begun with the first value, whose version of the format the file has.
    open: Option<Writer<File>>,
    keys: u64,
    /// How many of them were left alone after all.
    left: u64,
    /// What is on the disk for certain.
    sound: Sound,
}

/// How far a file is sound, and how many keys it gives back up to there.
#[derive(Clone, Copy, Debug, Default)]
struct Sound {
    bytes: u64,
    keys: u64,
}

/// What became of an undo file.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Where it is; `None` where nothing was kept, and it is gone.
    pub(crate) path: Option<PathBuf>,
    /// Keys that it gives back.
    pub(crate) keys: u64,
    /// Why it has no end.
    pub(crate) error: Option<Error>,
}

impl UndoWriter {
    /// Makes a file that must not be there yet; only its owner can read it.
    pub(crate) fn create(path: &Path, header: UndoHeader) -> Result<Self> {
        // The place is tried now: a folder that cannot be written is known before anything was looked at.
        new_file(path).map_err(|source| unwritable(path, source))?;
        Ok(Self { path: path.to_path_buf(), header, open: None, keys: 0, left: 0, sound: Sound::default() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a key as it is before something is done to it, and returns its number in the file.
    ///
    /// # Errors
    /// [`Error::Unkept`] where this value cannot be kept, and the file is as it was; [`Error::UndoUnwritable`] where the file
    /// is at fault, and nothing more may be done.
    pub(crate) fn keep(&mut self, key: &Bytes, database: u64, value: &DumpedValue, act: Act) -> Result<u64> {
        let unkept = |source| Error::Unkept { key: crate::KeyName::new(key), source };
        let payload = Payload::parse(&value.payload).map_err(unkept)?;
        let raw = RawValue::from_payload(&value.payload).map_err(unkept)?;
        let server = file_of(payload.format());
        let mut meta = KeyMeta::in_db(database);
        meta.expires_at_ms = value.expires_at_ms;
        meta.idle_s = value.idle.map(|idle| idle.as_secs());
        let path = self.path.clone();
        let broken = |error: larder_rdb::Error| failed(&path, error);
        let writer = self.writer(server)?;
        if !writer.server().loads_type(raw.value_type()) {
            let error = larder_rdb::Error::Unwritable {
                key: key[..].into(),
                what: "its type is newer than the version of the undo file",
            };
            return Err(unkept(error));
        }
        writer.aux(ACT, act.to_text().as_bytes()).map_err(broken)?;
        writer.raw_value(key, &meta, &raw).map_err(broken)?;
        self.keys += 1;
        Ok(self.keys - 1)
    }

    /// Writes that a key which was kept was left alone after all. It is told by its number, because a sweep may come across
    /// the same key twice, so that it is kept twice, and changed once.
    pub(crate) fn left_alone(&mut self, number: u64) -> Result<()> {
        let path = self.path.clone();
        self.left += 1;
        match &mut self.open {
            Some(writer) => {
                writer.aux(LEFT, number.to_string().as_bytes()).map_err(|error| failed(&path, error))
            }
            None => Ok(()),
        }
    }

    /// Writes how far the file is sound, and waits until all of it is on the disk.
    pub(crate) fn sync(&mut self) -> Result<()> {
        let path = self.path.clone();
        let Some(writer) = &mut self.open else { return Ok(()) };
        let checksum = writer.checkpoint().map_err(|error| failed(&path, error))?;
        writer.aux(CHECKSUM, format!("{checksum:016x}").as_bytes()).map_err(|error| failed(&path, error))?;
        writer.checkpoint().map_err(|error| failed(&path, error))?;
        writer.get_ref().sync_data().map_err(|source| unwritable(&path, source))?;
        self.sound = Sound { bytes: writer.written(), keys: self.keys - self.left };
        Ok(())
    }

    /// Ends the file. One in which nothing was kept is removed.
    pub(crate) fn finish(mut self) -> Ended {
        let Some(writer) = self.open.take() else { return self.cut_off() };
        let done = writer.finish().map_err(|error| failed(&self.path, error));
        match done.and_then(|file| file.sync_all().map_err(|source| unwritable(&self.path, source))) {
            Ok(()) => Ended { path: Some(self.path), keys: self.keys - self.left, error: None },
            Err(error) => Ended { error: Some(error), ..self.cut_off() },
        }
    }

    /// Ends a file that could not be written where it is known to be sound. Whatever came behind that may have holes, and
    /// nothing was done to the keys in it.
    pub(crate) fn cut_off(mut self) -> Ended {
        self.open = None;
        let Sound { bytes, keys } = self.sound;
        let cut = if bytes == 0 {
            std::fs::remove_file(&self.path)
        } else {
            let file = OpenOptions::new().write(true).open(&self.path);
            file.and_then(|file| file.set_len(bytes).and_then(|()| file.sync_all()))
        };
        let path = (bytes > 0).then(|| self.path.clone());
        Ended { path, keys, error: cut.err().map(|source| unwritable(&self.path, source)) }
    }

    fn writer(&mut self, server: Server) -> Result<&mut Writer<File>> {
        if self.open.is_none() {
            let file = OpenOptions::new().write(true).truncate(true).open(&self.path);
            let file = file.map_err(|source| unwritable(&self.path, source))?;
            let header = serde_json::to_vec(&self.header)
                .map_err(|source| unwritable(&self.path, io::Error::other(source)))?;
            // Values come compressed or not, as the server had them; names alone gain nothing.
            let mut options = WriteOptions::default();
            options.compress = false;
            let mut writer =
                Writer::with_options(file, server, options).map_err(|error| failed(&self.path, error))?;
            writer.aux(HEADER, &header).map_err(|error| failed(&self.path, error))?;
            self.open = Some(writer);
        }
        let path = &self.path;
        self.open.as_mut().ok_or_else(|| unwritable(path, io::Error::other("it is not open")))
    }
}

/// The server whose files hold values of a format and the facts beside them. An embedded cache gives values in the oldest
/// format that has their layout, and formats before version 7 have no aux fields.
fn file_of(format: Format) -> Server {
    if format.version() < FIRST_WITH_AUX { Server::redis(8, 10) } else { Server::writing(format) }
}

const FIRST_WITH_AUX: u16 = 7;

fn failed(path: &Path, error: larder_rdb::Error) -> Error {
    let source = match error {
        larder_rdb::Error::Write { source, .. } => source,
        other => io::Error::other(other),
    };
    unwritable(path, source)
}

fn unwritable(path: &Path, source: io::Error) -> Error {
    Error::UndoUnwritable { path: path.to_path_buf(), source }
}

fn new_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.sync_all()?;
    // The name is to survive as well.
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}
