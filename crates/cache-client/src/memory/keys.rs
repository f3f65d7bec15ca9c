//! The keyspace of an embedded cache.

use std::{borrow::Cow, time::Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream, stream::BoxStream};
use larder_metrics_model::NodeAddress;

use super::{
    cache::refused,
    moment,
    store::MemoryCache,
    value::{HeldValue, Refusal},
};
use crate::{
    DumpedValue, Error, GuardedAction, GuardedChange, KeyBatch, KeyChange, KeyFields, KeyRecord, Keys,
    RestoreItem, Result, ScanOptions, ScanPosition, ShardPosition, StepTaken, Ttl, ValueStamp, glob,
};

/// A cursor is the last key that was given out, in hexadecimal digits.
fn cursor(key: &[u8]) -> String {
    key.iter().fold(String::with_capacity(key.len() * 2), |mut digits, byte| {
        let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
        digits.extend([digit(byte >> 4), digit(byte & 15)]);
        digits
    })
}

fn key_of(cursor: &str) -> Option<Vec<u8>> {
    let digits = cursor.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

fn record(cache: &MemoryCache, key: &Bytes, fields: KeyFields) -> Option<KeyRecord> {
    let (stored, ttl) = cache.peek(key)?;
    let mut record = KeyRecord::new(key.clone());
    let asked = |field: KeyFields| fields.contains(field);
    record.kind = (asked(KeyFields::TYPE) || asked(KeyFields::ELEMENTS)).then(|| stored.value.kind());
    record.ttl = asked(KeyFields::TTL).then_some(ttl);
    record.encoding = asked(KeyFields::ENCODING).then(|| Cow::Owned(stored.value.encoding().to_owned()));
    record.memory_bytes = asked(KeyFields::BYTES).then(|| (key.len() + stored.value.len()) as u64);
    record.idle = asked(KeyFields::IDLE).then(|| stored.last_use.idle(Instant::now()));
    record.elements = stored.value.elements().filter(|_| asked(KeyFields::ELEMENTS));
    Some(record)
}

#[async_trait]
impl Keys for MemoryCache {
    fn scan(&self, options: ScanOptions) -> BoxStream<'static, Result<KeyBatch>> {
        let node = NodeAddress::new(self.name());
        let last = match options.from.as_ref().and_then(|from| from.shard(&node)) {
            Some(ShardPosition::Done) => return stream::empty().boxed(),
            Some(ShardPosition::At(cursor)) => {
                if let Some(key) = key_of(cursor) {
                    Some(key)
                } else {
                    let detail = format!("`{cursor}` is no cursor of this cache");
                    let error = Error::Unexpected { node, command: "SCAN".to_owned(), detail };
                    return stream::iter([Err(error)]).boxed();
                }
            }
            None => None,
        };
        let keys = self.keys_after(last.as_deref());
        let sweep = MemorySweep { cache: self.clone(), node, keys, next: Some(0), options };
        stream::unfold(sweep, |mut sweep| async move {
            let batch = sweep.step().await?;
            Some((Ok(batch), sweep))
        })
        .boxed()
    }

    async fn look(&self, keys: &[Bytes], fields: KeyFields) -> Vec<Result<Option<KeyRecord>>> {
        keys.iter().map(|key| Ok(record(self, key, fields))).collect()
    }

    async fn clock_ms(&self) -> Result<i64> {
        Ok(moment::now_ms())
    }

    async fn change(&self, changes: &[GuardedChange]) -> Vec<Result<KeyChange>> {
        let (cache, wanted) = (self.clone(), changes.to_vec());
        let work = move || wanted.iter().map(|change| guarded(&cache, change)).collect();
        self.run_aside("EVAL", changes.len(), work).await
    }

    async fn expire(&self, changes: &[(Bytes, Ttl)]) -> Vec<Result<KeyChange>> {
        let change = |(key, ttl): &(Bytes, Ttl)| {
            let done = match ttl {
                Ttl::In(time) if time.is_zero() => self.remove(key),
                ttl => self.change_ttl(key, *ttl),
            };
            Ok(if done { KeyChange::Done } else { KeyChange::Missing })
        };
        changes.iter().map(change).collect()
    }

    async fn unlink(&self, keys: &[Bytes]) -> Vec<Result<KeyChange>> {
        keys.iter()
            .map(|key| Ok(if self.remove(key) { KeyChange::Done } else { KeyChange::Missing }))
            .collect()
    }

    async fn dump(&self, keys: &[Bytes]) -> Vec<Result<Option<DumpedValue>>> {
        let (cache, wanted) = (self.clone(), keys.to_vec());
        let work = move || wanted.iter().map(|key| dump(&cache, key)).collect();
        self.run_aside("DUMP", keys.len(), work).await
    }

    async fn restore(&self, items: &[RestoreItem]) -> Vec<Result<KeyChange>> {
        let (cache, wanted) = (self.clone(), items.to_vec());
        let work = move || wanted.iter().map(|item| restore(&cache, item)).collect();
        self.run_aside("RESTORE", items.len(), work).await
    }
}

