//! What every keyspace must do.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, future::try_join_all};
use larder_cache_client::{
    Cache, FieldChoice, FixedRate, FullSpeed, Governor, KeyBatch, KeyChange, KeyFields, KeyRecord, KeyType,
    Keys, Pace, ScanOptions, ScanPosition, ShardPosition, Ttl,
};
use larder_metrics_model::NodeAddress;

use super::{
    guarded::{keys_are_looked_at, only_what_is_as_it_was_seen_is_changed},
    restore::{restore_at_once, restore_to_the_moment, restore_what_was_dumped},
};

const COUNT: usize = 1_500;
const MINUTE: Duration = Duration::from_mins(1);
const PREFIX: &str = "conformance:keys:";

/// Checks an implementation of [`Keys`] over the keys of a [`Cache`].
pub async fn keys(keys: &dyn Keys, cache: &dyn Cache) -> Result<()> {
    let all: BTreeSet<Bytes> = (0..COUNT).map(key_of).collect();
    let chunks: Vec<&Bytes> = all.iter().collect();
    for chunk in chunks.chunks(100) {
        try_join_all(chunk.iter().map(|key| cache.set(key, Bytes::from_static(b"value"), None))).await?;
    }
    scan_returns_every_key(keys, &all).await.context("a scan returns every key")?;
    scan_goes_on(keys, &all).await.context("a scan goes on from a position")?;
    fields_are_what_was_asked_for(keys, cache).await.context("the fields of a key")?;
    keys_that_go_are_left_out(keys, cache, &all).await.context("a key that is gone is left out")?;
    batches_answer_in_order(keys, cache).await.context("batch calls answer for each key in order")?;
    restore_what_was_dumped(keys, cache).await.context("dump and restore")?;
    restore_to_the_moment(keys, cache).await.context("restore with moments")?;
    restore_at_once(keys, cache).await.context("several restores at once")?;
    only_what_is_as_it_was_seen_is_changed(keys, cache).await.context("guarded changes")?;
    keys_are_looked_at(keys, cache).await.context("a look at keys")?;
    every_pace_sees_every_key(keys, &all).await.context("paces")?;
    what_is_chosen_is_fetched(keys, &all).await.context("fields that are chosen by the key")?;
    let list: Vec<Bytes> = all.into_iter().collect();
    for (answer, key) in keys.unlink(&list).await.into_iter().zip(&list) {
        ensure!(answer? == KeyChange::Done, "{key:?} was not there at the end");
    }
    Ok(())
}

fn key_of(number: usize) -> Bytes {
    Bytes::from(format!("{PREFIX}{number:05}"))
}

fn only_ours(fields: KeyFields) -> ScanOptions {
    let mut options = ScanOptions::with_fields(fields);
    options.pattern = Some(Bytes::from(format!("{PREFIX}*")));
    options.batch_keys = 50;
    options
}

async fn collect(keys: &dyn Keys, options: ScanOptions) -> Result<Vec<KeyBatch>> {
    Ok(keys.scan(options).try_collect().await?)
}

fn names(batches: &[KeyBatch]) -> BTreeSet<Bytes> {
    batches.iter().flat_map(|batch| &batch.records).map(|record| record.key.clone()).collect()
}

async fn scan_returns_every_key(keys: &dyn Keys, all: &BTreeSet<Bytes>) -> Result<()> {
    let batches = collect(keys, only_ours(KeyFields::empty())).await?;
    ensure!(&names(&batches) == all, "{} of {} keys came", names(&batches).len(), all.len());
    ensure!(batches.last().is_some_and(|batch| batch.position.is_done()), "the last position is not the end");
    let bare = |record: &KeyRecord| *record == KeyRecord::new(record.key.clone());
    let unasked = batches.iter().flat_map(|batch| &batch.records).find(|record| !bare(record));
    ensure!(unasked.is_none(), "fields came that were not asked for: {unasked:?}");
    let everything = names(&collect(keys, ScanOptions::default()).await?);
    ensure!(everything.is_superset(all), "without a pattern, keys were missing");
    let mut one = ScanOptions::default();
    one.pattern = Some(Bytes::from(format!("{PREFIX}0000[0-3]")));
    ensure!(names(&collect(keys, one).await?) == (0..4).map(key_of).collect(), "the pattern was not obeyed");
    let mut none = ScanOptions::default();
    none.pattern = Some(Bytes::from_static(b"conformance:no-such-key"));
    ensure!(names(&collect(keys, none).await?).is_empty(), "a pattern that fits nothing gave keys");
    Ok(())
}

