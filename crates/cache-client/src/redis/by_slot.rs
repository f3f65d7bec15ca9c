//! Batches into a cluster, sorted by the node of each key.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use futures_util::future::join_all;
use larder_metrics_model::NodeAddress;
use redis::{Arg, Cmd, Value};

use super::{
    link::{Effect, Link},
    sweep::{Shard, Shards},
};
use crate::Result;

/// A link that sends each node its part of a batch in one packet. What a node sends elsewhere, and what no node is known
/// for, goes over a link that follows.
pub(crate) struct BySlot {
    follows: Arc<dyn Link>,
    shards: Arc<dyn Shards>,
    known: Mutex<Option<Arc<[Shard]>>>,
}

impl fmt::Debug for BySlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BySlot").field("follows", &self.follows).finish_non_exhaustive()
    }
}

impl BySlot {
    pub(crate) fn new(follows: Arc<dyn Link>, shards: Arc<dyn Shards>) -> Self {
        Self { follows, shards, known: Mutex::new(None) }
    }

    async fn shards(&self) -> Arc<[Shard]> {
        let known = self.known().clone();
        if let Some(known) = known {
            return known;
        }
        // Where they cannot be found out, everything goes over the link that follows, which says why.
        let Ok(found) = self.shards.shards().await else { return Arc::from([]) };
        let found: Arc<[Shard]> = found.into();
        *self.known() = Some(Arc::clone(&found));
        found
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Option<Arc<[Shard]>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Words that stand between the name of a command and its key.
fn key_of(command: &Cmd) -> Option<&[u8]> {
    let mut words = command.args_iter().filter_map(|word| match word {
        Arg::Simple(bytes) => Some(bytes),
        _ => None,
    });
    match words.next()? {
        b"OBJECT" | b"MEMORY" => words.nth(1),
        b"EVAL" | b"EVALSHA" => words.nth(2),
        _ => words.next(),
    }
}

const SLOTS: u16 = 16_384;

/// The slot of a key: CRC-16 of what is between its first braces, or of the whole (Redis Cluster specification, "Hash tags").
pub(super) fn slot_of(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        let length = rest.iter().position(|byte| *byte == b'}')?;
        (length > 0).then(|| &rest[..length])
    });
    crc16::State::<crc16::XMODEM>::calculate(tag.unwrap_or(key)) % SLOTS
}

/// The place of the shard that holds a slot.
pub(super) fn shard_of(shards: &[Shard], slot: u16) -> Option<usize> {
    let holds = |shard: &Shard| shard.slots.iter().any(|(first, last)| (*first..=*last).contains(&slot));
    shards.iter().position(holds)
}

#[async_trait]
impl Link for BySlot {
    fn node(&self) -> &NodeAddress {
        self.follows.node()
    }

    async fn run(&self, command: Cmd, effect: Effect) -> Result<Value> {
        self.follows.run(command, effect).await
    }

    async fn run_all(&self, commands: Vec<Cmd>, effect: Effect) -> Vec<Result<Value>> {
        let shards = self.shards().await;
        let mut parts: HashMap<usize, Vec<usize>> = HashMap::new();
        for (index, command) in commands.iter().enumerate() {
            let slot = key_of(command).map(slot_of);
            let shard = slot.and_then(|slot| shard_of(&shards, slot)).unwrap_or(usize::MAX);
            parts.entry(shard).or_default().push(index);
        }
        let sent = parts.into_iter().map(|(shard, indexes)| {
            let part = indexes.iter().map(|index| commands[*index].clone()).collect();
            let link = shards.get(shard).map_or(&self.follows, |shard| &shard.link);
            async move { (indexes, link.run_all(part, effect).await) }
        });
        let mut answers: Vec<Option<Result<Value>>> = commands.iter().map(|_| None).collect();
        for (indexes, part) in join_all(sent).await {
            for (index, answer) in indexes.into_iter().zip(part) {
                answers[index] = Some(answer);
            }
        }
        // A node that sends elsewhere has done nothing; one that is gone may have a successor, and only reads may be repeated.
        let again: Vec<usize> = (0..answers.len())
            .filter(|index| {
                let Some(Err(error)) = &answers[*index] else { return answers[*index].is_none() };
                error.is_elsewhere()
                    || (error.is_retryable() && (effect == Effect::Read || error.was_refused()))
            })
            .collect();
        if !again.is_empty() {
            *self.known() = None;
            let part = again.iter().map(|index| commands[*index].clone()).collect();
            for (index, answer) in again.into_iter().zip(self.follows.run_all(part, effect).await) {
                answers[index] = Some(answer);
            }
        }
        answers.into_iter().map(|answer| answer.unwrap_or(Ok(Value::Nil))).collect()
    }
}

#[cfg(test)]
mod tests {
    use redis::cmd;

    use super::*;

    #[test]
    fn slots_are_those_of_cluster_keyslot() {
        // What CLUSTER KEYSLOT answers on Redis 7.0.
        for (key, slot) in [
            ("foo", 12_182),
            ("{foo}bar", 12_182),
            ("bar{foo}{x}", 12_182),
            ("{}foo", 9_500),
            ("", 0),
            ("{foo", 13_308),
        ] {
            assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
        }
    }

    #[test]
    fn the_key_of_a_command_is_found() {
        for (words, key) in [
            (&["PTTL", "k"][..], "k"),
            (&["MEMORY", "USAGE", "k"], "k"),
            (&["OBJECT", "IDLETIME", "k"], "k"),
            (&["EVAL", "script", "1", "k", "x"], "k"),
        ] {
            let mut command = cmd(words[0]);
            command.arg(&words[1..]);
            assert_eq!(key_of(&command), Some(key.as_bytes()));
        }
        assert_eq!(key_of(&cmd("PING")), None);
    }
}
