//! The guide's daily files, one JSON object a day.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Days, NaiveDate, Utc};
use larder_metrics_model::Snapshot;

use crate::{
    Appended, DailyRetention, Damage, Error, History, MetricsStore, Point, Query, Resolution, Result,
    RetentionOutcome, Series, SeriesName, SeriesQuery, Take, body,
    day_file::{DayFile, EARLIER, Parsed},
    folder::{Folder, Lock, parse_day},
    moment, rollup,
    store::blocking,
};

/// How long a writer waits for another one.
const LOCK_WAIT: Duration = Duration::from_secs(10);
/// The days of a range in UTC reach this much further in local time.
const ZONES: Days = Days::new(1);

/// A history in a folder of `cache_metrics_YYYY-MM-DD.json`.
///
/// A snapshot belongs to the day that its `date` begins with, which is the local day of whoever measured. The top level
/// of the file is the newest snapshot of the day, as the guide's scripts expect it; earlier ones are in the field
/// `earlier`. The methods of this type block; those of [`MetricsStore`] do not.
#[derive(Clone, Debug)]
pub struct DailyFiles {
    folder: Folder,
    retention: DailyRetention,
}

/// The snapshots of one daily file.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DayHistory {
    /// Which day, in local time.
    pub day: NaiveDate,
    /// Its snapshots, and what could not be read.
    pub history: History,
}

impl DailyFiles {
    /// Names the folder. It is made when something is stored; one that is not there is an empty history.
    pub fn new(folder: impl Into<PathBuf>, retention: DailyRetention) -> Self {
        Self { folder: Folder::new(folder.into()), retention }
    }

