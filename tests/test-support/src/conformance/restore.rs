//! What every keyspace must do with DUMP and RESTORE.

use std::{slice, time::Duration};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use futures_util::future::join_all;
use larder_cache_client::{Cache, DumpedValue, KeyChange, Keys, RestoreItem, Ttl};

const MINUTE: Duration = Duration::from_mins(1);

fn item(key: &Bytes, value: &DumpedValue, overwrite: bool) -> RestoreItem {
    RestoreItem { key: key.clone(), value: value.clone(), overwrite }
}

/// Moments are exact, one that is over makes no key, and idle times come along where they are kept.
pub(super) async fn restore_to_the_moment(keys: &dyn Keys, cache: &dyn Cache) -> Result<()> {
    let [key, other] = ["key", "other"].map(|name| Bytes::from(format!("conformance:moment:{name}")));
    cache.set(&key, Bytes::from_static(b"1"), None).await?;
    let mut value = keys.dump(slice::from_ref(&key)).await.remove(0)?.context("it is not there")?;
    let now_ms = keys.clock_ms().await?;
    let at_ms = now_ms + 3_600_123;
    // What is left is told wrong on purpose: the moment counts.
    (value.ttl, value.expires_at_ms) = (Ttl::In(MINUTE), Some(at_ms));
    // Servers that evict by frequency do not say.
    let is_idle_known = value.idle.is_some();
    value.idle = Some(MINUTE * 10);
    ensure!(answer(keys, item(&other, &value, false)).await? == KeyChange::Done);
    let seen = keys.dump(slice::from_ref(&other)).await.remove(0)?.context("it was not restored")?;
    ensure!(matches!(seen.ttl, Ttl::In(left) if left > MINUTE * 59), "{:?}", seen.ttl);
    let found = seen.expires_at_ms.unwrap_or(at_ms);
    // The clocks of an embedded cache are read to about a millisecond.
    ensure!(found.abs_diff(at_ms) <= 100, "{found} instead of {at_ms}");
    let idle = seen.idle.unwrap_or_default();
    ensure!(!is_idle_known || (MINUTE * 9..MINUTE * 11).contains(&idle), "{idle:?}");

    for moment in [now_ms - 60_000, 1, 0, -1] {
        value.expires_at_ms = Some(moment);
        ensure!(answer(keys, item(&other, &value, false)).await? == KeyChange::Exists, "{moment}");
        ensure!(cache.exists(&other).await?, "a key that was to be left alone is gone ({moment})");
        ensure!(answer(keys, item(&other, &value, true)).await? == KeyChange::Done, "{moment}");
        ensure!(!cache.exists(&other).await?, "a key whose time is up is there ({moment})");
        ensure!(answer(keys, item(&other, &value, false)).await? == KeyChange::Done, "{moment}");
        ensure!(!cache.exists(&other).await?, "a key whose time is up was made ({moment})");
        cache.set(&other, Bytes::from_static(b"2"), None).await?;
    }
    for answer in keys.unlink(&[key, other]).await {
        ensure!(answer? == KeyChange::Done);
    }
    Ok(())
}

/// Values of every size in one batch, and several batches at once.
pub(super) async fn restore_at_once(keys: &dyn Keys, cache: &dyn Cache) -> Result<()> {
    let names = (0..300).map(|number| Bytes::from(format!("conformance:at-once:{number}")));
    let names: Vec<Bytes> = names.collect();
    for (number, name) in names.iter().enumerate().take(30) {
        let value = vec![b'x'; number * number * number * 10];
        cache.set(name, Bytes::from(value), None).await?;
    }
    let dumped = keys.dump(&names[..30]).await.into_iter();
    let dumped = dumped.map(|value| value?.context("it is not there")).collect::<Result<Vec<_>>>()?;
    let items = names.iter().zip(dumped.iter().cycle());
    let items: Vec<RestoreItem> = items.map(|(name, value)| item(name, value, true)).collect();
    let batches = items.chunks(50).map(|batch| keys.restore(batch));
    for answer in join_all(batches).await.into_iter().flatten() {
        ensure!(answer? == KeyChange::Done);
    }
    let back = keys.dump(&names).await;
    for ((back, name), value) in back.into_iter().zip(&names).zip(dumped.iter().cycle()) {
        let back = back?.with_context(|| format!("{name:?} was not restored"))?;
        ensure!(back.payload == value.payload, "{name:?} is another value");
    }
    for answer in keys.unlink(&names).await {
        ensure!(answer? == KeyChange::Done);
    }
    Ok(())
}

async fn answer(keys: &dyn Keys, item: RestoreItem) -> Result<KeyChange> {
    Ok(keys.restore(&[item]).await.remove(0)?)
}

pub(super) async fn restore_what_was_dumped(keys: &dyn Keys, cache: &dyn Cache) -> Result<()> {
    let [timed, lasting, missing] =
        ["timed", "lasting", "missing"].map(|name| Bytes::from(format!("conformance:dump:{name}")));
    cache.set(&timed, Bytes::from_static(b"1"), Some(MINUTE)).await?;
    cache.set(&lasting, Bytes::from(vec![b'x'; 100_000]), None).await?;
    ensure!(keys.dump(&[]).await.is_empty() && keys.restore(&[]).await.is_empty(), "answers to no question");
    let dumped = keys.dump(&[timed.clone(), missing.clone(), lasting.clone()]).await;
    let dumped = dumped.into_iter().collect::<Result<Vec<_>, _>>()?;
    let [Some(first), None, Some(second)] = dumped.as_slice() else {
        anyhow::bail!("dump of a key, one that is missing, and a key: {dumped:?}");
    };
    ensure!(matches!(first.ttl, Ttl::In(left) if left <= MINUTE && left > MINUTE / 2), "{:?}", first.ttl);
    ensure!(second.ttl == Ttl::None, "{:?}", second.ttl);
    ensure!(cache.delete(&timed).await? && cache.delete(&lasting).await?);
    let broken = DumpedValue::new(Bytes::from_static(b"no payload"), Ttl::None);
    let answers = keys
        .restore(&[item(&timed, first, false), item(&missing, &broken, false), item(&lasting, second, false)])
        .await;
    let [Ok(KeyChange::Done), Err(_), Ok(KeyChange::Done)] = answers.as_slice() else {
        anyhow::bail!("restore of a good, a broken and a good payload: {answers:?}");
    };
    let entry = cache.get_entry(&timed).await?.context("it was not restored")?;
    ensure!(entry.value == "1" && entry.ttl.is_some_and(|left| left > MINUTE / 2), "{entry:?}");
    let entry = cache.get_entry(&lasting).await?.context("it was not restored")?;
    ensure!(entry.value.len() == 100_000 && entry.ttl.is_none(), "{:?}", entry.ttl);
    let answers = keys.restore(&[item(&timed, second, false)]).await;
    ensure!(matches!(answers.as_slice(), [Ok(KeyChange::Exists)]), "over a key: {answers:?}");
    ensure!(cache.get(&timed).await?.is_some_and(|value| value == "1"), "the key was not left alone");
    let answers = keys.restore(&[item(&timed, second, true)]).await;
    ensure!(matches!(answers.as_slice(), [Ok(KeyChange::Done)]), "overwriting: {answers:?}");
    let entry = cache.get_entry(&timed).await?.context("it is gone")?;
    ensure!(entry.value.len() == 100_000 && entry.ttl.is_none(), "value and time were not both replaced");
    for answer in keys.unlink(&[timed, lasting]).await {
        ensure!(answer? == KeyChange::Done);
    }
    Ok(())
}