async fn scan_goes_on(keys: &dyn Keys, all: &BTreeSet<Bytes>) -> Result<()> {
    let batches = collect(keys, only_ours(KeyFields::empty())).await?;
    for at in [0, batches.len() / 3, batches.len() / 2, batches.len() - 1] {
        let written = serde_json::to_string(&batches[at].position)?;
        let mut options = only_ours(KeyFields::empty());
        options.from = Some(serde_json::from_str(&written)?);
        let mut seen = names(&batches[..=at]);
        let rest = names(&collect(keys, options).await?);
        seen.extend(rest.iter().cloned());
        ensure!(&seen == all, "after batch {at}, {} of {} keys came", seen.len(), all.len());
        ensure!(at + 1 < batches.len() || rest.is_empty(), "after the end, {} keys came", rest.len());
    }
    let mut elsewhere = ScanPosition::default();
    elsewhere.set_shard(NodeAddress::new("gone.invalid:1"), ShardPosition::At("7".to_owned()));
    let mut options = only_ours(KeyFields::empty());
    options.from = Some(elsewhere);
    let found = names(&collect(keys, options).await?);
    ensure!(&found == all, "with the position of a primary that is gone, {} keys came", found.len());
    Ok(())
}

async fn every_pace_sees_every_key(keys: &dyn Keys, all: &BTreeSet<Bytes>) -> Result<()> {
    let paces: [Arc<dyn Pace>; 3] =
        [Arc::new(FullSpeed), Arc::new(FixedRate::new(100_000)), Arc::new(Governor::default())];
    for pace in paces {
        for fields in [KeyFields::empty(), KeyFields::TTL | KeyFields::TYPE] {
            let mut options = only_ours(fields);
            options.pace = Arc::clone(&pace);
            let batches = collect(keys, options).await?;
            ensure!(
                &names(&batches) == all,
                "{pace:?}: {} of {} keys came",
                names(&batches).len(),
                all.len()
            );
            ensure!(batches.last().is_some_and(|batch| batch.position.is_done()), "{pace:?}: it did not end");
            ensure!(batches.iter().all(|batch| batch.round == 0), "{pace:?}: a shard was begun anew");
        }
    }
    Ok(())
}

async fn what_is_chosen_is_fetched(keys: &dyn Keys, all: &BTreeSet<Bytes>) -> Result<()> {
    let is_even = |key: &[u8]| key.last().is_some_and(|digit| digit % 2 == 0);
    let mut options = only_ours(KeyFields::TTL);
    options.choice = Some(FieldChoice::new(move |key| {
        if is_even(key) { KeyFields::TYPE | KeyFields::ELEMENTS } else { KeyFields::empty() }
    }));
    let batches = collect(keys, options).await?;
    ensure!(&names(&batches) == all, "keys were missing");
    for record in batches.iter().flat_map(|batch| &batch.records) {
        let chosen = is_even(&record.key);
        ensure!(record.ttl == Some(Ttl::None), "{record:?}");
        ensure!(record.kind.is_some() == chosen && record.elements.is_some() == chosen, "{record:?}");
    }
    Ok(())
}

