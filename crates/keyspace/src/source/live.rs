//! The keys of a cache.

use std::sync::Arc;

use futures_util::{StreamExt, stream::BoxStream};
use larder_cache_client::{CacheClient, KeyBatch, Keys, ScanOptions};

use super::{BytesSource, KeySource, Wanted};
use crate::{Error, Result};

/// The keys of a cache, all shards at once.
#[derive(Clone, Debug)]
pub struct LiveSource {
    keys: Arc<dyn Keys>,
    options: ScanOptions,
    bytes_source: BytesSource,
}

impl LiveSource {
    /// Takes a cache; `options` say at what pace it is gone through, from where, and on which nodes. Which fields are
    /// fetched is up to [`KeySource::batches`].
    #[must_use]
    pub fn new(client: &CacheClient, options: ScanOptions) -> Self {
        Self { keys: Arc::clone(client.keys()), options, bytes_source: BytesSource::Measured }
    }

    /// Returns the same for a cache that estimates what keys cost, as one inside the process does.
    #[must_use]
    pub fn estimating(self) -> Self {
        Self { bytes_source: BytesSource::Estimated, ..self }
    }
}

impl KeySource for LiveSource {
    fn batches(&self, wanted: Wanted) -> BoxStream<'static, Result<KeyBatch>> {
        let mut options = self.options.clone();
        options.fields = wanted.fields;
        options.choice = wanted.choice;
        self.keys.scan(options).map(|batch| batch.map_err(|source| Error::Cache { source })).boxed()
    }

    fn bytes_source(&self) -> BytesSource {
        self.bytes_source
    }

    fn counted_from_ms(&self, now_ms: i64) -> i64 {
        now_ms
    }
}
