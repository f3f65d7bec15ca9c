//! A local folder as a store in which every object is complete or absent.
//!
//! `object_store` has one as well. It makes files that others may read, and follows symbolic links out of the folder.

mod temporary;
mod upload;
mod walk;

use std::{
    fmt, io,
    io::{ErrorKind, Write},
    path::{Component, Path, PathBuf},
};

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, local::LocalFileSystem,
    path::Path as Location,
};
use rustix::fs::{AtFlags, Mode, OFlags};

use temporary::Temporary;
use upload::Upload;
use walk::{place, walk};

use super::layout::BACKUPS;

/// A local folder as a store.
///
/// A file is written beside its place, readable by its owner alone, put on the disk, and then given its name. Symbolic links
/// below the folder are neither listed nor followed.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Names a folder; it is made when something is first written.
    pub(crate) fn new(root: PathBuf) -> io::Result<Self> {
        let absolute = std::path::absolute(root)?;
        // Where it is not there yet, `..` is taken as it is written.
        let root = absolute.canonicalize().unwrap_or_else(|_| without_parents(&absolute));
        Ok(Self { root })
    }

    /// Returns what writers that were killed have left behind.
    pub(crate) async fn temporary(&self) -> Result<Vec<ObjectMeta>> {
        let root = self.root.clone();
        // Folders beside the backups are someone else's, and may be closed to us.
        let places = [(Location::default(), false), (Location::from(BACKUPS), true)];
        let look = move || -> io::Result<Vec<ObjectMeta>> {
            let mut temporary = Vec::new();
            for (place, is_deep) in places {
                temporary.extend(walk(&root, &place, is_deep)?.temporary);
            }
            Ok(temporary)
        };
        blocking(look).await?.map_err(|error| failed(&self.root, error))
    }

    fn place(&self, location: &Location) -> Result<PathBuf> {
        let place = place(&self.root, location);
        let is_known = location.filename().is_some_and(|name| !temporary::is_temporary(name));
        if is_known { Ok(place) } else { Err(failed(&place, ErrorKind::InvalidInput.into())) }
    }

    /// The place, where no folder on the way is a symbolic link.
    fn place_to_write(&self, location: &Location) -> Result<PathBuf> {
        let target = self.place(location)?;
        let ways = target.ancestors().skip(1).take_while(|above| *above != self.root);
        for way in ways {
            if way.is_symlink() {
                return Err(failed(way, io::Error::other("it is a symbolic link, which is not followed")));
            }
        }
        Ok(target)
    }
}

fn without_parents(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut clean, part| {
        match part {
            Component::ParentDir => drop(clean.pop()),
            other => clean.push(other),
        }
        clean
    })
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Folder({})", self.root.display())
    }
}

#[async_trait]
impl ObjectStore for Folder {
    async fn put_opts(
        &self,
        location: &Location,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let replace = match options.mode {
            PutMode::Overwrite => true,
            PutMode::Create => false,
            PutMode::Update(_) => return Err(self.cannot("put of a known version")),
        };
        let store = self.clone();
        let location = location.clone();
        blocking(move || {
            let target = store.place_to_write(&location)?;
            write(&target, &payload, replace).map_err(|error| failed(&target, error))
        })
        .await??;
        Ok(put_result())
    }

    async fn put_multipart_opts(
        &self,
        location: &Location,
        _options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let store = self.clone();
        let location = location.clone();
        let upload = blocking(move || {
            let target = store.place_to_write(&location)?;
            let temporary = Temporary::beside(&target).map_err(|error| failed(&target, error))?;
            Ok::<_, Error>(Upload::new(target, temporary))
        });
        Ok(Box::new(upload.await??))
    }

    async fn get_opts(&self, location: &Location, options: GetOptions) -> Result<GetResult> {
        let place = Location::from_absolute_path(self.place(location)?)?;
        let mut result = LocalFileSystem::new().get_opts(&place, options).await?;
        result.meta.location = location.clone();
        Ok(result)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Location>>,
    ) -> BoxStream<'static, Result<Location>> {
        let root = self.root.clone();
        let deleted = locations.and_then(move |location| {
            let root = root.clone();
            async move {
                let gone = location.clone();
                let result = blocking(move || remove(&root, &gone)).await?;
                result.map_err(|error| failed(Path::new(location.as_ref()), error))?;
                Ok(location)
            }
        });
        deleted.boxed()
    }

    fn list(&self, prefix: Option<&Location>) -> BoxStream<'static, Result<ObjectMeta>> {
        let store = self.clone();
        let prefix = prefix.cloned().unwrap_or_default();
        let objects = async move {
            let root = store.root.clone();
            let found = blocking(move || walk(&root, &prefix, true)).await?;
            let found = found.map_err(|error| failed(&store.root, error))?;
            Ok::<_, Error>(stream::iter(found.objects.into_iter().map(Ok)))
        };
        stream::once(objects).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Location>) -> Result<ListResult> {
        let root = self.root.clone();
        let prefix = prefix.cloned().unwrap_or_default();
        let found = blocking(move || walk(&root, &prefix, false)).await?;
        let found = found.map_err(|error| failed(&self.root, error))?;
        let (common_prefixes, objects) = (found.folders, found.objects);
        Ok(ListResult { common_prefixes, objects, extensions: object_store::Extensions::default() })
    }

    async fn copy_opts(&self, _from: &Location, _to: &Location, _options: CopyOptions) -> Result<()> {
        Err(self.cannot("copy"))
    }
}

impl Folder {
    fn cannot(&self, operation: &str) -> Error {
        Error::NotImplemented { operation: operation.to_owned(), implementer: self.to_string() }
    }
}

fn write(target: &Path, payload: &PutPayload, replace: bool) -> io::Result<()> {
    let temporary = Temporary::beside(target)?;
    for piece in payload {
        temporary.file().write_all(piece)?;
    }
    temporary.publish(target, replace)
}

/// Goes from folder to folder, so that no symbolic link leads elsewhere, and takes away a folder that is empty then.
fn remove(root: &Path, location: &Location) -> io::Result<()> {
    let to_folder = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut folder = rustix::fs::open(root, to_folder, Mode::empty())?;
    let mut above = None;
    let mut names: Vec<&str> = location.as_ref().split('/').collect();
    let Some(last) = names.pop() else { return Err(ErrorKind::InvalidInput.into()) };
    for name in names {
        let next = rustix::fs::openat(&folder, name, to_folder | OFlags::NOFOLLOW, Mode::empty())?;
        above = Some((std::mem::replace(&mut folder, next), name));
    }
    rustix::fs::unlinkat(&folder, last, AtFlags::empty())?;
    rustix::fs::fsync(&folder)?;
    if let Some((above, name)) = above {
        // Most often it is not empty, and that is all right.
        let _ = rustix::fs::unlinkat(above, name, AtFlags::REMOVEDIR);
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    Ok(tokio::task::spawn_blocking(work).await?)
}

fn put_result() -> PutResult {
    PutResult { e_tag: None, version: None, extensions: object_store::Extensions::default() }
}

/// The error of the machine in the store's terms.
fn failed(place: &Path, error: io::Error) -> Error {
    let path = place.display().to_string();
    match error.kind() {
        ErrorKind::NotFound => Error::NotFound { path, source: error.into() },
        ErrorKind::AlreadyExists => Error::AlreadyExists { path, source: error.into() },
        ErrorKind::PermissionDenied => Error::PermissionDenied { path, source: error.into() },
        kind => {
            let source = io::Error::new(kind, format!("{path}: {error}"));
            Error::Generic { store: "folder", source: source.into() }
        }
    }
}
