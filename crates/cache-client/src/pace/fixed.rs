//! Paces that heed nothing that the server shows.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use larder_metrics_model::NodeAddress;
use tokio::time::{Instant, sleep_until};

use super::{Pace, StepTaken};

/// As fast as it goes: the server always has a step to work on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FullSpeed;

#[async_trait]
impl Pace for FullSpeed {
    async fn next_step(&self, _node: &NodeAddress, most: usize) -> usize {
        most.max(1)
    }

    fn taken(&self, _node: &NodeAddress, _step: StepTaken) {}

    fn overlaps(&self) -> bool {
        true
    }
}

/// So many keys a second on every node, whatever the server shows.
#[derive(Debug)]
pub struct FixedRate {
    keys_per_second: u32,
    due: Mutex<HashMap<NodeAddress, Instant>>,
}

/// How much of a second's keys one step may have, so that they do not come in bursts.
const STEPS_PER_SECOND: u32 = 100;

/// How far behind its rate a sweep may catch up.
const LAG: Duration = Duration::from_millis(100);

impl FixedRate {
    /// Makes a pace of so many keys a second, one at least.
    #[must_use]
    pub fn new(keys_per_second: u32) -> Self {
        Self { keys_per_second: keys_per_second.max(1), due: Mutex::default() }
    }

    fn due(&self) -> std::sync::MutexGuard<'_, HashMap<NodeAddress, Instant>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Pace for FixedRate {
    async fn next_step(&self, node: &NodeAddress, most: usize) -> usize {
        let due = self.due().get(node).copied();
        if let Some(due) = due {
            sleep_until(due).await;
        }
        let step = self.keys_per_second.div_ceil(STEPS_PER_SECOND);
        most.min(usize::try_from(step).unwrap_or(usize::MAX)).max(1)
    }

    fn taken(&self, node: &NodeAddress, step: StepTaken) {
        let keys = u32::try_from(step.keys).unwrap_or(u32::MAX);
        let share = Duration::from_secs(1).mul_f64(f64::from(keys) / f64::from(self.keys_per_second));
        let now = Instant::now();
        let earliest = now.checked_sub(LAG).unwrap_or(now);
        let mut all = self.due();
        let due = all.entry(node.clone()).or_insert(now);
        *due = (*due).max(earliest) + share;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn keys_in(pace: &dyn Pace, time: Duration) -> usize {
        let node = NodeAddress::new("n");
        let begun = Instant::now();
        let mut keys = 0;
        while begun.elapsed() < time {
            let step = pace.next_step(&node, 1000).await;
            pace.taken(&node, StepTaken::new(step, step, Duration::ZERO));
            keys += step;
        }
        keys
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_kept_and_never_bursts() {
        for rate in [1, 10, 1000, 100_000] {
            let pace = FixedRate::new(rate);
            let keys = keys_in(&pace, Duration::from_secs(10)).await;
            let expected = rate as usize * 10;
            let step = rate.div_ceil(STEPS_PER_SECOND) as usize;
            assert!(
                keys.abs_diff(expected) <= step + expected / 50,
                "{rate} a second gave {keys} in ten seconds"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_of_nothing_is_one_key_a_second_and_full_speed_waits_for_nothing() {
        assert!(keys_in(&FixedRate::new(0), Duration::from_secs(5)).await <= 6);
        assert_eq!(FullSpeed.next_step(&NodeAddress::new("n"), 0).await, 1);
        assert_eq!(FullSpeed.next_step(&NodeAddress::new("n"), 1000).await, 1000);
        assert!(FullSpeed.overlaps() && !FixedRate::new(1).overlaps());
    }
}
