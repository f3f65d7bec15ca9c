//! A store that stops removing, and that refuses to give or to take some objects.

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, future, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path,
};

/// A store in memory that removes so many objects and then fails, and in which some objects can be seen and not be read, or not be
/// written.
#[derive(Clone, Debug)]
pub(crate) struct Breaking {
    inner: Arc<InMemory>,
    removals_left: Arc<AtomicUsize>,
    refused: Arc<Mutex<Option<String>>>,
    unwritable: Arc<Mutex<Option<String>>>,
    written: Arc<Mutex<Vec<String>>>,
}

impl Breaking {
    /// What it says of an object that it does not give.
    pub(crate) const REFUSES: &str = "AccessDenied: no s3:GetObject for you";

    pub(crate) fn after(removals: usize) -> Self {
        let removals_left = Arc::new(AtomicUsize::new(removals));
        Self {
            inner: Arc::default(),
            removals_left,
            refused: Arc::default(),
            unwritable: Arc::default(),
            written: Arc::default(),
        }
    }

    /// From now on it does not give the objects whose path holds this; `None` for all again.
    pub(crate) fn refuse(&self, path: Option<&str>) {
        *self.refused.lock().unwrap() = path.map(str::to_owned);
    }

    /// From now on it does not take the objects whose path holds this; `None` for all again.
    pub(crate) fn refuse_to_write(&self, path: Option<&str>) {
        *self.unwritable.lock().unwrap() = path.map(str::to_owned);
    }

    /// What was written at once, in this order.
    pub(crate) fn written(&self) -> Vec<String> {
        self.written.lock().unwrap().clone()
    }

    fn is_refused(&self, location: &Path) -> bool {
        let refused = self.refused.lock().unwrap();
        refused.as_ref().is_some_and(|refused| location.as_ref().contains(refused))
    }

    pub(crate) fn allow(&self, removals: usize) {
        self.removals_left.store(removals, Ordering::SeqCst);
    }
}

impl fmt::Display for Breaking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Breaking")
    }
}

#[async_trait]
impl ObjectStore for Breaking {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if self.unwritable.lock().unwrap().as_ref().is_some_and(|path| location.as_ref().contains(path)) {
            return Err(Error::Generic { store: "breaking", source: "no more room".into() });
        }
        self.written.lock().unwrap().push(location.to_string());
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if !options.head && self.is_refused(location) {
            return Err(Error::Generic { store: "breaking", source: Self::REFUSES.into() });
        }
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let left = Arc::clone(&self.removals_left);
        let allowed = locations.and_then(move |location| {
            let taken = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            future::ready(match taken {
                Ok(_) => Ok(location),
                Err(_) => Err(Error::Generic { store: "breaking", source: "killed".into() }),
            })
        });
        self.inner.delete_stream(allowed.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
