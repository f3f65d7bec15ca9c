//! How large the steps of work on keys are.

use larder_cache_client::StepSize;

/// A step has no more items, however fast it may go.
const MOST_ITEMS: usize = 500;

/// The size of a step whose items are so many commands each.
pub(crate) fn step_of(commands: usize) -> StepSize {
    StepSize::new(MOST_ITEMS, commands)
}
