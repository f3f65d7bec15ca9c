//! What is asked of a history.

use chrono::{DateTime, Utc};
use larder_metrics_model::NodeAddress;

use crate::{SeriesName, moment};

/// Which snapshots are read; by default all of them.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Query {
    /// Of which cache; `None` for whichever, those without a name included.
    pub cache: Option<String>,
    /// The first moment, itself included.
    pub from: Option<DateTime<Utc>>,
    /// The moment that ends the range, itself not included.
    pub until: Option<DateTime<Utc>>,
    /// How many of them.
    pub take: Take,
}

/// How many of the snapshots in the range are read. Snapshots of one instant are never torn apart: all of them count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Take {
    /// All of them.
    #[default]
    All,
    /// The oldest ones, at least this many where there are.
    Oldest(usize),
    /// The newest ones, at least this many where there are.
    Newest(usize),
}

/// Which series is read, over which time, and how fine.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SeriesQuery {
    /// The name of the metric, as in [`larder_metrics_model::metrics`].
    pub metric: String,
    /// Of which node; `None` for the cache as a whole, and for a family.
    pub node: Option<NodeAddress>,
    /// Of which family; `None` for the cache as a whole, and for a node.
    pub family: Option<String>,
    /// Of which cache; `None` for whichever, so that history from before caches had names goes on.
    pub cache: Option<String>,
    /// The first moment, itself included.
    pub from: Option<DateTime<Utc>>,
    /// The moment that ends the range, itself not included.
    pub until: Option<DateTime<Utc>>,
    /// How fine; `None` for the finest that covers the range in at most `max_points` points.
    pub resolution: Option<Resolution>,
    /// How many points are too many for a resolution that is not given; days are told however many they are.
    pub max_points: usize,
}

/// How much time one point of a series stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resolution {
    /// One sample.
    Raw,
    /// An hour that begins on the hour, UTC.
    Hourly,
    /// A day that begins at midnight, UTC.
    Daily,
}

impl Query {
    /// Returns the same query from this moment on.
    #[must_use]
    pub fn since(mut self, from: DateTime<Utc>) -> Self {
        self.from = Some(from);
        self
    }

    /// Returns the same query that ends before this moment.
    #[must_use]
    pub fn until(mut self, until: DateTime<Utc>) -> Self {
        self.until = Some(until);
        self
    }

    /// Returns the same query of one cache.
    #[must_use]
    pub fn of_cache(mut self, cache: impl Into<String>) -> Self {
        self.cache = Some(cache.into());
        self
    }

    /// Returns the same query of so many snapshots.
    #[must_use]
    pub fn take(mut self, take: Take) -> Self {
        self.take = take;
        self
    }

    pub(crate) fn range(&self) -> (i64, i64) {
        range(self.from, self.until)
    }

    /// Tells whether a snapshot of this cache at this time is asked for.
    pub(crate) fn wants(&self, cache: Option<&str>, at: i64) -> bool {
        let (from, until) = self.range();
        (from..until).contains(&at) && self.cache.as_deref().is_none_or(|wanted| cache == Some(wanted))
    }
}

impl Take {
    /// Shortens what is ordered by `at` to what is to be taken.
    pub(crate) fn shorten<T>(self, items: &mut Vec<T>, at: impl Fn(&T) -> i64) {
        match self {
            Self::All => {}
            Self::Oldest(0) | Self::Newest(0) => items.clear(),
            Self::Oldest(count) => {
                if let Some(last) = items.get(count - 1).map(&at) {
                    items.truncate(items.partition_point(|item| at(item) <= last));
                }
            }
            Self::Newest(count) => {
                if let Some(first) = items.len().checked_sub(count).map(|index| at(&items[index])) {
                    items.drain(..items.partition_point(|item| at(item) < first));
                }
            }
        }
    }
}

impl SeriesQuery {
    /// How many points a series has at most where no resolution is asked for.
    pub const DEFAULT_MAX_POINTS: usize = 2_000;

    /// Asks for all of a metric of the cache as a whole, at a resolution that suits.
    pub fn new(metric: impl Into<String>) -> Self {
        Self {
            metric: metric.into(),
            node: None,
            family: None,
            cache: None,
            from: None,
            until: None,
            resolution: None,
            max_points: Self::DEFAULT_MAX_POINTS,
        }
    }

