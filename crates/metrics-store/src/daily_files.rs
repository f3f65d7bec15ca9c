//! The guide's daily files, one JSON object a day.

mod days_read;
mod expiry;
mod report;

pub use report::ReportFile;

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Days, NaiveDate, Utc};
use larder_metrics_model::{KeyspaceSnapshot, Scope, Snapshot};

use self::days_read::{DaySeries, DaysRead, Stamp};
use crate::{
    Appended, DailyRetention, Damage, Error, History, MetricsStore, Point, Query, Resolution, Result,
    RetentionOutcome, Series, SeriesName, SeriesQuery, Take, body,
    day_file::{DayFile, EARLIER, Kept, Parsed},
    folder::{Dated, Folder, Lock, parse_day},
    measured::Measured,
    moment, rollup,
    store::{MOST_FAMILIES, blocking},
};

/// How long a writer waits for another one.
const LOCK_WAIT: Duration = Duration::from_secs(10);
/// The days of a range in UTC reach this much further in local time.
const ZONES: Days = Days::new(1);

/// A history in a folder of `cache_metrics_YYYY-MM-DD.json` and `cache_families_YYYY-MM-DD.json`.
///
/// A snapshot belongs to the day that its `date` begins with, which is the local day of whoever measured. The top level
/// of the file is the newest snapshot of the day, as the guide's scripts expect it; earlier ones are in the field
/// `earlier`. Of keyspace snapshots only the newest of a day is kept; `earlier` has those of other caches. The methods of
/// this type block; those of [`MetricsStore`] do not. Series are kept once a file was read, and read again where it has changed.
#[derive(Clone, Debug)]
pub struct DailyFiles {
    folder: Folder,
    retention: DailyRetention,
    read: Arc<DaysRead>,
}

/// The snapshots of one daily file.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DayHistory<T = Snapshot> {
    /// Which day, in local time.
    pub day: NaiveDate,
    /// Its snapshots, and what could not be read.
    pub history: History<T>,
}

impl DailyFiles {
    /// Names the folder. It is made when something is stored; one that is not there is an empty history.
    pub fn new(folder: impl Into<PathBuf>, retention: DailyRetention) -> Self {
        Self { folder: Folder::new(folder.into()), retention, read: Arc::default() }
    }

