#![doc = include_str!("../README.md")]

mod dump;
mod error;
mod family;
mod key_name;
mod policy;
mod report;
mod top;

pub use dump::{DumpFile, DumpRead, Progress};
pub use error::{Error, Result};
pub use family::family_of;
pub use key_name::KeyName;
pub use policy::{
    Facts, Family, FamilyId, KeyFacts, Matcher, OrphanRule, Policy, PolicyError, PolicyLimits, Selector,
    Share, TtlRule, ValueForm, Violations,
};
pub use report::{FamilyReport, KeyReport, ReportBuilder};
pub use top::{BigKey, Biggest, TopKeys};
