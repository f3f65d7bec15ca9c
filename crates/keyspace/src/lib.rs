#![doc = include_str!("../README.md")]

mod error;
mod family;
mod key_name;
mod report;
mod source;
mod top;

pub use error::{Error, Result};
pub use family::{FamilyRule, FamilyRuleError, family_of};
pub use key_name::{KeyName, KeyNameError};
pub use report::{
    About, Burst, BurstFamily, Classifier, Coverage, FamilyIntervals, FamilyNode, FamilyReport, Figures,
    IdleReport, Interval, KeyReport, NamedBytes, NotSeen, ReportBuilder, ReportOptions, SampleReport, Span,
    TtlReport,
};
pub use source::{
    BytesSource, DumpOptions, DumpRead, DumpSource, KeySource, LiveSource, Progress, Survey, SurveyOptions,
    TimeBase, Wanted,
};
pub use top::{BigKey, Biggest, TopKeys};
