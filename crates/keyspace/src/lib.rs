#![doc = include_str!("../README.md")]

mod clean;
mod clock;
mod dump;
mod error;
mod family;
mod key_name;
mod paced;
mod policy;
mod report;
mod top;
mod undo;

pub use clean::{
    Action, AuditEntry, AuditLog, CleanOptions, CleanOutcome, CleanPlan, CleanTask, LeftAlone, LimitExceeded,
    Marks, PlanLine, PlannedKey, Reason, Reclaim, ReclaimOutcome, ReclaimPlan, TaskOutcome, TaskPlan,
    apply_clean, plan_clean, plan_reclaim, reclaim,
};
pub use dump::{DumpFile, DumpRead, Progress};
pub use error::{Error, Result};
pub use family::family_of;
pub use key_name::KeyName;
pub use policy::{
    Facts, Family, FamilyId, KeyFacts, Matcher, ObservedFamily, OrphanRule, Policy, PolicyError,
    PolicyLimits, ProposalOptions, Selector, Share, TtlRule, ValueForm, Violations, propose_policy,
};
pub use report::{FamilyReport, KeyReport, ReportBuilder};
pub use top::{BigKey, Biggest, TopKeys};
pub use undo::{Act, UndoCount, UndoFile, UndoHeader, UndoOptions, UndoOutcome, UndoPlan, plan_undo, undo};
