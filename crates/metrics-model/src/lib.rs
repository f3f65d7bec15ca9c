#![doc = include_str!("../README.md")]

mod absence;
mod cluster;
mod continuity;
mod health;
mod info;
mod instant;
mod keyspace;
mod latency;
mod metric;
mod node;
mod ratio;
mod report;
mod resources;
mod server;
mod server_sections;
mod snapshot;
mod version;

pub use absence::{Failure, FailureKind, Observed, Skipped};
pub use cluster::ClusterState;
pub use continuity::{Break, Counters, Interval};
pub use health::{ApplicationObservation, Container, HealthFacts, HttpAnswer, NodeObservation};
pub use info::{Info, InfoFields};
pub use keyspace::{FamilyFigures, KeyspaceSnapshot};
pub use latency::{LatencySummary, percentile};
pub use metric::{Metric, MetricKind, Sample, Scope, Unit, metric, metrics};
pub use node::{NodeAddress, NodeKind};
pub use ratio::{Ratio, RatioError};
pub use report::{ClientInfo, LatencyEvent, MemoryReport, SlowLogEntry};
pub use resources::{Disk, LoadAverage, Resources};
pub use server::ServerFacts;
pub use server_sections::{
    ClientFacts, CommandStats, CpuFacts, DatabaseFacts, IdentityFacts, MemoryFacts, MonitoredPrimary,
    PersistenceFacts, ReplicaFacts, ReplicationFacts, Role, ServerMode, StatsFacts,
};
pub use snapshot::{
    CacheStats, CounterOrigin, DrillFigures, HealthInfo, MemoryUsage, NodeSnapshot, PerformanceMetrics,
    Snapshot, StatsOrigin, Tier, TierStats,
};
pub use version::{ServerLine, ServerVersion, VersionError};
