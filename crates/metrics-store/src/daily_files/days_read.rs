//! Series of the days that were read, kept because the next question is of the same days.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use super::{DayHistory, names_of};
use crate::{Damage, SeriesName, SeriesQuery, measured::Measured, moment};

/// Of all days together so many bytes are kept, about; the others are read again at each question. A year of snapshots every 15 minutes
/// is within it.
const MOST_BYTES: usize = 64 << 20;
/// What a name takes beside its words.
const NAME_BYTES: usize = 160;

/// The samples of one day.
#[derive(Debug, Default)]
pub(super) struct DaySeries {
    samples: HashMap<SeriesName, Vec<(i64, f64)>>,
    pub(super) damaged: Vec<Damage>,
}

/// The days that were read, each as its file was then.
#[derive(Debug, Default)]
pub(super) struct DaysRead(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    days: HashMap<PathBuf, (Stamp, Arc<DaySeries>)>,
    bytes: usize,
}

/// By what a file is known again: it is replaced as a whole when it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    changed: SystemTime,
    bytes: u64,
    inode: u64,
}

impl DaySeries {
    pub(super) fn of<T: Measured>(day: DayHistory<T>) -> Self {
        let mut samples: HashMap<SeriesName, Vec<(i64, f64)>> = HashMap::new();
        for snapshot in &day.history.snapshots {
            let Ok(at) = moment::of(snapshot) else { continue };
            for (name, value) in names_of(snapshot) {
                let of_name = samples.entry(name).or_default();
                // A figure that is told twice counts once.
                if of_name.last().is_none_or(|(last, _)| *last != at) {
                    of_name.push((at, value));
                }
            }
        }
        Self { samples, damaged: day.history.damaged }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &SeriesName> {
        self.samples.keys()
    }

    /// The samples that are asked for, in no order.
    pub(super) fn wanted(&self, query: &SeriesQuery) -> impl Iterator<Item = (i64, f64)> {
        let is_wanted = |name: &SeriesName| {
            let of = (name.metric.as_str(), name.node.as_ref(), name.family.as_deref());
            of == (query.metric.as_str(), query.node.as_ref(), query.family.as_deref())
                && (query.cache.is_none() || query.cache == name.cache)
        };
        let wanted = self.samples.iter().filter(move |(name, _)| is_wanted(name));
        wanted.flat_map(|(_, samples)| samples.iter().copied())
    }

    fn bytes(&self) -> usize {
        let of_name = |name: &SeriesName| {
            let words =
                name.cache.as_ref().map_or(0, String::len) + name.family.as_ref().map_or(0, String::len);
            NAME_BYTES + words + name.metric.len()
        };
        self.samples.iter().map(|(name, samples)| of_name(name) + size_of_val(samples.as_slice())).sum()
    }
}

impl DaysRead {
    /// Returns a day as it was read, where its file is still the same.
    pub(super) fn get(&self, path: &Path, stamp: Stamp) -> Option<Arc<DaySeries>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (then, day) = kept.days.get(path)?;
        (*then == stamp).then(|| Arc::clone(day))
    }

    pub(super) fn keep(&self, path: PathBuf, stamp: Stamp, day: &Arc<DaySeries>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, before)) = kept.days.remove(&path) {
            kept.bytes -= before.bytes();
        }
        if kept.bytes + day.bytes() <= MOST_BYTES {
            kept.bytes += day.bytes();
            kept.days.insert(path, (stamp, Arc::clone(day)));
        }
    }
}

impl Stamp {
    /// Looks at a file; `None` of one that is not there.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let about = fs::metadata(path).ok()?;
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&about);
        #[cfg(not(unix))]
        let inode = 0;
        Some(Self { changed: about.modified().ok()?, bytes: about.len(), inode })
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use larder_metrics_model::Snapshot;

    use super::*;
    use crate::History;

    fn day(snapshots: i64) -> Arc<DaySeries> {
        let snapshots = (0..snapshots).map(|number| {
            let at = chrono::DateTime::from_timestamp(number * 60, 0).unwrap_or_default();
            let mut snapshot = Snapshot::at(at.fixed_offset());
            snapshot.cache_stats.hit_count = Some(1);
            snapshot
        });
        let history = History { snapshots: snapshots.collect(), damaged: Vec::new() };
        Arc::new(DaySeries::of(DayHistory { day: NaiveDate::MIN, history }))
    }

    fn stamp(bytes: u64) -> Stamp {
        Stamp { changed: SystemTime::UNIX_EPOCH, bytes, inode: 1 }
    }

    #[test]
    fn a_day_is_known_while_its_file_is_the_same() {
        let (read, path) = (DaysRead::default(), Path::new("day"));
        assert!(read.get(path, stamp(1)).is_none());
        read.keep(path.to_owned(), stamp(1), &day(3));
        assert_eq!(read.get(path, stamp(1)).map(|day| day.names().count()), Some(day(3).names().count()));
        assert!(read.get(path, stamp(2)).is_none() && read.get(Path::new("other"), stamp(1)).is_none());
    }

    #[test]
    fn what_is_kept_is_bounded_and_counted_once() {
        let read = DaysRead::default();
        let one = day(1_000);
        for _ in 0..3 {
            read.keep("same".into(), stamp(1), &one);
        }
        let bytes = || read.0.lock().map_or(0, |kept| kept.bytes);
        assert_eq!(bytes(), one.bytes());
        let fit = MOST_BYTES / one.bytes();
        (0..2 * fit).for_each(|number| read.keep(number.to_string().into(), stamp(1), &one));
        assert!(bytes() <= MOST_BYTES && bytes() + one.bytes() > MOST_BYTES);
        assert!(read.get(Path::new("0"), stamp(1)).is_some(), "what is kept stays");
    }
}
