//! The metrics history as series that can be judged.

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
};

use chrono::{DateTime, Utc};
use larder_analysis::{Observation, Rates, SeriesBreak, TimeSeries, find_breaks, rates};
use larder_metrics_model::{Break, FamilyFigures, MetricKind, NodeAddress, Snapshot, metric};
use larder_metrics_store::{MetricsStore, Point, Query, Result, Series, SeriesName, SeriesQuery, Take};

/// A week of minutes is read as it was measured; four hundred days are read as hours, what is longer as days.
const MOST_POINTS: usize = 11_000;
/// Some of the newest snapshots may be of drills, which have no nodes.
const NEWEST: usize = 20;
/// Counters that nobody resets by themselves: where one goes back, all of them were reset.
const COUNTERS: [&str; 3] = ["node_commands", "node_connections", "node_hits"];

/// Reads series of the history of one cache.
///
/// Which series there are is read once, at the first question.
#[derive(Clone, Debug)]
pub struct HistorySeries {
    store: Arc<dyn MetricsStore>,
    cache: Option<String>,
    names: OnceLock<Vec<SeriesName>>,
}

/// A series, with what of the history is not in it.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct NotedSeries {
    /// What can be judged.
    pub series: TimeSeries,
    /// What was left out, or could not be read, and why.
    pub notes: Vec<String>,
    /// What of that could not be read.
    pub damaged: Vec<String>,
}

/// What a counter comes to a second, with what of the history is not in it.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct NotedRates {
    /// What can be judged.
    pub rates: Rates,
    /// What was left out, or could not be read, and why.
    pub notes: Vec<String>,
    /// What of that could not be read.
    pub damaged: Vec<String>,
}

impl NotedSeries {
    fn of(
        found: &Series,
        metric: &str,
        node: Option<&NodeAddress>,
        observation: impl Fn(&Point) -> Observation,
    ) -> Self {
        let series: TimeSeries = found.points.iter().map(observation).collect();
        let damaged: Vec<String> = found.damaged.iter().map(ToString::to_string).collect();
        let mut notes = damaged.clone();
        notes.extend(gaps(metric, node, &series));
        Self { series, notes, damaged }
    }
}

impl HistorySeries {
    /// Reads the history of this cache, and what names no cache where no other cache is in the history; `None` for whatever
    /// is there.
    #[must_use]
    pub fn new(store: Arc<dyn MetricsStore>, cache: Option<String>) -> Self {
        Self { store, cache, names: OnceLock::new() }
    }

    /// Returns the caches that the history names, ordered.
    ///
    /// # Errors
    /// The history cannot be read at all.
    pub async fn caches(&self) -> Result<Vec<String>> {
        let names: BTreeSet<_> = self.names().await?.iter().filter_map(|name| name.cache.clone()).collect();
        Ok(names.into_iter().collect())
    }

    /// Returns the nodes of which there are series, ordered.
    ///
    /// # Errors
    /// The history cannot be read at all.
    pub async fn nodes(&self) -> Result<Vec<NodeAddress>> {
        let names = self.names().await?.iter().filter(|name| self.is_of_cache(name));
        let nodes: BTreeSet<_> = names.filter_map(|name| name.node.clone()).collect();
        Ok(nodes.into_iter().collect())
    }

    /// Returns the families of keys of which there are series, ordered; not the sum of those that are too many.
    ///
    /// # Errors
    /// The history cannot be read at all.
    pub async fn families(&self) -> Result<Vec<String>> {
        let names = self.names().await?.iter().filter(|name| self.is_of_cache(name));
        let families: BTreeSet<_> = names.filter_map(|name| name.family.clone()).collect();
        Ok(families.into_iter().filter(|family| family != FamilyFigures::OTHER).collect())
    }

    /// Returns a metric of the cache, or of one node, from `from` on and before `until`. A point that sums samples up is their
    /// mean, at the middle of them; of a counter it is the last one, at its moment.
    ///
    /// # Errors
    /// The history cannot be read at all.
    pub async fn metric(
        &self,
        metric: &str,
        node: Option<&NodeAddress>,
        from: Option<DateTime<Utc>>,
        until: Option<DateTime<Utc>>,
    ) -> Result<TimeSeries> {
        Ok(self.noted(metric, node, from, until).await?.series)
    }

