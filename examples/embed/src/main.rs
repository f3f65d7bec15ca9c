//! A service that keeps its answers in a tiered cache and collects its own metrics.
//!
//! It brings its own connection, as a service would that talks to Redis anyway:
//!
//! ```sh
//! cargo run -p larder-example-embed -- redis://127.0.0.1:6379 metrics
//! ```

use std::{io::Write, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use chrono::Local;
use larder_cache_client::{
    CacheClient, CacheExt, Error, MemoryCache, MemoryOptions, TieredCache, TieredOptions,
};
use larder_maintenance::{CollectJob, CollectOptions, Job, JobReport, JobStatus};
use larder_metrics_store::{DailyFiles, DailyRetention};

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| "redis://127.0.0.1:6379".to_owned());
    let folder = arguments.next().unwrap_or_else(|| "metrics".to_owned());

    // The service has its connection already; Larder uses it and makes none of its own.
    let connection = redis::Client::open(url)?.get_multiplexed_async_connection().await.context("Redis")?;
    let redis = CacheClient::from_connection(connection, "orders", Duration::from_secs(2));
    let first_tier = MemoryCache::new(MemoryOptions::default().with_max_bytes(64 << 20));
    let cache = TieredCache::new(first_tier, Arc::clone(redis.cache()), TieredOptions::default());

    serve(&cache).await?;

    // The metrics are those of the tiered cache; the nodes behind it are measured as well.
    let client = redis.with_front(Arc::new(cache.clone()), Arc::new(cache.clone()));
    let store = Arc::new(DailyFiles::new(&folder, DailyRetention::default()));
    let outcome =
        CollectJob::new(client, CollectOptions::default(), store).run(Local::now().fixed_offset()).await;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", outcome.summary)?;
    if let JobReport::Collect(snapshot) = &outcome.report {
        for (name, tier) in snapshot.tier_stats.as_ref().map(|tiers| tiers.tiers()).unwrap_or_default() {
            writeln!(
                out,
                "{name}: {} hits, {} misses",
                tier.hit_count.unwrap_or(0),
                tier.miss_count.unwrap_or(0)
            )?;
        }
    }
    if outcome.status != JobStatus::Done {
        bail!("the metrics were not collected: {}", outcome.problems.join("; "));
    }
    Ok(())
}

/// Answers the same few questions again and again, as services do.
async fn serve(cache: &TieredCache) -> Result<(), Error> {
    for request in 0..300_u32 {
        let key = format!("codebase_rag:search:example:{}", request % 20);
        let answer = || async { Ok::<_, Error>(Bytes::from(format!("the answer to {}", request % 20))) };
        cache.get_or_set_with(key.as_bytes(), Some(Duration::from_mins(5)), answer).await?;
    }
    Ok(())
}
