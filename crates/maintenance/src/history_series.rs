//! The metrics history as series that can be judged.

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
};

use chrono::{DateTime, Utc};
use larder_analysis::{Observation, Rates, SeriesBreak, TimeSeries, find_breaks, rates};
use larder_metrics_model::{
    Break, FamilyFigures, KeyspaceSnapshot, MetricKind, NodeAddress, Snapshot, Unit, metric,
};
use larder_metrics_store::{
    Damage, MetricsStore, Point, Query, Result, Series, SeriesName, SeriesQuery, Take,
};

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
    pub damaged: Vec<Damage>,
    /// How low and how high it was; `None` where every point is a single value, and of counters.
    pub extremes: Option<Extremes>,
}

/// How low and how high values were of which a series has the mean; both have the moments of the series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extremes {
    /// The lowest of what each point sums up.
    pub lowest: TimeSeries,
    /// The highest of it.
    pub highest: TimeSeries,
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
    pub damaged: Vec<Damage>,
}

impl NotedSeries {
    fn of(
        found: Series,
        metric: &str,
        node: Option<&NodeAddress>,
        observation: impl Fn(&Point) -> Observation,
    ) -> Self {
        let (possible, impossible): (Vec<Observation>, Vec<Observation>) =
            found.points.iter().map(observation).partition(|it| is_possible(metric, it.value));
        let series: TimeSeries = possible.into_iter().collect();
        let mut notes: Vec<String> = found.damaged.iter().map(ToString::to_string).collect();
        notes.extend(impossible_note(metric, node, &impossible));
        notes.extend(gaps(metric, node, &series));
        let extremes = (!is_counter(metric)).then(|| Extremes::of(&found.points)).flatten();
        Self { series, notes, damaged: found.damaged, extremes }
    }
}

impl HistorySeries {
    /// Reads the history of this cache, and what names no cache where no other cache is in the history; `None` for whatever
    /// is there.
    #[must_use]
    pub fn new(store: Arc<dyn MetricsStore>, cache: Option<String>) -> Self {
        Self { store, cache, names: OnceLock::new() }
    }