/// A sweep over the keys that were there when it began.
struct MemorySweep {
    cache: MemoryCache,
    node: NodeAddress,
    keys: Vec<Bytes>,
    /// Where the next batch begins; `None` at the end.
    next: Option<usize>,
    options: ScanOptions,
}

impl MemorySweep {
    async fn step(&mut self) -> Option<KeyBatch> {
        let begins = self.next?;
        let most = self.options.batch_keys.max(1) as usize;
        let count = self.options.pace.next_step(&self.node, most).await;
        let begun = Instant::now();
        let ends = (begins + count).min(self.keys.len());
        let keys = &self.keys[begins..ends];
        self.next = (ends < self.keys.len()).then_some(ends);
        let shard = match keys.last() {
            Some(last) if self.next.is_some() => ShardPosition::At(cursor(last)),
            _ => ShardPosition::Done,
        };
        let mut position = ScanPosition::default();
        position.set_shard(self.node.clone(), shard);
        let matching =
            |key: &&Bytes| self.options.pattern.as_ref().is_none_or(|pattern| glob::matches(pattern, key));
        let looked_at = |key: &Bytes| record(&self.cache, key, self.options.fields_of(key));
        let records = keys.iter().filter(matching).filter_map(looked_at).collect();
        self.options.pace.taken(&self.node, StepTaken::new(keys.len(), keys.len(), begun.elapsed()));
        Some(KeyBatch::new(self.node.clone(), records, position))
    }
}

impl MemoryCache {
    /// Runs a batch where it may take its time: values are compressed, checksummed and checked.
    async fn run_aside<T: Send + 'static>(
        &self,
        command: &str,
        count: usize,
        work: impl FnOnce() -> Vec<Result<T>> + Send + 'static,
    ) -> Vec<Result<T>> {
        match tokio::task::spawn_blocking(work).await {
            Ok(answers) => answers,
            Err(broken) => {
                let error = Error::Unexpected {
                    node: NodeAddress::new(self.name()),
                    command: command.to_owned(),
                    detail: broken.to_string(),
                };
                (0..count).map(|_| Err(error.clone())).collect()
            }
        }
    }
}

fn dump(cache: &MemoryCache, key: &Bytes) -> Result<Option<DumpedValue>> {
    let Some((stored, ttl)) = cache.peek(key) else { return Ok(None) };
    match stored.value.to_payload(key) {
        Ok(payload) => Ok(Some(DumpedValue {
            payload,
            ttl,
            expires_at_ms: moment::expires_at_ms(ttl),
            idle: Some(stored.last_use.idle(Instant::now())),
        })),
        Err(why) => Err(refused(cache, "DUMP", Refusal::Data(why))),
    }
}

/// What comes between the look and the change is seen by the store, which compares the value once more under its lock.
fn guarded(cache: &MemoryCache, change: &GuardedChange) -> Result<KeyChange> {
    let Some((stored, ttl)) = cache.peek(&change.key) else { return Ok(KeyChange::Missing) };
    let payload =
        stored.value.to_payload(&change.key).map_err(|why| refused(cache, "DUMP", Refusal::Data(why)))?;
    if ValueStamp::of(&payload) != Some(change.value) || !moment::agree(change.expires_at_ms, ttl) {
        return Ok(KeyChange::Changed);
    }
    Ok(match change.action {
        GuardedAction::Unlink => cache.replace_seen(&change.key, &stored, None),
        GuardedAction::Persist => cache.replace_seen(&change.key, &stored, Some(Ttl::None)),
        GuardedAction::ExpireAt(at) => {
            cache.replace_seen(&change.key, &stored, Some(Ttl::In(moment::until(at))))
        }
    })
}

fn restore(cache: &MemoryCache, item: &RestoreItem) -> Result<KeyChange> {
    let value = HeldValue::from_payload(&item.value.payload, &item.key)
        .map_err(|why| refused(cache, "RESTORE", why))?;
    Ok(cache.bring_back(item, value))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Cache;

    #[tokio::test]
    async fn a_key_that_is_restored_with_no_time_left_is_gone() {
        let cache = MemoryCache::default();
        cache.set(b"k", Bytes::from_static(b"v"), None).await.unwrap();
        let payload = cache.dump(&["k".into()]).await.remove(0).unwrap().unwrap().payload;
        let value = DumpedValue::new(payload, Ttl::In(Duration::ZERO));
        for (overwrite, expected, there) in [
            (false, KeyChange::Exists, true),
            (true, KeyChange::Done, false),
            (false, KeyChange::Done, false),
        ] {
            let item = RestoreItem { key: "k".into(), value: value.clone(), overwrite };
            assert_eq!(cache.restore(&[item]).await.remove(0).unwrap(), expected);
            assert_eq!(cache.exists(b"k").await.unwrap(), there);
        }
    }

    #[tokio::test]
    async fn a_wrong_payload_is_refused_in_the_words_of_servers() {
        let cache = MemoryCache::default();
        let value = DumpedValue::new(Bytes::from_static(b"no payload at all"), Ttl::None);
        let item = RestoreItem { key: "k".into(), value, overwrite: true };
        let words = cache.restore(&[item]).await.remove(0).unwrap_err().with_causes();
        assert!(words.contains("DUMP payload version or checksum are wrong"), "{words}");
    }
}
