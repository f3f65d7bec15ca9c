#![doc = include_str!("../README.md")]

mod collect;
mod containers;
mod cycle;
mod deadline;
mod health;
mod job;
mod live;
mod machine;
mod node;
mod wording;

pub use collect::{CollectOptions, CollectOutcome, collect};
pub use containers::ContainerOptions;
pub use cycle::{Cycle, CycleOutcome};
pub use health::{HealthOptions, check_health, gather_health};
pub use job::{CollectJob, HealthJob, Job, JobOutcome, JobReport, JobStatus};
pub use live::{LiveFigures, Watch};
pub use machine::MachineOptions;