    /// Returns the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Reads the files of snapshots one after another, oldest first.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub fn days(&self) -> Result<impl Iterator<Item = DayHistory> + '_> {
        self.days_of()
    }

    /// Reads the files of keyspace snapshots one after another, oldest first.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub fn keyspace_days(&self) -> Result<impl Iterator<Item = DayHistory<KeyspaceSnapshot>> + '_> {
        self.days_of()
    }

    /// Stores a snapshot, as [`MetricsStore::append`] does.
    ///
    /// # Errors
    /// As [`MetricsStore::append`].
    pub fn append_blocking(&self, snapshot: &Snapshot) -> Result<Appended> {
        if snapshot.extra.contains_key(EARLIER) {
            return Err(Error::ReservedField { field: EARLIER });
        }
        self.append_measured(snapshot, Kept::Spaced(self.retention.earlier_spacing))
    }

    /// Stores a keyspace snapshot, as [`MetricsStore::append_keyspace`] does.
    ///
    /// # Errors
    /// As [`MetricsStore::append_keyspace`].
    pub fn append_keyspace_blocking(&self, snapshot: &KeyspaceSnapshot) -> Result<Appended> {
        self.append_measured(&snapshot.bounded(MOST_FAMILIES), Kept::Newest)
    }

    /// Returns snapshots, as [`MetricsStore::read`] does.
    ///
    /// # Errors
    /// As [`MetricsStore::read`].
    pub fn read_blocking(&self, query: &Query) -> Result<History> {
        self.read_measured(query)
    }

    /// Returns keyspace snapshots, as [`MetricsStore::read_keyspaces`] does.
    ///
    /// # Errors
    /// As [`MetricsStore::read_keyspaces`].
    pub fn read_keyspaces_blocking(&self, query: &Query) -> Result<History<KeyspaceSnapshot>> {
        self.read_measured(query)
    }

    /// Returns one metric over time, as [`MetricsStore::series`] does.
    ///
    /// # Errors
    /// As [`MetricsStore::series`].
    pub fn series_blocking(&self, query: &SeriesQuery) -> Result<Series> {
        match Scope::of(&query.metric) {
            Scope::Family => self.series_of::<KeyspaceSnapshot>(query),
            Scope::Cache | Scope::Node => self.series_of::<Snapshot>(query),
        }
    }

    /// Returns the names of all series, as [`MetricsStore::series_names`] does.
    ///
    /// # Errors
    /// As [`MetricsStore::series_names`].
    pub fn series_names_blocking(&self) -> Result<Vec<SeriesName>> {
        let mut names = BTreeSet::new();
        for day in self.folder.days(Snapshot::FILE)? {
            names.extend(self.day_series::<Snapshot>(day).names().cloned());
        }
        for day in self.folder.days(KeyspaceSnapshot::FILE)? {
            names.extend(self.day_series::<KeyspaceSnapshot>(day).names().cloned());
        }
        Ok(names.into_iter().collect())
    }

    fn append_measured<T: Measured>(&self, snapshot: &T, kept: Kept) -> Result<Appended> {
        let at = moment::of(snapshot)?;
        let day = day_of(snapshot)?;
        body::encode(snapshot)?;
        let path = self.folder.file(T::FILE, day);
        let lock = self.folder.lock(LOCK_WAIT)?;
        self.folder.remove_remains(&lock)?;
        let (mut contents, damaged) = self.open_day::<T>(&lock, &path)?;
        let is_new = contents.day.insert(at, snapshot.clone());
        if is_new || contents.broken.is_some() {
            contents.day.thin(kept);
        }
        // One that came late may have been thinned out at once.
        let is_held = contents.day.holds(at, snapshot.cache());
        if (is_new && is_held) || contents.broken.is_some() {
            self.folder.write(&lock, &path, &contents.day.render()?)?;
        }
        let written_to = is_held.then_some(path).into_iter().collect();
        Ok(Appended { is_new, written_to, damaged, failed: Vec::new() })
    }

    fn read_measured<T: Measured>(&self, query: &Query) -> Result<History<T>> {
        let (from, until) = query.range();
        let mut days = self.days_between(T::FILE, from, until)?;
        if matches!(query.take, Take::Newest(_)) {
            days.reverse();
        }
        let (mut found, mut damaged) = (Vec::new(), Vec::new());
        for day in days {
            if is_enough(query.take, &found, day) {
                break;
            }
            let part = self.day::<T>(day).history;
            damaged.extend(part.damaged);
            let timed = part.snapshots.into_iter().filter_map(|one| Some((moment::of(&one).ok()?, one)));
            found.extend(timed.filter(|(at, one)| query.wants(one.cache(), *at)));
        }
        found.sort_by(|(a_at, a), (b_at, b)| (a_at, a.cache()).cmp(&(b_at, b.cache())));
        found.dedup_by(|(a_at, a), (b_at, b)| a_at == b_at && a.cache() == b.cache());
        query.take.shorten(&mut found, |(at, _)| *at);
        Ok(History { snapshots: found.into_iter().map(|(_, snapshot)| snapshot).collect(), damaged })
    }

    fn series_of<T: Measured>(&self, query: &SeriesQuery) -> Result<Series> {
        let widest = query.range(query.resolution.unwrap_or(Resolution::Daily));
        let (mut samples, mut damaged) = (Vec::new(), Vec::new());
        for day in self.days_between(T::FILE, widest.0, widest.1)? {
            let part = self.day_series::<T>(day);
            damaged.extend_from_slice(&part.damaged);
            samples.extend(part.wanted(query));
        }
        samples.sort_by_key(|(at, _)| *at);
        let (resolution, points) = match query.resolution {
            Some(resolution) => (resolution, points(&samples, query, resolution)),
            None => finest(&samples, query),
        };
        Ok(Series { resolution, points, damaged })
    }

    /// Reads a day to write it again; a broken file is moved aside first.
    fn open_day<T: Measured>(&self, lock: &Lock, path: &Path) -> Result<(Parsed<T>, Vec<Damage>)> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let empty = Parsed { day: DayFile::default(), unreadable: Vec::new(), broken: None };
                return Ok((empty, Vec::new()));
            }
            Err(source) => return Err(Error::io(path, "read the file", source)),
        };
        let contents = Parsed::of(&bytes);
        let mut damaged = damage_in(path, &contents);
        if contents.broken.is_some() {
            let moved_to = self.folder.move_aside(lock, path)?;
            for damage in &mut damaged {
                damage.moved_to = Some(moved_to.clone());
            }
        }
        Ok((contents, damaged))
    }

    fn days_of<T: Measured>(&self) -> Result<impl Iterator<Item = DayHistory<T>> + '_> {
        Ok(self.folder.days(T::FILE)?.into_iter().map(|day| self.day(day)))
    }

    fn day<T: Measured>(&self, day: NaiveDate) -> DayHistory<T> {
        let path = self.folder.file(T::FILE, day);
        let history = match fs::read(&path) {
            Ok(bytes) => {
                let contents = Parsed::<T>::of(&bytes);
                let damaged = damage_in(&path, &contents);
                History { snapshots: contents.day.into_snapshots().collect(), damaged }
            }
            // Retention removed it since the folder was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => History::default(),
            Err(error) => {
                let damage = Damage::new(path, format_args!("cannot be read: {error}"));
                History { damaged: vec![damage], ..History::default() }
            }
        };
        DayHistory { day, history }
    }

    /// A file that changes while it is read has another stamp the next time.
    fn day_series<T: Measured>(&self, day: NaiveDate) -> Arc<DaySeries> {
        let path = self.folder.file(T::FILE, day);
        let stamp = Stamp::of(&path);
        if let Some(known) = stamp.and_then(|stamp| self.read.get(&path, stamp)) {
            return known;
        }
        let series = Arc::new(DaySeries::of(self.day::<T>(day)));
        if let Some(stamp) = stamp {
            self.read.keep(path, stamp, &series);
        }
        series
    }

    fn days_between(&self, kind: Dated, from: i64, until: i64) -> Result<Vec<NaiveDate>> {
        let first = moment::time(from).date_naive().checked_sub_days(ZONES).unwrap_or(NaiveDate::MIN);
        let last = moment::time(until).date_naive().checked_add_days(ZONES).unwrap_or(NaiveDate::MAX);
        let days = self.folder.days(kind)?;
        Ok(days.into_iter().filter(|day| (first..=last).contains(day)).collect())
    }
}

