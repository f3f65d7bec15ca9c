//! A pace with a bound on keys a second.

use std::sync::Arc;

use async_trait::async_trait;
use larder_metrics_model::NodeAddress;

use super::{FixedRate, Pace, StepTaken};

/// Another pace, but never more than so many keys a second on every node.
#[derive(Debug)]
pub struct Capped {
    inner: Arc<dyn Pace>,
    cap: FixedRate,
}

impl Capped {
    /// Puts a bound on a pace.
    #[must_use]
    pub fn new(inner: Arc<dyn Pace>, keys_per_second: u32) -> Self {
        Self { inner, cap: FixedRate::new(keys_per_second) }
    }
}

#[async_trait]
impl Pace for Capped {
    async fn next_step(&self, node: &NodeAddress, most: usize) -> usize {
        let most = self.cap.next_step(node, most).await;
        self.inner.next_step(node, most).await
    }

    fn taken(&self, node: &NodeAddress, step: StepTaken) {
        self.cap.taken(node, step);
        self.inner.taken(node, step);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;
    use crate::FullSpeed;

    #[tokio::test(start_paused = true)]
    async fn the_bound_is_kept() {
        let (pace, node) = (Capped::new(Arc::new(FullSpeed), 1_000), NodeAddress::new("n"));
        let (begun, mut keys) = (Instant::now(), 0);
        while begun.elapsed() < Duration::from_secs(10) {
            let step = pace.next_step(&node, 1_000).await;
            pace.taken(&node, StepTaken::new(step, step, Duration::ZERO));
            keys += step;
        }
        assert!((9_800..10_300).contains(&keys), "{keys}");
        assert!(!pace.overlaps());
    }
}
