//! Storing an object piece by piece.

use std::mem;

use bytes::Bytes;
use object_store::{
    MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, PutPayloadMut, path::Path,
};
use sha2::{Digest, Sha256};
use tokio::{runtime::Handle, task::JoinSet};

use super::{Store, layout::ArtifactSpec, storage};
use crate::{Artifact, Error, Result};

/// Parts are of one size (R2 wants that), above the 5 MiB that S3 wants. S3 takes 10,000 of them:
/// 78 GiB of what is compressed already, for one shard.
const PART_BYTES: usize = 8 << 20;
/// Parts on the way while the next one fills up: 32 MiB in all.
const PARTS_ON_THE_WAY: usize = 3;
/// Pieces up to this are copied together; larger ones are passed on as they are.
const COPIED_BYTES: usize = 64 << 10;
/// Hashing this takes some tenths of a millisecond.
const HASHED_AT_ONCE_BYTES: usize = 128 << 10;

/// Stores an object piece by piece, in bounded memory: up to 32 MiB, and the piece. It is there when
/// [`finish`](Self::finish) returns, and not before; dropped before that, it leaves nothing.
#[derive(Debug)]
pub struct ArtifactWriter {
    store: Store,
    location: Path,
    spec: ArtifactSpec,
    bytes: u64,
    hash: Sha256,
    filling: PutPayloadMut,
    parts: Option<Parts>,
    has_failed: bool,
}

/// An upload of which something is stored already.
#[derive(Debug)]
struct Parts {
    upload: Box<dyn MultipartUpload>,
    on_the_way: JoinSet<object_store::Result<()>>,
}

impl ArtifactWriter {
    pub(super) fn new(store: Store, location: Path, spec: ArtifactSpec) -> Self {
        Self {
            store,
            location,
            spec,
            bytes: 0,
            hash: Sha256::new(),
            filling: PutPayloadMut::new(),
            parts: None,
            has_failed: false,
        }
    }

    /// Returns how many bytes it was given.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes the next piece; waits where the store is slower than the pieces come.
    ///
    /// # Errors
    /// The store fails. What was stored is taken away then, and no piece is taken any more.
    pub async fn write(&mut self, piece: Bytes) -> Result<()> {
        if self.has_failed {
            return Err(Error::Refused {
                what: format!("writing {}", self.location),
                reasons: vec!["an earlier piece could not be stored".to_owned()],
            });
        }
        self.bytes += piece.len() as u64;
        self.hash(&piece).await?;
        match self.take(piece).await {
            Ok(()) => Ok(()),
            Err(error) => {
                self.give_up().await;
                Err(self.failed(error))
            }
        }
    }

    async fn hash(&mut self, piece: &Bytes) -> Result<()> {
        if piece.len() <= HASHED_AT_ONCE_BYTES {
            self.hash.update(piece);
            return Ok(());
        }
        let mut hash = mem::take(&mut self.hash);
        let piece = piece.clone();
        let hashed = tokio::task::spawn_blocking(move || {
            hash.update(&piece);
            hash
        });
        self.hash = hashed.await.map_err(|error| self.failed(error.into()))?;
        Ok(())
    }

    async fn take(&mut self, mut piece: Bytes) -> object_store::Result<()> {
        while !piece.is_empty() {
            let room = PART_BYTES - self.filling.content_length();
            let fitting = piece.split_to(room.min(piece.len()));
            if fitting.len() <= COPIED_BYTES {
                self.filling.extend_from_slice(&fitting);
            } else {
                self.filling.push(fitting);
            }
            if self.filling.content_length() == PART_BYTES {
                let part = mem::take(&mut self.filling).freeze();
                self.send(part).await?;
            }
        }
        Ok(())
    }

    async fn send(&mut self, part: PutPayload) -> object_store::Result<()> {
        let parts = match &mut self.parts {
            Some(parts) => parts,
            none => {
                let upload = self.store.inner.put_multipart(&self.location).await?;
                none.insert(Parts { upload, on_the_way: JoinSet::new() })
            }
        };
        parts.wait_for(PARTS_ON_THE_WAY - 1).await?;
        parts.on_the_way.spawn(parts.upload.put_part(part));
        Ok(())
    }

    /// Stores the rest. The object is there when this returns.
    ///
    /// # Errors
    /// The store fails; what was stored is taken away then.
    pub async fn finish(mut self) -> Result<Artifact> {
        if self.has_failed {
            // `write` says it, and returned an error before.
            return Err(self.write(Bytes::new()).await.err().unwrap_or(Error::Stopped));
        }
        if let Err(error) = self.store_rest().await {
            self.give_up().await;
            return Err(self.failed(error));
        }
        let hash = mem::take(&mut self.hash).finalize();
        Ok(Artifact {
            path: self.location.to_string(),
            bytes: self.bytes,
            sha256: Some(super::hex(&hash)),
            compression: self.spec.compression,
            encrypted: self.spec.encrypted,
        })
    }

    async fn store_rest(&mut self) -> object_store::Result<()> {
        let rest = mem::take(&mut self.filling).freeze();
        if self.parts.is_none() {
            let new = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            return self.store.inner.put_opts(&self.location, rest, new).await.map(drop);
        }
        if rest.content_length() > 0 {
            self.send(rest).await?;
        }
        if let Some(parts) = &mut self.parts {
            parts.wait_for(0).await?;
            parts.upload.complete().await?;
        }
        // Complete: there is nothing to take away any more.
        self.parts = None;
        Ok(())
    }

    /// Ends without an object; what was stored of it is taken away.
    pub async fn abort(mut self) {
        self.give_up().await;
    }

    async fn give_up(&mut self) {
        self.has_failed = true;
        self.filling = PutPayloadMut::new();
        if let Some(parts) = self.parts.take() {
            parts.abort(&self.location).await;
        }
    }

    fn failed(&self, error: object_store::Error) -> Error {
        storage(format!("write {}", self.location))(error)
    }
}

impl Drop for ArtifactWriter {
    fn drop(&mut self) {
        let Some(parts) = self.parts.take() else { return };
        // A folder takes its file away by itself; a service has to be told.
        if let Ok(runtime) = Handle::try_current() {
            let location = self.location.clone();
            runtime.spawn(async move { parts.abort(&location).await });
        }
    }
}

impl Parts {
    async fn wait_for(&mut self, left: usize) -> object_store::Result<()> {
        while self.on_the_way.len() > left {
            let Some(part) = self.on_the_way.join_next().await else { break };
            part??;
        }
        Ok(())
    }

    async fn abort(mut self, location: &Path) {
        self.on_the_way.shutdown().await;
        if let Err(error) = self.upload.abort().await {
            tracing::warn!(%location, %error, "an upload that failed could not be taken away");
        }
    }
}
