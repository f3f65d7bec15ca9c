//! What every cache must do.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use futures_util::future::{join_all, try_join_all};
use larder_cache_client::{Cache, CacheExt as _, Error};

use crate::poll::until_async;

const MINUTE: Duration = Duration::from_mins(1);

/// Checks an implementation of [`Cache`].
pub async fn cache(cache: &dyn Cache) -> Result<()> {
    keys_and_values_are_bytes(cache).await.context("keys and values are bytes")?;
    set_replaces(cache).await.context("set replaces the value and its time")?;
    times_are_kept_to_a_millisecond(cache).await.context("times are kept to a millisecond")?;
    what_is_over_is_gone(cache).await.context("a value whose time is up is not there")?;
    calls_run_at_the_same_time(cache).await.context("each call is atomic by itself")?;
    make_what_is_missing(cache).await.context("get_or_set_with")
}

async fn keys_and_values_are_bytes(cache: &dyn Cache) -> Result<()> {
    let all: Vec<u8> = (0..=u8::MAX).collect();
    let long = [b"conformance:".as_slice(), &[b'k'; 4096]].concat();
    let keys: [&[u8]; 5] = [b"", &all, b"conformance:{a}\r\n\0 *?[", b"conformance:{", &long];
    let values = [Bytes::new(), Bytes::from(all.clone()), Bytes::from(vec![0xff; 1 << 20])];
    for key in keys {
        let shown = key.escape_ascii().to_string().chars().take(60).collect::<String>();
        ensure!(!cache.delete(key).await? || key.is_empty(), "`{shown}` was there before it was set");
        ensure!(cache.get(key).await?.is_none() && !cache.exists(key).await?, "`{shown}` is there unset");
        ensure!(cache.get_entry(key).await?.is_none(), "`{shown}` has an entry before it was set");
        for value in &values {
            cache.set(key, value.clone(), None).await?;
            let got = cache.get(key).await?;
            ensure!(got.as_ref() == Some(value), "`{shown}` came back with {:?} bytes", got.map(|v| v.len()));
            let entry = cache.get_entry(key).await?.context("no entry of what was set")?;
            ensure!(entry.value == value && entry.ttl.is_none(), "the entry of `{shown}`: {:?}", entry.ttl);
            ensure!(cache.exists(key).await?, "`{shown}` does not exist");
        }
        ensure!(cache.delete(key).await?, "`{shown}` was not deleted");
        ensure!(!cache.delete(key).await?, "`{shown}` was deleted twice");
        ensure!(cache.get(key).await?.is_none() && !cache.exists(key).await?, "`{shown}` is there deleted");
    }
    Ok(())
}

async fn set_replaces(cache: &dyn Cache) -> Result<()> {
    let key = b"conformance:replaced";
    cache.set(key, Bytes::from_static(b"one"), Some(MINUTE)).await?;
    cache.set(key, Bytes::from_static(b"two"), None).await?;
    let entry = cache.get_entry(key).await?.context("no entry")?;
    ensure!(entry.value == "two" && entry.ttl.is_none(), "a TTL of None kept the old time: {entry:?}");
    cache.set(key, Bytes::from_static(b"three"), Some(MINUTE)).await?;
    let entry = cache.get_entry(key).await?.context("no entry")?;
    let ttl = entry.ttl.context("the time was not set")?;
    ensure!(entry.value == "three" && ttl <= MINUTE && ttl > MINUTE / 2, "{entry:?}");
    cache.set(key, Bytes::from_static(b"four"), Some(Duration::ZERO)).await?;
    ensure!(cache.get(key).await?.is_none() && !cache.exists(key).await?, "a TTL of zero kept the key");
    cache
        .set(key, Bytes::from_static(b"five"), Some(Duration::ZERO))
        .await
        .context("zero on a missing key")?;
    ensure!(!cache.delete(key).await?, "a TTL of zero made the key");
    Ok(())
}

