//! The file that a server saves, as this machine sees it.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::PathBuf,
    sync::Arc,
    time::UNIX_EPOCH,
};

use bytes::{Bytes, BytesMut};
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use larder_metrics_model::NodeAddress;
use larder_rdb::{Reader, Record};

use super::save::ADVICE;
use crate::{Error, Result, dump::PIECE_BYTES, redis::persistence::Persistence};

/// Times of files and of servers are told by clocks of different grain.
const TOLERANCE_MS: i64 = 1000;

/// How long a disk may take to have what was written to it.
const SYNC_S: i64 = 60;

/// Facts about a file stand at its beginning.
const HEAD_BYTES: u64 = 16 << 10;

/// Where a server's file is.
#[derive(Clone, Debug)]
pub(super) struct SavedFile {
    node: NodeAddress,
    path: PathBuf,
}

/// By which it is known that another file has taken a file's place: a save writes a new one, and renames it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    written_ms: i64,
    length: u64,
}

/// A file that is the one just saved.
pub(super) struct Found {
    pub(super) length: u64,
    pub(super) taken_at_ms: i64,
    pub(super) replication: Option<(String, u64)>,
    pub(super) bytes: BoxStream<'static, Result<Bytes>>,
}

impl SavedFile {
    pub(super) fn new(node: &NodeAddress, path: PathBuf) -> Self {
        Self { node: node.clone(), path }
    }

    /// Finds out whether the path leads to the server's file: what is there was saved when the server says, or nothing was
    /// saved since it started. Returns what is there now.
    pub(super) async fn look(&self, persistence: Persistence) -> Result<Option<Identity>> {
        let this = self.clone();
        self.aside(move || this.look_now(persistence)).await
    }

    fn look_now(&self, persistence: Persistence) -> Result<Option<Identity>> {
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return self.look_at_folder(persistence).map(|()| None);
            }
            Err(error) => return Err(self.unreadable(&error)),
        };
        if !metadata.is_file() {
            return Err(self.unusable("is no file"));
        }
        File::open(&self.path).map_err(|error| self.unreadable(&error))?;
        let identity = self.identity(&metadata)?;
        let written_ms = identity.written_ms;
        let Some(last_save_s) = persistence.last_save_s else {
            // Of a file that was there when the server started it says nothing.
            return Ok(Some(identity));
        };
        // The last byte is written before the server notes the end of the save, by as long as the disk takes to have it.
        let ended_ms = last_save_s.saturating_mul(1000);
        let began_ms = ended_ms - persistence.last_took_s.max(SYNC_S).saturating_mul(1000) - TOLERANCE_MS;
        let ended_ms = ended_ms + 2 * TOLERANCE_MS;
        if persistence.is_saved && !persistence.is_busy && !(began_ms..=ended_ms).contains(&written_ms) {
            return Err(self.unusable(&format!(
                "is not that of this server: it was written at {written_ms} ms since 1970, and the server's last save \
                 ended at {last_save_s} s",
            )));
        }
        Ok(Some(identity))
    }

    /// A server that has saved nothing yet makes the file in its folder.
    fn look_at_folder(&self, persistence: Persistence) -> Result<()> {
        if persistence.last_save_s.is_some() && persistence.is_saved && !persistence.is_busy {
            return Err(self.unusable("is not there on this machine, though the server has saved it"));
        }
        match self.path.parent().map(fs::metadata) {
            Some(Ok(folder)) if folder.is_dir() => Ok(()),
            _ => Err(self.unusable("would be in a folder that is not there on this machine")),
        }
    }

    /// Opens the file that a save has left which began at a moment of the server's clock; `before` is what was there then.
    pub(super) async fn open(&self, began_ms: i64, before: Option<Identity>) -> Result<Found> {
        let this = self.clone();
        self.aside(move || this.open_now(began_ms, before)).await
    }

    /// Everything is read from this one handle, so that a later save, which puts another file in this one's place, does no
    /// harm.
    fn open_now(&self, began_ms: i64, before: Option<Identity>) -> Result<Found> {
        let mut file = File::open(&self.path).map_err(|error| self.unreadable(&error))?;
        let metadata = file.metadata().map_err(|error| self.unreadable(&error))?;
        let mut head = Vec::new();
        (&mut file).take(HEAD_BYTES).read_to_end(&mut head).map_err(|error| self.unreadable(&error))?;
        let facts = Head::of(&head);
        let identity = self.identity(&metadata)?;
        if before == Some(identity) {
            return Err(self.old(began_ms, "there before"));
        }
        if identity.written_ms < began_ms - TOLERANCE_MS {
            return Err(self.old(began_ms, &format!("written at {} ms since 1970", identity.written_ms)));
        }
        let created_ms = facts.created_s.map(|seconds| seconds.saturating_mul(1000));
        if let Some(created_ms) = created_ms.filter(|created| created + 999 < began_ms - TOLERANCE_MS) {
            return Err(
                self.old(began_ms, &format!("created at {created_ms} ms since 1970 (aux field ctime)"))
            );
        }
        // Another save may have ended since; then the file is of that moment, to the second.
        let taken_at_ms = created_ms.map_or(began_ms, |created| began_ms.max(created - TOLERANCE_MS));
        let length = metadata.len();
        let reading = Reading {
            file: Some(file),
            left: length.saturating_sub(head.len() as u64),
            head: Some(Bytes::from(head)),
            from: self.clone(),
        };
        Ok(Found { length, taken_at_ms, replication: facts.replication, bytes: reading.into_stream() })
    }

    fn identity(&self, metadata: &Metadata) -> Result<Identity> {
        let written = metadata.modified().map_err(|error| self.unreadable(&error))?;
        let since = written.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
            written_ms: i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            length: metadata.len(),
        })
    }

    fn old(&self, began_ms: i64, when: &str) -> Error {
        self.unusable(&format!(
            "is not the one just saved: the save began at {began_ms} ms, and the file was {when}"
        ))
    }

    fn unreadable(&self, error: &io::Error) -> Error {
        self.unusable(&format!("cannot be read: {error}"))
    }

    fn unusable(&self, why: &str) -> Error {
        let reason = format!("it {why}; {ADVICE}");
        Error::SavedFile { node: self.node.clone(), path: self.path.clone(), reason }
    }

    /// Files are read where waiting for a disk holds nobody up.
    async fn aside<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            Err(broken) => Err(self.failed(io::Error::other(broken))),
        }
    }

    fn failed(&self, error: io::Error) -> Error {
        Error::File { what: "saved dump", path: self.path.clone(), source: Arc::new(error) }
    }
}

