#![doc = include_str!("../README.md")]

mod finding;
mod health;
mod optimize;
mod series;
mod statistics;
mod trend;
mod wording;

pub use finding::{Evidence, EvidenceValue, Finding, FindingId, Severity};
pub use health::{
    Bound, Ceiling, Check, CheckState, GuideThresholds, HealthThresholds, HealthVerdict, PerformanceDatum,
    PerformanceUnit, Status, ThresholdError, health_finding_ids, judge_health,
};
pub use optimize::{
    Analysis, FamilyUse, HitRateAnalysis, LatencyAnalysis, MemoryAnalysis, Milliseconds, NoData, NodeHistory,
    OperationAnalysis, Optimization, OptimizeFacts, OptimizeThresholds, Priority, Recommendation,
    SlowCommand, Window, optimize, optimize_finding_ids,
};
pub use series::{Observation, Rates, SeriesBreak, Step, Summarise, Summary, TimeSeries, find_breaks, rates};
pub use statistics::MannKendall;
pub use trend::{Better, Level, LevelChange, Slope, Trend, TrendOptions, TrendWord, judge_trend};
