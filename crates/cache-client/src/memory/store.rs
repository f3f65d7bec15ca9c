//! Values inside this process.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use larder_metrics_model::{CacheStats, CounterOrigin, Skipped, StatsOrigin, Tier};
use moka::{Expiry, notification::RemovalCause, sync::Cache as Moka};

use crate::{Cache, Entry, Result, Statistics, StatsSource, Ttl};

/// How much an embedded cache may hold.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemoryOptions {
    /// Bytes of keys and values; `None` for no limit. At the limit the entries that are used least are evicted.
    pub max_bytes: Option<u64>,
    /// How the cache is called in reports.
    pub name: String,
}

impl MemoryOptions {
    /// Limits the bytes of keys and values.
    #[must_use]
    pub fn with_max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = Some(max_bytes);
        self
    }

    /// Names the cache.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self { max_bytes: None, name: "memory".to_owned() }
    }
}

/// A cache inside this process: TTLs to the millisecond, eviction by use, and counters of its own.
///
/// Clones share the same entries.
#[derive(Clone)]
pub struct MemoryCache {
    shared: Arc<Shared>,
}

struct Shared {
    entries: Moka<Bytes, Stored>,
    counters: Arc<Counters>,
    options: MemoryOptions,
    instance: String,
    started: Instant,
    /// Writes and removals of one key must not interleave where one looks before it acts.
    changes: Mutex<()>,
}

#[derive(Default)]
struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    sets: AtomicU64,
    deletes: AtomicU64,
    evicted: AtomicU64,
    expired: AtomicU64,
}

/// A value with the moment at which its time is up.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) value: Bytes,
    pub(super) ends: Option<Instant>,
    pub(super) used: Instant,
}

impl Stored {
    fn new(value: Bytes, ttl: Option<Duration>) -> Self {
        let now = Instant::now();
        let ends = ttl.and_then(|ttl| now.checked_add(ttl.max(Duration::from_millis(1))));
        Self { value, ends, used: now }
    }

    pub(super) fn left(&self, now: Instant) -> Option<Ttl> {
        match self.ends {
            None => Some(Ttl::None),
            Some(ends) => ends.checked_duration_since(now).filter(|left| !left.is_zero()).map(Ttl::In),
        }
    }
}

/// What one entry costs: its bytes and about what the table keeps for it.
const ENTRY_OVERHEAD_BYTES: usize = 96;

fn entry_bytes(key: &Bytes, stored: &Stored) -> u32 {
    u32::try_from(key.len() + stored.value.len() + ENTRY_OVERHEAD_BYTES).unwrap_or(u32::MAX)
}

struct EndOfTime;

impl Expiry<Bytes, Stored> for EndOfTime {
    fn expire_after_create(&self, _: &Bytes, stored: &Stored, now: Instant) -> Option<Duration> {
        Some(stored.ends?.saturating_duration_since(now))
    }

    fn expire_after_update(
        &self,
        _: &Bytes,
        stored: &Stored,
        now: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(stored.ends?.saturating_duration_since(now))
    }
}

impl fmt::Debug for MemoryCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCache")
            .field("name", &self.shared.options.name)
            .field("entries", &self.shared.entries.entry_count())
            .finish_non_exhaustive()
    }
}

impl Default for MemoryCache {
    fn default() -> Self {
        Self::new(MemoryOptions::default())
    }
}

