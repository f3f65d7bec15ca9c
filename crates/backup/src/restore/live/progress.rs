//! How far a restore is.

use std::sync::atomic::{AtomicU64, Ordering};

/// How far the pass is that is under way; a new pass begins at nothing.
#[derive(Debug, Default)]
pub struct LiveProgress {
    keys: AtomicU64,
    bytes: AtomicU64,
}

impl LiveProgress {
    /// Returns how many keys of the backup were dealt with.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.keys.load(Ordering::Relaxed)
    }

    /// Returns how many bytes their values have, as they are serialised.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn begin(&self) {
        self.keys.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
    }

    pub(super) fn add(&self, keys: u64, bytes: u64) {
        self.keys.fetch_add(keys, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}
