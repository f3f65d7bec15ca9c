//! Writing an undo file so that it is there before anything is changed.

use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use larder_cache_client::DumpedValue;
use larder_rdb::{KeyMeta, Payload, RawValue, Server, WriteOptions, Writer};

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
}

impl UndoWriter {
    /// Makes a file that must not be there yet; only its owner can read it.
    pub(crate) fn create(path: &Path, header: UndoHeader) -> Result<Self> {
        // The place is tried now: a folder that cannot be written is known before anything was looked at.
        new_file(path).map_err(|source| unwritable(path, source))?;
        Ok(Self { path: path.to_path_buf(), header, open: None, keys: 0 })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn keys(&self) -> u64 {
        self.keys
    }

    /// Writes a key as it is before something is done to it.
    ///
    /// # Errors
    /// [`Error::Unkept`] where this value cannot be kept, and the file is as it was; [`Error::UndoUnwritable`] where the file
    /// is at fault, and nothing more may be done.
    pub(crate) fn keep(&mut self, key: &Bytes, database: u64, value: &DumpedValue, act: Act) -> Result<()> {
        let unkept = |source| Error::Unkept { key: crate::KeyName::new(key), source };
        let payload = Payload::parse(&value.payload).map_err(unkept)?;
        let raw = RawValue::from_payload(&value.payload).map_err(unkept)?;
        let server = Server::writing(payload.format());
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
        Ok(())
    }

    /// Writes that a key which was kept was left alone after all.
    pub(crate) fn left_alone(&mut self, key: &[u8]) -> Result<()> {
        let path = self.path.clone();
        match &mut self.open {
            Some(writer) => writer.aux(LEFT, key).map_err(|error| failed(&path, error)),
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
        writer.get_ref().sync_data().map_err(|source| unwritable(&path, source))
    }

    /// Ends the file. One in which nothing was kept is removed, and gives no path.
    pub(crate) fn finish(mut self) -> Result<Option<PathBuf>> {
        let Some(writer) = self.open.take() else {
            std::fs::remove_file(&self.path).map_err(|source| unwritable(&self.path, source))?;
            return Ok(None);
        };
        let file = writer.finish().map_err(|error| failed(&self.path, error))?;
        file.sync_all().map_err(|source| unwritable(&self.path, source))?;
        Ok(Some(self.path))
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
