//! What every source of statistics must do.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use larder_cache_client::{Cache, Statistics, StatsSource};
use larder_metrics_model::CacheStats;

/// Checks an implementation of [`StatsSource`]; `counted` is the cache whose use it counts, where there is one.
pub async fn stats_source(source: &dyn StatsSource, counted: Option<&dyn Cache>) -> Result<()> {
    let before = source.statistics().await?;
    is_sound(&before)?;
    let (hit, miss) = (b"conformance:stats:hit", b"conformance:stats:miss");
    if let Some(cache) = counted {
        cache.set(hit, Bytes::from_static(b"v"), None).await?;
        for _ in 0..3 {
            cache.get(hit).await?.context("a hit")?;
        }
        for _ in 0..2 {
            ensure!(cache.get(miss).await?.is_none());
        }
        ensure!(cache.delete(hit).await?);
    }
    let after = source.statistics().await?;
    is_sound(&after)?;
    ensure!(before.stats.origin == after.stats.origin, "the origin is another one");
    for ((name, one), (_, two)) in counts(&before.stats).into_iter().zip(counts(&after.stats)) {
        ensure!(one <= two, "{name} went back from {one:?} to {two:?}");
    }
    if counted.is_some() {
        let grew = |one: Option<u64>, two: Option<u64>, by: u64| {
            one.zip(two).is_none_or(|(one, two)| two >= one + by)
        };
        let (one, two) = (&before.stats, &after.stats);
        ensure!(grew(one.hit_count, two.hit_count, 3), "3 hits: {:?} to {:?}", one.hit_count, two.hit_count);
        ensure!(
            grew(one.miss_count, two.miss_count, 2),
            "2 misses: {:?} to {:?}",
            one.miss_count,
            two.miss_count
        );
        ensure!(grew(one.set_count, two.set_count, 1), "a set: {:?} to {:?}", one.set_count, two.set_count);
        ensure!(grew(one.delete_count, two.delete_count, 1), "a delete: {:?}", two.delete_count);
    }
    Ok(())
}

fn counts(stats: &CacheStats) -> [(&'static str, Option<u64>); 6] {
    [
        ("total_operations", stats.total_operations),
        ("hit_count", stats.hit_count),
        ("miss_count", stats.miss_count),
        ("set_count", stats.set_count),
        ("delete_count", stats.delete_count),
        ("error_count", stats.error_count),
    ]
}

fn is_sound(statistics: &Statistics) -> Result<()> {
    let stats = &statistics.stats;
    ensure!(stats.origin.is_some(), "nobody has counted");
    let rates = [("hit_rate", stats.hit_rate.is_none()), ("miss_rate", stats.miss_rate.is_none())];
    let missing = counts(stats).map(|(name, count)| (name, count.is_none()));
    for (name, is_missing) in rates.into_iter().chain(missing) {
        let what = format!("cache_stats.{name}");
        let named = statistics.absent.iter().find(|absent| absent.what == what);
        ensure!(named.is_some() == is_missing, "{what}: missing is {is_missing}, the reason is {named:?}");
        ensure!(named.is_none_or(|absent| !absent.reason.is_empty()), "{what} has an empty reason");
    }
    if let (Some(hits), Some(misses)) = (stats.hit_count, stats.miss_count) {
        if hits + misses == 0 {
            ensure!(stats.hit_rate.is_none() && stats.miss_rate.is_none(), "a rate without look-ups");
        } else if let (Some(hit), Some(miss)) = (stats.hit_rate, stats.miss_rate) {
            #[expect(clippy::cast_precision_loss, reason = "the counts of a test are far below 2^52")]
            let expected = hits as f64 / (hits + misses) as f64;
            ensure!(
                (hit - expected).abs() < 1e-3 && (hit + miss - 1.0).abs() < 1e-3,
                "rates {hit} and {miss}"
            );
        }
    }
    Ok(())
}
