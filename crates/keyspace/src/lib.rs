#![doc = include_str!("../README.md")]

mod checkpoint;
mod clean;
mod clock;
mod diff;
mod error;
mod family;
#[cfg(feature = "html")]
mod html;
mod key_name;
mod policy;
mod report;
mod rows;
mod source;
mod steps;
mod top;
mod undo;

pub use checkpoint::{Checkpoint, SweepIdentity};
pub use clean::{
    Action, AuditEntry, AuditLog, CleanOptions, CleanOutcome, CleanPlan, CleanTask, LeftAlone, LimitExceeded,
    Marks, PlanLine, PlannedKey, PolicyCheck, Reason, Reclaim, ReclaimOutcome, ReclaimPlan, TaskOutcome,
    TaskPlan, apply_clean, plan_clean, plan_reclaim, reclaim,
};
pub use diff::{Change, ChangeKind, DiffSide, FamilyChange, KeyDiff};
pub use error::{Error, Result};
pub use family::{FamilyRule, FamilyRuleError, family_of};
pub use key_name::{KeyName, KeyNameError};
pub use policy::{
    Facts, Family, FamilyId, KeyFacts, Matcher, ObservedFamily, OrphanRule, Policy, PolicyError,
    PolicyLimits, ProposalOptions, Selector, Share, TtlRule, ValueForm, Violations, propose_policy,
};
pub use report::{
    About, Burst, BurstFamily, Classifier, Coverage, FamilyIntervals, FamilyNode, FamilyReport, Figures,
    IdleReport, Interval, KeyReport, NamedBytes, NotSeen, ReportBuilder, ReportOptions, SampleReport, Span,
    Timeline, TtlReport,
};
pub use rows::FamilyRow;
pub use source::{
    BytesSource, DumpOptions, DumpRead, DumpSource, KeySource, LiveSource, NameSample, Progress, ShardRead,
    StreamOptions, StreamSource, Survey, SurveyOptions, TimeBase, Wanted,
};
pub use top::{BigKey, Biggest, TopKeys};
pub use undo::{Act, UndoCount, UndoFile, UndoHeader, UndoOptions, UndoOutcome, UndoPlan, plan_undo, undo};
