//! What is hashed, put together piece by piece.

use std::fmt;

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// Up to this length a message is hashed at once, which spares the state of the streaming function.
const ROOM_LEN: usize = 4096;

/// A message of any length, of which no more than [`ROOM_LEN`] bytes are kept.
#[derive(Default)]
pub(super) struct Message {
    room: Vec<u8>,
    /// Holds what came before the room, if `is_long`.
    state: Option<Box<Xxh3>>,
    is_long: bool,
}

impl Message {
    /// Starts anew; what was not finished is forgotten.
    #[inline]
    pub(super) fn start(&mut self) {
        self.room.clear();
        self.is_long = false;
    }

    /// Appends bytes as they are.
    #[inline]
    pub(super) fn put(&mut self, bytes: &[u8]) {
        if self.room.len() + bytes.len() <= ROOM_LEN {
            self.room.extend_from_slice(bytes);
        } else {
            self.put_long(bytes);
        }
    }

    /// Appends bytes with their length in front, so that it can be told where they end.
    #[inline]
    pub(super) fn put_counted(&mut self, bytes: &[u8]) {
        self.put(&(bytes.len() as u64).to_le_bytes());
        self.put(bytes);
    }

    /// Gives the hash of everything since the start.
    #[inline]
    pub(super) fn finish(&mut self) -> u128 {
        match &mut self.state {
            Some(state) if self.is_long => {
                state.update(&self.room);
                state.digest128()
            }
            _ => xxh3_128(&self.room),
        }
    }

    #[cold]
    fn put_long(&mut self, bytes: &[u8]) {
        let state = self.state.get_or_insert_with(|| Box::new(Xxh3::new()));
        if !self.is_long {
            state.reset();
            self.is_long = true;
        }
        state.update(&self.room);
        self.room.clear();
        if bytes.len() < ROOM_LEN {
            self.room.extend_from_slice(bytes);
        } else {
            state.update(bytes);
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("is_long", &self.is_long).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_length_hash_as_the_whole() {
        let data: Vec<u8> = (0..40_000u32).map(|i| (i % 251) as u8).collect();
        let mut message = Message::default();
        for (len, piece) in
            [(0, 1), (1, 1), (240, 7), (4096, 4096), (4097, 4096), (40_000, 1000), (40_000, 39_000)]
        {
            message.start();
            data[..len].chunks(piece).for_each(|piece| message.put(piece));
            assert_eq!(message.finish(), xxh3_128(&data[..len]), "{len} in pieces of {piece}");
        }
    }
}