async fn times_are_kept_to_a_millisecond(cache: &dyn Cache) -> Result<()> {
    let key = b"conformance:to-a-millisecond";
    for asked in
        [Duration::from_millis(1_234_567), Duration::from_micros(1_500_900), Duration::from_hours(876_000)]
    {
        let before = Instant::now();
        cache.set(key, Bytes::from_static(b"v"), Some(asked)).await?;
        let ttl = cache.get_entry(key).await?.and_then(|entry| entry.ttl).context("no time")?;
        let shortest = asked.saturating_sub(before.elapsed() + Duration::from_millis(2));
        let longest = asked + Duration::from_millis(1);
        ensure!(ttl >= shortest && ttl <= longest, "{asked:?} became {ttl:?}, not {shortest:?} or more");
    }
    for short in [Duration::from_nanos(1), Duration::from_micros(999)] {
        cache.set(key, Bytes::from_static(b"v"), Some(short)).await.with_context(|| format!("{short:?}"))?;
        until_async("a TTL below a millisecond to be over", async || {
            Ok((!cache.exists(key).await?).then_some(()))
        })
        .await?;
    }
    Ok(())
}

async fn what_is_over_is_gone(cache: &dyn Cache) -> Result<()> {
    let ttl = Duration::from_millis(150);
    let names: [&[u8]; 4] =
        [b"conformance:get", b"conformance:entry", b"conformance:exists", b"conformance:delete"];
    for key in names {
        cache.set(key, Bytes::from_static(b"v"), Some(ttl)).await?;
    }
    let last = b"conformance:last";
    let begun = Instant::now();
    cache.set(last, Bytes::from_static(b"v"), Some(ttl)).await?;
    until_async("the value's time to be up", async || Ok(cache.get(last).await?.is_none().then_some(())))
        .await?;
    // The server's clock counts whole milliseconds.
    let lasted = begun.elapsed() + Duration::from_millis(2);
    ensure!(lasted >= ttl, "it was gone after {lasted:?} of {ttl:?}");
    ensure!(cache.get(names[0]).await?.is_none(), "get returned it");
    ensure!(cache.get_entry(names[1]).await?.is_none(), "get_entry returned it");
    ensure!(!cache.exists(names[2]).await?, "exists counted it");
    ensure!(!cache.delete(names[3]).await?, "delete reported it");
    Ok(())
}

async fn calls_run_at_the_same_time(cache: &dyn Cache) -> Result<()> {
    let numbers = 0..64_u8;
    let key_of = |number: u8| [b"conformance:parallel:".as_slice(), &[number]].concat();
    try_join_all(numbers.clone().map(async |number| {
        let key = key_of(number);
        cache.set(&key, Bytes::from(vec![number; 2048]), Some(MINUTE)).await?;
        let got = cache.get(&key).await?;
        ensure!(got == Some(Bytes::from(vec![number; 2048])), "an answer of another call came back");
        Ok(())
    }))
    .await?;
    let shared = b"conformance:shared";
    try_join_all(numbers.clone().map(|number| cache.set(shared, Bytes::from(vec![number; 2048]), None)))
        .await?;
    let value = cache.get(shared).await?.context("no value")?;
    let whole = value.len() == 2048 && value.iter().all(|byte| byte == &value[0]);
    ensure!(whole, "a value of two calls");
    let deleted = join_all(numbers.clone().map(|_| cache.delete(shared))).await;
    let deleted = deleted.into_iter().collect::<Result<Vec<bool>, Error>>()?;
    let times = deleted.iter().filter(|deleted| **deleted).count();
    ensure!(times == 1, "one key was reported as deleted {times} times");
    for number in numbers {
        cache.delete(&key_of(number)).await?;
    }
    Ok(())
}

async fn make_what_is_missing(cache: &dyn Cache) -> Result<()> {
    let key = b"conformance:made";
    let make = || async { Ok::<_, Error>(Bytes::from_static(b"made")) };
    ensure!(cache.get_or_set_with(key, Some(MINUTE), make).await? == "made");
    let entry = cache.get_entry(key).await?.context("it was not stored")?;
    ensure!(entry.value == "made" && entry.ttl.is_some(), "{entry:?}");
    let other = || async { Ok::<_, Error>(Bytes::from_static(b"other")) };
    ensure!(cache.get_or_set_with(key, None, other).await? == "made", "it was made again");
    ensure!(cache.delete(key).await?);
    Ok(())
}
