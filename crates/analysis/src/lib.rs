#![doc = include_str!("../README.md")]

mod anomaly;
mod audit;
mod capacity;
mod finding;
mod forecast;
mod health;
mod optimize;
mod series;
mod statistics;
mod trend;
mod wording;

pub use anomaly::{
    Anomalies, Anomaly, AnomalyDetector, AnomalyOptions, Basis, Cause, CauseKind, Direction, Judged,
    Movement, Phase, Surroundings, detect_anomalies, likely_cause,
};
pub use audit::{
    Acceptance, Accepted, AclUser, AuditFacts, AuditOptions, AuditRule, AuditVerdict, AuditedNode,
    DANGEROUS_COMMANDS, DangerousCommand, MachineTuning, SettingLine, SettingsFile, UnknownGroup,
    audit_finding_ids, audit_rules, judge_audit,
};
pub use capacity::{
    Capacity, CapacityFacts, CapacityModel, CapacityOptions, CapacityRecommendation, Foretold, Growth,
    GrowthProjections, LimitSource, MemoryTrends, MonthMedian, MonthOverMonth, OperationTrends, Passing,
    PassingState, ResourceFacts, ResourceKind, ResourceLimit, ResourceOutlook, capacity_finding_ids,
    plan_capacity,
};
pub use finding::{Evidence, EvidenceValue, Finding, FindingId, Severity};
pub use forecast::{Backtest, Forecast, ForecastError, ForecastMethod, ForecastOptions, forecast};
pub use health::{
    Bound, Ceiling, Check, CheckState, GuideThresholds, HealthThresholds, HealthVerdict, PerformanceDatum,
    PerformanceUnit, Status, ThresholdError, health_finding_ids, judge_health,
};
pub use optimize::{
    Analysis, ChangeOfLevel, FamilyUse, HitRateAnalysis, HotKey, LatencyAnalysis, MemoryAnalysis,
    Milliseconds, NoData, NodeHistory, OperationAnalysis, Optimization, OptimizeFacts, OptimizeThresholds,
    Priority, Recommendation, Refill, SlowCommand, Traffic, Watched, WatchedFigure, Window, optimize,
    optimize_finding_ids,
};
pub use series::{
    Observation, Rates, SeriesBreak, Step, Summarise, Summary, TimeSeries, find_breaks, rates, sum_of,
};
pub use statistics::MannKendall;
pub use trend::{Better, Level, LevelChange, Slope, Trend, TrendOptions, TrendWord, judge_trend};
