//! Reading artifacts back, whole: what is stored is summed up, opened, checked to the last element, and copied where it is
//! wanted.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Component, Path, PathBuf},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};
use sha2::{Digest, Sha256};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    Artifact, BackupId, Effort, Error, Keyring, Progress, Repository, Result, ShardImage,
    census::{self, Census},
    packing::unpack,
    passage::{self, Feed, PieceReader},
    repository::hex,
    thread::{self, Work},
};

/// How artifacts are read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading {
    pub(crate) keyring: Keyring,
    pub(crate) effort: Effort,
    pub(crate) progress: Progress,
    pub(crate) stop: CancellationToken,
}

/// What came from the repository.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    bytes: u64,
    sha256: String,
}

/// Pieces on their way from the repository.
pub(crate) type Arriving = AbortOnDropHandle<Result<Arrived>>;

const BUFFER_BYTES: usize = 256 << 10;

/// Begins to read an artifact. All of it is read, whether it can be made sense of or not, so that its sum is known.
pub(crate) async fn fetch(
    repository: &Repository,
    id: &BackupId,
    artifact: &Artifact,
    reading: &Reading,
) -> Result<(PieceReader, Arriving)> {
    let pieces = repository.reader(id, artifact).await?;
    let (feed, reader) = passage::to_thread();
    let reading = reading.clone();
    let arriving = async move {
        let mut feed = Some(feed);
        let arrived = hand_on(pieces, &mut feed, &reading).await?;
        if let Some(feed) = feed {
            feed.end().await;
        }
        Ok(arrived)
    };
    Ok((reader, AbortOnDropHandle::new(tokio::spawn(arriving))))
}

/// Reads an artifact whose reader trusts it: one that is not what it should be has no end, but a failure.
pub(crate) async fn fetch_trusted(
    repository: &Repository,
    id: &BackupId,
    artifact: &Artifact,
    feed: Feed,
    reading: &Reading,
) {
    let pieces = match repository.reader(id, artifact).await {
        Ok(pieces) => pieces,
        Err(error) => return feed.fail(error.with_causes()).await,
    };
    let mut feed = Some(feed);
    let arrived = hand_on(pieces, &mut feed, reading).await;
    // Where nobody reads any more, nobody wants to know.
    let Some(feed) = feed else { return };
    match arrived.map(|arrived| against_sum(artifact, &arrived)) {
        Ok(problems) if problems.is_empty() => feed.end().await,
        Ok(problems) => feed.fail(problems.join("; ")).await,
        Err(error) => feed.fail(error.with_causes()).await,
    }
}

/// Hands pieces on as long as somebody reads, and sums them up to the last. Leaves where the end, or what came
/// instead of it, is to be said.
async fn hand_on(
    mut pieces: BoxStream<'static, Result<Bytes>>,
    feed: &mut Option<Feed>,
    reading: &Reading,
) -> Result<Arrived> {
    let (mut sum, mut bytes) = (Sha256::new(), 0);
    loop {
        let piece = tokio::select! {
            piece = pieces.next() => piece,
            () = reading.stop.cancelled() => return Err(Error::Stopped),
        };
        let Some(piece) = piece.transpose()? else { break };
        reading.progress.add_bytes(piece.len());
        sum.update(&piece);
        bytes += piece.len() as u64;
        if let Some(open) = feed.take()
            && open.send(piece).await
        {
            *feed = Some(open);
        }
    }
    Ok(Arrived { bytes, sha256: hex(&sum.finalize()) })
}

/// Reads an artifact and looks at its size and sum alone; says how they are not what the manifest says.
pub(crate) async fn check_sum(
    repository: &Repository,
    id: &BackupId,
    artifact: &Artifact,
    reading: &Reading,
) -> Result<Vec<String>> {
    let (_, arriving) = fetch(repository, id, artifact, reading).await?;
    let arrived = arriving.await.map_err(thread::broken)??;
    Ok(against_sum(artifact, &arrived))
}

fn against_sum(artifact: &Artifact, arrived: &Arrived) -> Vec<String> {
    let mut problems = Vec::new();
    if arrived.bytes != artifact.bytes {
        problems.push(format!("{} has {} bytes instead of {}", artifact.path, arrived.bytes, artifact.bytes));
    }
    if artifact.sha256.as_ref().is_some_and(|sum| *sum != arrived.sha256) {
        problems.push(format!("{} has another SHA-256 than when it was stored", artifact.path));
    }
    problems
}

