//! Which keys, under which names, with which times, and over which others.

use std::sync::Arc;

use anyhow::{Result, ensure};
use larder_backup::{Existing, LiveRestoreOptions, LiveSource, Rename, TtlChoice};
use larder_rdb::Kind;
use larder_test_support::{TestServer, on_every_server};

use super::setting::{
    FAR_MS, PLAIN, bring_back, fill_rest, fill_types, image, into_server, restore, say, server,
};

fn get(server: &TestServer, key: &str) -> Result<Option<String>> {
    server.run(&["GET", key])
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_there_stay_or_are_overwritten() {
    on_every_server(async |program| {
        let (from, to) = (server(program)?, server(program)?);
        let at = FAR_MS.to_string();
        say(&from, &["SET a 1", "SET b 2", "SET c 3", &format!("PEXPIREAT c {at}"), "SET d 4", "RPUSH e x"])?;
        say(&to, &["SET a 1", "SET b other", "SET c 3", "SADD e y"])?;
        let images = vec![image(&from)?];

        let options = LiveRestoreOptions::default();
        let outcome = bring_back(&restore(images.clone(), into_server(&to), options.clone())).await?;
        ensure!(
            outcome.restored == 1 && outcome.there_already == 1 && outcome.overwritten == 0,
            "{outcome:?}"
        );
        let left: Vec<_> = outcome.left_alone.values().copied().collect();
        ensure!(left == [2, 1], "{outcome:?}");
        ensure!(get(&to, "b")?.as_deref() == Some("other") && to.run::<i64>(&["PTTL", "c"])? == -1);
        let verified = restore(images.clone(), into_server(&to), options.clone()).verify().await?;
        ensure!(verified.equal == 2 && verified.differing == 3 && verified.missing == 0, "{verified:?}");
        ensure!(verified.differing_keys.contains(&"\"b\"".to_owned()), "{verified:?}");

        let mut options = options;
        options.existing = Existing::Overwrite;
        let outcome = bring_back(&restore(images, into_server(&to), options)).await?;
        ensure!(outcome.overwritten == 3 && outcome.there_already == 2, "{outcome:?}");
        ensure!(to.run::<i64>(&["PEXPIRETIME", "c"])? == FAR_MS);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_chosen_and_get_other_names() {
    on_every_server(async |program| {
        let from = server(program)?;
        fill_types(&from)?;
        fill_rest(&from)?;
        let images = vec![image(&from)?];
        let to = server(program)?;
        let mut options = LiveRestoreOptions::default();
        options.filter.databases = Some([0].into());
        options.filter.types = Some([Kind::String].into());
        options.filter.keys = Some(Arc::new(|key| key.starts_with(b"plain:") && key.ends_with(b"7")));
        options.rename = Some(Rename { from_prefix: "plain:".into(), to_prefix: "old:".into() });
        options.databases.each = [(0, 3)].into();
        options.functions = false;
        let live = restore(images.clone(), into_server(&to), options);
        let outcome = bring_back(&live).await?;
        ensure!(outcome.restored == PLAIN as u64 / 10 && outcome.left_out.len() == 3, "{outcome:?}");
        ensure!(to.info("db3")?.is_some_and(|db| db.starts_with("keys=200,")), "{:?}", to.info("db3")?);
        ensure!(to.info("db0")?.is_none() && outcome.functions == 0);

        // Two databases in one.
        let to = server(program)?;
        let mut options = LiveRestoreOptions::default();
        options.filter.databases = Some([1, 9].into());
        options.databases.into_database = Some(0);
        let outcome = bring_back(&restore(images, into_server(&to), options)).await?;
        ensure!(outcome.restored == 3 && get(&to, "nine")?.as_deref() == Some("9"), "{outcome:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_count_from_now_or_go() {
    on_every_server(async |program| {
        let from = server(program)?;
        say(
            &from,
            &["SET lasting 1", "SET hour 2", "PEXPIRE hour 3600000", "SET minute 3", "PEXPIRE minute 60000"],
        )?;
        let bytes = image(&from)?;
        let hour_ms: i64 = from.run(&["PEXPIRETIME", "hour"])?;
        // As if it had been taken half an hour before the hour was up.
        let taken_ms = hour_ms - 1_800_000;
        let source =
            LiveSource::new(vec![Some(taken_ms)], move |_| Ok(Box::new(std::io::Cursor::new(bytes.clone()))));
        for (ttl, keys, left) in
            [(TtlChoice::Rebase, 2, 1_800_000), (TtlChoice::Drop, 2, -1), (TtlChoice::Keep, 3, 3_600_000)]
        {
            let to = server(program)?;
            let mut options = LiveRestoreOptions::default();
            options.ttl = ttl;
            let live = larder_backup::LiveRestore::new(source.clone(), into_server(&to), options.clone());
            let outcome = bring_back(&live).await?;
            ensure!(outcome.restored == keys && outcome.expired == 3 - keys, "{ttl:?}: {outcome:?}");
            let found: i64 = to.run(&["PTTL", "hour"])?;
            ensure!((left - 60_000..=left).contains(&found), "{ttl:?}: {found} instead of {left}");
            ensure!(to.run::<i64>(&["PTTL", "lasting"])? == -1);

            // The same value that ends at another moment is not as it should be.
            ensure!(to.run::<i64>(&["PEXPIRE", "hour", "7200000"])? == 1);
            options.existing = Existing::Overwrite;
            let live = larder_backup::LiveRestore::new(source.clone(), into_server(&to), options);
            let outcome = bring_back(&live).await?;
            ensure!(outcome.overwritten == 1 && outcome.there_already == keys - 1, "{ttl:?}: {outcome:?}");
            let found: i64 = to.run(&["PTTL", "hour"])?;
            ensure!((left - 60_000..=left).contains(&found), "{ttl:?}: {found} instead of {left} once more");
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_keys_of_one_name_the_first_database_comes_each_time() {
    on_every_server(async |program| {
        let (from, to) = (server(program)?, server(program)?);
        say(
            &from,
            &["SET same zero", "SELECT 1", "SET same one", "SET other 1", "SELECT 2", "SET same two"],
        )?;
        let mut options = LiveRestoreOptions::default();
        options.databases.into_database = Some(0);
        options.existing = Existing::Overwrite;
        let live = restore(vec![image(&from)?], into_server(&to), options);
        let plan = live.plan().await?;
        ensure!(plan.comes.keys == 2 && plan.left_out.values().sum::<u64>() == 2, "{plan:?}");
        for restored in [2, 0] {
            let outcome = bring_back(&live).await?;
            ensure!(outcome.restored == restored && outcome.overwritten == 0, "{outcome:?}");
            ensure!(outcome.left_out.values().sum::<u64>() == 2, "{outcome:?}");
            ensure!(get(&to, "same")?.as_deref() == Some("zero"));
        }
        say(&to, &["SET same mine"])?;
        ensure!(bring_back(&live).await?.overwritten == 1);
        ensure!(get(&to, "same")?.as_deref() == Some("zero"));
        Ok(())
    })
    .await;
}
