//! What a chart shows of the history.

use std::time::Duration;

use anyhow::Result;
use chrono::TimeDelta;
use larder_analysis::{
    Anomalies, AnomalyOptions, Better, Forecast, ForecastOptions, SeriesBreak, TimeSeries, Trend,
    TrendOptions, detect_anomalies, forecast, judge_trend,
};
use larder_maintenance::{Chart, ChartMark, ChartUnit, Extremes, HistorySeries};
use larder_metrics_model::{Break, MetricKind, NodeAddress, Unit};
use serde_json::{Value, json};

use super::{Subject, Wanted, limit};
use crate::command_error::UsageError;

/// The figures of a chart.
pub(super) struct Plotted {
    unit: ChartUnit,
    series: TimeSeries,
    extremes: Option<Extremes>,
    /// What the trend and the forecast were made from: of what a restart or a flush empties, only what lies behind it.
    judged: TimeSeries,
    trend: Trend,
    anomalies: Anomalies,
    breaks: Vec<SeriesBreak>,
    limit: Option<(&'static str, f64)>,
    pub(super) forecast: Option<Forecast>,
    pub(super) notes: Vec<String>,
}

/// Longer horizons are foretold in days where there are so many of them.
const HOURS_UP_TO: TimeDelta = TimeDelta::days(3);
const FEWEST_DAYS: Duration = Duration::from_hours(10 * 24);
const LONGEST: Duration = Duration::from_hours(5 * 366 * 24);

const HIT_RATIO: &str = "hit_ratio";
const SINCE_THE_START: &str = "hit_ratio is that since the server's start, in which a change shows late and small; \
                               `larder optimize` reckons that of each hour";

/// Which way is good, where that is known.
fn better(metric: &str) -> Better {
    match metric {
        HIT_RATIO => Better::Higher,
        _ if metric.contains("latency") => Better::Lower,
        _ => Better::Neither,
    }
}

impl Plotted {
    /// Reads and judges what is wanted.
    pub(super) async fn read(wanted: &Wanted<'_>, history: &HistorySeries) -> Result<Self> {
        let args = wanted.args;
        let unit = ChartUnit::of(wanted.metric);
        let limit = args.limit.as_deref().map(|text| limit::read(text, unit)).transpose()?;
        let (from, until, name) = (args.since, args.until, wanted.metric.name);
        let node = wanted.node();
        let breaks = breaks(wanted, history).await?;
        let (series, extremes, mut notes) = if let Subject::Family(family) = &wanted.of {
            (history.family(name, family, from, until).await?, None, Vec::new())
        } else if wanted.metric.kind == MetricKind::Counter {
            let of_node: &[SeriesBreak] = if node.is_some() { &breaks } else { &[] };
            let noted = history.rate(name, node, of_node, from, until).await?;
            (noted.rates.series, None, noted.notes)
        } else {
            let noted = history.noted(name, node, from, until).await?;
            (noted.series, noted.extremes, noted.notes)
        };
        let judged = match last_emptied(wanted, &breaks, &series) {
            Some(found) if series.first().is_some_and(|first| first.at < found.until) => {
                notes.push(format!(
                    "trend and forecast count from {} on, when the node had lost what it had",
                    found.until.format("%F %H:%M UTC")
                ));
                series.since(found.until)
            }
            _ => series.clone(),
        };
        let limit = match (limit, node) {
            (Some(value), _) => Some(("limit", value)),
            (None, Some(node)) if name == "node_used_memory_bytes" => maxmemory(node, history).await?,
            _ => None,
        };
        let mut options = TrendOptions::default();
        options.better = better(name);
        if name == HIT_RATIO {
            notes.push(SINCE_THE_START.to_owned());
        }
        let mut plotted = Self {
            unit,
            trend: judge_trend(&judged, &options),
            anomalies: detect_anomalies(&series, &AnomalyOptions::default()),
            series,
            extremes,
            judged,
            breaks,
            limit,
            forecast: None,
            notes,
        };
        if let Some(horizon) = args.forecast {
            plotted.foretell(horizon)?;
        }
        Ok(plotted)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    fn foretell(&mut self, horizon: Duration) -> Result<()> {
        if horizon > LONGEST {
            return Err(UsageError("--forecast: five years at most".to_owned()).into());
        }
        let horizon = TimeDelta::from_std(horizon)?;
        let in_days = horizon > HOURS_UP_TO && self.judged.span() >= FEWEST_DAYS;
        let width = if in_days { TimeDelta::days(1) } else { TimeDelta::hours(1) };
        let steps = usize::try_from(horizon.num_seconds().div_euclid(width.num_seconds()))?;
        if steps == 0 {
            return Err(UsageError("--forecast: an hour at least".to_owned()).into());
        }
        match forecast(&self.judged, &ForecastOptions::new(width, steps)) {
            Ok(foretold) => {
                self.notes.extend(foretold.notes.iter().map(|note| format!("forecast: {note}")));
                self.forecast = Some(foretold);
            }
            Err(error) => {
                let steps = if in_days { "days" } else { "hours" };
                self.notes.push(format!("there is no forecast: {error} (steps are {steps})"));
            }
        }
        Ok(())
    }

    /// Makes the chart.
    pub(super) fn chart(&self, wanted: &Wanted<'_>, cache: Option<&str>) -> Chart {
        let title = match wanted.subject(cache) {
            Some(subject) => format!("{} of {subject}", wanted.metric.name),
            None => wanted.metric.name.to_owned(),
        };
        let each = if wanted.metric.kind == MetricKind::Counter { "Each second: " } else { "" };
        let mut chart = Chart::new(title, self.unit)
            .subtitle(format!("{each}{}", wanted.metric.help))
            .series(&self.series)
            .trend(&self.judged, &self.trend)
            .anomalies(&self.anomalies.episodes)
            .marks(self.breaks.iter().map(ChartMark::from));
        if let Some(extremes) = &self.extremes {
            chart = chart.extremes(extremes);
        }
        if let Some(forecast) = &self.forecast {
            chart = chart.forecast(forecast);
        }
        if let Some((name, value)) = self.limit {
            chart = chart.limit(name, value);
        }
        chart
    }

    /// The same figures for programs.
    pub(super) fn as_json(&self, wanted: &Wanted<'_>, cache: Option<&str>) -> Value {
        let written =
            |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
        let points =
            self.series.observations().iter().map(|it| json!({"at": written(it.at), "value": it.value}));
        let breaks = self.breaks.iter().map(|found| json!({"at": written(found.until), "what": found.what}));
        let is_counter = wanted.metric.kind == MetricKind::Counter;
        json!({
            "cache": cache, "metric": wanted.metric.name, "node": wanted.node(), "family": wanted.family(),
            "unit": wanted.metric.unit, "per_second": is_counter,
            "points": points.collect::<Vec<_>>(), "trend": self.trend, "forecast": self.forecast,
            "anomalies": self.anomalies.episodes, "breaks": breaks.collect::<Vec<_>>(),
            "limit": self.limit.map(|(_, value)| value), "notes": self.notes,
        })
    }
}

impl Wanted<'_> {
    fn node(&self) -> Option<&NodeAddress> {
        if let Subject::Node(node) = &self.of { Some(node) } else { None }
    }

