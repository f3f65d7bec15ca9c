//! Two tiers: memory over another cache.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use larder_metrics_model::{CacheStats, CounterOrigin, StatsOrigin, Tier, TierStats};

use crate::{Cache, Entry, MemoryCache, Result, Statistics, StatsSource};

/// How the first tier is used.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TieredOptions {
    /// The longest that the first tier answers before the second is asked again: how stale a value can be that another
    /// process has changed.
    pub first_tier_ttl: Duration,
    /// Values larger than this stay in the second tier alone.
    pub first_tier_max_value_bytes: usize,
}

impl Default for TieredOptions {
    fn default() -> Self {
        Self { first_tier_ttl: Duration::from_mins(1), first_tier_max_value_bytes: 1 << 20 }
    }
}

/// Memory over another cache, such as Redis: what was looked up lately is answered without the network.
///
/// An entry of the first tier ends when the second tier's entry does, or after `first_tier_ttl`, whichever is earlier:
/// that bounds how long it can differ from a second tier that was changed elsewhere, or by a write that ran at the same
/// time as a look-up. When the second tier cannot be reached, `get` still answers what the first holds; `get_entry`
/// always asks the second, because only that knows the time that is left.
#[derive(Clone, Debug)]
pub struct TieredCache {
    first: MemoryCache,
    second: Arc<dyn Cache>,
    options: TieredOptions,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    first_hits: AtomicU64,
    second_hits: AtomicU64,
    misses: AtomicU64,
    sets: AtomicU64,
    deletes: AtomicU64,
    errors: AtomicU64,
}

impl TieredCache {
    /// Puts `first` over `second`. The first tier must not be used by anything else.
    #[must_use]
    pub fn new(first: MemoryCache, second: Arc<dyn Cache>, options: TieredOptions) -> Self {
        Self { first, second, options, counters: Arc::default() }
    }

    /// Removes entries of the first tier whose time is up, and returns how many. The second tier does so by itself.
    #[must_use]
    pub fn clean_expired(&self) -> u64 {
        self.first.clean_expired()
    }

    fn first_ttl(&self, ttl: Option<Duration>) -> Duration {
        ttl.map_or(self.options.first_tier_ttl, |ttl| ttl.min(self.options.first_tier_ttl))
    }

    async fn keep_first(&self, key: &[u8], entry: &Entry) -> Result<()> {
        if entry.value.len() > self.options.first_tier_max_value_bytes {
            return self.first.delete(key).await.map(|_| ());
        }
        self.first.set(key, entry.value.clone(), Some(self.first_ttl(entry.ttl))).await
    }

    fn counted<T>(&self, result: Result<T>) -> Result<T> {
        result.inspect_err(|_| count(&self.counters.errors))
    }

