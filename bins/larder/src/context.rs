//! What commands work on.

use std::sync::Arc;

use anyhow::{Context, Result};
use chrono::{DateTime, FixedOffset, Local};
use larder_cache_client::{CacheClient, open};
use larder_maintenance::CollectOptions;
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

    /// Opens the metrics history to write to it, and makes it where there is none.
    pub(crate) fn history(&self) -> Result<Opened> {
        let metrics = &self.file.metrics;
        std::fs::create_dir_all(&metrics.folder)
            .with_context(|| format!("the metrics folder {} cannot be made", metrics.folder.display()))?;
        self.histories(Self::series)
    }

    /// Opens the metrics history to read it, without writing anything, and warns of what is damaged.
    pub(crate) fn history_to_read(&self) -> Result<Arc<dyn MetricsStore>> {
        let opened = self.open_to_read()?;
        if let Some(words) = &opened.closed {
            message::warning(words);
            message::hint(SALVAGE);
        }
        Ok(opened.store)
    }

    /// Opens the metrics history to read it, without writing anything.
    pub(crate) fn open_to_read(&self) -> Result<Opened> {
        self.histories(|settings| {
            let metrics = &settings.file.metrics;
            let series = SqliteStore::open_to_read(metrics.series_path())?;
            Ok(series.with_retention(metrics.series_retention()))
        })
    }

    /// Opens the metrics history to read series of it, without writing anything: the file of series alone where it has any. It would
    /// answer first in any case, and asking daily files for the names of theirs reads all of them.
    pub(crate) async fn series_to_read(&self) -> Result<Opened> {
        let metrics = &self.file.metrics;
        if metrics.series
            && let Ok(series) = SqliteStore::open_to_read(metrics.series_path())
            && series.series_names().await.is_ok_and(|names| !names.is_empty())
        {
            return Ok(Opened { store: Arc::new(series), closed: None });
        }
        self.open_to_read()
    }

    /// A history that is damaged is left aside while the other can still be used, and that is said.
    fn histories(
        &self,
        open: impl FnOnce(&Self) -> larder_metrics_store::Result<SqliteStore>,
    ) -> Result<Opened> {
        let metrics = &self.file.metrics;
        if !metrics.daily_files && !metrics.series {
            let words = "metrics.daily_files and metrics.series are both off, so there is no history";
            return Err(UsageError(words.to_owned()).into());
        }
        let mut stores: Vec<Arc<dyn MetricsStore>> = Vec::new();
        let mut closed = None;
        if metrics.series {
            match open(self) {
                Ok(series) => stores.push(Arc::new(series)),
                Err(error) if metrics.daily_files => {
                    closed = Some(format!("{:#}", anyhow::Error::new(error)));
                }
                Err(error) => return Err(error.into()),
            }
        }
        if metrics.daily_files {
            stores.push(Arc::new(self.daily_files()));
        }
        Ok(Opened { store: Arc::new(Histories::new(stores)), closed })
    }
}

/// What helps against a damaged database.
pub(crate) const SALVAGE: &str =
    "`larder metrics check` says what is damaged, and with --apply keeps what can still be read";

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
