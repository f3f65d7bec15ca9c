//! Writing the reports that lie beside the daily files.

use std::path::PathBuf;

use chrono::NaiveDate;

use super::{DailyFiles, LOCK_WAIT};
use crate::{Result, folder::Dated};

/// A report that lies beside the daily files and is named for its time. Both are removed with `DailyRetention::reports`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportFile {
    /// `optimization_report_YYYY-MM-DD.json`, of this day.
    Optimization(NaiveDate),
    /// `optimization_report_YYYY-MM-DD.html`, the same for people.
    OptimizationPage(NaiveDate),
    /// `capacity_report_YYYY-MM.json`, of the month of this day.
    Capacity(NaiveDate),
    /// `capacity_report_YYYY-MM.html`, the same for people.
    CapacityPage(NaiveDate),
}

impl ReportFile {
    fn name(self) -> (Dated, NaiveDate) {
        match self {
            Self::Optimization(day) => (Dated::Optimization, day),
            Self::OptimizationPage(day) => (Dated::OptimizationPage, day),
            Self::Capacity(day) => (Dated::Capacity, day),
            Self::CapacityPage(day) => (Dated::CapacityPage, day),
        }
    }
}

impl DailyFiles {
    /// Writes a report, in the place of one of the same time, and returns where it is. Whoever reads sees the old one or the new
    /// one, whole; it is on the disk when this returns. Makes the folder where there is none.
    ///
    /// # Errors
    /// The disk is full, another writer stays in the way, or the folder cannot be written.
    pub fn write_report_blocking(&self, report: ReportFile, text: &str) -> Result<PathBuf> {
        let (kind, day) = report.name();
        let lock = self.folder.lock(LOCK_WAIT)?;
        let path = self.folder.file(kind, day);
        self.folder.remove_remains(&lock)?;
        self.folder.write(&lock, &path, text.as_bytes())?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::DailyRetention;

    #[test]
    fn a_report_is_named_for_its_time_and_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let files = DailyFiles::new(folder.path().join("metrics"), DailyRetention::default());
        let day = NaiveDate::from_ymd_opt(2026, 3, 14).unwrap();
        files.write_report_blocking(ReportFile::Optimization(day), "first and longer").unwrap();
        let path = files.write_report_blocking(ReportFile::Optimization(day), "second").unwrap();
        assert_eq!(path, folder.path().join("metrics/optimization_report_2026-03-14.json"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "second");
        let path = files.write_report_blocking(ReportFile::Capacity(day), "{}").unwrap();
        assert_eq!(path, folder.path().join("metrics/capacity_report_2026-03.json"));
        for page in [ReportFile::OptimizationPage(day), ReportFile::CapacityPage(day)] {
            files.write_report_blocking(page, "<p>").unwrap();
        }
        let count = || fs::read_dir(folder.path().join("metrics")).unwrap().count();
        assert_eq!(count(), 5, "two reports, their pages and the lock");
        let retention =
            DailyRetention { reports: Some(std::time::Duration::ZERO), ..DailyRetention::default() };
        let files = DailyFiles::new(folder.path().join("metrics"), retention);
        let later = day.and_hms_opt(0, 0, 0).unwrap().and_utc() + chrono::TimeDelta::days(40);
        assert_eq!(files.apply_retention_blocking(later).unwrap().files_removed.len(), 4);
        assert_eq!(count(), 1);
    }

    #[test]
    fn where_nothing_can_be_written_it_says_where() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("metrics"), "a file").unwrap();
        let files = DailyFiles::new(folder.path().join("metrics"), DailyRetention::default());
        let day = NaiveDate::from_ymd_opt(2026, 3, 14).unwrap();
        let error = files.write_report_blocking(ReportFile::Optimization(day), "{}").unwrap_err();
        assert!(error.to_string().contains("metrics"), "{error}");
    }

    #[test]
    fn what_a_killed_writer_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(".capacity_report_2026-02.json.x.tmp");
        fs::write(&left, "{").unwrap();
        let files = DailyFiles::new(folder.path(), DailyRetention::default());
        let day = NaiveDate::from_ymd_opt(2026, 3, 14).unwrap();
        files.write_report_blocking(ReportFile::Capacity(day), "{}").unwrap();
        assert!(!left.exists());
    }
}