    async fn look_up_second(&self, key: &[u8]) -> Result<Option<Entry>> {
        let entry = self.counted(self.second.get_entry(key).await)?;
        count(if entry.is_some() { &self.counters.second_hits } else { &self.counters.misses });
        if let Some(entry) = &entry {
            self.keep_first(key, entry).await?;
        }
        Ok(entry)
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[async_trait]
impl Cache for TieredCache {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        if let Some(value) = self.first.get(key).await? {
            count(&self.counters.first_hits);
            return Ok(Some(value));
        }
        Ok(self.look_up_second(key).await?.map(|entry| entry.value))
    }

    /// The time left is the second tier's: the first keeps a shorter one of its own.
    async fn get_entry(&self, key: &[u8]) -> Result<Option<Entry>> {
        self.look_up_second(key).await
    }

    async fn set(&self, key: &[u8], value: Bytes, ttl: Option<Duration>) -> Result<()> {
        // Out of the first tier before the second changes, so that no one is given the old value afterwards.
        self.first.delete(key).await?;
        self.counted(self.second.set(key, value.clone(), ttl).await)?;
        count(&self.counters.sets);
        self.keep_first(key, &Entry { value, ttl }).await
    }

    async fn delete(&self, key: &[u8]) -> Result<bool> {
        self.first.delete(key).await?;
        let was_there = self.counted(self.second.delete(key).await)?;
        // A look-up between the two lines may have kept the value once more.
        self.first.delete(key).await?;
        count(&self.counters.deletes);
        Ok(was_there)
    }

    async fn exists(&self, key: &[u8]) -> Result<bool> {
        if self.first.exists(key).await? {
            return Ok(true);
        }
        self.counted(self.second.exists(key).await)
    }
}

#[async_trait]
impl StatsSource for TieredCache {
    async fn statistics(&self) -> Result<Statistics> {
        let Counters { first_hits, second_hits, misses, sets, deletes, errors } = self.counters.as_ref();
        let [first_hits, second_hits, misses, sets, deletes, errors] =
            [first_hits, second_hits, misses, sets, deletes, errors]
                .map(|counter| counter.load(Ordering::Relaxed));
        let instances = vec![self.first.instance().to_owned()];
        let origin = CounterOrigin { source: StatsOrigin::InProcess, instances };
        let counts = [first_hits + second_hits, misses, sets, deletes, errors].map(Some);
        let tiers = TierStats::new([
            ("l1", tier(self.first.tier(), first_hits, second_hits + misses)),
            ("l2", tier(Tier::default(), second_hits, misses)),
        ]);
        Ok(Statistics::new(CacheStats::from_counts(counts, Some(origin)), Some(tiers), "it is not counted"))
    }
}

fn tier(mut tier: Tier, hits: u64, misses: u64) -> Tier {
    tier.hit_rate = CacheStats::from_counts([Some(hits), Some(misses), None, None, None], None).hit_rate;
    tier.hit_count = Some(hits);
    tier.miss_count = Some(misses);
    tier
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiered() -> (TieredCache, MemoryCache) {
        let second = MemoryCache::default();
        let cache =
            TieredCache::new(MemoryCache::default(), Arc::new(second.clone()), TieredOptions::default());
        (cache, second)
    }

    #[tokio::test]
    async fn the_second_look_up_stays_in_the_first_tier() {
        let (cache, second) = tiered();
        second.set(b"k", Bytes::from_static(b"v"), None).await.unwrap();
        for _ in 0..3 {
            assert_eq!(cache.get(b"k").await.unwrap().unwrap(), "v");
        }
        cache.get(b"missing").await.unwrap();
        let statistics = cache.statistics().await.unwrap();
        let tiers = statistics.tiers.as_ref().unwrap().tiers();
        assert_eq!((tiers["l1"].hit_count, tiers["l1"].miss_count), (Some(2), Some(2)));
        assert_eq!((tiers["l2"].hit_count, tiers["l2"].miss_count), (Some(1), Some(1)));
        assert_eq!((statistics.stats.hit_count, statistics.stats.hit_rate), (Some(3), Some(0.75)));
    }

    #[tokio::test]
    async fn large_values_stay_in_the_second_tier() {
        let options = TieredOptions { first_tier_max_value_bytes: 2, ..TieredOptions::default() };
        let second = MemoryCache::default();
        let cache = TieredCache::new(MemoryCache::default(), Arc::new(second), options);
        cache.set(b"k", Bytes::from_static(b"v"), None).await.unwrap();
        cache.set(b"k", Bytes::from_static(b"large"), None).await.unwrap();
        assert_eq!(cache.get(b"k").await.unwrap().unwrap(), "large");
        assert_eq!(cache.first.tier().entries, Some(0));
    }

    #[tokio::test]
    async fn entries_of_the_first_tier_end_and_are_cleaned_up() {
        let (cache, _second) = tiered();
        cache.set(b"k", Bytes::from_static(b"v"), Some(Duration::from_millis(5))).await.unwrap();
        while cache.get(b"k").await.unwrap().is_some() {
            tokio::task::yield_now().await;
        }
        let mut cleaned = cache.clean_expired();
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while cleaned == 0 && cache.first.tier().expired_count == Some(0) {
            assert!(std::time::Instant::now() < deadline, "the entry was never cleaned up");
            cleaned += cache.clean_expired();
        }
        assert_eq!(cache.first.tier().entries, Some(0));
    }
}
