#![doc = include_str!("../README.md")]

mod audit;
mod backup;
mod capacity;
mod chart;
mod clean;
mod clean_job;
mod collect;
mod containers;
mod cycle;
mod deadline;
mod health;
mod history_series;
mod job;
mod live;
mod machine;
mod node;
mod optimize;
mod page;
mod report_files;
mod wording;

pub use audit::{AuditJob, check_audit, gather_audit};
pub use backup::{BackupJob, DrillJob, PruneJob, UnreadyJob, VerifyJob, record_drill};
pub use capacity::{CapacityJob, CapacityPlanOptions, GatheredCapacity, capacity_page, gather_capacity};
pub use chart::{Chart, ChartError, ChartMark, ChartUnit};
pub use clean::{CleanReport, Cleaner, HistoryPlan, TaskReport};
pub use clean_job::{CleanJob, undo_name};
pub use collect::{CollectOptions, CollectOutcome, collect};
pub use containers::ContainerOptions;
pub use cycle::{Cycle, CycleOutcome};
pub use health::{HealthOptions, check_health, gather_health};
pub use history_series::{Extremes, HistorySeries, NotedRates, NotedSeries};
pub use job::{CollectJob, HealthJob, Job, JobOutcome, JobReport, JobStatus, Unready};
pub use live::{LiveFigures, Watch};
pub use machine::MachineOptions;
pub use optimize::{
    OptimizeError, OptimizeJob, OptimizeOptions, OptimizeOutcome, OptimizeSources, check_optimize,
    optimization_page,
};
pub use page::{PageSection, PageTable, ReportPage};