/// What reading an image has shown.
#[derive(Debug)]
pub(crate) struct ImageRead {
    /// What is wrong with it.
    pub(crate) problems: Vec<String>,
    /// What is in it; `None` where it is not sound.
    pub(crate) census: Option<Census>,
}

/// Reads the image of a shard whole, and compares it with the manifest; where `copy_to` is given, the RDB file is written there
/// (mode 0600) and synced.
///
/// # Errors
/// It cannot be read at all, or not be written, or is encrypted and cannot be opened: what is damaged is no error here.
pub(crate) async fn read_image(
    repository: &Repository,
    id: &BackupId,
    shard: &ShardImage,
    copy_to: Option<&Path>,
    reading: &Reading,
) -> Result<ImageRead> {
    let artifact = &shard.artifact;
    let copy = copy_to.map(create).transpose()?;
    let (reader, arriving) = fetch(repository, id, artifact, reading).await?;
    let (described, keyring) = (artifact.clone(), reading.keyring.clone());
    let work = Work::start("larder-census", reading.effort, move || take(reader, &described, &keyring, copy));
    let taken = work.done().await?;
    let arrived = arriving.await.map_err(thread::broken)??;
    let mut problems = against_sum(artifact, &arrived);
    let census = match taken {
        Ok(census) => Some(census),
        Err(Unread::Locked(reason)) => note_locked(artifact, reason, &mut problems).map(|()| None)?,
        Err(Unread::Unwritable(source)) => {
            let path = copy_to.map(Path::to_path_buf).unwrap_or_default();
            return Err(Error::File { path, what: "written", source });
        }
        Err(Unread::Damaged(reason)) => {
            problems.push(format!("{} is damaged: {reason}", artifact.path));
            None
        }
    };
    if let Some(census) = &census {
        problems.extend(against_census(shard, census));
    }
    Ok(ImageRead { problems, census })
}

/// What is known to be damaged says no more about who can open it: a byte of its head that is another one, and nobody can.
fn note_locked(artifact: &Artifact, reason: String, problems: &mut Vec<String>) -> Result<()> {
    if problems.is_empty() {
        return Err(Error::Locked { artifact: artifact.path.clone(), reason });
    }
    problems.push(format!("{} cannot be opened: {reason}", artifact.path));
    Ok(())
}

/// Why there is no census.
enum Unread {
    Locked(String),
    Unwritable(io::Error),
    Damaged(String),
}

fn create(path: &Path) -> Result<File> {
    let options = OpenOptions::new().write(true).create_new(true).mode(0o600).clone();
    options.open(path).map_err(|source| Error::File { path: path.to_path_buf(), what: "made", source })
}

fn take(
    reader: PieceReader,
    artifact: &Artifact,
    keyring: &Keyring,
    copy: Option<File>,
) -> std::result::Result<Census, Unread> {
    let plain = unpack(reader, artifact, keyring).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Unread::Locked(error.to_string()),
        _ => Unread::Damaged(error.to_string()),
    })?;
    let mut tee =
        Tee { from: plain, to: copy.map(|file| BufWriter::with_capacity(BUFFER_BYTES, file)), failed: None };
    let census = census::take(&mut tee, None);
    if let Some(error) = tee.failed.take() {
        return Err(Unread::Unwritable(error));
    }
    let census = census.map_err(|error| Unread::Damaged(with_causes(&error)))?;
    tee.sync().map_err(Unread::Unwritable)?;
    Ok(census)
}

fn with_causes(error: &larder_rdb::Error) -> String {
    use std::error::Error as _;
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

/// Copies what is read.
struct Tee<R> {
    from: R,
    to: Option<BufWriter<File>>,
    failed: Option<io::Error>,
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let length = self.from.read(out)?;
        if let Some(to) = &mut self.to
            && let Err(error) = to.write_all(&out[..length])
        {
            self.failed = Some(error);
            return Err(io::Error::other("the copy cannot be written"));
        }
        Ok(length)
    }
}

impl<R> Tee<R> {
    fn sync(self) -> io::Result<()> {
        match self.to {
            Some(to) => to.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all(),
            None => Ok(()),
        }
    }
}

