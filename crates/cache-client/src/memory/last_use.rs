//! When a value was last looked up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// When a value was last looked up, or else written. Clones share it: an entry's copies are of the same entry.
#[derive(Clone, Debug)]
pub(super) struct LastUse {
    written: Instant,
    idle_when_written: Duration,
    /// Milliseconds from writing to the last look-up, rounded up; 0 while there was none.
    looked_up_after_ms: Arc<AtomicU64>,
}

impl LastUse {
    /// Begins with a value that is written now, and had not been used for `idle` before.
    pub(super) fn idle_for(idle: Duration) -> Self {
        Self { written: Instant::now(), idle_when_written: idle, looked_up_after_ms: Arc::default() }
    }

    pub(super) fn touch(&self, now: Instant) {
        let after = now.saturating_duration_since(self.written).as_millis();
        let after = u64::try_from(after).unwrap_or(u64::MAX).saturating_add(1);
        self.looked_up_after_ms.fetch_max(after, Ordering::Relaxed);
    }

    pub(super) fn idle(&self, now: Instant) -> Duration {
        let since_written = now.saturating_duration_since(self.written);
        match self.looked_up_after_ms.load(Ordering::Relaxed) {
            0 => self.idle_when_written.saturating_add(since_written),
            after => since_written.saturating_sub(Duration::from_millis(after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_up_ends_idleness() {
        let use_of_value = LastUse::idle_for(Duration::from_hours(1));
        let later = use_of_value.written + Duration::from_secs(10);
        assert_eq!(use_of_value.idle(later), Duration::from_secs(3610));
        use_of_value.clone().touch(later);
        assert_eq!(
            use_of_value.idle(later + Duration::from_secs(5)).as_secs(),
            4,
            "a millisecond is rounded up"
        );
        use_of_value.touch(use_of_value.written);
        assert_eq!(use_of_value.idle(later), Duration::ZERO, "it does not go back");
    }
}
