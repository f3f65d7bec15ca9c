//! A report that is counted, and kept on disk meanwhile where that was asked for.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Result;
use larder_cache_client::{KeyBatch, ScanPosition};
use larder_keyspace::{Checkpoint, ReportBuilder, ReportOptions, SweepIdentity};

use super::sweep::Consumer;
use crate::output::message;

/// How often a sweep is kept.
const KEPT_EVERY: Duration = Duration::from_secs(3);

/// A report that is counted.
pub(super) struct Counting {
    pub(super) builder: ReportBuilder,
    position: Option<ScanPosition>,
    most_keys: Option<u64>,
    keeping: Option<Keeping>,
}

struct Keeping {
    /// Whether it was said that the file cannot be written.
    has_failed: bool,
    path: PathBuf,
    identity: SweepIdentity,
    due: Instant,
}

impl Counting {
    pub(super) fn new(options: ReportOptions, most_keys: Option<u64>) -> Self {
        Self { builder: ReportBuilder::new(options), position: None, most_keys, keeping: None }
    }

    /// Goes on with what is in a file, if there is one, and keeps it there.
    pub(super) fn resume(self, path: PathBuf, identity: SweepIdentity) -> Result<Self> {
        let mut counting = self;
        if let Some(kept) = Checkpoint::load(&path, &identity)? {
            counting.builder = kept.builder;
            counting.position = Some(kept.position);
        }
        counting.keeping =
            Some(Keeping { has_failed: false, path, identity, due: Instant::now() + KEPT_EVERY });
        Ok(counting)
    }

    /// Where the sweep goes on.
    pub(super) fn position(&self) -> Option<ScanPosition> {
        self.position.clone()
    }

    /// Removes the file; the report is complete.
    pub(super) fn forget(&self) -> Result<()> {
        Ok(self.keeping.as_ref().map_or(Ok(()), |keeping| Checkpoint::remove(&keeping.path))?)
    }
}

impl Consumer for Counting {
    fn take(&mut self, batch: &KeyBatch, counted_from_ms: i64) {
        self.builder.add(batch, counted_from_ms);
        if self.keeping.is_some() {
            self.position = Some(batch.position.clone());
        }
    }

    fn is_full(&self) -> bool {
        self.most_keys.is_some_and(|most| self.builder.keys() >= most)
    }

    async fn rest(&mut self, last: bool) -> Result<()> {
        let (Some(keeping), Some(position)) = (&mut self.keeping, &self.position) else { return Ok(()) };
        let now = Instant::now();
        if !last && now < keeping.due {
            return Ok(());
        }
        keeping.due = now + KEPT_EVERY;
        let checkpoint = Checkpoint::new(keeping.identity.clone(), position.clone(), self.builder.clone());
        // A full disk ends no sweep that has come far already.
        if let Err(error) = checkpoint.save(keeping.path.clone()).await
            && !std::mem::replace(&mut keeping.has_failed, true)
        {
            let words = anyhow::Error::new(error).context("what was counted is not kept");
            message::warning(&format!("{words:#}"));
        }
        Ok(())
    }
}