/// What the beginning of a file says of it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Head {
    created_s: Option<i64>,
    replication: Option<(String, u64)>,
}

impl Head {
    /// Reads the aux fields; what is cut off behind them, or no dump at all, is left to who reads the whole file.
    fn of(bytes: &[u8]) -> Self {
        let mut head = Self::default();
        let Ok(mut reader) = Reader::from_slice(bytes) else { return head };
        let (mut id, mut offset) = (None, None);
        while let Ok(Some(Record::Aux { name, value })) = reader.next_record() {
            let Ok(value) = std::str::from_utf8(value) else { continue };
            match name {
                b"ctime" => head.created_s = value.parse().ok(),
                b"repl-id" => id = Some(value.to_owned()),
                b"repl-offset" => offset = value.parse().ok(),
                _ => {}
            }
        }
        head.replication = id.zip(offset);
        head
    }
}

/// A file on its way.
struct Reading {
    /// What was read to see which file it is.
    head: Option<Bytes>,
    file: Option<File>,
    left: u64,
    from: SavedFile,
}

impl Reading {
    fn into_stream(self) -> BoxStream<'static, Result<Bytes>> {
        stream::unfold(Some(self), |reading| async move {
            let mut reading = reading?;
            match reading.next().await {
                Ok(piece) => piece.map(|piece| (Ok(piece), Some(reading))),
                Err(error) => Some((Err(error), None)),
            }
        })
        .boxed()
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        if let Some(head) = self.head.take() {
            return Ok(Some(head));
        }
        let (Some(mut file), true) = (self.file.take(), self.left > 0) else { return Ok(None) };
        let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(PIECE_BYTES);
        let from = self.from.clone();
        let read = move || {
            let mut piece = BytesMut::zeroed(length);
            file.read_exact(&mut piece).map_err(|error| from.failed(error))?;
            Ok((file, piece.freeze()))
        };
        let (file, piece) = self.from.aside(read).await?;
        self.file = Some(file);
        self.left -= piece.len() as u64;
        Ok(Some(piece))
    }
}

#[cfg(test)]
mod tests;
