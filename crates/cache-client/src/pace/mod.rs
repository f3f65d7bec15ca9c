//! The seam for how fast a sweep goes.

mod capped;
mod fixed;
mod governor;
mod recent;
mod steps;

pub use capped::Capped;
pub use fixed::{FixedRate, FullSpeed};
pub use governor::{Governor, GovernorOptions, ServerSigns};
pub use steps::{PacedSteps, StepSize};

use std::{fmt::Debug, time::Duration};

use async_trait::async_trait;
use larder_metrics_model::NodeAddress;

/// What became of one step of a sweep, a dump, a removal or a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepTaken {
    /// Keys that were dealt with; of a sweep, those that the server went through, whether they match its pattern or not.
    pub keys: usize,
    /// Commands that the server ran for them.
    pub commands: usize,
    /// From the moment at which it was sent to the last byte of its answer.
    pub round_trip: Duration,
}

impl StepTaken {
    /// Records a step.
    #[must_use]
    pub fn new(keys: usize, commands: usize, round_trip: Duration) -> Self {
        Self { keys, commands, round_trip }
    }
}

/// How fast work on the keys of a server goes: how many keys the next step may have, and when it may be sent.
///
/// # Contract
///
/// - [`Pace::next_step`] returns when a step may be sent to the node, and how many keys it may have, one at least.
/// - Whoever sends a step tells [`Pace::taken`] of it; a pace that is told nothing goes as it began.
/// - Nodes are paced one by one; one pace may serve any number of sweeps at once, and then governs their sum.
#[async_trait]
pub trait Pace: Debug + Send + Sync {
    /// Waits until a step may be sent, and returns how many keys it may have; `most` is what is wanted.
    async fn next_step(&self, node: &NodeAddress, most: usize) -> usize;

    /// Takes note of a step.
    fn taken(&self, node: &NodeAddress, step: StepTaken);

    /// Tells whether a step may be sent while the one before it is still under way. Then the server never waits for the
    /// client, and neither can be seen in the round trips of the other.
    fn overlaps(&self) -> bool {
        false
    }
}
