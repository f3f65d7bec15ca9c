//! What commands work on.

use std::sync::Arc;

use anyhow::{Context, Result};
use chrono::{DateTime, FixedOffset, Local};
use larder_cache_client::{CacheClient, open};
use larder_maintenance::CollectOptions;
use larder_metrics_model::Snapshot;
use larder_metrics_store::{DailyFiles, Histories, MetricsStore, SqliteStore};

use crate::{command_error::UsageError, config::Settings, output::message};

impl Settings {
    /// Reaches the cache; no connection is made yet.
    pub(crate) async fn client(&self) -> Result<CacheClient> {
        Ok(open(&self.url, &self.connect).await?)
    }

    pub(crate) fn collect(&self) -> CollectOptions {
        let mut options = CollectOptions::default();
        options.health = self.health();
        options
    }

    pub(crate) fn daily_files(&self) -> DailyFiles {
        let metrics = &self.file.metrics;
        DailyFiles::new(&metrics.folder, metrics.file_retention())
    }

    pub(crate) fn series(&self) -> larder_metrics_store::Result<SqliteStore> {
        let metrics = &self.file.metrics;
        SqliteStore::open(metrics.series_path(), metrics.series_retention())
    }

    /// Opens the metrics history. One that is damaged is said and left aside while the other can still be used.
    pub(crate) fn history(&self) -> Result<Opened> {
        let metrics = &self.file.metrics;
        if !metrics.daily_files && !metrics.series {
            let words = "metrics.daily_files and metrics.series are both off, so there is no history";
            return Err(UsageError(words.to_owned()).into());
        }
        std::fs::create_dir_all(&metrics.folder)
            .with_context(|| format!("the metrics folder {} cannot be made", metrics.folder.display()))?;
        let mut stores: Vec<Arc<dyn MetricsStore>> = Vec::new();
        let mut closed = None;
        if metrics.series {
            match self.series() {
                Ok(series) => stores.push(Arc::new(series)),
                Err(error) if metrics.daily_files => closed = Some(anyhow::Error::new(error)),
                Err(error) => return Err(error.into()),
            }
        }
        if metrics.daily_files {
            stores.push(Arc::new(self.daily_files()));
        }
        Ok(Opened {
            store: Arc::new(Histories::new(stores)),
            closed: closed.map(|error| format!("{error:#}")),
        })
    }

    /// Opens the metrics history to read it, and warns of what is damaged.
    pub(crate) fn history_to_read(&self) -> Result<Arc<dyn MetricsStore>> {
        let opened = self.history()?;
        if let Some(words) = &opened.closed {
            message::warning(&format!("{words}; `larder metrics check` says more"));
        }
        Ok(opened.store)
    }

    /// Where a snapshot goes as a daily file.
    pub(crate) fn daily_file_of(&self, snapshot: &Snapshot) -> Option<std::path::PathBuf> {
        let metrics = &self.file.metrics;
        let day = snapshot.date.get(..10)?;
        metrics.daily_files.then(|| metrics.folder.join(format!("cache_metrics_{day}.json")))
    }
}

/// The metrics history.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn MetricsStore>,
    /// Why one of the stores could not be opened.
    pub(crate) closed: Option<String>,
}

/// This moment, in the time zone of this machine.
pub(crate) fn now() -> DateTime<FixedOffset> {
    Local::now().fixed_offset()
}
