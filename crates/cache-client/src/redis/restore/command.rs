//! RESTORE, as it is written.

use redis::{Cmd, cmd};

use crate::{
    KeyChange, RestoreItem, Result, Ttl,
    redis::{
        answer::milliseconds,
        wire::{Outgoing, Requests},
    },
};

/// What stands around the payload: `RESTORE key time payload [REPLACE] [ABSTTL] [IDLETIME seconds]` (ABSTTL and IDLETIME since
/// Redis 5.0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Arguments {
    time_ms: u64,
    is_moment: bool,
    replaces: bool,
    idle_s: Option<u64>,
}

/// Servers keep 24 bits of it and drop the rest (Redis 7.0 `src/server.h`, `LRU_BITS`).
const LONGEST_IDLE_S: u64 = (1 << 24) - 1;

impl Arguments {
    fn of(item: &RestoreItem) -> Self {
        let (time_ms, is_moment) = match (item.value.expires_at_ms, item.value.ttl) {
            // Zero would be no end at all, and less is refused; one is as far in the past as it gets.
            (Some(at), _) => (u64::try_from(at).unwrap_or(0).max(1), true),
            (None, Ttl::None) => (0, false),
            (None, Ttl::In(time)) => (milliseconds(time), false),
        };
        let idle_s = item.value.idle.map(|idle| idle.as_secs().min(LONGEST_IDLE_S));
        Self { time_ms, is_moment, replaces: item.overwrite, idle_s }
    }

    fn words(self) -> usize {
        4 + usize::from(self.replaces) + usize::from(self.is_moment) + 2 * usize::from(self.idle_s.is_some())
    }

    /// Adds what stands behind the payload.
    fn finish(self, requests: &mut Requests) {
        if self.replaces {
            requests.word(b"REPLACE");
        }
        if self.is_moment {
            requests.word(b"ABSTTL");
        }
        if let Some(idle_s) = self.idle_s {
            requests.word(b"IDLETIME");
            requests.number_word(idle_s);
        }
    }
}

/// The command for the client library.
pub(super) fn of(item: &RestoreItem) -> Cmd {
    let arguments = Arguments::of(item);
    let mut command = cmd("RESTORE");
    command.arg(item.key.as_ref()).arg(arguments.time_ms).arg(item.value.payload.as_ref());
    if arguments.replaces {
        command.arg("REPLACE");
    }
    if arguments.is_moment {
        command.arg("ABSTTL");
    }
    if let Some(idle_s) = arguments.idle_s {
        command.arg("IDLETIME").arg(idle_s);
    }
    command
}

/// RESTORE without REPLACE answers BUSYKEY where the key is there.
pub(super) fn restored<T>(answer: Result<T>) -> Result<KeyChange> {
    match answer {
        Ok(_) => Ok(KeyChange::Done),
        Err(error) if error.is_busy_key() => Ok(KeyChange::Exists),
        Err(error) => Err(error),
    }
}

/// Payloads up to this are gathered with what stands around them; longer ones are sent from where they lie.
const GATHERED_BYTES: usize = 16 << 10;
/// About how much is gathered before it is sent.
const PIECE_BYTES: usize = 128 << 10;

/// The commands of several items, made while they are sent.
#[derive(Debug)]
pub(super) struct RestoreCommands<'a> {
    items: Vec<&'a RestoreItem>,
    begun: usize,
    gathered: Requests,
    written: usize,
    /// A payload that comes behind what is gathered, and what comes behind it.
    payload: Option<(&'a [u8], Arguments)>,
}

impl<'a> RestoreCommands<'a> {
    pub(super) fn new(items: Vec<&'a RestoreItem>) -> Self {
        Self { items, begun: 0, gathered: Requests::default(), written: 0, payload: None }
    }

    /// How many commands the server may have got something of.
    pub(super) fn begun(&self) -> usize {
        self.begun
    }

    /// Whether everything that was gathered is written.
    fn is_at_payload(&self) -> bool {
        self.written >= self.gathered.bytes().len()
    }

