//! What a history answers.

use std::{fmt, path::PathBuf};

use chrono::{DateTime, Utc};
use larder_metrics_model::{NodeAddress, Snapshot};

use crate::{Error, Resolution, cause::WithCauses};

/// Snapshots, and what of the history could not be read.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct History<T = Snapshot> {
    /// Ordered by time, oldest first.
    pub snapshots: Vec<T>,
    /// What could not be read.
    pub damaged: Vec<Damage>,
}

/// A part of a history that cannot be read; the rest can.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// Which part of it; `None` for all of it.
    pub part: Option<String>,
    /// What is wrong with it.
    pub reason: String,
    /// Where it was moved to, so that the history could go on.
    pub moved_to: Option<PathBuf>,
}

/// Which series: one metric of one node, of one family, or of the cache as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct SeriesName {
    /// The cache; `None` where the snapshots did not name one.
    pub cache: Option<String>,
    /// The metric.
    pub metric: String,
    /// The node; `None` for the cache as a whole, and for a family.
    pub node: Option<NodeAddress>,
    /// The family; `None` for the cache as a whole, and for a node.
    pub family: Option<String>,
}

/// One metric over time.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Series {
    /// How much time a point stands for.
    pub resolution: Resolution,
    /// Ordered by time, oldest first.
    pub points: Vec<Point>,
    /// What could not be read.
    pub damaged: Vec<Damage>,
}

/// The samples of one stretch of time, summed up.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Point {
    /// When the stretch begins; of a single sample, its moment.
    pub at: DateTime<Utc>,
    /// How many samples it sums up, one at least.
    pub count: u64,
    /// The lowest.
    pub min: f64,
    /// The mean of the samples.
    pub mean: f64,
    /// The highest.
    pub max: f64,
    /// The first one.
    pub first: f64,
    /// When the first one was taken.
    pub first_at: DateTime<Utc>,
    /// The last one.
    pub last: f64,
    /// When the last one was taken.
    pub last_at: DateTime<Utc>,
}

impl Damage {
    pub(crate) fn new(path: impl Into<PathBuf>, reason: impl fmt::Display) -> Self {
        Self { path: path.into(), part: None, reason: reason.to_string(), moved_to: None }
    }

    /// A history that cannot be read at all, with the causes.
    pub(crate) fn of(error: &Error) -> Self {
        let path = error.path().unwrap_or("history".as_ref());
        let words = WithCauses(error).to_string();
        let file = format!("{}: ", path.display());
        Self::new(path, words.strip_prefix(&file).unwrap_or(&words))
    }

    pub(crate) fn in_part(mut self, part: impl Into<String>) -> Self {
        self.part = Some(part.into());
        self
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(part) = &self.part {
            write!(f, " ({part})")?;
        }
        write!(f, ": {}", self.reason)?;
        match &self.moved_to {
            Some(moved_to) => write!(f, "; moved to {}", moved_to.display()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_names_file_part_and_reason() {
        let mut damage = Damage::new("a.json", "is empty").in_part("earlier[2]");
        assert_eq!(damage.to_string(), "a.json (earlier[2]): is empty");
        damage.moved_to = Some("a.json.damaged-1".into());
        assert_eq!(damage.to_string(), "a.json (earlier[2]): is empty; moved to a.json.damaged-1");
    }

    #[test]
    fn damage_of_an_error_names_the_file_once_and_the_cause() {
        let denied = std::io::Error::other("not allowed");
        let damage = Damage::of(&Error::io("a.json".as_ref(), "read the file", denied));
        assert_eq!(damage.to_string(), "a.json: cannot read the file: not allowed");
    }
}