/// Says how an image is not what the manifest says of it.
pub(crate) fn against_census(shard: &ShardImage, census: &Census) -> Vec<String> {
    let path = &shard.artifact.path;
    let mut problems = Vec::new();
    if shard.rdb_bytes.is_some_and(|bytes| bytes != census.bytes) {
        problems.push(format!("{path} holds another number of bytes than the manifest says"));
    }
    if let Some(counts) = &shard.counts
        && (counts.keys, &counts.by_database, &counts.by_type)
            != (census.counts.keys, &census.counts.by_database, &census.counts.by_type)
    {
        problems.push(format!(
            "{path} holds {} keys instead of {}, or keys of other types",
            census.counts.keys, counts.keys
        ));
    }
    if shard.digest.is_some_and(|digest| digest != census.digest) {
        problems
            .push(format!("{path} holds other data than the manifest says: its digest is {}", census.digest));
    }
    problems
}

/// What reading an archive has shown.
#[derive(Debug, Default)]
pub(crate) struct ArchiveRead {
    /// What is wrong with it.
    pub(crate) problems: Vec<String>,
    /// The files in it, by their paths from where it is unpacked; those that would lead out of there are none.
    pub(crate) files: Vec<PathBuf>,
}

/// An object that is not there, or of another length, is a fault of the backup, and noted as one; what else keeps it from being
/// looked at is not. `None` where it was one.
pub(crate) fn note_damage<T>(read: Result<T>, problems: &mut Vec<String>) -> Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error @ Error::Damaged { .. }) => {
            problems.push(error.to_string());
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Reads an archive to its end, whose files are put under `folder` where it is given; says what is in it and what is wrong
/// with it.
///
/// # Errors
/// As [`read_image`].
pub(crate) async fn read_archive(
    repository: &Repository,
    id: &BackupId,
    artifact: &Artifact,
    folder: Option<PathBuf>,
    reading: &Reading,
) -> Result<ArchiveRead> {
    let (reader, arriving) = fetch(repository, id, artifact, reading).await?;
    let (described, keyring, target) = (artifact.clone(), reading.keyring.clone(), folder.clone());
    let work = Work::start("larder-archive", reading.effort, move || {
        unpack_archive(reader, &described, &keyring, target.as_deref())
    });
    let unpacked = work.done().await?;
    let arrived = arriving.await.map_err(thread::broken)??;
    let mut read = ArchiveRead { problems: against_sum(artifact, &arrived), files: Vec::new() };
    match unpacked {
        Ok(files) => read.files = files,
        Err(Unread::Locked(reason)) => note_locked(artifact, reason, &mut read.problems)?,
        Err(Unread::Unwritable(source)) => {
            return Err(Error::File { path: folder.unwrap_or_default(), what: "written", source });
        }
        Err(Unread::Damaged(reason)) => read.problems.push(format!("{} is damaged: {reason}", artifact.path)),
    }
    Ok(read)
}

fn unpack_archive(
    reader: PieceReader,
    artifact: &Artifact,
    keyring: &Keyring,
    folder: Option<&Path>,
) -> std::result::Result<Vec<PathBuf>, Unread> {
    let damaged = |error: io::Error| Unread::Damaged(error.to_string());
    let mut plain = unpack(reader, artifact, keyring).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Unread::Locked(error.to_string()),
        _ => Unread::Damaged(error.to_string()),
    })?;
    let mut archive = tar::Archive::new(&mut plain);
    archive.set_preserve_permissions(false);
    archive.set_unpack_xattrs(false);
    let mut files = Vec::new();
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        files.extend(file_in(&entry));
        match folder {
            // What leads out of the folder is passed by.
            Some(folder) => drop(entry.unpack_in(folder).map_err(Unread::Unwritable)?),
            None => drop(io::copy(&mut entry, &mut io::sink()).map_err(damaged)?),
        }
    }
    // Behind the end of the archive there are zeros, and behind them the checksum of what is compressed.
    io::copy(&mut plain, &mut io::sink()).map_err(damaged)?;
    Ok(files)
}

/// Under which path a file is put where the archive is unpacked (`tar::Entry::unpack_in`): without its root. What leads upwards
/// is not put anywhere.
fn file_in<R: Read>(entry: &tar::Entry<'_, R>) -> Option<PathBuf> {
    let path = entry.path().ok().filter(|_| entry.header().entry_type().is_file())?;
    let mut inside = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => inside.push(part),
            Component::ParentDir => return None,
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
    }
    Some(inside).filter(|path| !path.as_os_str().is_empty())
}
