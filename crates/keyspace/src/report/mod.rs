//! What a keyspace is made of.

mod builder;
mod bursts;
mod certainty;
mod estimate;
mod family_table;
mod family_tally;
mod finish;
mod histogram;
mod merged;
mod minutes;
mod model;
mod number;
mod options;
mod shard_tally;
mod tree;

pub use builder::ReportBuilder;
pub use certainty::{Coverage, FamilyIntervals, Interval, NotSeen, SampleReport};
pub use model::{
    Burst, BurstFamily, FamilyNode, FamilyReport, Figures, IdleReport, KeyReport, NamedBytes, Span, Timeline,
    TtlReport,
};
pub use options::{About, Classifier, ReportOptions};

pub(crate) use family_tally::elements;