    fn gather(&mut self) {
        self.gathered.clear();
        self.written = 0;
        if let Some((_, arguments)) = self.payload.take() {
            self.gathered.end_word();
            arguments.finish(&mut self.gathered);
        }
        while self.payload.is_none() && self.gathered.bytes().len() < PIECE_BYTES {
            let Some(item) = self.items.get(self.begun).copied() else { return };
            self.begun += 1;
            self.add(item);
        }
    }

    fn add(&mut self, item: &'a RestoreItem) {
        let arguments = Arguments::of(item);
        self.gathered.begin(arguments.words());
        self.gathered.word(b"RESTORE");
        self.gathered.word(&item.key);
        self.gathered.number_word(arguments.time_ms);
        let payload = item.value.payload.as_ref();
        if payload.len() > GATHERED_BYTES {
            self.gathered.begin_word(payload.len());
            self.payload = Some((payload, arguments));
        } else {
            self.gathered.word(payload);
            arguments.finish(&mut self.gathered);
        }
    }
}

impl Outgoing for RestoreCommands<'_> {
    fn next(&mut self) -> &[u8] {
        let waits = self.payload.is_some_and(|(rest, _)| !rest.is_empty());
        if self.is_at_payload() && !waits {
            self.gather();
        }
        match self.payload {
            Some((rest, _)) if self.is_at_payload() => rest,
            _ => &self.gathered.bytes()[self.written..],
        }
    }

    fn written(&mut self, bytes: usize) {
        match &mut self.payload {
            Some((rest, _)) if self.written >= self.gathered.bytes().len() => *rest = &rest[bytes..],
            _ => self.written += bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::DumpedValue;

    fn item(payload: usize, ttl: Ttl, at: Option<i64>, idle: Option<u64>, overwrite: bool) -> RestoreItem {
        let mut value = DumpedValue::new(Bytes::from(vec![b'p'; payload]), ttl);
        value.expires_at_ms = at;
        value.idle = idle.map(Duration::from_secs);
        RestoreItem { key: Bytes::from(format!("key:{payload}")), value, overwrite }
    }

    fn written(items: &[RestoreItem], most: usize) -> Vec<u8> {
        let mut commands = RestoreCommands::new(items.iter().collect());
        let mut bytes = Vec::new();
        loop {
            let next = commands.next();
            if next.is_empty() {
                assert_eq!(commands.begun(), items.len());
                return bytes;
            }
            let count = next.len().min(most);
            bytes.extend_from_slice(&next[..count]);
            commands.written(count);
        }
    }

    #[test]
    fn moments_are_never_told_as_no_end() {
        for (at, told) in [(i64::MIN, 1), (-1, 1), (0, 1), (1, 1), (4_102_444_800_000, 4_102_444_800_000)] {
            let arguments = Arguments::of(&item(1, Ttl::None, Some(at), None, false));
            assert!(arguments.is_moment);
            assert_eq!(arguments.time_ms, told);
        }
        let idle = Arguments::of(&item(1, Ttl::None, None, Some(u64::MAX), true)).idle_s;
        assert_eq!(idle, Some(16_777_215));
    }

    proptest! {
        #[test]
        fn commands_are_written_as_the_client_library_writes_them(
            items in prop::collection::vec(
                (0..40_000_usize, any::<Option<u32>>(), any::<Option<i64>>(), any::<Option<u64>>(), any::<bool>()),
                0..8,
            ),
            most in 1..100_000_usize,
        ) {
            let items: Vec<_> = items.into_iter().map(|(payload, ttl, at, idle, overwrite)| {
                let ttl = ttl.map_or(Ttl::None, |ms| Ttl::In(Duration::from_millis(ms.into())));
                item(payload, ttl, at, idle, overwrite)
            }).collect();
            let expected: Vec<u8> = items.iter().flat_map(|item| of(item).get_packed_command()).collect();
            prop_assert!(written(&items, most) == expected);
        }
    }
}
