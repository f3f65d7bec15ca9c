//! Batches at a pace.

use std::{sync::Arc, time::Instant};

use larder_cache_client::{Pace, StepTaken};
use larder_metrics_model::NodeAddress;
use tokio_util::sync::CancellationToken;

/// A pace on its way through one cache.
#[derive(Clone, Debug)]
pub(super) struct Paced {
    pub(super) pace: Arc<dyn Pace>,
    pub(super) node: NodeAddress,
    pub(super) stop: CancellationToken,
}

impl Paced {
    /// Hands items on in steps of at most so many, and gathers the answers in their order; where it is stopped, there are
    /// answers for the first items only. `commands` is how many commands the server runs for an item.
    pub(super) async fn in_steps<'a, T, A, F>(
        &self,
        items: &'a [T],
        (most, commands): (usize, usize),
        mut act: impl FnMut(&'a [T]) -> F,
    ) -> Vec<A>
    where
        F: Future<Output = Vec<A>>,
    {
        let mut answers = Vec::with_capacity(items.len());
        let mut rest = items;
        while !rest.is_empty() && !self.stop.is_cancelled() {
            let count = self.pace.next_step(&self.node, rest.len().min(most)).await.clamp(1, rest.len());
            let (now, later) = rest.split_at(count);
            let begun = Instant::now();
            answers.extend(act(now).await);
            self.pace.taken(&self.node, StepTaken::new(count, count * commands, begun.elapsed()));
            rest = later;
        }
        answers
    }
}
