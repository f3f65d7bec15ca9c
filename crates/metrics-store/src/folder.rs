//! A folder of dated files that several processes write: names, lock, and writing a file whole or not at all.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use chrono::{Days, Months, NaiveDate};

use crate::{Error, Result};

const LOCK: &str = ".cache_metrics.lock";
const TEMPORARY_SUFFIX: &str = ".tmp";
/// How long one attempt at the lock is apart from the next.
const LOCK_STEP: Duration = Duration::from_millis(2);

/// What a file holds that is named for a day or a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dated {
    /// The snapshots of a day.
    Metrics,
    /// The families of keys of a day.
    Families,
    /// The optimiser's report of a day.
    Optimization,
    /// The optimiser's report of a day, as a page for people.
    OptimizationPage,
    /// The capacity report of a month.
    Capacity,
    /// The capacity report of a month, as a page for people.
    CapacityPage,
}

/// A folder of dated files.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

/// The right to write into a folder; given back on drop, or when the process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Folder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the name of the file of a day.
    pub(crate) fn file(&self, kind: Dated, day: NaiveDate) -> PathBuf {
        self.path.join(format!("{}{}{}", kind.prefix(), day.format(kind.form()), kind.suffix()))
    }

    /// Returns the days that have a file, oldest first, of a file for a month its last day; a folder that is not there
    /// has none.
    pub(crate) fn days(&self, kind: Dated) -> Result<Vec<NaiveDate>> {
        let mut days: Vec<NaiveDate> = self.names()?.iter().filter_map(|name| kind.day_of(name)).collect();
        days.sort_unstable();
        Ok(days)
    }

    /// Waits for the right to write, but not for ever. Makes the folder where there is none.
    pub(crate) fn lock(&self, wait: Duration) -> Result<Lock> {
        fs::create_dir_all(&self.path).map_err(|source| Error::io(&self.path, "make the folder", source))?;
        let path = self.path.join(LOCK);
        let failed = |source| Error::io(&path, "lock the folder", source);
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        let mut waited = Duration::ZERO;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) if waited >= wait => return Err(Error::Busy { path, waited }),
                Err(TryLockError::WouldBlock) => {
                    thread::sleep(LOCK_STEP);
                    waited += LOCK_STEP;
                }
            }
        }
    }

    /// Writes the file of a day, so that whoever reads sees either the old one or the new one, whole.
    pub(crate) fn write(&self, _lock: &Lock, path: &Path, bytes: &[u8]) -> Result<()> {
        self.replace(path, bytes).map_err(|source| Error::io(path, "write the file", source))
    }

    /// Moves a damaged file aside, under a name that says so.
    pub(crate) fn move_aside(&self, _lock: &Lock, path: &Path) -> Result<PathBuf> {
        let aside = free_name(path);
        fs::rename(path, &aside)
            .and_then(|()| self.sync())
            .map_err(|source| Error::io(path, "move the damaged file aside", source))?;
        Ok(aside)
    }

    pub(crate) fn remove(_lock: &Lock, path: &Path) -> Result<()> {
        fs::remove_file(path).map_err(|source| Error::io(path, "remove the old file", source))
    }

    /// Returns what killed writers left, and what is being written where somebody is at it.
    pub(crate) fn remains(&self) -> Result<Vec<PathBuf>> {
        let mut names = self.names()?;
        names.retain(|name| is_temporary(name));
        names.sort_unstable();
        Ok(names.iter().map(|name| self.path.join(name)).collect())
    }

    /// Removes what killed writers left. Whoever has the lock is the only writer, so nobody is still at it.
    pub(crate) fn remove_remains(&self, _lock: &Lock) -> Result<Vec<PathBuf>> {
        let remains = self.remains()?.into_iter();
        Ok(remains.filter(|path| fs::remove_file(path).is_ok()).collect())
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut builder = tempfile::Builder::new();
        let prefix = format!(".{name}.");
        builder.prefix(&prefix).suffix(TEMPORARY_SUFFIX);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // Other people's scripts read these files: they get the usual permissions, less the umask.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let mut temporary = builder.tempfile_in(&self.path)?;
        // Not through the wrapper, whose errors name the temporary file.
        temporary.as_file_mut().write_all(bytes)?;
        if let Ok(before) = fs::metadata(path) {
            temporary.as_file().set_permissions(before.permissions())?;
        }
        temporary.as_file().sync_all()?;
        temporary.persist(path).map_err(|failed| failed.error)?;
        self.sync()
    }

    /// Makes a renamed file survive the death of the machine.
    fn sync(&self) -> io::Result<()> {
        if cfg!(unix) { File::open(&self.path)?.sync_all() } else { Ok(()) }
    }

    fn names(&self) -> Result<Vec<String>> {
        let failed = |source| Error::io(&self.path, "list the folder", source);
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(failed(source)),
        };
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry.map_err(failed)?.file_name().into_string().ok());
        }
        Ok(names)
    }
}