impl MemoryCache {
    /// Makes an empty cache.
    #[must_use]
    pub fn new(options: MemoryOptions) -> Self {
        let counters = Arc::new(Counters::default());
        let listener = Arc::clone(&counters);
        let mut builder = Moka::builder().weigher(entry_bytes).expire_after(EndOfTime).eviction_listener(
            move |_, _, cause| match cause {
                RemovalCause::Expired => count(&listener.expired),
                RemovalCause::Size => count(&listener.evicted),
                RemovalCause::Explicit | RemovalCause::Replaced => {}
            },
        );
        if let Some(max_bytes) = options.max_bytes {
            builder = builder.max_capacity(max_bytes);
        }
        let instance = format!("{:032x}", rand::random::<u128>());
        let shared = Shared {
            entries: builder.build(),
            counters,
            options,
            instance,
            started: Instant::now(),
            changes: Mutex::new(()),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Removes entries whose time is up, which otherwise happens in passing, and returns how many.
    #[must_use]
    pub fn clean_expired(&self) -> u64 {
        let before = self.shared.counters.expired.load(Ordering::Relaxed);
        self.shared.entries.run_pending_tasks();
        self.shared.counters.expired.load(Ordering::Relaxed).saturating_sub(before)
    }

    /// Returns what the cache did, as a tier of a larger one.
    #[must_use]
    pub fn tier(&self) -> Tier {
        let entries = &self.shared.entries;
        entries.run_pending_tasks();
        let [hits, misses, ..] = self.counts();
        let mut tier = Tier::default();
        tier.hit_rate = CacheStats::from_counts([Some(hits), Some(misses), None, None, None], None).hit_rate;
        tier.hit_count = Some(hits);
        tier.miss_count = Some(misses);
        tier.entries = Some(entries.entry_count());
        tier.used_bytes = Some(entries.weighted_size());
        tier.max_bytes = self.shared.options.max_bytes;
        tier.evicted_count = Some(self.shared.counters.evicted.load(Ordering::Relaxed));
        tier.expired_count = Some(self.shared.counters.expired.load(Ordering::Relaxed));
        tier
    }

    pub(crate) fn name(&self) -> &str {
        &self.shared.options.name
    }

    pub(super) fn max_bytes(&self) -> Option<u64> {
        self.shared.options.max_bytes
    }

    pub(crate) fn instance(&self) -> &str {
        &self.shared.instance
    }

    pub(super) fn uptime(&self) -> Duration {
        self.shared.started.elapsed()
    }

    /// Hits, misses, writes, deletions.
    pub(crate) fn counts(&self) -> [u64; 4] {
        let Counters { hits, misses, sets, deletes, .. } = self.shared.counters.as_ref();
        [hits, misses, sets, deletes].map(|counter| counter.load(Ordering::Relaxed))
    }

    /// Keys in their order, so that a sweep can go on behind the last one.
    pub(super) fn keys_after(&self, last: Option<&[u8]>) -> Vec<Bytes> {
        let keys = self.shared.entries.iter().map(|(key, _)| Bytes::clone(&key));
        let mut keys: Vec<Bytes> = keys.filter(|key| last.is_none_or(|last| key.as_ref() > last)).collect();
        keys.sort_unstable();
        keys
    }

    /// Looks at an entry without counting it.
    pub(super) fn peek(&self, key: &[u8]) -> Option<(Stored, Ttl)> {
        let stored = self.shared.entries.get(key)?;
        let left = stored.left(Instant::now())?;
        Some((stored, left))
    }

    fn look_up(&self, key: &[u8]) -> Option<Entry> {
        let found = self.peek(key);
        let counters = &self.shared.counters;
        count(if found.is_some() { &counters.hits } else { &counters.misses });
        let (stored, left) = found?;
        let ttl = match left {
            Ttl::None => None,
            Ttl::In(left) => Some(left),
        };
        Some(Entry { value: stored.value, ttl })
    }

    /// Removes an entry and tells whether it was there and its time not up.
    pub(super) fn remove(&self, key: &[u8]) -> bool {
        let _changing = self.shared.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let removed =
            self.shared.entries.remove(key).is_some_and(|stored| stored.left(Instant::now()).is_some());
        count(&self.shared.counters.deletes);
        removed
    }

    /// Gives an entry another time and tells whether it was there.
    pub(super) fn change_ttl(&self, key: &Bytes, ttl: Ttl) -> bool {
        let _changing = self.shared.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((stored, _)) = self.peek(key) else { return false };
        let ttl = match ttl {
            Ttl::None => None,
            Ttl::In(ttl) => Some(ttl),
        };
        self.shared
            .entries
            .insert(key.clone(), Stored { used: stored.used, ..Stored::new(stored.value, ttl) });
        true
    }

    fn store(&self, key: &[u8], value: Bytes, ttl: Option<Duration>) {
        let _changing = self.shared.changes.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.entries.insert(Bytes::copy_from_slice(key), Stored::new(value, ttl));
        count(&self.shared.counters.sets);
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[async_trait]
impl Cache for MemoryCache {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(self.look_up(key).map(|entry| entry.value))
    }

    async fn get_entry(&self, key: &[u8]) -> Result<Option<Entry>> {
        Ok(self.look_up(key))
    }

    async fn set(&self, key: &[u8], value: Bytes, ttl: Option<Duration>) -> Result<()> {
        if ttl.is_some_and(|ttl| ttl.is_zero()) {
            self.remove(key);
        } else {
            self.store(key, value, ttl);
        }
        Ok(())
    }

    async fn delete(&self, key: &[u8]) -> Result<bool> {
        Ok(self.remove(key))
    }

    async fn exists(&self, key: &[u8]) -> Result<bool> {
        Ok(self.peek(key).is_some())
    }
}

#[async_trait]
impl StatsSource for MemoryCache {
    async fn statistics(&self) -> Result<Statistics> {
        let [hits, misses, sets, deletes] = self.counts();
        let origin =
            CounterOrigin { source: StatsOrigin::InProcess, instances: vec![self.instance().to_owned()] };
        let counts = [Some(hits), Some(misses), Some(sets), Some(deletes), Some(0)];
        let mut statistics =
            Statistics::new(CacheStats::from_counts(counts, Some(origin)), None, "it is not counted");
        statistics.absent.push(Skipped::new("tier_stats", "this cache has one tier"));
        Ok(statistics)
    }
}