async fn fields_are_what_was_asked_for(keys: &dyn Keys, cache: &dyn Cache) -> Result<()> {
    let (timed, lasting) = (format!("{PREFIX}fields:timed"), format!("{PREFIX}fields:lasting"));
    cache.set(timed.as_bytes(), Bytes::from_static(b"0123456789"), Some(MINUTE)).await?;
    cache.set(lasting.as_bytes(), Bytes::from_static(b"01234"), None).await?;
    let mut options = ScanOptions::with_fields(KeyFields::all());
    options.pattern = Some(Bytes::from(format!("{PREFIX}fields:*")));
    let batches = collect(keys, options).await?;
    for batch in &batches {
        ensure!(!batch.node.as_str().is_empty() && !batch.node.as_str().contains('@'), "{:?}", batch.node);
    }
    let record = |name: &str| {
        let mut records = batches.iter().flat_map(|batch| &batch.records);
        records.find(|record| record.key == name).cloned().with_context(|| format!("{name} did not come"))
    };
    let timed_record = record(&timed)?;
    match timed_record.ttl {
        Some(Ttl::In(left)) if left <= MINUTE && left > MINUTE / 2 => {}
        other => bail!("the time left of a minute: {other:?}"),
    }
    let lasting_record = record(&lasting)?;
    ensure!(lasting_record.ttl == Some(Ttl::None), "no end: {:?}", lasting_record.ttl);
    ensure!(lasting_record.kind == Some(KeyType::String), "type: {:?}", lasting_record.kind);
    ensure!(timed_record.elements == Some(10) && lasting_record.elements == Some(5), "{timed_record:?}");
    ensure!(lasting_record.memory_bytes.is_none_or(|bytes| bytes >= 5), "{lasting_record:?}");
    let used = (lasting_record.idle.is_some(), lasting_record.frequency.is_some());
    ensure!(used != (true, true), "a server knows idle times or frequencies, not both");
    for answer in keys.unlink(&[Bytes::from(timed), Bytes::from(lasting)]).await {
        ensure!(answer? == KeyChange::Done);
    }
    Ok(())
}

async fn keys_that_go_are_left_out(keys: &dyn Keys, cache: &dyn Cache, all: &BTreeSet<Bytes>) -> Result<()> {
    let going: Vec<Bytes> = (0..400).map(|number| Bytes::from(format!("{PREFIX}going:{number}"))).collect();
    try_join_all(going.iter().map(|key| cache.set(key, Bytes::from_static(b"v"), None))).await?;
    let mut stream = keys.scan(only_ours(KeyFields::TYPE | KeyFields::TTL));
    let mut batches = Vec::new();
    let mut left = going.chunks(20);
    while let Some(batch) = stream.next().await {
        batches.push(batch?);
        if let Some(chunk) = left.next() {
            keys.unlink(chunk).await;
        }
    }
    ensure!(names(&batches).is_superset(all), "keys that were there all the time did not come");
    let mut records = batches.iter().flat_map(|batch| &batch.records);
    let half = records.find(|record| record.kind.is_none() || record.ttl.is_none());
    ensure!(half.is_none(), "a key without its fields came: {half:?}");
    keys.unlink(&going).await;
    Ok(())
}

async fn batches_answer_in_order(keys: &dyn Keys, cache: &dyn Cache) -> Result<()> {
    let [one, two, gone] = ["one", "two", "gone"].map(|name| Bytes::from(format!("{PREFIX}order:{name}")));
    for key in [&one, &two] {
        cache.set(key, Bytes::from_static(b"v"), None).await?;
    }
    ensure!(keys.expire(&[]).await.is_empty() && keys.unlink(&[]).await.is_empty(), "answers to no question");
    let time = Ttl::In(MINUTE);
    let changes =
        [(one.clone(), time), (gone.clone(), time), (two.clone(), Ttl::None), (gone.clone(), Ttl::None)];
    let answers = keys.expire(&changes).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let expected = [KeyChange::Done, KeyChange::Missing, KeyChange::Done, KeyChange::Missing];
    ensure!(answers == expected, "expire, with a key that had no end and keeps none: {answers:?}");
    let ttl = async |key: &Bytes| cache.get_entry(key).await.map(|entry| entry.and_then(|entry| entry.ttl));
    ensure!(ttl(&one).await?.is_some_and(|left| left > MINUTE / 2), "the time was not set");
    ensure!(ttl(&two).await?.is_none(), "a time was set that was not asked for");
    for answer in keys.expire(&[(one.clone(), Ttl::None)]).await {
        ensure!(answer? == KeyChange::Done);
    }
    ensure!(ttl(&one).await?.is_none(), "the time was not removed");
    let list = [gone, one.clone(), one.clone(), two];
    let answers = keys.unlink(&list).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let expected = [KeyChange::Missing, KeyChange::Done, KeyChange::Missing, KeyChange::Done];
    ensure!(answers == expected, "unlink, one of them twice: {answers:?}");
    ensure!(!cache.exists(&one).await?, "what was unlinked is there");
    Ok(())
}
