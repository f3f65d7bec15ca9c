//! Where backups are kept.

mod cloud;
mod find;
mod folder;
mod guide_file;
mod layout;
mod leftovers;
mod listing;
mod options;
mod reader;
mod record;
mod remove;
mod seal;
mod url;
mod verification;
mod wanted;
mod writer;

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use bytes::Bytes;
use object_store::{
    ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, memory::InMemory, path::Path,
    prefix::PrefixStore,
};

pub(crate) use listing::newness;

pub use layout::{ArtifactSpec, Layout, Part};
pub use leftovers::{Cleared, Leftover, LeftoverKind};
pub use listing::{DamagedBackup, ListedBackup, Listing, UnfinishedBackup};
pub use options::StorageOptions;
pub use url::RepositoryUrl;
pub use verification::{Verification, VerificationLevel};
pub use wanted::Wanted;
pub use writer::ArtifactWriter;

use crate::{BackupId, Error, Manifest, Result};
use folder::Folder;
use layout::{manifest_path, owner};
use record::Record;
use url::Place;

/// More than any manifest has; what is longer is none.
const MOST_MANIFEST_BYTES: u64 = 64 << 20;

/// Where backups are kept: a folder or a place in an object store. A backup is there when its manifest is.
#[derive(Clone, Debug)]
pub struct Repository {
    store: Store,
}

#[derive(Clone, Debug)]
pub(crate) struct Store {
    /// The repository is the root of it.
    inner: Arc<dyn ObjectStore>,
    /// The same, where it is a folder.
    folder: Option<Folder>,
}

impl Repository {
    /// Opens a repository. Nothing is read or made yet.
    ///
    /// # Errors
    /// [`Error::Url`] where the store cannot be reached by what the URL and the options say.
    pub fn open(url: &RepositoryUrl, options: &StorageOptions) -> Result<Self> {
        match url.place() {
            Place::Memory(name) => Ok(Self::from_store(named_memory(name), "")),
            Place::Cloud(address) => {
                let (store, prefix) = cloud::open(address, options)?;
                Ok(Self::from_store(store, prefix.as_ref()))
            }
            Place::Folder(path) => {
                let folder = Folder::new(path.clone()).map_err(|source| Error::File {
                    path: path.clone(),
                    what: "named",
                    source,
                })?;
                Ok(Self { store: Store { inner: Arc::new(folder.clone()), folder: Some(folder) } })
            }
        }
    }

    /// Makes a repository of a store that the caller has, at a prefix of it.
    #[must_use]
    pub fn from_store(store: Arc<dyn ObjectStore>, prefix: &str) -> Self {
        let inner: Arc<dyn ObjectStore> =
            if prefix.is_empty() { store } else { Arc::new(PrefixStore::new(store, prefix)) };
        Self { store: Store { inner, folder: None } }
    }

    /// Makes a repository that lasts as long as it is held.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::from_store(Arc::new(InMemory::new()), "")
    }

    /// Begins to store an object of a backup that has no manifest yet.
    ///
    /// # Errors
    /// [`Error::Refused`] where the object is there already, or where the layout has no place for it; the store fails.
    pub async fn writer(&self, id: &BackupId, spec: ArtifactSpec) -> Result<ArtifactWriter> {
        let location = Path::from(spec.path(id)?);
        match self.store.inner.head(&location).await {
            Ok(_) => Err(Error::Refused {
                what: format!("writing {location}"),
                reasons: vec!["it is there already".to_owned()],
            }),
            Err(object_store::Error::NotFound { .. }) => {
                Ok(ArtifactWriter::new(self.store.clone(), location, spec))
            }
            Err(error) => Err(storage(format!("write {location}"))(error)),
        }
    }

    /// Writes the manifest, and thereby makes the backup be there.
    ///
    /// # Errors
    /// [`Error::Damaged`] where an object of it is not there as the manifest says; [`Error::Refused`] where there is a
    /// backup of this name; the store fails.
    pub async fn commit(&self, manifest: &Manifest) -> Result<()> {
        let id = &manifest.id;
        for artifact in manifest.artifacts() {
            if owner(&artifact.path).as_ref() != Some(id) {
                let (artifact, reason) = (artifact.path.clone(), "it is no object of this backup".to_owned());
                return Err(Error::Damaged { id: id.clone(), artifact, reason });
            }
            // It only looks whether it is there, and how long it is.
            drop(self.reader(id, artifact).await?);
        }
        let path = manifest_path(id);
        self.put_new(&path, Bytes::from(record::write(manifest)?)).await
    }

    async fn put_new(&self, path: &str, text: Bytes) -> Result<()> {
        let location = Path::from(path);
        let failed = storage(format!("write {path}"));
        let new = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.inner.put_opts(&location, PutPayload::from(text.clone()), new).await {
            Ok(_) => return Ok(()),
            // There are stores that cannot compare; what follows is the best there.
            Err(object_store::Error::NotImplemented { .. }) => {}
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                return self.told_apart(path, &text).await;
            }
            Err(error) => return Err(failed(error)),
        }
        if self.store.inner.head(&location).await.is_ok() {
            return self.told_apart(path, &text).await;
        }
        self.store.inner.put(&location, PutPayload::from(text)).await.map(drop).map_err(failed)
    }

    /// A request whose answer was lost is sent again, and then finds what it has written itself.
    async fn told_apart(&self, path: &str, text: &Bytes) -> Result<()> {
        if self.read_small(path, MOST_MANIFEST_BYTES).await?.as_ref() == Some(text) {
            return Ok(());
        }
        let reasons = vec!["there is a backup of this name".to_owned()];
        Err(Error::Refused { what: format!("writing {path}"), reasons })
    }

    /// Reads a manifest, of a backup that the guide's script made as well.
    ///
    /// # Errors
    /// [`Error::NoBackup`]; [`Error::Manifest`] where it was altered; the store fails.
    pub async fn manifest(&self, id: &BackupId) -> Result<Manifest> {
        let no_backup = || Error::NoBackup { wanted: id.to_string() };
        match self.record(id).await? {
            Some(Record::Ours(manifest)) => Ok(*manifest),
            None if !id.is_guides() => Err(no_backup()),
            file => {
                let file = file.and_then(|record| match record {
                    Record::Guide(file) => Some(file),
                    Record::Ours(_) => None,
                });
                let objects = self.objects_at_root().await?;
                guide_file::described(id, file, &objects).ok_or_else(no_backup)
            }
        }
    }

    /// Reads a manifest's file, where there is one.
    async fn record(&self, id: &BackupId) -> Result<Option<Record>> {
        let text = self.read_small(&manifest_path(id), MOST_MANIFEST_BYTES).await?;
        text.map(|text| record::read(id, &text)).transpose()
    }
}

fn named_memory(name: &str) -> Arc<InMemory> {
    static STORES: OnceLock<Mutex<BTreeMap<String, Arc<InMemory>>>> = OnceLock::new();
    let stores = STORES.get_or_init(Mutex::default);
    let mut stores = stores.lock().unwrap_or_else(PoisonError::into_inner);
    stores.entry(name.to_owned()).or_default().clone()
}

fn storage(what: impl Into<String>) -> impl FnOnce(object_store::Error) -> Error {
    let what = what.into();
    move |source| Error::Storage { what, source }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
