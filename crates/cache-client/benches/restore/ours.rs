//! `Keys::restore`, with several batches under way.

use anyhow::{Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use larder_cache_client::{ConnectOptions, KeyChange, RestoreItem, open};
use larder_test_support::TestServer;

/// Keys of one call.
pub(crate) const BATCH_KEYS: usize = 500;

pub(crate) fn restore(server: &TestServer, batches: &[&[RestoreItem]], at_once: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let client =
            open(&format!("redis://127.0.0.1:{}", server.port()).parse()?, &ConnectOptions::default())
                .await?;
        stream::iter(batches)
            .map(|batch| client.keys().restore(batch))
            .buffer_unordered(at_once)
            .map(|answers| {
                for answer in answers {
                    ensure!(answer? == KeyChange::Done);
                }
                Ok(())
            })
            .try_collect()
            .await
    })
}