    /// Returns the same query of one node.
    #[must_use]
    pub fn of_node(mut self, node: NodeAddress) -> Self {
        self.node = Some(node);
        self
    }

    /// Returns the same query of one family.
    #[must_use]
    pub fn of_family(mut self, family: impl Into<String>) -> Self {
        self.family = Some(family.into());
        self
    }

    /// Returns the same query of one cache.
    #[must_use]
    pub fn of_cache(mut self, cache: impl Into<String>) -> Self {
        self.cache = Some(cache.into());
        self
    }

    /// Returns the same query from this moment on.
    #[must_use]
    pub fn since(mut self, from: DateTime<Utc>) -> Self {
        self.from = Some(from);
        self
    }

    /// Returns the same query that ends before this moment.
    #[must_use]
    pub fn until(mut self, until: DateTime<Utc>) -> Self {
        self.until = Some(until);
        self
    }

    /// Returns the same query at one resolution.
    #[must_use]
    pub fn at(mut self, resolution: Resolution) -> Self {
        self.resolution = Some(resolution);
        self
    }

    /// Returns the range, widened to whole stretches: one that has a part in the range is told whole.
    pub(crate) fn range(&self, resolution: Resolution) -> (i64, i64) {
        let (from, until) = range(self.from, self.until);
        let Some(width) = resolution.width() else { return (from, until) };
        if until <= from {
            return (from, from);
        }
        let end = moment::floor(until.saturating_sub(1), width).saturating_add(width);
        (moment::floor(from, width), end)
    }
}

impl From<SeriesName> for SeriesQuery {
    fn from(name: SeriesName) -> Self {
        Self { node: name.node, family: name.family, cache: name.cache, ..Self::new(name.metric) }
    }
}

impl Resolution {
    /// Returns the time of a point in microseconds; `None` where it is a single sample.
    pub(crate) fn width(self) -> Option<i64> {
        match self {
            Self::Raw => None,
            Self::Hourly => Some(moment::HOUR),
            Self::Daily => Some(moment::DAY),
        }
    }
}

fn range(from: Option<DateTime<Utc>>, until: Option<DateTime<Utc>>) -> (i64, i64) {
    (from.map_or(i64::MIN, moment::micros), until.map_or(i64::MAX, moment::micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(take: Take, mut items: Vec<i64>) -> Vec<i64> {
        take.shorten(&mut items, |item| *item);
        items
    }

    #[test]
    fn equals_are_not_torn_apart() {
        let items = vec![1, 2, 2, 3, 3];
        assert_eq!(taken(Take::Oldest(2), items.clone()), [1, 2, 2]);
        assert_eq!(taken(Take::Newest(1), items.clone()), [3, 3]);
        assert_eq!(taken(Take::Newest(9), items.clone()), items);
        assert_eq!(taken(Take::Oldest(9), items.clone()), items);
        assert_eq!(taken(Take::All, items.clone()), items);
        assert!(taken(Take::Newest(0), items).is_empty());
        assert!(taken(Take::Oldest(1), Vec::new()).is_empty());
    }

    #[test]
    fn ranges_are_widened_to_whole_stretches() {
        let at = |micros| moment::time(micros);
        let query = SeriesQuery::new("hits").since(at(1)).until(at(moment::HOUR + 1));
        assert_eq!(query.range(Resolution::Raw), (1, moment::HOUR + 1));
        assert_eq!(query.range(Resolution::Hourly), (0, 2 * moment::HOUR));
        assert_eq!(query.range(Resolution::Daily), (0, moment::DAY));
        let whole = SeriesQuery::new("hits").since(at(0)).until(at(moment::HOUR));
        assert_eq!(whole.range(Resolution::Hourly), (0, moment::HOUR), "the end is not included");
        let none = SeriesQuery::new("hits").since(at(5)).until(at(5));
        assert_eq!(none.range(Resolution::Daily), (5, 5), "an empty range stays empty");
        let all = SeriesQuery::new("hits");
        assert_eq!(all.range(Resolution::Raw), (i64::MIN, i64::MAX));
    }
}
