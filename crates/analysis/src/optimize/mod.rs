//! What a cache did over some time, and what would make it better.

mod analyses;
mod changed;
mod course;
mod facts;
mod families;
mod hot_keys;
mod ids;
mod levels;
mod memory;
mod notes;
mod recommend;
mod refill;
mod thresholds;
mod traffic;
mod unusual;

use chrono::{DateTime, Utc};
use larder_metrics_model::Skipped;
use serde::Serialize;

pub use analyses::{Analysis, HitRateAnalysis, LatencyAnalysis, MemoryAnalysis, NoData, OperationAnalysis};
pub use course::ChangeOfLevel;
pub use facts::{FamilyUse, HotKey, NodeHistory, OptimizeFacts, SlowCommand, Traffic, Watched};
pub use ids::optimize_finding_ids;
pub use recommend::{Priority, Recommendation};
pub use refill::Refill;
pub use thresholds::{Milliseconds, OptimizeThresholds};
pub use unusual::WatchedFigure;

use crate::{
    Finding, Severity,
    wording::{counted, percent},
};

/// Fewer measurements than this are not judged.
const FEWEST: usize = 5;
const DAY_SECONDS: f64 = 86_400.0;

/// What a cache did over some time, and what would make it better. The first five fields are those of the guide's
/// `optimization_report_*.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Optimization {
    /// How many look-ups found a value.
    pub hit_rate_analysis: Analysis<HitRateAnalysis>,
    /// How long a round trip took.
    pub latency_analysis: Analysis<LatencyAnalysis>,
    /// How full the memory was.
    pub memory_analysis: Analysis<MemoryAnalysis>,
    /// How much was done.
    pub operation_analysis: Analysis<OperationAnalysis>,
    /// What the guide recommends.
    pub recommendations: Vec<Recommendation>,
    /// Everything that was found, worst first.
    pub findings: Vec<Finding>,
    /// The time that was looked at.
    pub window: Window,
    /// What was left out of the history, and why.
    pub notes: Vec<String>,
    /// What could not be looked at, and why.
    pub skipped: Vec<Skipped>,
    /// The figures that were looked at, for those who draw them; not written into the report.
    #[serde(skip)]
    pub figures: Vec<WatchedFigure>,
}

/// The time that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Window {
    /// Which cache; null where none was named.
    pub cache: Option<String>,
    /// When it begins.
    pub from: DateTime<Utc>,
    /// When it ends.
    pub until: DateTime<Utc>,
}

/// Looks for what would make a cache better. What was not measured, or too seldom, is not judged.
#[must_use]
pub fn optimize(facts: &OptimizeFacts, thresholds: &OptimizeThresholds) -> Optimization {
    let mut notes: Vec<String> = notes::shortage(facts).into_iter().chain(facts.notes.clone()).collect();
    let mut skipped = facts.skipped.clone();
    let hit_rate = analyses::hit_rate(facts, thresholds, &mut notes);
    let latency = analyses::latency(facts, &mut notes);
    let memory = analyses::memory(facts, thresholds, &mut notes);
    let operations = analyses::operations(facts, &mut notes);
    skipped.extend(unmeasured([
        ("analysis of the hit rate", hit_rate.known().is_none()),
        ("analysis of the latency", latency.known().is_none()),
        ("analysis of the memory", memory.known().is_none()),
        ("analysis of the operations", operations.known().is_none()),
    ]));
    let (recommendations, mut findings) =
        recommend::recommend(facts, thresholds, &hit_rate, &latency, &memory);
    let has_others = facts.nodes.iter().filter(|node| node.traffic.known().is_some()).count() > 1;
    for node in &facts.nodes {
        findings.extend(memory::judge(node, thresholds));
        findings.extend(traffic::judge(node, thresholds));
        findings.extend(hot_keys::judge(node, has_others, thresholds));
        if let Some(reason) = node.slow_log.why_unknown() {
            skipped.push(Skipped::new(format!("slow log of {}", node.node), reason));
        }
    }
    findings.extend(families::judge(&facts.families));
    let figures = unusual::figures(facts);
    let changed = changed::Changed::all(&hit_rate, &latency, &memory, &operations);
    findings.extend(changed.iter().map(|changed| changed.finding(&figures, facts)));
    findings.extend(unusual::judge(&figures, facts, &changed, &mut notes));
    skipped.extend(families::unseen(&facts.families));
    skipped.extend(facts.nodes.iter().filter_map(hot_keys::unseen));
    findings.sort_by(|a, b| (b.severity, a.id, &a.subject).cmp(&(a.severity, b.id, &b.subject)));
    Optimization {
        hit_rate_analysis: hit_rate,
        latency_analysis: latency,
        memory_analysis: memory,
        operation_analysis: operations,
        recommendations,
        findings,
        window: Window { cache: facts.cache.clone(), from: facts.from, until: facts.until },
        notes: notes::together(notes),
        skipped,
        figures,
    }
}

fn unmeasured(analyses: [(&str, bool); 4]) -> impl Iterator<Item = Skipped> {
    let missing = analyses.into_iter().filter(|(_, is_missing)| *is_missing);
    missing.map(|(what, _)| {
        Skipped::new(what, "too little of it was measured in this time; `larder collect` measures")
    })
}

impl Optimization {
    /// Returns the sum of it in one line: `3 findings, 1 of them a warning or worse; hit rate 93.1 %, declining`.
    #[must_use]
    pub fn summary(&self) -> String {
        let worse = self.findings.iter().filter(|finding| finding.severity > Severity::Info).count();
        let found = counted(self.findings.len() as u64, "finding");
        let worse = if worse == 0 { String::new() } else { format!(", {worse} of them a warning or worse") };
        let hit_rate = self.hit_rate_analysis.known().map_or_else(
            || "hit rate unknown".to_owned(),
            |known| {
                let changed = known.change_of_level.as_ref().map_or_else(String::new, |change| {
                    format!(": {} since {}", percent(change.now), change.since.format("%F"))
                });
                format!("hit rate {}, {}{changed}", percent(known.average_hit_rate), known.trend)
            },
        );
        format!("{found}{worse}; {hit_rate}")
    }
}