#[async_trait]
impl MetricsStore for DailyFiles {
    async fn append(&self, snapshot: &Snapshot) -> Result<Appended> {
        let (store, snapshot) = (self.clone(), snapshot.clone());
        blocking(move || store.append_blocking(&snapshot)).await
    }

    async fn append_keyspace(&self, snapshot: &KeyspaceSnapshot) -> Result<Appended> {
        let (store, snapshot) = (self.clone(), snapshot.clone());
        blocking(move || store.append_keyspace_blocking(&snapshot)).await
    }

    async fn read(&self, query: &Query) -> Result<History> {
        let (store, query) = (self.clone(), query.clone());
        blocking(move || store.read_blocking(&query)).await
    }

    async fn read_keyspaces(&self, query: &Query) -> Result<History<KeyspaceSnapshot>> {
        let (store, query) = (self.clone(), query.clone());
        blocking(move || store.read_keyspaces_blocking(&query)).await
    }

    async fn series(&self, query: &SeriesQuery) -> Result<Series> {
        let (store, query) = (self.clone(), query.clone());
        blocking(move || store.series_blocking(&query)).await
    }

    async fn series_names(&self) -> Result<Vec<SeriesName>> {
        let store = self.clone();
        blocking(move || store.series_names_blocking()).await
    }

    async fn plan_retention(&self, now: DateTime<Utc>) -> Result<RetentionOutcome> {
        let store = self.clone();
        blocking(move || store.plan_retention_blocking(now)).await
    }

    async fn apply_retention(&self, now: DateTime<Utc>) -> Result<RetentionOutcome> {
        let store = self.clone();
        blocking(move || store.apply_retention_blocking(now)).await
    }
}

fn day_of(snapshot: &impl Measured) -> Result<NaiveDate> {
    let day = snapshot.date().get(..10).and_then(parse_day);
    day.ok_or_else(|| Error::NoDay { date: snapshot.date().to_owned() })
}

/// The figures of a snapshot, each with the name of its series.
fn names_of(snapshot: &impl Measured) -> impl Iterator<Item = (SeriesName, f64)> {
    snapshot.samples().into_iter().map(|sample| {
        let name = SeriesName {
            cache: snapshot.cache().map(ToOwned::to_owned),
            metric: sample.metric.name.to_owned(),
            node: sample.node.cloned(),
            family: sample.family.map(ToOwned::to_owned),
        };
        (name, sample.value)
    })
}

/// Tells whether the days that follow cannot add anything that would be taken.
fn is_enough<T>(take: Take, found: &[(i64, T)], next: NaiveDate) -> bool {
    let times = found.iter().map(|(at, _)| moment::time(*at).date_naive());
    let (count, is_past) = match take {
        Take::All => return false,
        Take::Oldest(count) => {
            (count, times.max().and_then(|day| day.checked_add_days(ZONES)).is_some_and(|day| next > day))
        }
        Take::Newest(count) => {
            (count, times.min().and_then(|day| day.checked_sub_days(ZONES)).is_some_and(|day| next < day))
        }
    };
    count == 0 || (found.len() >= count && is_past)
}

fn points(samples: &[(i64, f64)], query: &SeriesQuery, resolution: Resolution) -> Vec<Point> {
    let (from, until) = query.range(resolution);
    let start = samples.partition_point(|(at, _)| *at < from);
    let end = samples.partition_point(|(at, _)| *at < until).max(start);
    rollup::points(&samples[start..end], resolution)
}

fn finest(samples: &[(i64, f64)], query: &SeriesQuery) -> (Resolution, Vec<Point>) {
    for resolution in [Resolution::Raw, Resolution::Hourly] {
        let points = points(samples, query, resolution);
        if points.len() <= query.max_points {
            return (resolution, points);
        }
    }
    (Resolution::Daily, points(samples, query, Resolution::Daily))
}

fn damage_in<T>(path: &Path, contents: &Parsed<T>) -> Vec<Damage> {
    let parts = contents.unreadable.iter();
    let parts = parts.map(|(part, reason)| Damage::new(path, reason).in_part(part.clone()));
    contents.broken.iter().map(|reason| Damage::new(path, reason)).chain(parts).collect()
}
