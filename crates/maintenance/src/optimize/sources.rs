//! Where what is judged comes from.

use std::sync::Arc;

use larder_cache_client::CacheClient;
use larder_metrics_model::Observed;
use larder_metrics_store::MetricsStore;

use crate::HistorySeries;

/// The history of a cache, and the cache itself where it is the same one.
#[derive(Clone, Debug)]
pub struct OptimizeSources {
    pub(super) history: HistorySeries,
    pub(super) live: Observed<CacheClient>,
}

/// What can go wrong when a history is judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OptimizeError {
    /// The history is of several caches, and it was not said which is meant.
    #[error("no cache is named, and the history is of several: {}", caches.join(", "))]
    SeveralCaches {
        /// The caches that it is of.
        caches: Vec<String>,
    },
    /// The history is of other caches alone.
    #[error("the history has nothing of {cache}; it has {}", caches.join(", "))]
    UnknownCache {
        /// The cache that was named.
        cache: String,
        /// The caches that it is of.
        caches: Vec<String>,
    },
    /// The history cannot be read.
    #[error("the metrics history cannot be read")]
    History {
        /// Why not.
        #[from]
        source: larder_metrics_store::Error,
    },
}

impl OptimizeSources {
    /// Takes the history of the cache that this client reaches, and the cache itself.
    ///
    /// # Errors
    /// The history is of other caches alone, or cannot be read.
    pub async fn of(store: Arc<dyn MetricsStore>, client: CacheClient) -> Result<Self, OptimizeError> {
        let cache = client.name().to_owned();
        let caches = HistorySeries::new(Arc::clone(&store), None).caches().await?;
        if !caches.is_empty() && !caches.contains(&cache) {
            return Err(OptimizeError::UnknownCache { cache, caches });
        }
        Ok(Self { history: HistorySeries::new(store, Some(cache)), live: Observed::Known(client) })
    }

    /// Takes the history of whichever cache it is of, where no cache was named; this client reaches the one that is usual. Where the
    /// history is of another one, the live cache is not asked.
    ///
    /// # Errors
    /// The history is of several others, or cannot be read.
    pub async fn found(store: Arc<dyn MetricsStore>, client: CacheClient) -> Result<Self, OptimizeError> {
        let caches = HistorySeries::new(Arc::clone(&store), None).caches().await?;
        let is_usual = caches.is_empty() || caches.iter().any(|cache| cache == client.name());
        if is_usual {
            return Self::of(store, client).await;
        }
        let [cache] = caches.as_slice() else { return Err(OptimizeError::SeveralCaches { caches }) };
        let why = format!("no cache is named, and the history is of {cache}; --cache names it");
        Ok(Self { live: Observed::Skipped(why), history: HistorySeries::new(store, Some(cache.clone())) })
    }

    /// Returns what the cache is called.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.history.cache()
    }
}
