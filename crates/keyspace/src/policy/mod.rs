//! What a cache should hold, and what is wrong with what it holds.

mod byte_set;
mod error;
mod escape;
mod family;
mod file;
mod glob;
mod judgement;
mod limits;
mod matcher;
mod nearest;
mod observed;
mod patterns;
mod prefixes;
mod proposal;
mod reader;
#[cfg(test)]
mod reference;
mod rounding;
mod rules;
mod selectors;
mod tables;
#[cfg(test)]
mod tests;
mod unit;

pub use error::PolicyError;
pub use family::{Family, Selector, TtlRule, ValueForm};
pub use judgement::{Facts, KeyFacts, Violations};
pub use limits::{OrphanRule, PolicyLimits, Share};
pub use matcher::{FamilyId, Matcher};
pub use observed::ObservedFamily;
pub use proposal::{ProposalOptions, propose_policy};
pub use rules::Policy;
