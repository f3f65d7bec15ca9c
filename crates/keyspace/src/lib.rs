#![doc = include_str!("../README.md")]

mod checkpoint;
mod diff;
mod error;
mod family;
#[cfg(feature = "html")]
mod html;
mod key_name;
mod report;
mod rows;
mod source;
mod top;

pub use checkpoint::{Checkpoint, SweepIdentity};
pub use diff::{Change, ChangeKind, DiffSide, FamilyChange, KeyDiff};
pub use error::{Error, Result};
pub use family::{FamilyRule, FamilyRuleError, family_of};
pub use key_name::{KeyName, KeyNameError};
pub use report::{
    About, Burst, BurstFamily, Classifier, Coverage, FamilyIntervals, FamilyNode, FamilyReport, Figures,
    IdleReport, Interval, KeyReport, NamedBytes, NotSeen, ReportBuilder, ReportOptions, SampleReport, Span,
    Timeline, TtlReport,
};
pub use rows::FamilyRow;
pub use source::{
    BytesSource, DumpOptions, DumpRead, DumpSource, KeySource, LiveSource, NameSample, Progress, Survey,
    SurveyOptions, TimeBase, Wanted,
};
pub use top::{BigKey, Biggest, TopKeys};
