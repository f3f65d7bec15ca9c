//! What is stored as of one moment: a snapshot of a cache, or of its keyspace.

use std::fmt::Debug;

use chrono::{DateTime, Utc};
use larder_metrics_model::{KeyspaceSnapshot, Sample, Snapshot};
use serde::{Serialize, de::DeserializeOwned};

use crate::folder::Dated;

/// What both kinds of snapshots have, and where they are kept.
pub(crate) trait Measured:
    Clone + Debug + Default + Serialize + DeserializeOwned + Send + 'static
{
    /// What one is called.
    const NAME: &'static str;
    /// The daily files that hold them.
    const FILE: Dated;
    /// The SQLite table that holds them whole.
    const TABLE: &'static str;
    /// The SQLite table of every moment that was ever stored.
    const MOMENTS: &'static str;
    /// How many are imported at once: enough that the disk is seldom waited for, and few enough that other writers do not
    /// wait long.
    const BATCH: usize;

    fn timestamp(&self) -> f64;
    fn time(&self) -> Option<DateTime<Utc>>;
    fn date(&self) -> &str;
    fn cache(&self) -> Option<&str>;
    fn samples(&self) -> Vec<Sample<'_>>;
}

impl Measured for Snapshot {
    const NAME: &'static str = "snapshot";
    const FILE: Dated = Dated::Metrics;
    const TABLE: &'static str = "snapshots";
    const MOMENTS: &'static str = "moments";
    const BATCH: usize = 2_000;

    fn timestamp(&self) -> f64 {
        self.timestamp
    }

    fn time(&self) -> Option<DateTime<Utc>> {
        self.time()
    }

    fn date(&self) -> &str {
        &self.date
    }

    fn cache(&self) -> Option<&str> {
        self.cache.as_deref()
    }

    fn samples(&self) -> Vec<Sample<'_>> {
        self.samples()
    }
}

impl Measured for KeyspaceSnapshot {
    const NAME: &'static str = "keyspace snapshot";
    const FILE: Dated = Dated::Families;
    const TABLE: &'static str = "keyspaces";
    const MOMENTS: &'static str = "keyspace_moments";
    const BATCH: usize = 20;

    fn timestamp(&self) -> f64 {
        self.timestamp
    }

    fn time(&self) -> Option<DateTime<Utc>> {
        self.time()
    }

    fn date(&self) -> &str {
        &self.date
    }

    fn cache(&self) -> Option<&str> {
        self.cache.as_deref()
    }

    fn samples(&self) -> Vec<Sample<'_>> {
        self.samples()
    }
}
