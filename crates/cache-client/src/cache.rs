//! The seam for values.

use std::{fmt::Debug, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

use crate::Result;

/// A value with the time it has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The value.
    pub value: Bytes,
    /// How long it stays; `None` for as long as the cache keeps it.
    pub ttl: Option<Duration>,
}

/// Keys and values with a time to live.
///
/// # Contract
///
/// - Keys and values are bytes; neither is empty-checked or encoded.
/// - A value whose time is up is not returned, counted as present, or reported as deleted.
/// - `set` replaces the value and its time; a TTL of `None` means no end, and one of zero removes the key.
/// - Times are kept to a millisecond; a TTL shorter than that counts as one millisecond.
/// - Calls may run at the same time; each is atomic by itself.
/// - An error says which node it came from. Reads are repeated within the bounds that were configured, writes only
///   where the server certainly did nothing.
#[async_trait]
pub trait Cache: Debug + Send + Sync {
    /// Returns a value.
    ///
    /// # Errors
    /// The cache cannot be reached, or refuses.
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>>;

    /// Returns a value and the time it has left, both of the same moment.
    ///
    /// # Errors
    /// The cache cannot be reached, or refuses.
    async fn get_entry(&self, key: &[u8]) -> Result<Option<Entry>>;

    /// Stores a value.
    ///
    /// # Errors
    /// The cache cannot be reached, refuses, or has no room.
    async fn set(&self, key: &[u8], value: Bytes, ttl: Option<Duration>) -> Result<()>;

    /// Removes a key and tells whether it was there.
    ///
    /// # Errors
    /// The cache cannot be reached, or refuses.
    async fn delete(&self, key: &[u8]) -> Result<bool>;

    /// Tells whether a key is there.
    ///
    /// # Errors
    /// The cache cannot be reached, or refuses.
    async fn exists(&self, key: &[u8]) -> Result<bool>;
}

/// Comfort over [`Cache`].
#[async_trait]
pub trait CacheExt: Cache {
    /// Returns the value of a key, or makes it, stores it and returns it.
    ///
    /// Two callers that miss at the same time both make the value; the later one stays.
    ///
    /// # Errors
    /// Those of [`Cache::get`] and [`Cache::set`], and whatever `make` returns.
    async fn get_or_set_with<F, E>(
        &self,
        key: &[u8],
        ttl: Option<Duration>,
        make: impl FnOnce() -> F + Send,
    ) -> Result<Bytes, E>
    where
        F: Future<Output = Result<Bytes, E>> + Send,
        E: From<crate::Error> + Send,
    {
        if let Some(value) = self.get(key).await? {
            return Ok(value);
        }
        let value = make().await?;
        self.set(key, value.clone(), ttl).await?;
        Ok(value)
    }
}

impl<C: Cache + ?Sized> CacheExt for C {}
