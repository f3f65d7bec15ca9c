//! Clean-up by policy: planned with reasons, applied after a second look, kept for undo.

mod apply;
mod audit;
mod candidate;
mod check;
mod limits;
mod marks;
mod options;
mod outcome;
mod plan;
mod planner;
mod recent;
mod recheck;
mod reclaim;
mod tally;
mod values;

pub use apply::apply_clean;
pub use audit::{AuditEntry, AuditLog};
pub use check::PolicyCheck;
pub use limits::LimitExceeded;
pub use marks::Marks;
pub use options::{CleanOptions, CleanTask};
pub use outcome::{CleanOutcome, TaskOutcome};
pub use plan::{Action, CleanPlan, PlanLine, PlannedKey, Reason, TaskPlan};
pub use planner::plan_clean;
pub use recheck::LeftAlone;
pub use reclaim::{Reclaim, ReclaimOutcome, ReclaimPlan, plan_reclaim, reclaim};
