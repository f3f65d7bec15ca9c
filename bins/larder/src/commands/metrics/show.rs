//! `larder metrics show`.

use std::process::ExitCode;

use anyhow::Result;
use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use larder_metrics_model::{NodeAddress, metric};
use larder_metrics_store::{Damage, MetricsStore, Point, Resolution, Series, SeriesName, SeriesQuery};
use serde_json::json;

use super::{RangeArgs, end, families, families::Families, metric_name, unknown_cache, unknown_family};
use crate::{
    config::Settings,
    global::OutputForm,
    output::{format, message, stdout, table},
};

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// The metrics, see `larder metrics list` [default: all but those of families]
    #[arg(value_name = "METRIC", value_parser = metric_name)]
    metrics: Vec<String>,
    #[command(flatten)]
    range: RangeArgs,
    /// Only of this node, such as 127.0.0.1:6379
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
    /// Only of this family of keys, see `larder metrics list --families`
    #[arg(long, value_name = "FAMILY", conflicts_with = "node")]
    family: Option<String>,
    /// A line a point
    #[arg(long)]
    points: bool,
    /// How much time a point stands for [default: the finest of at most 2000 points]
    #[arg(long, value_enum)]
    resolution: Option<ResolutionName>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ResolutionName {
    /// A single sample
    Raw,
    /// An hour
    Hourly,
    /// A day
    Daily,
}

impl From<ResolutionName> for Resolution {
    fn from(name: ResolutionName) -> Self {
        match name {
            ResolutionName::Raw => Self::Raw,
            ResolutionName::Hourly => Self::Hourly,
            ResolutionName::Daily => Self::Daily,
        }
    }
}

/// How many families a table has at most where none is named; JSON has all.
const MOST_FAMILIES: usize = 20;

/// One series that was read.
struct Shown {
    name: SeriesName,
    series: Series,
}

pub(super) async fn run(args: &ShowArgs, settings: &Settings) -> Result<ExitCode> {
    let store = settings.history_to_read()?;
    let names = store.series_names().await?;
    let cache = args.range.cache(settings);
    let mut wanted: Vec<SeriesName> =
        names.iter().filter(|name| is_wanted(name, args, cache.as_deref())).cloned().collect();
    if args.metrics.is_empty() && args.family.is_none() && args.node.is_none() {
        note_families(&names, cache.as_deref());
    }
    if wanted.is_empty() {
        return nothing(&names, args, cache.as_deref());
    }
    if settings.output != OutputForm::Json && args.family.is_none() {
        keep_biggest(store.as_ref(), &mut wanted).await?;
    }
    let shown = read(store.as_ref(), wanted, args).await?;
    match (settings.output, args.points) {
        (OutputForm::Json, _) => {
            for shown in &shown {
                stdout::json_line(&as_json(shown))?;
            }
        }
        (_, true) => stdout::text(&points(&shown))?,
        (_, false) => stdout::text(&sums(&shown))?,
    }
    let mut damaged: Vec<Damage> = Vec::new();
    for damage in shown.into_iter().flat_map(|shown| shown.series.damaged) {
        if !damaged.contains(&damage) {
            damaged.push(damage);
        }
    }
    Ok(end(&damaged))
}

fn is_wanted(name: &SeriesName, args: &ShowArgs, cache: Option<&str>) -> bool {
    let of_metric = args.metrics.is_empty() || args.metrics.contains(&name.metric);
    // There may be a thousand of them, which nobody wants to see among everything else.
    let of_family = match &args.family {
        Some(family) => name.family.as_ref() == Some(family),
        None => name.family.is_none() || !args.metrics.is_empty(),
    };
    let of_node =
        args.node.as_deref().is_none_or(|node| name.node.as_ref().map(NodeAddress::as_str) == Some(node));
    of_metric && of_family && of_node && is_of_cache(name, cache)
}

/// Files of the guide's collector name no cache; they belong to whichever is asked for.
fn is_of_cache(name: &SeriesName, cache: Option<&str>) -> bool {
    cache.is_none() || name.cache.is_none() || name.cache.as_deref() == cache
}

fn note_families(names: &[SeriesName], cache: Option<&str>) {
    let count = families::names(names.iter().filter(|name| is_of_cache(name, cache))).len();
    if count > 0 {
        message::note(&format!(
            "{count} families of keys are not shown; name a metric of them, or one with --family \
             (`larder metrics list --families`)"
        ));
    }
}

