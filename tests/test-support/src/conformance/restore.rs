//! What every keyspace must do with DUMP and RESTORE.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use larder_cache_client::{Cache, DumpedValue, KeyChange, Keys, RestoreItem, Ttl};

const MINUTE: Duration = Duration::from_mins(1);

fn item(key: &Bytes, value: &DumpedValue, overwrite: bool) -> RestoreItem {
    RestoreItem { key: key.clone(), value: value.clone(), overwrite }
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
