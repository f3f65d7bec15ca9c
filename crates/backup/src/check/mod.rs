//! Whether the backups are as they have to be.

mod judge;
mod report;
#[cfg(test)]
mod tests;

pub use judge::{CheckThresholds, Limits, check_backups, check_backups_of};
pub use report::{BackupCheck, CheckLine, CheckState, PerformanceDatum};