    /// Returns the same as [`metric`](Self::metric), with what could not be read and where nothing was measured.
    ///
    /// # Errors
    /// The history cannot be read at all.
    pub async fn noted(
        &self,
        metric: &str,
        node: Option<&NodeAddress>,
        from: Option<DateTime<Utc>>,
        until: Option<DateTime<Utc>>,
    ) -> Result<NotedSeries> {
        let mut query = SeriesQuery::new(metric);
        (query.node, query.from, query.until) = (node.cloned(), from, until);
        let is_counter = is_counter(metric);
        let found = self.ask(query).await?;
        Ok(NotedSeries::of(&found, metric, node, |point| observation(point, is_counter)))
    }

    /// Returns the same as [`noted`](Self::noted), but of a point that sums samples up the highest of them: what is full at its
    /// peak is full.
    ///
    /// # Errors
    /// The history cannot be read at all.
    pub async fn peaks(
        &self,
        metric: &str,
        node: Option<&NodeAddress>,
        from: Option<DateTime<Utc>>,
        until: Option<DateTime<Utc>>,
    ) -> Result<NotedSeries> {
        let mut query = SeriesQuery::new(metric);
        (query.node, query.from, query.until) = (node.cloned(), from, until);
        let found = self.ask(query).await?;
        let peak = |point: &Point| Observation { value: point.max, ..observation(point, false) };
        Ok(NotedSeries::of(&found, metric, node, peak))
    }

    /// Returns the newest snapshot before `until` in which nodes were measured; `None` where none is kept.
    ///
    /// # Errors
    /// The history cannot be read at all.
    pub async fn newest_of_nodes(&self, until: DateTime<Utc>) -> Result<Option<Snapshot>> {
        let mut query = Query::default().until(until).take(Take::Newest(NEWEST));
        query.cache = self.named().await?;
        let found = self.store.read(&query).await?;
        Ok(found.snapshots.into_iter().rfind(|snapshot| !snapshot.nodes.is_empty()))
    }

    /// Returns a metric of one family of keys, as [`metric`](Self::metric) does.
    ///
    /// # Errors
    /// The history cannot be read at all.
    pub async fn family(
        &self,
        metric: &str,
        family: &str,
        from: Option<DateTime<Utc>>,
        until: Option<DateTime<Utc>>,
    ) -> Result<TimeSeries> {
        let mut query = SeriesQuery::new(metric).of_family(family);
        (query.from, query.until) = (from, until);
        let found = self.ask(query).await?;
        Ok(found.points.iter().map(|point| observation(point, false)).collect())
    }

    /// Returns the restarts, resets of counters and flushes of a node, oldest first.
    ///
    /// # Errors
    /// The history cannot be read at all.
    pub async fn breaks(
        &self,
        node: &NodeAddress,
        from: Option<DateTime<Utc>>,
        until: Option<DateTime<Utc>>,
    ) -> Result<Vec<SeriesBreak>> {
        let mut query = SeriesQuery::new("node_uptime_seconds").of_node(node.clone());
        (query.from, query.until) = (from, until);
        // A time that begins anew within a point shows at its ends, not in its mean.
        let uptime = self
            .ask(query)
            .await?
            .points
            .into_iter()
            .flat_map(|point| [(point.first_at, point.first), (point.last_at, point.last)]);
        let mut counters = Vec::with_capacity(COUNTERS.len());
        for counter in COUNTERS {
            counters.push(self.metric(counter, Some(node), from, until).await?);
        }
        let keys = self.metric("node_keys", Some(node), from, until).await?;
        Ok(find_breaks(&uptime.collect(), &counters, &keys))
    }

