//! Whether the backups are as they have to be.

mod judge;
mod report;
#[cfg(test)]
mod tests;

pub use judge::{CheckThresholds, Limits, check_backups};
pub use report::{BackupCheck, CheckLine, CheckState, PerformanceDatum};
