//! When a cache is full: what it takes, how fast that grows, and on which day it passes its limits.

mod facts;
mod findings;
mod foretell;
mod growth;
mod guide;
mod ids;
mod model;
mod options;
mod outlook;
mod passing;
mod period;

use chrono::{DateTime, Utc};
use larder_metrics_model::Skipped;
use serde::Serialize;

pub use facts::{CapacityFacts, LimitSource, ResourceFacts, ResourceKind, ResourceLimit};
pub use growth::{Growth, MonthMedian, MonthOverMonth};
pub use guide::{CapacityRecommendation, GrowthProjections, MemoryTrends, OperationTrends};
pub use ids::capacity_finding_ids;
pub use model::{CapacityModel, Foretold};
pub use options::CapacityOptions;
pub use outlook::ResourceOutlook;
pub use passing::{Passing, PassingState};
pub(crate) use period::{Used, used};

use crate::{Finding, optimize::Analysis};

/// The days of a month: the mean of the Gregorian calendar, 365.2425 / 12.
pub(crate) const MONTH_DAYS: f64 = 365.2425 / 12.0;

/// What a cache takes, how fast that grows, and when it passes its limits. The first four fields are those of the guide's
/// `capacity_report_*.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Capacity {
    /// Memory of all primaries together, over the last month.
    pub memory_trends: Analysis<MemoryTrends>,
    /// Operations of the cache as a whole, over the last month.
    pub operation_trends: Analysis<OperationTrends>,
    /// What both come to in six months where they go on as they did.
    pub growth_projections: GrowthProjections,
    /// What the guide recommends.
    pub capacity_recommendations: Vec<CapacityRecommendation>,
    /// Each resource of each node, or of the cache.
    pub resources: Vec<ResourceOutlook>,
    /// What was found, worst first.
    pub findings: Vec<Finding>,
    /// Which cache; null where none was named.
    pub cache: Option<String>,
    /// As of when.
    pub now: DateTime<Utc>,
    /// How many days were to be foretold.
    pub horizon_days: i64,
    /// What should be known of the history, and is of no single resource.
    pub notes: Vec<String>,
    /// What could not be looked at, and why.
    pub skipped: Vec<Skipped>,
}

impl Capacity {
    /// Returns one line for people: what passes its limit first.
    #[must_use]
    pub fn summary(&self) -> String {
        if let Some(worst) = self.findings.first() {
            return format!("{} {}: {}", worst.severity, worst.subject, worst.message);
        }
        let foretold = self.resources.iter().filter(|it| it.model.is_some()).count();
        match foretold {
            0 => "not enough data: nothing is foretold".to_owned(),
            _ => format!(
                "nothing passes a limit; {foretold} of {} resources are foretold",
                self.resources.len()
            ),
        }
    }
}

/// Foretells every resource, as of `now`. What was not measured, or for too short a time, has no dates, and says so.
#[must_use]
pub fn plan_capacity(facts: &CapacityFacts, options: &CapacityOptions, now: DateTime<Utc>) -> Capacity {
    let resources: Vec<ResourceOutlook> =
        facts.resources.iter().map(|resource| ResourceOutlook::of(resource, options, now)).collect();
    let memory = guide::memory_trends(&facts.memory, now);
    let operations = guide::operation_trends(&facts.operations, now);
    let growth_projections = guide::projections(&memory, &operations);
    let (capacity_recommendations, of_growth) =
        guide::recommend(facts.cache.as_deref().unwrap_or("cache"), &memory, &operations, options);
    let mut findings: Vec<Finding> =
        resources.iter().filter_map(|resource| findings::judge(resource, options, now)).collect();
    findings.extend(of_growth);
    findings.sort_by(|a, b| (b.severity, a.id, &a.subject).cmp(&(a.severity, b.id, &b.subject)));
    Capacity {
        memory_trends: memory.analysis,
        operation_trends: operations.analysis,
        growth_projections,
        capacity_recommendations,
        resources,
        findings,
        cache: facts.cache.clone(),
        now,
        horizon_days: options.horizon.num_days(),
        notes: facts.notes.clone(),
        skipped: facts.skipped.clone(),
    }
}

#[cfg(test)]
mod tests;