    /// Returns the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Reads the files one after another, oldest first.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub fn days(&self) -> Result<impl Iterator<Item = DayHistory> + '_> {
        Ok(self.folder.days()?.into_iter().map(|day| self.day(day)))
    }

    /// Stores a snapshot, as [`MetricsStore::append`] does.
    ///
    /// # Errors
    /// As [`MetricsStore::append`].
    pub fn append_blocking(&self, snapshot: &Snapshot) -> Result<Appended> {
        let at = moment::of(snapshot)?;
        let day = day_of(snapshot)?;
        if snapshot.extra.contains_key(EARLIER) {
            return Err(Error::ReservedField { field: EARLIER });
        }
        body::encode(snapshot)?;
        let lock = self.folder.lock(LOCK_WAIT)?;
        self.folder.remove_remains(&lock)?;
        let (mut contents, damaged) = self.open_day(&lock, day)?;
        let is_new = contents.day.insert(at, snapshot.clone());
        if is_new || contents.broken.is_some() {
            contents.day.thin(self.retention.earlier_spacing);
            self.folder.write(&lock, day, &contents.day.render()?)?;
        }
        // One that came late may have been thinned out at once.
        let is_held = contents.day.holds(at, snapshot.cache.as_deref());
        let written_to = is_held.then(|| self.folder.file(day)).into_iter().collect();
        Ok(Appended { is_new, written_to, damaged, failed: Vec::new() })
    }

    /// Returns snapshots, as [`MetricsStore::read`] does.
    ///
    /// # Errors
    /// As [`MetricsStore::read`].
    pub fn read_blocking(&self, query: &Query) -> Result<History> {
        let (from, until) = query.range();
        let mut days = self.days_between(from, until)?;
        if matches!(query.take, Take::Newest(_)) {
            days.reverse();
        }
        let (mut found, mut damaged) = (Vec::new(), Vec::new());
        for day in days {
            if is_enough(query.take, &found, day) {
                break;
            }
            let part = self.day(day).history;
            damaged.extend(part.damaged);
            let timed = part.snapshots.into_iter().filter_map(|one| Some((moment::of(&one).ok()?, one)));
            found.extend(timed.filter(|(at, one)| query.wants(one.cache.as_deref(), *at)));
        }
        found.sort_by(|(a_at, a), (b_at, b)| (a_at, &a.cache).cmp(&(b_at, &b.cache)));
        found.dedup_by(|(a_at, a), (b_at, b)| a_at == b_at && a.cache == b.cache);
        query.take.shorten(&mut found, |(at, _)| *at);
        Ok(History { snapshots: found.into_iter().map(|(_, snapshot)| snapshot).collect(), damaged })
    }

    /// Returns one metric over time, as [`MetricsStore::series`] does.
    ///
    /// # Errors
    /// As [`MetricsStore::series`].
    pub fn series_blocking(&self, query: &SeriesQuery) -> Result<Series> {
        let widest = query.range(query.resolution.unwrap_or(Resolution::Daily));
        let (mut samples, mut damaged) = (Vec::new(), Vec::new());
        for day in self.days_between(widest.0, widest.1)? {
            let part = self.day(day).history;
            damaged.extend(part.damaged);
            samples.extend(part.snapshots.iter().filter_map(|one| sample(one, query)));
        }
        samples.sort_by_key(|(at, _)| *at);
        let (resolution, points) = match query.resolution {
            Some(resolution) => (resolution, points(&samples, query, resolution)),
            None => finest(&samples, query),
        };
        Ok(Series { resolution, points, damaged })
    }

    /// Returns the names of all series, as [`MetricsStore::series_names`] does.
    ///
    /// # Errors
    /// As [`MetricsStore::series_names`].
    pub fn series_names_blocking(&self) -> Result<Vec<SeriesName>> {
        let mut names = BTreeSet::new();
        for part in self.days()? {
            for snapshot in &part.history.snapshots {
                names.extend(snapshot.samples().iter().map(|sample| SeriesName {
                    cache: snapshot.cache.clone(),
                    metric: sample.metric.name.to_owned(),
                    node: sample.node.cloned(),
                }));
            }
        }
        Ok(names.into_iter().collect())
    }

    /// Removes old files, thins the earlier snapshots of the rest, and clears away what killed writers left.
    ///
    /// # Errors
    /// As [`MetricsStore::apply_retention`].
    pub fn apply_retention_blocking(&self, now: DateTime<Utc>) -> Result<RetentionOutcome> {
        let mut outcome = RetentionOutcome::default();
        if !self.folder().exists() {
            return Ok(outcome);
        }
        let lock = self.folder.lock(LOCK_WAIT)?;
        outcome.remains_removed = self.folder.remove_remains(&lock)?;
        let oldest = self.retention.keep.and_then(|keep| first_day_kept(now, keep));
        for day in self.folder.days()? {
            let done = match oldest.filter(|oldest| day < *oldest) {
                Some(_) => self.folder.remove(&lock, day).map(|path| outcome.files_removed.push(path)),
                None => self.thin(&lock, day, &mut outcome),
            };
            outcome.failed.extend(done.err());
        }
        Ok(outcome)
    }

    fn thin(&self, lock: &Lock, day: NaiveDate, outcome: &mut RetentionOutcome) -> Result<()> {
        let path = self.folder.file(day);
        let bytes = fs::read(&path).map_err(|source| Error::io(&path, "read the file", source))?;
        let mut contents = Parsed::of(&bytes);
        outcome.damaged.extend(damage_in(&path, &contents));
        if contents.broken.is_some() {
            return Ok(());
        }
        let removed = contents.day.thin(self.retention.earlier_spacing);
        if removed > 0 {
            self.folder.write(lock, day, &contents.day.render()?)?;
            outcome.snapshots_removed += removed;
        }
        Ok(())
    }

    /// Reads a day to write it again; a broken file is moved aside first.
    fn open_day(&self, lock: &Lock, day: NaiveDate) -> Result<(Parsed, Vec<Damage>)> {
        let path = self.folder.file(day);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let empty = Parsed { day: DayFile::default(), unreadable: Vec::new(), broken: None };
                return Ok((empty, Vec::new()));
            }
            Err(source) => return Err(Error::io(&path, "read the file", source)),
        };
        let contents = Parsed::of(&bytes);
        let mut damaged = damage_in(&path, &contents);
        if contents.broken.is_some() {
            let moved_to = self.folder.move_aside(lock, &path)?;
            for damage in &mut damaged {
                damage.moved_to = Some(moved_to.clone());
            }
        }
        Ok((contents, damaged))
    }

    fn day(&self, day: NaiveDate) -> DayHistory {
        let path = self.folder.file(day);
        let history = match fs::read(&path) {
            Ok(bytes) => {
                let contents = Parsed::of(&bytes);
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

    fn days_between(&self, from: i64, until: i64) -> Result<Vec<NaiveDate>> {
        let first = moment::time(from).date_naive().checked_sub_days(ZONES).unwrap_or(NaiveDate::MIN);
        let last = moment::time(until).date_naive().checked_add_days(ZONES).unwrap_or(NaiveDate::MAX);
        let days = self.folder.days()?;
        Ok(days.into_iter().filter(|day| (first..=last).contains(day)).collect())
    }
}

#[async_trait]
impl MetricsStore for DailyFiles {
    async fn append(&self, snapshot: &Snapshot) -> Result<Appended> {
        let (store, snapshot) = (self.clone(), snapshot.clone());
        blocking(move || store.append_blocking(&snapshot)).await
    }

    async fn read(&self, query: &Query) -> Result<History> {
        let (store, query) = (self.clone(), query.clone());
        blocking(move || store.read_blocking(&query)).await
    }

    async fn series(&self, query: &SeriesQuery) -> Result<Series> {
        let (store, query) = (self.clone(), query.clone());
        blocking(move || store.series_blocking(&query)).await
    }

    async fn series_names(&self) -> Result<Vec<SeriesName>> {
        let store = self.clone();
        blocking(move || store.series_names_blocking()).await
    }

    async fn apply_retention(&self, now: DateTime<Utc>) -> Result<RetentionOutcome> {
        let store = self.clone();
        blocking(move || store.apply_retention_blocking(now)).await
    }
}

fn day_of(snapshot: &Snapshot) -> Result<NaiveDate> {
    let day = snapshot.date.get(..10).and_then(parse_day);
    day.ok_or_else(|| Error::NoDay { date: snapshot.date.clone() })
}

/// Tells whether the days that follow cannot add anything that would be taken.
fn is_enough(take: Take, found: &[(i64, Snapshot)], next: NaiveDate) -> bool {
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

fn sample(snapshot: &Snapshot, query: &SeriesQuery) -> Option<(i64, f64)> {
    if query.cache.is_some() && query.cache != snapshot.cache {
        return None;
    }
    let samples = snapshot.samples();
    let wanted = samples
        .iter()
        .find(|sample| sample.metric.name == query.metric && sample.node == query.node.as_ref())?;
    Some((moment::of(snapshot).ok()?, wanted.value))
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

fn first_day_kept(now: DateTime<Utc>, keep: Duration) -> Option<NaiveDate> {
    let keep = chrono::TimeDelta::from_std(keep).ok()?;
    // The local day may still be the one before.
    now.checked_sub_signed(keep)?.date_naive().checked_sub_days(ZONES)
}

fn damage_in(path: &Path, contents: &Parsed) -> Vec<Damage> {
    let parts = contents.unreadable.iter();
    let parts = parts.map(|(part, reason)| Damage::new(path, reason).in_part(part.clone()));
    contents.broken.iter().map(|reason| Damage::new(path, reason)).chain(parts).collect()
}
