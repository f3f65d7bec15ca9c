//! Restores that are cut off, and done again.

use std::sync::Arc;

use anyhow::{Result, ensure};
use larder_backup::{LiveOutcome, LiveRestore, LiveRestoreOptions};
use larder_cache_client::FixedRate;
use larder_test_support::{TestServer, on_every_server, until_async};

use super::setting::{bring_back, fill_types, image, into_server, restore, server};

/// So that there is something left to do when it is cut off.
const KEYS_PER_SECOND: u32 = 2000;

/// Restores slowly, and does something in the middle of it.
async fn cut_off(
    images: &[Vec<u8>],
    to: &mut TestServer,
    cut: impl FnOnce(&LiveRestoreOptions, &mut TestServer) -> Result<()>,
) -> Result<(LiveRestore, LiveOutcome)> {
    let mut options = LiveRestoreOptions::default();
    options.pace = Arc::new(FixedRate::new(KEYS_PER_SECOND));
    let live = restore(images.to_vec(), into_server(to), options.clone());
    let plan = live.plan().await?;
    let running = live.clone();
    let task = tokio::spawn(async move { running.apply(&plan).await });
    until_async("some keys", async || Ok(to.run::<u64>(&["DBSIZE"]).ok().filter(|keys| *keys > 600))).await?;
    cut(&options, to)?;
    Ok((live, task.await??))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stopped_goes_on() {
    on_every_server(async |program| {
        let (from, mut to) = (server(program)?, server(program)?);
        fill_types(&from)?;
        let images = vec![image(&from)?];
        let stop = |options: &LiveRestoreOptions, _: &mut TestServer| {
            options.stop.cancel();
            Ok(())
        };
        let (live, outcome) = cut_off(&images, &mut to, stop).await?;
        ensure!(outcome.stopped && !outcome.is_whole() && outcome.failed == 0, "{outcome:?}");
        let there: u64 = to.run(&["DBSIZE"])?;
        ensure!(outcome.restored == there, "{outcome:?}, and {there} are there");
        let plan = live.plan().await;
        ensure!(matches!(plan, Err(larder_backup::Error::Stopped)), "{plan:?}");

        let again = bring_back(&restore(images, into_server(&to), LiveRestoreOptions::default())).await?;
        ensure!(again.there_already == there && again.restored > 0, "{again:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_of_the_cache_it_is_done_again() {
    on_every_server(async |program| {
        let (from, mut to) = (server(program)?, server(program)?);
        fill_types(&from)?;
        let images = vec![image(&from)?];
        let crash = |_: &LiveRestoreOptions, to: &mut TestServer| to.kill();
        let (_, outcome) = cut_off(&images, &mut to, crash).await?;
        ensure!(outcome.ended_by.is_some() && !outcome.is_whole() && !outcome.stopped, "{outcome:?}");
        ensure!(outcome.restored > 0 && outcome.failed > 0, "{outcome:?}");
        to.restart()?;
        let again = bring_back(&restore(images, into_server(&to), LiveRestoreOptions::default())).await?;
        ensure!(again.restored > outcome.restored, "{again:?}");
        Ok(())
    })
    .await;
}
