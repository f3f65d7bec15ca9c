//! Values inside this process.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use larder_metrics_model::{CacheStats, Tier};
use moka::{Expiry, notification::RemovalCause, sync::Cache as Moka};

use super::{last_use::LastUse, moment, value::HeldValue};
use crate::{KeyChange, RestoreItem, Ttl};

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
    pub(super) value: HeldValue,
    pub(super) ends: Option<Instant>,
    pub(super) last_use: LastUse,
}

impl Stored {
    pub(super) fn new(value: HeldValue, ttl: Ttl) -> Self {
        let now = Instant::now();
        let ends = match ttl {
            Ttl::None => None,
            Ttl::In(time) => now.checked_add(time.max(Duration::from_millis(1))),
        };
        Self { value, ends, last_use: LastUse::idle_for(Duration::ZERO) }
    }

    /// Tells whether nothing was written since: every writing makes a value, or an end, of its own.
    fn is_same_as(&self, other: &Self) -> bool {
        self.ends == other.ends && self.value.is_same_as(&other.value)
    }

    /// The same as if it had last been used so long ago.
    pub(super) fn idle_for(self, idle: Duration) -> Self {
        Self { last_use: LastUse::idle_for(idle), ..self }
    }

    pub(super) fn left(&self, now: Instant) -> Option<Ttl> {
        match self.ends {
            None => Some(Ttl::None),
            Some(ends) => ends.checked_duration_since(now).filter(|left| !left.is_zero()).map(Ttl::In),
        }
    }
}

/// What one entry costs: the bytes that it holds and about what the table keeps for it.
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

    /// Looks an entry up and counts it as a hit or a miss, whatever its type.
    pub(super) fn look_up(&self, key: &[u8]) -> Option<(Stored, Ttl)> {
        let found = self.peek(key);
        let counters = &self.shared.counters;
        count(if found.is_some() { &counters.hits } else { &counters.misses });
        if let Some((stored, _)) = &found {
            stored.last_use.touch(Instant::now());
        }
        found
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
        self.shared
            .entries
            .insert(key.clone(), Stored { last_use: stored.last_use, ..Stored::new(stored.value, ttl) });
        true
    }

    /// Gives an entry that is still the one that was seen another time, or removes it.
    pub(super) fn replace_seen(&self, key: &Bytes, seen: &Stored, ttl: Option<Ttl>) -> KeyChange {
        let _changing = self.shared.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((stored, _)) = self.peek(key) else { return KeyChange::Missing };
        if !stored.is_same_as(seen) {
            return KeyChange::Changed;
        }
        match ttl {
            Some(Ttl::In(time)) if time.is_zero() => self.shared.entries.invalidate(key),
            Some(ttl) => {
                let again = Stored { last_use: stored.last_use, ..Stored::new(stored.value, ttl) };
                self.shared.entries.insert(key.clone(), again);
            }
            None => {
                self.shared.entries.invalidate(key);
                count(&self.shared.counters.deletes);
            }
        }
        KeyChange::Done
    }

    /// Writes a string, over a value of any type.
    pub(super) fn set_string(&self, key: &[u8], value: Bytes, ttl: Ttl) {
        let _changing = self.shared.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = Stored::new(HeldValue::String(value), ttl);
        self.shared.entries.insert(Bytes::copy_from_slice(key), stored);
        count(&self.shared.counters.sets);
    }

    /// Brings a key back with its value; one whose time is up takes the place of what is there, and is gone.
    pub(super) fn bring_back(&self, item: &RestoreItem, value: HeldValue) -> KeyChange {
        let _changing = self.shared.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if !item.overwrite && self.peek(&item.key).is_some() {
            return KeyChange::Exists;
        }
        let ttl = match item.value.expires_at_ms {
            Some(at_ms) => Ttl::In(moment::until(at_ms)),
            None => item.value.ttl,
        };
        match ttl {
            Ttl::In(time) if time.is_zero() => self.shared.entries.invalidate(&item.key),
            ttl => {
                let idle = item.value.idle.unwrap_or_default();
                self.shared.entries.insert(item.key.clone(), Stored::new(value, ttl).idle_for(idle));
            }
        }
        KeyChange::Done
    }

    /// Takes an entry over, which counts as nothing that the cache did.
    pub(super) fn insert_loaded(&self, key: Bytes, stored: Stored) {
        self.shared.entries.insert(key, stored);
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
