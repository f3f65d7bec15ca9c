//! Items handed on at a pace.

use std::{sync::Arc, time::Instant};

use larder_metrics_model::NodeAddress;
use tokio_util::sync::CancellationToken;

use super::{Pace, StepTaken};

/// Work on the items of one cache in steps that a pace allows, until it is stopped.
#[derive(Clone, Debug)]
pub struct PacedSteps {
    pace: Arc<dyn Pace>,
    node: NodeAddress,
    stop: CancellationToken,
}

/// How large a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepSize {
    /// Items that a step has at the most, however fast it may go.
    pub most_items: usize,
    /// Commands that the server runs for an item.
    pub commands: usize,
}

impl StepSize {
    /// Says how many items a step has at the most, and how many commands the server runs for one.
    #[must_use]
    pub fn new(most_items: usize, commands: usize) -> Self {
        Self { most_items, commands }
    }
}

impl PacedSteps {
    /// Begins work on what the pace knows as this node.
    #[must_use]
    pub fn new(pace: &Arc<dyn Pace>, node: &NodeAddress) -> Self {
        Self { pace: Arc::clone(pace), node: node.clone(), stop: CancellationToken::new() }
    }

    /// Returns the same, to be stopped by this.
    #[must_use]
    pub fn until(self, stop: &CancellationToken) -> Self {
        Self { stop: stop.clone(), ..self }
    }

    /// Hands items on step by step, and gathers the answers in their order; where it is stopped, there are answers for the
    /// first of the items only. `act` gives an answer for each item that it is given.
    pub async fn take<'a, T, A, F>(
        &self,
        items: &'a [T],
        size: StepSize,
        mut act: impl FnMut(&'a [T]) -> F,
    ) -> Vec<A>
    where
        F: Future<Output = Vec<A>>,
    {
        let mut answers = Vec::with_capacity(items.len());
        let mut rest = items;
        while !rest.is_empty() && !self.stop.is_cancelled() {
            let most = rest.len().min(size.most_items);
            let count = self.pace.next_step(&self.node, most).await.clamp(1, rest.len());
            let (now, later) = rest.split_at(count);
            let begun = Instant::now();
            answers.extend(act(now).await);
            self.pace.taken(&self.node, StepTaken::new(count, count * size.commands, begun.elapsed()));
            rest = later;
        }
        answers
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use async_trait::async_trait;

    use super::*;

    /// Allows three items a step, and notes what it is told.
    #[derive(Debug, Default)]
    struct Threes(Mutex<Vec<(usize, usize)>>);

    #[async_trait]
    impl Pace for Threes {
        async fn next_step(&self, _node: &NodeAddress, most: usize) -> usize {
            most.min(3)
        }

        fn taken(&self, _node: &NodeAddress, step: StepTaken) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push((step.keys, step.commands));
        }
    }

    async fn doubled(items: &[u32]) -> Vec<u32> {
        items.iter().map(|item| item * 2).collect()
    }

    #[tokio::test]
    async fn answers_come_in_order_and_steps_are_told() {
        let threes = Arc::new(Threes::default());
        let pace: Arc<dyn Pace> = Arc::clone(&threes) as _;
        let steps = PacedSteps::new(&pace, &NodeAddress::new("n"));
        let items: Vec<u32> = (0..7).collect();
        assert_eq!(steps.take(&items, StepSize::new(500, 4), doubled).await, [0, 2, 4, 6, 8, 10, 12]);
        assert_eq!(steps.take(&items[..4], StepSize::new(2, 1), doubled).await, [0, 2, 4, 6]);
        assert!(steps.take(&[], StepSize::new(2, 1), doubled).await.is_empty());
        let taken = threes.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        assert_eq!(taken, [(3, 12), (3, 12), (1, 4), (2, 2), (2, 2)]);
    }

    #[tokio::test]
    async fn what_is_stopped_has_answers_for_the_first_items_only() {
        let pace: Arc<dyn Pace> = Arc::new(Threes::default());
        let stop = CancellationToken::new();
        let steps = PacedSteps::new(&pace, &NodeAddress::new("n")).until(&stop);
        let stopping = |items| {
            stop.cancel();
            doubled(items)
        };
        assert_eq!(steps.take(&[1, 2, 3, 4, 5], StepSize::new(500, 1), stopping).await, [2, 4, 6]);
        assert!(steps.take(&[1], StepSize::new(500, 1), doubled).await.is_empty());
    }
}