    /// Returns which cache it is; `None` for whatever is there.
    #[must_use]
    pub fn cache(&self) -> Option<&str> {
        self.cache.as_deref()
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
        let is_counter = is_counter(metric);
        let found = self.points(metric, node, from, until).await?;
        Ok(NotedSeries::of(found, metric, node, |point| observation(point, is_counter)))
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
        let found = self.points(metric, node, from, until).await?;
        let peak = |point: &Point| Observation { value: point.max, ..observation(point, false) };
        Ok(NotedSeries::of(found, metric, node, peak))
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

    /// Returns the newest snapshot from `from` on and before `until`.
    ///
    /// # Errors
    /// The history cannot be read at all.
    pub async fn last_snapshot(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<Option<Snapshot>> {
        Ok(self.store.read(&self.newest(from, until).await?).await?.snapshots.pop())
    }

    /// Returns the newest keyspace snapshot from `from` on and before `until`, with the families that the keys were of.
    ///
    /// # Errors
    /// The history cannot be read at all.
    pub async fn last_keyspace(
        &self,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Option<KeyspaceSnapshot>> {
        Ok(self.store.read_keyspaces(&self.newest(from, until).await?).await?.snapshots.pop())
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
        // A time that begins anew within a point shows at its ends, not in its mean.
        let uptime = self
            .points("node_uptime_seconds", Some(node), from, until)
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
        // What a server has loaded again goes on; how its memory is laid out does not.
        let is_filled = larder_metrics_model::metric(metric).is_some_and(|it| it.unit != Unit::Ratio);
        let emptied = breaks.iter().rfind(|found| {
            found.what != Break::CountersReset && (!is_filled || found.has_emptied(&noted.series))
        });
        if let Some(found) =
            emptied.filter(|found| noted.series.first().is_some_and(|it| it.at < found.until))
        {
            noted.series = noted.series.since(found.until);
            noted.extremes = noted.extremes.map(|extremes| extremes.since(found.until));
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
        let NotedSeries { series, mut notes, damaged, .. } = self.noted(metric, node, from, until).await?;
        let mut rest = series;
        let mut told = Rates::default();
        let anew = breaks.iter().filter(|found| found.what != Break::Flushed);
        for found in anew {
            let (before, after) = (rest.until(found.until), rest.since(found.until));
            // What happened before the first measurement, or behind the last one, spoils no interval.
            if before.is_empty() || after.is_empty() {
                continue;
            }
            told = told.followed_by(&rates(&before));
            told.resets += 1;
            rest = after;
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

    async fn points(
        &self,
        metric: &str,
        node: Option<&NodeAddress>,
        from: Option<DateTime<Utc>>,
        until: Option<DateTime<Utc>>,
    ) -> Result<Series> {
        let mut query = SeriesQuery::new(metric);
        (query.node, query.from, query.until) = (node.cloned(), from, until);
        self.ask(query).await
    }

    async fn ask(&self, mut query: SeriesQuery) -> Result<Series> {
        query.max_points = MOST_POINTS;
        query.cache = self.named().await?;
        self.store.series(&query).await
    }

    async fn newest(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<Query> {
        let mut query = Query::default().since(from).until(until).take(Take::Newest(1));
        query.cache = self.named().await?;
        Ok(query)
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

impl Extremes {
    fn of(points: &[Point]) -> Option<Self> {
        if points.iter().all(|point| point.count <= 1) {
            return None;
        }
        let of = |value: fn(&Point) -> f64| {
            points.iter().map(|point| Observation { at: middle(point), value: value(point) }).collect()
        };
        Some(Self { lowest: of(|point| point.min), highest: of(|point| point.max) })
    }

    fn since(&self, from: DateTime<Utc>) -> Self {
        Self { lowest: self.lowest.since(from), highest: self.highest.since(from) }
    }
}

fn is_counter(name: &str) -> bool {
    metric(name).is_some_and(|metric| metric.kind == MetricKind::Counter)
}

fn observation(point: &Point, is_counter: bool) -> Observation {
    if is_counter {
        return Observation { at: point.last_at, value: point.last };
    }
    Observation { at: middle(point), value: point.mean }
}

fn middle(point: &Point) -> DateTime<Utc> {
    point.first_at + (point.last_at - point.first_at) / 2
}

/// Metrics in ratios that are no shares.
const QUOTIENTS: [&str; 1] = ["node_fragmentation_ratio"];
/// No metric is as large: of bytes it would be an exabyte, of milliseconds thirty million years.
const LARGEST: f64 = 1e18;

/// Tells whether a value can be one of a metric: none is negative, and a share is no more than one.
fn is_possible(name: &str, value: f64) -> bool {
    let is_share = metric(name).is_some_and(|it| it.unit == Unit::Ratio) && !QUOTIENTS.contains(&name);
    // Those that are no numbers are counted by the series itself.
    !value.is_finite() || (0.0..=if is_share { 1.0 } else { LARGEST }).contains(&value)
}

fn impossible_note(metric: &str, node: Option<&NodeAddress>, left_out: &[Observation]) -> Option<String> {
    let first = left_out.first()?;
    Some(format!(
        "{metric}{}: {} left out that cannot be, such as {:e} at {}",
        of(node),
        if left_out.len() == 1 {
            "1 value was".to_owned()
        } else {
            format!("{} values were", left_out.len())
        },
        first.value,
        first.at.format("%F %H:%M UTC"),
    ))
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

pub(crate) fn happened(what: &Break) -> &'static str {
    match what {
        Break::Restarted => "the server started anew then",
        Break::Flushed => "all keys were removed then",
        _ => "the counting began anew then",
    }
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use chrono::{FixedOffset, TimeDelta};
    use larder_metrics_model::Snapshot;
    use larder_metrics_store::{Retention, SqliteStore};

    use super::*;

    /// So many minutes of round trips that take 1 to 3 ms.
    async fn round_trips(minutes: u32) -> NotedSeries {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("metrics.sqlite"), Retention::default()).unwrap();
        let begin = Utc::now() - TimeDelta::minutes(minutes.into());
        let at = |minute: u32| {
            (begin + TimeDelta::minutes(minute.into())).with_timezone(&FixedOffset::east_opt(0).unwrap())
        };
        let snapshots: Vec<Snapshot> = (0..minutes)
            .map(|minute| {
                let mut snapshot = Snapshot::at(at(minute));
                snapshot.health_info.redis_ping_time = Some(1.0 + f64::from(minute % 3));
                snapshot
            })
            .collect();
        store.append_all(&snapshots).unwrap();
        HistorySeries::new(Arc::new(store), None).noted("ping_ms", None, None, None).await.unwrap()
    }

    #[tokio::test]
    async fn values_that_cannot_be_are_left_out_and_said() {
        for (name, value, is) in [
            ("latency_mean_ms", -3.0, false),
            ("latency_mean_ms", 1e308, false),
            ("latency_mean_ms", 0.0, true),
            ("hit_ratio", 1.0, true),
            ("hit_ratio", 5.0, false),
            ("node_fragmentation_ratio", 5.0, true),
            ("node_used_memory_bytes", 1e13, true),
        ] {
            assert_eq!(is_possible(name, value), is, "{name} {value}");
        }
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("metrics.sqlite"), Retention::default()).unwrap();
        let begin = Utc::now() - TimeDelta::minutes(10);
        let snapshots = [1.0, -3.0, 2.0].into_iter().zip(0..).map(|(ping, minute)| {
            let mut snapshot = Snapshot::at((begin + TimeDelta::minutes(minute)).fixed_offset());
            snapshot.health_info.redis_ping_time = Some(ping);
            snapshot
        });
        store.append_all(&snapshots.collect::<Vec<_>>()).unwrap();
        let found =
            HistorySeries::new(Arc::new(store), None).noted("ping_ms", None, None, None).await.unwrap();
        assert_eq!(found.series.values().collect::<Vec<_>>(), [1.0, 2.0]);
        assert!(
            found.notes[0].starts_with("ping_ms: 1 value was left out that cannot be, such as -3e0 at "),
            "{:?}",
            found.notes
        );
    }

    #[tokio::test]
    async fn what_is_summed_up_has_its_extremes_and_single_values_have_none() {
        assert_eq!(round_trips(60).await.extremes, None);
        let summed_up = round_trips(u32::try_from(MOST_POINTS).unwrap() + 120).await;
        let extremes = summed_up.extremes.unwrap();
        assert!(summed_up.series.len() < 200, "hours");
        let moments = |series: &TimeSeries| series.observations().iter().map(|it| it.at).collect::<Vec<_>>();
        assert_eq!(moments(&extremes.lowest), moments(&summed_up.series));
        assert_eq!(moments(&extremes.highest), moments(&summed_up.series));
        let middle = extremes.lowest.len() / 2;
        let of = |series: &TimeSeries| series.observations()[middle].value;
        assert_eq!((of(&extremes.lowest), of(&extremes.highest)), (1.0, 3.0));
        assert!((of(&summed_up.series) - 2.0).abs() < 1e-9);
    }
}