    fn family(&self) -> Option<&str> {
        if let Subject::Family(family) = &self.of { Some(family) } else { None }
    }

    fn subject(&self, cache: Option<&str>) -> Option<String> {
        match &self.of {
            Subject::Cache => cache.map(ToOwned::to_owned),
            Subject::Node(node) => Some(node.to_string()),
            Subject::Family(family) => Some(family.clone()),
        }
    }
}

/// Those of the node; of the cache as a whole those of every node.
async fn breaks(wanted: &Wanted<'_>, history: &HistorySeries) -> Result<Vec<SeriesBreak>> {
    let nodes = match &wanted.of {
        Subject::Node(node) => vec![node.clone()],
        Subject::Cache => history.nodes().await?,
        Subject::Family(_) => Vec::new(),
    };
    let mut breaks = Vec::new();
    for node in nodes {
        breaks.extend(history.breaks(&node, wanted.args.since, wanted.args.until).await?);
    }
    breaks.sort_by_key(|found| found.until);
    Ok(breaks)
}

/// The last break at which what is measured was emptied, as memory and keys of a node are.
fn last_emptied<'a>(
    wanted: &Wanted<'_>,
    breaks: &'a [SeriesBreak],
    series: &TimeSeries,
) -> Option<&'a SeriesBreak> {
    let metric = wanted.metric;
    let is_filled = metric.kind == MetricKind::Gauge && matches!(metric.unit, Unit::Bytes | Unit::Count);
    wanted.node().filter(|_| is_filled)?;
    breaks.iter().rfind(|found| found.what != Break::CountersReset && found.has_emptied(series))
}

async fn maxmemory(node: &NodeAddress, history: &HistorySeries) -> Result<Option<(&'static str, f64)>> {
    let limits = history.metric("node_maxmemory_bytes", Some(node), None, None).await?;
    let newest = limits.last().map(|newest| newest.value).filter(|value| *value > 0.0);
    Ok(newest.map(|value| ("maxmemory", value)))
}
