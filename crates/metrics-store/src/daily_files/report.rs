//! Reports that lie beside the daily files.

use std::path::PathBuf;

use chrono::NaiveDate;

use super::{DailyFiles, LOCK_WAIT};
use crate::{Result, folder::Dated};

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportKind {
    /// What would make a cache better, a report a day.
    Optimization,
    /// When a cache is full, a report a month.
    Capacity,
}

impl DailyFiles {
    /// Writes the report of a day, or of the month that the day lies in, over the one that is there; whoever reads sees either,
    /// whole. Makes the folder where there is none.
    ///
    /// # Errors
    /// The disk is full, another writer stays in the way, or the folder cannot be written.
    pub fn write_report_blocking(&self, kind: ReportKind, day: NaiveDate, json: &[u8]) -> Result<PathBuf> {
        let kind = match kind {
            ReportKind::Optimization => Dated::Optimization,
            ReportKind::Capacity => Dated::Capacity,
        };
        let path = self.folder.file(kind, day);
        let lock = self.folder.lock(LOCK_WAIT)?;
        self.folder.remove_remains(&lock)?;
        self.folder.write(&lock, &path, json)?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DailyRetention;

    #[test]
    fn a_report_has_the_name_of_its_time_and_the_last_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let files = DailyFiles::new(folder.path().join("metrics"), DailyRetention::default());
        let day = NaiveDate::from_ymd_opt(2026, 3, 14).unwrap();
        for (kind, name) in [
            (ReportKind::Optimization, "optimization_report_2026-03-14.json"),
            (ReportKind::Capacity, "capacity_report_2026-03.json"),
        ] {
            for text in ["{}", "{\"a\": 1}"] {
                let path = files.write_report_blocking(kind, day, text.as_bytes()).unwrap();
                assert_eq!(path, folder.path().join("metrics").join(name));
                assert_eq!(std::fs::read_to_string(path).unwrap(), text);
            }
        }
    }

    #[test]
    fn what_a_killed_writer_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(".capacity_report_2026-02.json.x.tmp");
        std::fs::write(&left, "{").unwrap();
        let files = DailyFiles::new(folder.path(), DailyRetention::default());
        let day = NaiveDate::from_ymd_opt(2026, 3, 14).unwrap();
        files.write_report_blocking(ReportKind::Capacity, day, b"{}").unwrap();
        assert!(!left.exists());
    }
}
