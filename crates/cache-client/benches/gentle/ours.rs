//! Sweeps of ours: TTL, type and memory of every key.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use futures_util::TryStreamExt as _;
use larder_cache_client::{
    CacheClient, ConnectOptions, FullSpeed, Governor, KeyFields, Pace, ScanOptions, open,
};
use larder_test_support::TestServer;
use tokio::time::timeout;

/// Sweeps as a governor lets it that watches the server.
pub(crate) fn at_the_default_pace(server: &TestServer, until: Instant) -> Result<u64> {
    run(async {
        let client = client(server).await?;
        let governor = Arc::new(Governor::default());
        let _watch = governor.watch(client.nodes().discover().await?.nodes);
        sweep(&client, governor, until).await
    })
}

/// Sweeps as fast as it goes.
pub(crate) fn at_full_speed(server: &TestServer, until: Instant) -> Result<u64> {
    run(async { sweep(&client(server).await?, Arc::new(FullSpeed), until).await })
}

fn run(sweep: impl Future<Output = Result<u64>>) -> Result<u64> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(sweep)
}

async fn client(server: &TestServer) -> Result<CacheClient> {
    Ok(open(&server.url().parse()?, &ConnectOptions::default()).await?)
}

async fn sweep(client: &CacheClient, pace: Arc<dyn Pace>, until: Instant) -> Result<u64> {
    let mut options = ScanOptions::with_fields(KeyFields::TTL.union(KeyFields::TYPE).union(KeyFields::BYTES));
    options.pace = pace;
    let mut keys = 0;
    loop {
        let mut batches = client.keys().scan(options.clone());
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left < Duration::from_millis(1) {
                return Ok(keys);
            }
            match timeout(left, batches.try_next()).await {
                Ok(Ok(Some(batch))) => keys += batch.records.len() as u64,
                Ok(Ok(None)) => break,
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => return Ok(keys),
            }
        }
    }
}
