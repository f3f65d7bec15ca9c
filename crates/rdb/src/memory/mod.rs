//! What a key costs in a server.
//!
//! Servers are asked with `MEMORY USAGE key SAMPLES 0`, and what they add up differs from line to line: the
//! formulas follow `objectComputeSize` in `src/object.c` of Redis 7.0 and 8.0 and of Valkey 8.1 and 9.1, and the
//! structures they add up.

mod alloc;
mod rax;
mod sizing;
mod structures;

pub use alloc::Allocator;

use std::io::Read;

use sizing::Sizing;
use structures::{Key, Structures};

use crate::skim::Tally;
use crate::walk::{Part, Visit};
use crate::{Entry, Result, Server, Skimmed, ValueType};

/// A server's structures and allocator, to estimate with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryModel {
    server: Server,
    allocator: Allocator,
}

impl MemoryModel {
    /// The model of a server as its makers build it, with the jemalloc that comes with it.
    #[must_use]
    pub fn new(server: Server) -> Self {
        Self { server, allocator: Allocator::Bundled }
    }

    /// The same server with another allocator.
    #[must_use]
    pub fn with_allocator(self, allocator: Allocator) -> Self {
        Self { allocator, ..self }
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> Server {
        self.server
    }

    /// Starts a key; the parts of its value are then handed over.
    fn start(self, value_type: ValueType, key: Key) -> Sizing {
        Sizing::new(Structures::of(self.server, self.allocator), value_type, key)
    }
}

/// What a key costs in a server, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct MemoryEstimate {
    /// What `MEMORY USAGE key SAMPLES 0` answers on that server right after loading.
    pub usage_bytes: u64,
    /// What that leaves out of the key itself: Valkey 8.1 does not count the name, except in short strings.
    pub uncounted_key_bytes: u64,
    /// The key's share of the table of keys, on average.
    pub table_bytes: u64,
    /// Its entry in the table of expiring keys, on average; zero if it does not expire.
    pub expires_bytes: u64,
    /// False for a module's value: only the module knows, and its serialised strings are counted instead.
    pub is_known: bool,
}

impl MemoryEstimate {
    /// Everything that would be given back if the key were gone.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.usage_bytes + self.uncounted_key_bytes + self.table_bytes + self.expires_bytes
    }
}

/// Counts and sizes in one pass.
#[derive(Debug)]
struct TallyAndSizing {
    tally: Tally,
    sizing: Sizing,
}

impl Visit for TallyAndSizing {
    const READS_DIGITS: bool = Sizing::READS_DIGITS;

    #[inline]
    fn part(&mut self, part: Part) {
        self.tally.part(part);
        self.sizing.part(part);
    }
}

impl<'r, R: Read> Entry<'r, R> {
    /// Estimates what the key costs in a server, reading no more than skimming does.
    ///
    /// # Errors
    /// As [`Reader::next_record`](crate::Reader::next_record).
    pub fn memory(self, model: &MemoryModel) -> Result<MemoryEstimate> {
        let mut sizing = self.sizing(model);
        self.visit(&mut sizing)?;
        Ok(sizing.finish())
    }

    /// Passes the value by, and gives both what [`Entry::skim`] and what [`Entry::memory`] give, in one pass.
    ///
    /// # Errors
    /// As [`Reader::next_record`](crate::Reader::next_record).
    pub fn skim_with_memory(self, model: &MemoryModel) -> Result<(Skimmed<'r>, MemoryEstimate)> {
        let mut both = TallyAndSizing { tally: Tally::new(), sizing: self.sizing(model) };
        self.reader.walk(&mut both)?;
        Ok((self.reader.skimmed(&both.tally), both.sizing.finish()))
    }

    fn sizing(&self, model: &MemoryModel) -> Sizing {
        let key = Key { len: self.key().len() as u64, expires: self.meta().expires_at_ms.is_some() };
        model.start(self.value_type(), key)
    }
}
