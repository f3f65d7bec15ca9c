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
    Facts, Family, FamilyId, KeyFacts, Matcher, ObservedFamily, OrphanRule, Policy, PolicyError,
    PolicyLimits, ProposalOptions, Selector, Share, TtlRule, ValueForm, Violations, propose_policy,
};
pub use report::{FamilyReport, KeyReport, ReportBuilder};
pub use top::{BigKey, Biggest, TopKeys};
