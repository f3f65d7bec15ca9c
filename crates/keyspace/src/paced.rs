//! Batches at a pace.

use std::{future::Future, sync::Arc, time::Instant};

use larder_cache_client::{Pace, StepTaken};
use larder_metrics_model::NodeAddress;
use tokio_util::sync::CancellationToken;

/// Hands items on in steps that a pace allows, and gathers the answers in their order.
///
/// `commands` is how many commands the server runs for an item.
pub(crate) async fn in_steps<'a, T, A, F>(
    pace: &Arc<dyn Pace>,
    node: &NodeAddress,
    items: &'a [T],
    commands: usize,
    step: impl FnMut(&'a [T]) -> F,
) -> Vec<A>
where
    F: Future<Output = Vec<A>>,
{
    in_steps_until(&CancellationToken::new(), pace, node, items, commands, step).await
}

/// The same, until it is stopped: then there are answers for the first of the items only.
pub(crate) async fn in_steps_until<'a, T, A, F>(
    stop: &CancellationToken,
    pace: &Arc<dyn Pace>,
    node: &NodeAddress,
    items: &'a [T],
    commands: usize,
    mut act: impl FnMut(&'a [T]) -> F,
) -> Vec<A>
where
    F: Future<Output = Vec<A>>,
{
    let mut answers = Vec::with_capacity(items.len());
    let mut rest = items;
    while !rest.is_empty() && !stop.is_cancelled() {
        let count = pace.next_step(node, rest.len().min(MOST_ITEMS)).await.clamp(1, rest.len());
        let (now, later) = rest.split_at(count);
        let begun = Instant::now();
        answers.extend(act(now).await);
        pace.taken(node, StepTaken::new(count, count * commands, begun.elapsed()));
        rest = later;
    }
    answers
}

/// A step has no more items, however fast it may go.
const MOST_ITEMS: usize = 500;
