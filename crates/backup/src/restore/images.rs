//! The images of a backup, as a restore into a running cache reads them: each as often as it likes, each time to the sum of
//! what is stored.

use std::{
    io::{self, Read},
    sync::Arc,
};

use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

use super::LiveSource;
use crate::{
    Artifact, Keyring, Manifest, Repository,
    packing::unpack,
    passage::{self, PieceReader},
    reading::{self, Reading},
};

impl LiveSource {
    /// Reads the images of a backup. Must be called on a Tokio runtime; what it opens is read on threads that may wait.
    ///
    /// An image whose bytes are not those that were stored ends with an error, so that no plan is made of it.
    #[must_use]
    pub fn of_backup(repository: &Repository, manifest: &Manifest, reading: &ReadingOptions) -> Self {
        let runtime = Handle::current();
        let (repository, manifest) = (repository.clone(), Arc::new(manifest.clone()));
        let reading = reading.reading();
        let moments = manifest.shards.iter().map(|shard| shard.taken_at.map(|at| at.timestamp_millis()));
        Self::new(moments.collect(), move |shard| {
            let (feed, reader) = passage::to_thread();
            let artifact = manifest.shards[shard].artifact.clone();
            let image = Image::Packed(reader, artifact, reading.keyring.clone());
            let (repository, manifest, reading) =
                (repository.clone(), Arc::clone(&manifest), reading.clone());
            let fetching = runtime.spawn(async move {
                let artifact = &manifest.shards[shard].artifact;
                reading::fetch_trusted(&repository, &manifest.id, artifact, feed, &reading).await;
            });
            Ok(Box::new(FetchedImage { image, _fetching: AbortOnDropHandle::new(fetching) }))
        })
    }
}

/// How images are read.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ReadingOptions {
    /// What opens them, where they are encrypted.
    pub keyring: Keyring,
    /// How far reading is.
    pub progress: crate::Progress,
    /// Ends it.
    pub stop: tokio_util::sync::CancellationToken,
}

impl ReadingOptions {
    fn reading(&self) -> Reading {
        Reading {
            keyring: self.keyring.clone(),
            effort: crate::Effort::Full,
            progress: self.progress.clone(),
            stop: self.stop.clone(),
        }
    }
}

/// An image, and the task that fetches it, which ends with it.
struct FetchedImage {
    image: Image,
    _fetching: AbortOnDropHandle<()>,
}

impl Read for FetchedImage {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.image.read(out)
    }
}

/// An image that is opened when it is first read, because that waits for its first bytes.
enum Image {
    Packed(PieceReader, Artifact, Keyring),
    Open(Box<dyn Read + Send>),
    Broken,
}

impl Read for Image {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::mem::replace(self, Self::Broken) {
                Self::Packed(reader, artifact, keyring) => {
                    *self = Self::Open(unpack(reader, &artifact, &keyring)?);
                }
                Self::Open(mut reader) => {
                    let read = reader.read(out);
                    *self = Self::Open(reader);
                    return read;
                }
                Self::Broken => return Err(io::Error::other("it could not be opened")),
            }
        }
    }
}
