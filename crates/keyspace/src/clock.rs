//! Clocks: that of this machine, and that of the servers.

use std::time::{SystemTime, UNIX_EPOCH};

use larder_cache_client::CacheClient;

use crate::Result;

/// This moment by the clock of this machine, in milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The clock of the servers. Moments at which keys expire are told in it; by a clock that goes otherwise a TTL would be in
/// the past, and what is left of one would be wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerClock {
    ahead_ms: i64,
}

impl ServerClock {
    /// Asks the servers once, and reckons from there.
    ///
    /// # Errors
    /// [`Error::Cache`](crate::Error::Cache) where they do not say.
    pub(crate) async fn of(client: &CacheClient) -> Result<Self> {
        let told = client.keys().clock_ms().await?;
        Ok(Self { ahead_ms: told.saturating_sub(now_ms()) })
    }

    /// The clock of this machine, for where the servers' is not known and nothing is changed by it.
    pub(crate) fn of_this_machine() -> Self {
        Self { ahead_ms: 0 }
    }

    /// This moment, in milliseconds since 1970.
    pub(crate) fn now_ms(self) -> i64 {
        now_ms().saturating_add(self.ahead_ms)
    }
}
