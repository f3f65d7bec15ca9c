//! The health verdict.

mod application;
mod ceiling;
mod clients;
mod cluster;
mod containers;
mod ids;
mod ledger;
mod machine;
mod memory;
mod node;
mod performance;
mod performance_of_node;
mod persistence;
mod reach;
mod replication;
mod sentinel;
mod thresholds;
mod traffic;
mod verdict;

use larder_metrics_model::HealthFacts;

use self::ledger::Ledger;
pub use self::{
    ceiling::{Ceiling, ThresholdError},
    ids::health_finding_ids,
    performance::{Bound, PerformanceDatum, PerformanceUnit},
    thresholds::{GuideThresholds, HealthThresholds},
    verdict::{Check, CheckState, HealthVerdict, Status},
};

/// Judges what was gathered.
///
/// A node that was asked and did not answer is critical. What was not looked at, or what a server does not give, is
/// listed as skipped and does not worsen the verdict, as long as at least one node that holds keys gave something to
/// judge; without one the status is [`Status::Unknown`], or [`Status::Critical`] where something critical was found.
#[must_use]
pub fn judge_health(facts: &HealthFacts, thresholds: &HealthThresholds) -> HealthVerdict {
    let mut ledger = Ledger::default();
    machine::judge(&mut ledger, &facts.machine, thresholds);
    let cache_was_judged = node::judge_all(&mut ledger, &facts.nodes, thresholds);
    application::judge(&mut ledger, &facts.application, thresholds);
    containers::judge(&mut ledger, &facts.containers);
    ledger.skip_all(&facts.skipped);
    ledger.close(cache_was_judged)
}