/// Returns the first name after `path` that says "damaged" and is free.
pub(crate) fn free_name(path: &Path) -> PathBuf {
    let name = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{number}"));
        PathBuf::from(name)
    };
    let taken = (1..u32::MAX).take_while(|number| name(*number).symlink_metadata().is_ok());
    name(taken.last().unwrap_or(0) + 1)
}

fn is_temporary(name: &str) -> bool {
    let written = name.strip_prefix('.').filter(|name| name.ends_with(TEMPORARY_SUFFIX));
    written.is_some_and(|name| Dated::WRITTEN.iter().any(|kind| name.starts_with(kind.prefix())))
}

impl Dated {
    /// What is written here, all of it.
    const WRITTEN: [Self; 6] = [
        Self::Metrics,
        Self::Families,
        Self::Optimization,
        Self::OptimizationPage,
        Self::Capacity,
        Self::CapacityPage,
    ];

    fn prefix(self) -> &'static str {
        match self {
            Self::Metrics => "cache_metrics_",
            Self::Families => "cache_families_",
            Self::Optimization | Self::OptimizationPage => "optimization_report_",
            Self::Capacity | Self::CapacityPage => "capacity_report_",
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::OptimizationPage | Self::CapacityPage => ".html",
            _ => ".json",
        }
    }

    fn form(self) -> &'static str {
        match self {
            Self::Capacity | Self::CapacityPage => "%Y-%m",
            _ => "%Y-%m-%d",
        }
    }

    /// Returns the day that a file is named for, of a month the last; other people's files have none.
    fn day_of(self, name: &str) -> Option<NaiveDate> {
        let date = name.strip_prefix(self.prefix())?.strip_suffix(self.suffix())?;
        match self {
            Self::Metrics | Self::Families | Self::Optimization | Self::OptimizationPage => parse_day(date),
            Self::Capacity | Self::CapacityPage => parse_day(&format!("{date}-01"))?
                .checked_add_months(Months::new(1))?
                .checked_sub_days(Days::new(1)),
        }
    }
}

/// Reads a day of exactly the form `2026-03-14`.
pub(crate) fn parse_day(text: &str) -> Option<NaiveDate> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    (text.len() == 10 && day.format("%Y-%m-%d").to_string() == text).then_some(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dated_files_have_a_day() {
        for (kind, name, day) in [
            (Dated::Metrics, "cache_metrics_2026-03-14.json", "2026-03-14"),
            (Dated::Families, "cache_families_2026-03-14.json", "2026-03-14"),
            (Dated::Optimization, "optimization_report_2026-03-14.json", "2026-03-14"),
            (Dated::Capacity, "capacity_report_2026-02.json", "2026-02-28"),
            (Dated::Capacity, "capacity_report_2026-12.json", "2026-12-31"),
            (Dated::OptimizationPage, "optimization_report_2026-03-14.html", "2026-03-14"),
            (Dated::CapacityPage, "capacity_report_2026-02.html", "2026-02-28"),
        ] {
            assert_eq!(kind.day_of(name), parse_day(day), "{name}");
            assert_eq!(
                Folder::new("f".into()).file(kind, parse_day(day).unwrap()),
                Path::new("f").join(name)
            );
        }
        for name in [
            "capacity_report_2026-13.json",
            "capacity_report_2026-03-14.json",
            "capacity_report_2026-3.json",
            "capacity_report_.json",
        ] {
            assert!(Dated::Capacity.day_of(name).is_none(), "{name}");
        }
        for name in [
            "cache_metrics_2026-02-30.json",
            "cache_metrics_2026-3-14.json",
            "cache_metrics_+2026-03-1.json",
            "cache_metrics_2026-03-14.json.damaged-1",
            ".cache_metrics_2026-03-14.json.x.tmp",
            "capacity_report_2026-03.json",
            "cache_metrics_.json",
            "",
        ] {
            assert!(Dated::Metrics.day_of(name).is_none(), "{name}");
        }
    }

    #[test]
    fn a_lock_is_waited_for_but_not_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Folder::new(folder.path().join("metrics"));
        let held = folder.lock(Duration::ZERO).unwrap();
        let refused = folder.lock(Duration::from_millis(5)).unwrap_err();
        assert!(refused.is_busy(), "{refused}");
        drop(held);
        folder.lock(Duration::ZERO).unwrap();
    }

    #[test]
    fn names_of_damaged_files_are_counted_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        assert_eq!(free_name(&path), folder.path().join("a.json.damaged-1"));
        fs::write(folder.path().join("a.json.damaged-1"), "").unwrap();
        assert_eq!(free_name(&path), folder.path().join("a.json.damaged-2"));
    }
}
