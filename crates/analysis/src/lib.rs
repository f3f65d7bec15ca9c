#![doc = include_str!("../README.md")]

mod finding;
mod health;
mod wording;

pub use finding::{Evidence, EvidenceValue, Finding, FindingId, Severity};
pub use health::{
    Bound, Ceiling, Check, CheckState, GuideThresholds, HealthThresholds, HealthVerdict, PerformanceDatum,
    PerformanceUnit, Status, ThresholdError, health_finding_ids, judge_health,
};