    /// Returns a metric of a node that is filled anew by a restart or a flush, such as memory or keys: only what lies behind the
    /// last of them.
    ///
    /// # Errors
    /// The history cannot be read at all.
    pub async fn since_break(
        &self,
        metric: &str,
        node: &NodeAddress,
        breaks: &[SeriesBreak],
        from: Option<DateTime<Utc>>,
        until: Option<DateTime<Utc>>,
    ) -> Result<NotedSeries> {
        let mut noted = self.noted(metric, Some(node), from, until).await?;
        let emptied = breaks.iter().rfind(|found| found.what != Break::CountersReset);
        if let Some(found) =
            emptied.filter(|found| noted.series.first().is_some_and(|it| it.at < found.until))
        {
            noted.series = noted.series.since(found.until);
            noted.notes.push(format!(
                "{metric} of {node}: what was measured before {} is left out, because {}",
                found.until.format("%F %H:%M UTC"),
                happened(&found.what),
            ));
        }
        Ok(noted)
    }

    /// Returns what a counter of the cache, or of one node, comes to a second. Intervals with a restart or a reset in them say
    /// nothing and are left out; `breaks` are those of the node.
    ///
    /// # Errors
    /// The history cannot be read at all.
    pub async fn rate(
        &self,
        metric: &str,
        node: Option<&NodeAddress>,
        breaks: &[SeriesBreak],
        from: Option<DateTime<Utc>>,
        until: Option<DateTime<Utc>>,
    ) -> Result<NotedRates> {
        let NotedSeries { series, mut notes, damaged } = self.noted(metric, node, from, until).await?;
        let mut rest = series;
        let mut told = Rates::default();
        let anew = breaks.iter().filter(|found| found.what != Break::Flushed);
        for found in anew {
            let before = rest.until(found.until);
            if before.is_empty() {
                continue;
            }
            told = told.followed_by(&rates(&before));
            told.resets += 1;
            rest = rest.since(found.until);
        }
        told = told.followed_by(&rates(&rest));
        if told.resets > 0 {
            notes.push(format!(
                "{metric}{}: {} in which the counting began anew {} left out",
                of(node),
                counted(told.resets, "interval"),
                if told.resets == 1 { "is" } else { "are" },
            ));
        }
        Ok(NotedRates { rates: told, notes, damaged })
    }

    async fn ask(&self, mut query: SeriesQuery) -> Result<Series> {
        query.max_points = MOST_POINTS;
        query.cache = self.named().await?;
        self.store.series(&query).await
    }

    /// What names no cache is taken along where it can be of no other one.
    async fn named(&self) -> Result<Option<String>> {
        let Some(cache) = &self.cache else { return Ok(None) };
        let others = self.caches().await?.iter().any(|known| known != cache);
        Ok(others.then(|| cache.clone()))
    }

    fn is_of_cache(&self, name: &SeriesName) -> bool {
        self.cache.is_none() || name.cache.is_none() || name.cache == self.cache
    }

    async fn names(&self) -> Result<&[SeriesName]> {
        if let Some(names) = self.names.get() {
            return Ok(names);
        }
        let names = self.store.series_names().await?;
        Ok(self.names.get_or_init(|| names))
    }
}

fn is_counter(name: &str) -> bool {
    metric(name).is_some_and(|metric| metric.kind == MetricKind::Counter)
}

fn observation(point: &Point, is_counter: bool) -> Observation {
    if is_counter {
        return Observation { at: point.last_at, value: point.last };
    }
    Observation { at: point.first_at + (point.last_at - point.first_at) / 2, value: point.mean }
}

/// Says where nothing was measured.
fn gaps(metric: &str, node: Option<&NodeAddress>, series: &TimeSeries) -> Option<String> {
    let gaps = series.gaps();
    let (from, to) = gaps.iter().max_by_key(|(from, to)| *to - *from)?;
    Some(format!(
        "{metric}{}: nothing was measured {}, at most from {} to {}",
        of(node),
        if gaps.len() == 1 { "once".to_owned() } else { format!("{} times", gaps.len()) },
        from.format("%F %H:%M"),
        to.format("%F %H:%M UTC"),
    ))
}

fn of(node: Option<&NodeAddress>) -> String {
    node.map_or_else(String::new, |node| format!(" of {node}"))
}

fn happened(what: &Break) -> &'static str {
    match what {
        Break::Restarted => "the server started anew then",
        Break::Flushed => "all keys were removed then",
        _ => "the counting began anew then",
    }
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
