//! What a keyspace is made of.

mod builder;
mod bursts;
mod estimate;
mod family_table;
mod family_tally;
mod finish;
mod histogram;
mod minutes;
mod model;
mod number;
mod options;
mod shard_tally;
mod tree;

pub use builder::ReportBuilder;
pub use model::{
    Burst, BurstFamily, Coverage, FamilyIntervals, FamilyNode, FamilyReport, Figures, IdleReport, Interval,
    KeyReport, NamedBytes, NotSeen, SampleReport, Span, Timeline, TtlReport,
};
pub use options::{About, Classifier, ReportOptions};

pub(crate) use family_tally::elements;
