//! The keyspace of an embedded cache.

use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream, stream::BoxStream};
use larder_metrics_model::NodeAddress;

use super::store::MemoryCache;
use crate::{
    Capability, DumpedValue, Error, KeyBatch, KeyChange, KeyFields, KeyRecord, KeyType, Keys, RestoreItem,
    Result, ScanOptions, ScanPosition, ShardPosition, Ttl, glob,
};

fn unsupported(cache: &MemoryCache, capability: Capability) -> Error {
    Error::Unsupported {
        node: NodeAddress::new(cache.name()),
        capability,
        reason: "an embedded cache keeps values as they are".to_owned(),
    }
}

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
    record.kind = (asked(KeyFields::TYPE) || asked(KeyFields::ELEMENTS)).then_some(KeyType::String);
    record.ttl = asked(KeyFields::TTL).then_some(ttl);
    record.encoding = asked(KeyFields::ENCODING).then(|| "raw".to_owned());
    record.memory_bytes = asked(KeyFields::BYTES).then(|| (key.len() + stored.value.len()) as u64);
    record.idle = asked(KeyFields::IDLE).then(|| Instant::now().saturating_duration_since(stored.used));
    record.elements = asked(KeyFields::ELEMENTS).then_some(stored.value.len() as u64);
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
        let batch_keys = options.batch_keys.max(1) as usize;
        let mut batches: Vec<Vec<Bytes>> = keys.chunks(batch_keys).map(<[Bytes]>::to_vec).collect();
        if batches.is_empty() {
            batches.push(Vec::new());
        }
        let count = batches.len();
        let cache = self.clone();
        let batch = move |(index, keys): (usize, Vec<Bytes>)| {
            let mut position = ScanPosition::default();
            let shard = match keys.last() {
                Some(last) if index + 1 < count => ShardPosition::At(cursor(last)),
                _ => ShardPosition::Done,
            };
            position.set_shard(node.clone(), shard);
            let matching =
                |key: &&Bytes| options.pattern.as_ref().is_none_or(|pattern| glob::matches(pattern, key));
            let records =
                keys.iter().filter(matching).filter_map(|key| record(&cache, key, options.fields)).collect();
            Ok(KeyBatch::new(node.clone(), records, position))
        };
        stream::iter(batches.into_iter().enumerate()).map(batch).boxed()
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
        keys.iter().map(|_| Err(unsupported(self, Capability::Dump))).collect()
    }

    async fn restore(&self, items: &[RestoreItem]) -> Vec<Result<KeyChange>> {
        items.iter().map(|_| Err(unsupported(self, Capability::Restore))).collect()
    }
}
