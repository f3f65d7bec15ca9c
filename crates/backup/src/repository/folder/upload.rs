//! A file that comes in parts.

use std::{io, os::unix::fs::FileExt, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use super::{blocking, failed, put_result, temporary::Temporary};

/// Parts written into one file beside its place.
#[derive(Debug)]
pub(super) struct Upload {
    target: PathBuf,
    /// `None` after the end.
    temporary: Option<Arc<Temporary>>,
    bytes: u64,
}

impl Upload {
    pub(super) fn new(target: PathBuf, temporary: Temporary) -> Self {
        Self { target, temporary: Some(Arc::new(temporary)), bytes: 0 }
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let offset = self.bytes;
        self.bytes += data.content_length() as u64;
        let target = self.target.clone();
        let temporary = self.temporary.clone();
        Box::pin(async move {
            let Some(temporary) = temporary else { return Err(failed(&target, ended())) };
            let written = blocking(move || write_at(&temporary, &data, offset)).await?;
            written.map_err(|error| failed(&target, error))
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        // A part that is still being written holds it as well.
        let temporary = self.temporary.take().and_then(Arc::into_inner);
        let Some(temporary) = temporary else { return Err(failed(&self.target, ended())) };
        let target = self.target.clone();
        let published = blocking(move || temporary.publish(&target, true)).await?;
        published.map_err(|error| failed(&self.target, error))?;
        Ok(put_result())
    }

    async fn abort(&mut self) -> Result<()> {
        // A part that is still being written holds it as well, and the process may end before that part does.
        if let Some(temporary) = self.temporary.take() {
            blocking(move || temporary.forget()).await?;
        }
        Ok(())
    }
}

fn write_at(temporary: &Temporary, data: &PutPayload, mut offset: u64) -> io::Result<()> {
    for piece in data {
        temporary.file().write_all_at(piece, offset)?;
        offset += piece.len() as u64;
    }
    Ok(())
}

fn ended() -> io::Error {
    io::Error::other("the upload has ended, or a part of it is still being written")
}
