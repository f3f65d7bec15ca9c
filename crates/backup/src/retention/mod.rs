//! Which backups stay.

mod apply;
mod plan;
mod policy;
#[cfg(test)]
mod tests;

pub use apply::{PruneOutcome, prune};
pub use plan::{PruneDecision, PruneFate, PrunePlan, plan_prune};
pub use policy::KeepPolicy;

pub(crate) use policy::span;
