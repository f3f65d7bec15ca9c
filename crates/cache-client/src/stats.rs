//! The seam for cache statistics.

use std::fmt::Debug;

use async_trait::async_trait;
use larder_metrics_model::{CacheStats, Skipped, TierStats};

use crate::Result;

/// What a cache did since its counters began.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Statistics {
    /// The counts and rates; what the source does not know is `None`.
    pub stats: CacheStats,
    /// The counts of each tier, where the source has tiers.
    pub tiers: Option<TierStats>,
    /// Figures that the source does not know, each with the reason.
    pub absent: Vec<Skipped>,
}

/// Where cache statistics come from.
///
/// # Contract
///
/// - Figures are counted, never estimated; `stats.origin` says who counted.
/// - Every figure of [`CacheStats`] that is `None` is in `absent` as `cache_stats.FIELD`, with the reason. A rate is `None`
///   while there were no look-ups.
/// - Counts never go back while their origin stays the same, unless someone resets them.
#[async_trait]
pub trait StatsSource: Debug + Send + Sync {
    /// Returns the statistics of this moment.
    ///
    /// # Errors
    /// The source cannot be reached, refuses, or answers something else.
    async fn statistics(&self) -> Result<Statistics>;
}

impl Statistics {
    /// Makes statistics, and names what is missing: rates for want of look-ups, anything else for `reason`.
    #[must_use]
    pub fn new(stats: CacheStats, tiers: Option<TierStats>, reason: &str) -> Self {
        let no_lookups = stats.hit_count == Some(0) && stats.miss_count == Some(0);
        let rate_reason = if no_lookups { "there were no look-ups" } else { reason };
        let figures = [
            ("hit_rate", stats.hit_rate.is_none(), rate_reason),
            ("miss_rate", stats.miss_rate.is_none(), rate_reason),
            ("total_operations", stats.total_operations.is_none(), reason),
            ("hit_count", stats.hit_count.is_none(), reason),
            ("miss_count", stats.miss_count.is_none(), reason),
            ("set_count", stats.set_count.is_none(), reason),
            ("delete_count", stats.delete_count.is_none(), reason),
            ("error_count", stats.error_count.is_none(), reason),
        ];
        let absent = figures
            .into_iter()
            .filter(|(_, missing, _)| *missing)
            .map(|(field, _, reason)| Skipped::new(format!("cache_stats.{field}"), reason))
            .collect();
        Self { stats, tiers, absent }
    }
}
