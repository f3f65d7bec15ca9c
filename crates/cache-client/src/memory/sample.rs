//! A built-in data set to try everything on.

use std::time::Duration;

use bytes::Bytes;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::store::{MemoryCache, MemoryOptions};
use crate::{Cache, Result};

const SEED: u64 = 0x6c61_7264_6572;
const LOOKUPS: u32 = 20_000;

/// One family of keys of the sample.
struct Family {
    prefix: &'static str,
    keys: u32,
    value_bytes: std::ops::Range<usize>,
    ttl_seconds: u64,
    /// How many of a hundred keys have no TTL.
    without_ttl_percent: u32,
}

/// The families of the guide, and three that belong to none of them.
const FAMILIES: &[Family] = &[
    Family {
        prefix: "codebase_rag:embedding:",
        keys: 1200,
        value_bytes: 1024..1025,
        ttl_seconds: 7200,
        without_ttl_percent: 6,
    },
    Family {
        prefix: "codebase_rag:search:",
        keys: 1800,
        value_bytes: 200..2_000,
        ttl_seconds: 1800,
        without_ttl_percent: 10,
    },
    Family {
        prefix: "codebase_rag:project:",
        keys: 120,
        value_bytes: 500..4_000,
        ttl_seconds: 3600,
        without_ttl_percent: 30,
    },
    Family {
        prefix: "codebase_rag:file:",
        keys: 900,
        value_bytes: 300..6_000,
        ttl_seconds: 1800,
        without_ttl_percent: 4,
    },
    Family {
        prefix: "codebase_rag:session:",
        keys: 400,
        value_bytes: 80..300,
        ttl_seconds: 3600,
        without_ttl_percent: 0,
    },
    Family {
        prefix: "codebase_rag:temp:",
        keys: 200,
        value_bytes: 20..200,
        ttl_seconds: 600,
        without_ttl_percent: 25,
    },
    Family {
        prefix: "codebase_rag:graph_v1:",
        keys: 90,
        value_bytes: 400..900,
        ttl_seconds: 3600,
        without_ttl_percent: 100,
    },
    Family {
        prefix: "codebase_rag:old_search:",
        keys: 60,
        value_bytes: 200..900,
        ttl_seconds: 1800,
        without_ttl_percent: 100,
    },
    Family {
        prefix: "codebase_rag:debug:",
        keys: 25,
        value_bytes: 2_000..9_000,
        ttl_seconds: 3600,
        without_ttl_percent: 50,
    },
];

/// Makes a cache with the same keys, values, TTLs and look-ups every time.
///
/// The workload looks keys up the way caches are used: few keys often, many seldom, some that are not there; a miss is
/// followed by a write as a service would make it, and now and then an entry is deleted.
pub(crate) async fn sample() -> Result<MemoryCache> {
    let cache =
        MemoryCache::new(MemoryOptions::default().with_max_bytes(16 << 20).with_name("memory:sample"));
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut keys = Vec::new();
    for family in FAMILIES {
        for number in 0..family.keys {
            let key = format!("{}{number:06x}", family.prefix);
            write(&cache, &key, family, &mut random).await?;
            keys.push((key, family));
        }
    }
    for _ in 0..LOOKUPS {
        let (key, family) = &keys[popular(&mut random, keys.len())];
        let missing = random.random_ratio(1, 12);
        let key = if missing { format!("{key}:{:04x}", random.random::<u16>()) } else { key.clone() };
        if cache.get(key.as_bytes()).await?.is_none() {
            write(&cache, &key, family, &mut random).await?;
        }
        if random.random_ratio(1, 200) {
            cache.delete(key.as_bytes()).await?;
        }
    }
    Ok(cache)
}

async fn write(cache: &MemoryCache, key: &str, family: &Family, random: &mut impl Rng) -> Result<()> {
    let mut value = vec![0; random.random_range(family.value_bytes.clone())];
    random.fill_bytes(&mut value);
    let has_ttl = random.random_range(0..100) >= family.without_ttl_percent;
    let ttl = has_ttl
        .then(|| Duration::from_secs(random.random_range(family.ttl_seconds / 2..=family.ttl_seconds)));
    cache.set(key.as_bytes(), Bytes::from(value), ttl).await
}

/// An index that is cubed from an even one, so that half of all look-ups go to an eighth of the keys.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index into a few thousand keys"
)]
fn popular(random: &mut impl Rng, keys: usize) -> usize {
    let even: f64 = random.random();
    ((even * even * even * keys as f64) as usize).min(keys - 1)
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;

    use super::*;
    use crate::{KeyFields, Keys, ScanOptions, StatsSource, Ttl};

    #[tokio::test]
    async fn the_sample_is_the_same_every_time_and_has_something_to_find() {
        let (one, other) = (sample().await.unwrap(), sample().await.unwrap());
        assert_eq!(one.counts(), other.counts());
        let stats = one.statistics().await.unwrap().stats;
        assert!((0.7..0.95).contains(&stats.hit_rate.unwrap()), "{stats:?}");
        assert!(stats.delete_count.unwrap() > 0);

        let batches: Vec<_> = one.scan(ScanOptions::with_fields(KeyFields::TTL)).try_collect().await.unwrap();
        let keys: Vec<_> = batches.iter().flat_map(|batch| &batch.records).collect();
        assert!(keys.len() > 4_000);
        let without_ttl = keys.iter().filter(|key| key.ttl == Some(Ttl::None)).count();
        assert!(without_ttl > 100 && without_ttl < keys.len() / 2);
        assert!(keys.iter().any(|key| key.key.starts_with(b"codebase_rag:old_search:")));
    }
}
