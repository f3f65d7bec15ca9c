//! How images are taken.

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{FullSpeed, Pace, ReadFrom};

/// How images of shards are taken.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DumpOptions {
    /// Which node of a shard they are taken from. A replica spares the primary the fork; what it has not yet got is not in
    /// the image.
    pub read_from: ReadFrom,
    /// Where this machine reads the file that the server saves, where the server itself does not tell (`CONFIG GET` is
    /// blocked) or has another view of the files (it is in a container). Good for a cache of one shard.
    pub rdb_file: Option<PathBuf>,
    /// How long a save may take; one hour.
    pub save_patience: Duration,
    /// How long nothing at all may come of a replication stream, neither a byte nor a keepalive; one minute. Servers begin, and
    /// send keepalives, once a second, so it should be some seconds. A single value is waited for as long key by key.
    pub transfer_patience: Duration,
    /// How fast an image is taken key by key.
    pub pace: Arc<dyn Pace>,
}

impl Default for DumpOptions {
    fn default() -> Self {
        Self {
            read_from: ReadFrom::Primary,
            rdb_file: None,
            save_patience: Duration::from_hours(1),
            transfer_patience: Duration::from_mins(1),
            pace: Arc::new(FullSpeed),
        }
    }
}
