//! The values of an embedded cache.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use larder_metrics_model::{CacheStats, CounterOrigin, NodeAddress, Skipped, StatsOrigin};

use super::{
    store::MemoryCache,
    value::{HeldValue, Refusal},
};
use crate::{Cache, Entry, Error, Result, Statistics, StatsSource, Ttl};

pub(super) fn refused(cache: &MemoryCache, command: &str, why: Refusal) -> Error {
    let node = NodeAddress::new(cache.name());
    Error::Server { node, command: command.to_owned(), source: Arc::new(why) }
}

#[async_trait]
impl Cache for MemoryCache {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(self.get_entry(key).await?.map(|entry| entry.value))
    }

    async fn get_entry(&self, key: &[u8]) -> Result<Option<Entry>> {
        let Some((stored, left)) = self.look_up(key) else { return Ok(None) };
        let HeldValue::String(value) = stored.value else {
            return Err(refused(self, "GET", Refusal::WrongType));
        };
        let ttl = match left {
            Ttl::None => None,
            Ttl::In(left) => Some(left),
        };
        Ok(Some(Entry { value, ttl }))
    }

    async fn set(&self, key: &[u8], value: Bytes, ttl: Option<Duration>) -> Result<()> {
        match ttl {
            Some(ttl) if ttl.is_zero() => drop(self.remove(key)),
            ttl => self.set_string(key, value, ttl.map_or(Ttl::None, Ttl::In)),
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
