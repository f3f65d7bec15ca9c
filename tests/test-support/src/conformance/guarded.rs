//! What every keyspace must do with changes that are made only if a key is as it was seen.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use larder_cache_client::{Cache, GuardedAction, GuardedChange, KeyChange, KeyFields, Keys, Ttl, ValueStamp};

const HOUR: Duration = Duration::from_hours(1);
const VALUE: Bytes = Bytes::from_static(b"a value");

fn name(of: &str) -> Bytes {
    Bytes::from(format!("conformance:guarded:{of}"))
}

/// Sees a key as it is now, for this action.
async fn seen(keys: &dyn Keys, key: &Bytes, action: GuardedAction) -> Result<GuardedChange> {
    let value = keys.dump(std::slice::from_ref(key)).await.remove(0)?.context("the key is not there")?;
    let stamp = ValueStamp::of(&value.payload).context("no payload")?;
    Ok(GuardedChange { key: key.clone(), value: stamp, expires_at_ms: value.expires_at_ms, action })
}

pub(super) async fn only_what_is_as_it_was_seen_is_changed(keys: &dyn Keys, cache: &dyn Cache) -> Result<()> {
    ensure!(keys.change(&[]).await.is_empty(), "answers to no question");
    let names = ["same", "rewritten", "timed", "gone", "lasting"].map(name);
    let [same, rewritten, timed, gone, lasting] = &names;
    for key in &names {
        cache.set(key, VALUE, None).await?;
    }
    cache.set(lasting, VALUE, Some(HOUR)).await?;
    let mut changes = Vec::new();
    for key in &names {
        changes.push(seen(keys, key, GuardedAction::Unlink).await?);
    }
    cache.set(rewritten, Bytes::from_static(b"another"), None).await?;
    for answer in keys.expire(&[(timed.clone(), Ttl::In(HOUR))]).await {
        ensure!(answer? == KeyChange::Done);
    }
    cache.delete(gone).await?;
    let answers = keys.change(&changes).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let expected =
        [KeyChange::Done, KeyChange::Changed, KeyChange::Changed, KeyChange::Missing, KeyChange::Done];
    ensure!(
        answers == expected,
        "unlink of a key that is the same, rewritten, timed, gone, the same: {answers:?}"
    );
    ensure!(!cache.exists(same).await? && !cache.exists(lasting).await?, "what was to be removed is there");
    ensure!(cache.get(rewritten).await?.is_some_and(|value| value == "another"), "it was not left alone");
    ensure!(cache.exists(timed).await?, "a key that got a time was not left alone");
    expiries(keys, cache, rewritten).await?;
    keys.unlink(&names).await;
    Ok(())
}

async fn expiries(keys: &dyn Keys, cache: &dyn Cache, key: &Bytes) -> Result<()> {
    let left = async || cache.get_entry(key).await.map(|entry| entry.and_then(|entry| entry.ttl));
    cache.set(key, VALUE, Some(HOUR)).await?;
    let persist = seen(keys, key, GuardedAction::Persist).await?;
    ensure!(keys.change(std::slice::from_ref(&persist)).await.remove(0)? == KeyChange::Done);
    ensure!(left().await?.is_none(), "it was to stay");
    ensure!(
        keys.change(&[persist]).await.remove(0)? == KeyChange::Changed,
        "the end it was seen with is gone"
    );
    // In two hours from now, told from the moment at which an hour is over.
    cache.set(key, VALUE, Some(HOUR)).await?;
    let at = seen(keys, key, GuardedAction::Unlink).await?.expires_at_ms.context("no moment")? + 3_600_000;
    let later = seen(keys, key, GuardedAction::ExpireAt(at)).await?;
    ensure!(keys.change(&[later]).await.remove(0)? == KeyChange::Done);
    let two_hours = left().await?.context("no time")?;
    ensure!(two_hours > Duration::from_mins(119) && two_hours <= HOUR * 2, "{two_hours:?}");
    Ok(())
}

pub(super) async fn keys_are_looked_at(keys: &dyn Keys, cache: &dyn Cache) -> Result<()> {
    let [there, missing] = ["there", "missing"].map(name);
    cache.set(&there, VALUE, Some(HOUR)).await?;
    ensure!(keys.look(&[], KeyFields::all()).await.is_empty(), "answers to no question");
    for fields in [KeyFields::empty(), KeyFields::TTL, KeyFields::all()] {
        let found = keys.look(&[there.clone(), missing.clone(), there.clone()], fields).await;
        let found = found.into_iter().collect::<Result<Vec<_>, _>>()?;
        let [Some(one), None, Some(other)] = found.as_slice() else {
            anyhow::bail!("a look at a key, one that is missing, and a key: {found:?}");
        };
        ensure!(one.key == there && other.key == there, "{found:?}");
        ensure!(one.ttl.is_some() == fields.contains(KeyFields::TTL), "{one:?}");
        ensure!(one.elements.is_some() == fields.contains(KeyFields::ELEMENTS), "{one:?}");
    }
    keys.unlink(&[there]).await;
    Ok(())
}