/// Leaves out all but the biggest families, and says so.
async fn keep_biggest(store: &dyn MetricsStore, wanted: &mut Vec<SeriesName>) -> Result<()> {
    let mut names = families::names(&*wanted);
    if names.len() <= MOST_FAMILIES {
        return Ok(());
    }
    Families::read(store, wanted).await?.sort(&mut names);
    let left_out = names.split_off(MOST_FAMILIES);
    wanted.retain(|name| {
        let Some(family) = &name.family else { return true };
        names.iter().any(|(cache, kept)| *cache == name.cache && kept == family)
    });
    message::note(&format!(
        "{} smaller families are left out; --family names one, `larder metrics list --families` lists them",
        left_out.len()
    ));
    Ok(())
}

fn nothing(names: &[SeriesName], args: &ShowArgs, cache: Option<&str>) -> Result<ExitCode> {
    let mut known: Vec<String> = names.iter().filter_map(|name| name.cache.clone()).collect();
    known.dedup();
    if let Some(cache) = cache.filter(|cache| !known.iter().any(|known| known == cache)) {
        return Err(unknown_cache(cache, &known).into());
    }
    if let Some(error) = args.family.as_deref().and_then(|family| unknown_family(family, names)) {
        return Err(error.into());
    }
    message::note("the history has nothing of that; `larder collect` measures");
    Ok(ExitCode::SUCCESS)
}

async fn read(store: &dyn MetricsStore, names: Vec<SeriesName>, args: &ShowArgs) -> Result<Vec<Shown>> {
    let mut shown = Vec::new();
    for name in names {
        let mut query: SeriesQuery = name.clone().into();
        (query.from, query.until) = (args.range.since, args.range.until);
        query.resolution = args.resolution.map(Resolution::from);
        let series = store.series(&query).await?;
        if !series.points.is_empty() || !series.damaged.is_empty() {
            shown.push(Shown { name, series });
        }
    }
    Ok(shown)
}

fn as_json(Shown { name, series }: &Shown) -> serde_json::Value {
    let points = series.points.iter().map(|point| {
        json!({
            "at": written(point.at), "count": point.count, "min": point.min, "mean": point.mean, "max": point.max,
            "first": point.first, "last": point.last,
        })
    });
    let resolution = format!("{:?}", series.resolution).to_lowercase();
    json!({
        "cache": name.cache, "metric": name.metric, "node": name.node, "family": name.family,
        "resolution": resolution,
        "unit": metric(&name.metric).map(|metric| metric.unit), "points": points.collect::<Vec<_>>(),
    })
}

fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

fn local(at: DateTime<Utc>) -> String {
    at.with_timezone(&chrono::Local).format("%Y-%m-%d %H:%M:%S").to_string()
}

fn sums(shown: &[Shown]) -> String {
    let mut table = table::table(&[
        "metric",
        of_what(shown),
        "samples",
        "first at",
        "last at",
        "first",
        "min",
        "max",
        "last",
    ]);
    for Shown { name, series } in shown {
        let (Some(first), Some(last)) = (series.points.first(), series.points.last()) else { continue };
        let lowest = series.points.iter().map(|point| point.min).reduce(f64::min).unwrap_or(first.min);
        let highest = series.points.iter().map(|point| point.max).reduce(f64::max).unwrap_or(first.max);
        let samples: u64 = series.points.iter().map(|point| point.count).sum();
        let figure = |value| format::metric(value, metric(&name.metric).map(|metric| metric.unit));
        table.add_row([
            name.metric.clone(),
            of(name),
            samples.to_string(),
            local(first.first_at),
            local(last.last_at),
            figure(first.first),
            figure(lowest),
            figure(highest),
            figure(last.last),
        ]);
    }
    table::written(&table)
}

fn points(shown: &[Shown]) -> String {
    let mut table = table::table(&["at", "metric", of_what(shown), "samples", "min", "mean", "max", "last"]);
    for Shown { name, series } in shown {
        let unit = metric(&name.metric).map(|metric| metric.unit);
        for Point { at, count, min, mean, max, last, .. } in &series.points {
            let figure = |value: &f64| format::metric(*value, unit);
            table.add_row([
                local(*at),
                name.metric.clone(),
                of(name),
                count.to_string(),
                figure(min),
                figure(mean),
                figure(max),
                figure(last),
            ]);
        }
    }
    table::written(&table)
}

/// The heading over what [`of`] writes.
fn of_what(shown: &[Shown]) -> &'static str {
    let families = shown.iter().filter(|shown| shown.name.family.is_some()).count();
    match families {
        0 => "node",
        families if families == shown.len() => "family",
        _ => "node or family",
    }
}

fn of(name: &SeriesName) -> String {
    match &name.family {
        Some(family) => family.clone(),
        None => format::or_dash(name.node.as_ref(), ToString::to_string),
    }
}
