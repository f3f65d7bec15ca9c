//! How far long work has come.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// How far long work has come; whoever shows it looks from time to time.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Figures>);

#[derive(Debug, Default)]
struct Figures {
    bytes: AtomicU64,
    total_bytes: AtomicU64,
    keys: AtomicU64,
    total_keys: AtomicU64,
    shard: AtomicU64,
    shards: AtomicU64,
}

/// How far it is at a moment. A total that is not known is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct HowFar {
    /// Bytes of RDB files that were dealt with.
    pub bytes: u64,
    /// Bytes that there are.
    pub total_bytes: u64,
    /// Keys that were dealt with, where they are counted.
    pub keys: u64,
    /// Keys that there are.
    pub total_keys: u64,
    /// The shard that is dealt with, from 1 on.
    pub shard: u64,
    /// Shards that there are.
    pub shards: u64,
}

impl Progress {
    /// Returns how far it is.
    #[must_use]
    pub fn how_far(&self) -> HowFar {
        let Figures { bytes, total_bytes, keys, total_keys, shard, shards } = &*self.0;
        let read = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        HowFar {
            bytes: read(bytes),
            total_bytes: read(total_bytes),
            keys: read(keys),
            total_keys: read(total_keys),
            shard: read(shard),
            shards: read(shards),
        }
    }

    pub(crate) fn add_bytes(&self, bytes: usize) {
        self.0.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Begins anew with another part of the work.
    pub(crate) fn begin(&self, total_bytes: u64, shards: usize) {
        let Figures { bytes, total_bytes: total, keys, total_keys, shard, shards: all } = &*self.0;
        for (figure, value) in
            [(bytes, 0), (total, total_bytes), (keys, 0), (total_keys, 0), (shard, 0), (all, shards as u64)]
        {
            figure.store(value, Ordering::Relaxed);
        }
    }

    pub(crate) fn begin_shard(&self, number: usize, total_bytes: Option<u64>) {
        self.0.shard.store(number as u64 + 1, Ordering::Relaxed);
        self.0.total_bytes.fetch_add(total_bytes.unwrap_or(0), Ordering::Relaxed);
    }
}

impl Progress {
    /// Begins to read a backup.
    pub fn begin_with(&self, manifest: &crate::Manifest) {
        self.begin(manifest.stored_bytes(), manifest.shards.len());
    }
}
