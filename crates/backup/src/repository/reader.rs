//! Reading an object piece by piece.

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use object_store::{ObjectStoreExt, path::Path};

use super::{Repository, storage};
use crate::{Artifact, BackupId, Error, Result};

/// Asked for one by one, so that a reader that is slow holds no connection open meanwhile, and a part that fails is asked
/// for again.
const RANGE_BYTES: u64 = 2 << 20;
const RANGES_AHEAD: usize = 2;
/// What is passed on at once: whoever lets some pieces wait counts on small ones.
const PIECE_BYTES: usize = 256 << 10;

impl Repository {
    /// Reads an object of a backup piece by piece, in bounded memory (4 MiB and a range).
    ///
    /// Its hash is the caller's to compare; its length is compared here.
    ///
    /// # Errors
    /// [`Error::Damaged`] where it is absent or of another length than the manifest says; the store fails.
    pub async fn reader(
        &self,
        id: &BackupId,
        artifact: &Artifact,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        let damaged = damage(id, artifact);
        let location = Path::parse(&artifact.path).map_err(|error| damaged(error.to_string()))?;
        let facts = match self.store.inner.head(&location).await {
            Ok(facts) => facts,
            Err(object_store::Error::NotFound { .. }) => return Err(damaged("it is not there".to_owned())),
            Err(error) => return Err(storage(format!("read {location}"))(error)),
        };
        if facts.size != artifact.bytes {
            return Err(damaged(format!("it has {} bytes, and had {}", facts.size, artifact.bytes)));
        }
        let store = self.store.inner.clone();
        let read = move |(from, to): (u64, u64)| {
            let (store, location, damaged) = (store.clone(), location.clone(), damaged.clone());
            async move {
                let piece = store.get_range(&location, from..to).await;
                let piece = piece.map_err(storage(format!("read bytes {from} to {to} of {location}")))?;
                if piece.len() as u64 == to - from {
                    return Ok(piece);
                }
                Err(damaged(format!("{} bytes came from offset {from}, not {}", piece.len(), to - from)))
            }
        };
        let ranges = stream::iter(ranges(artifact.bytes)).map(read).buffered(RANGES_AHEAD);
        Ok(ranges.map_ok(|range| stream::iter(pieces(range)).map(Ok)).try_flatten().boxed())
    }

    /// Reads a small object whole.
    pub(super) async fn read_small(&self, path: &str, most_bytes: u64) -> Result<Option<Bytes>> {
        let location = Path::parse(path).map_err(|error| storage(format!("read {path}"))(error.into()))?;
        let object = match self.store.inner.get(&location).await {
            Ok(object) => object,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(storage(format!("read {path}"))(error)),
        };
        let mut bytes = Vec::new();
        let mut pieces = object.into_stream();
        while let Some(piece) = pieces.try_next().await.map_err(storage(format!("read {path}")))? {
            // What is longer is cut, and found wanting by its reader.
            let room = most_bytes.saturating_sub(bytes.len() as u64);
            if room == 0 {
                break;
            }
            let fitting = usize::try_from(room).unwrap_or(usize::MAX).min(piece.len());
            bytes.extend_from_slice(&piece[..fitting]);
        }
        Ok(Some(bytes.into()))
    }
}

fn damage(id: &BackupId, artifact: &Artifact) -> impl Fn(String) -> Error + Clone + Send + use<> {
    let (id, artifact) = (id.clone(), artifact.path.clone());
    move |reason| Error::Damaged { id: id.clone(), artifact: artifact.clone(), reason }
}

fn ranges(bytes: u64) -> impl Iterator<Item = (u64, u64)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let to = bytes.min(from + RANGE_BYTES);
        let range = (from < to).then_some((from, to))?;
        from = to;
        Some(range)
    })
}

fn pieces(mut range: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || (!range.is_empty()).then(|| range.split_to(range.len().min(PIECE_BYTES))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_passed_on_in_pieces() {
        let range = Bytes::from(vec![7; 2 * PIECE_BYTES + 1]);
        let lengths: Vec<usize> = pieces(range).map(|piece| piece.len()).collect();
        assert_eq!(lengths, [PIECE_BYTES, PIECE_BYTES, 1]);
        assert_eq!(pieces(Bytes::new()).count(), 0);
    }

    #[test]
    fn ranges_cover_all_bytes_once() {
        assert_eq!(ranges(0).count(), 0);
        assert_eq!(ranges(1).collect::<Vec<_>>(), [(0, 1)]);
        let full = RANGE_BYTES;
        assert_eq!(ranges(full).collect::<Vec<_>>(), [(0, full)]);
        assert_eq!(ranges(full + 1).collect::<Vec<_>>(), [(0, full), (full, full + 1)]);
    }
}
