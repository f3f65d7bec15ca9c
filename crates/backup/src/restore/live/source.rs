//! The dumps that keys come from.

use std::{fmt, io::Read, sync::Arc};

use crate::Result;

/// The RDB images of a backup, one a shard, each of which can be read as often as is needed.
#[derive(Clone)]
pub struct LiveSource {
    open: Arc<Open>,
    taken_at_ms: Vec<Option<i64>>,
}

type Image = Box<dyn Read + Send>;
type Open = dyn Fn(usize) -> Result<Image> + Send + Sync;

impl fmt::Debug for LiveSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveSource").field("taken_at_ms", &self.taken_at_ms).finish_non_exhaustive()
    }
}

impl LiveSource {
    /// Takes what opens the image of a shard, by its place, and for each shard the moment whose data it is, in milliseconds
    /// since 1970; where that is not known, it is what the image itself says of when it was written.
    pub fn new(
        taken_at_ms: Vec<Option<i64>>,
        open: impl Fn(usize) -> Result<Box<dyn Read + Send>> + Send + Sync + 'static,
    ) -> Self {
        Self { open: Arc::new(open), taken_at_ms }
    }

    pub(super) fn shards(&self) -> usize {
        self.taken_at_ms.len()
    }

    pub(super) fn taken_at_ms(&self, shard: usize) -> Option<i64> {
        self.taken_at_ms.get(shard).copied().flatten()
    }

    pub(super) fn open(&self, shard: usize) -> Result<Image> {
        (self.open)(shard)
    }
}
