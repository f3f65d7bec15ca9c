//! Moments by the clock of a server.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What a clock said, and when it said so: what it says now is told without asking again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    said_ms: i64,
    at: Instant,
}

impl Clock {
    /// Takes what a clock just said, in milliseconds since 1970.
    pub(crate) fn saying(said_ms: i64) -> Self {
        Self { said_ms, at: Instant::now() }
    }

    /// This machine's own, where a server's cannot be asked.
    pub(crate) fn of_this_machine() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::saying(i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.said_ms.saturating_add(i64::try_from(self.at.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}
