//! `larder metrics`.

mod check;
mod families;
mod list;
mod plot;
mod show;

use std::process::ExitCode;

use anyhow::{Context, Result};
use chrono::{DateTime, Local, NaiveDate, NaiveDateTime, TimeZone, Utc};
use clap::{Args, Subcommand, ValueEnum};
use larder_metrics_model::metric;
use larder_metrics_store::{Damage, Export, ExportFormat, Query, SeriesName, export, import_daily_files};

use crate::{
    command_error::{PARTIAL, UsageError},
    config::Settings,
    global::OutputForm,
    output::{message, stdout},
};

/// Read the metrics history
#[derive(Args, Debug)]
pub(crate) struct MetricsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show metrics over time: a line a metric, or a line a point with --points
    Show(show::ShowArgs),
    /// Draw a metric with its trend, as SVG; with --forecast also what it will be
    Plot(plot::PlotArgs),
    /// Print every figure of the history to stdout, as CSV or JSON lines
    Export(ExportArgs),
    /// List the metrics that are followed, with unit and meaning, or with --families the families of keys
    List(list::ListArgs),
    /// Look for damage in the history; with --apply keep what can still be read of it
    Check(check::CheckArgs),
    /// Bring the daily files of an existing deployment into the series
    Import,
}

/// Which part of the history.
#[derive(Args, Debug)]
pub(crate) struct RangeArgs {
    /// From then on: an age such as 7d, a date, or a date with time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<DateTime<Utc>>,
    /// Up to then
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<DateTime<Utc>>,
    /// Of every cache in the history, not only of the one that --cache names
    #[arg(long)]
    all_caches: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    range: RangeArgs,
    /// The form; --output json is the same as --format json
    #[arg(long, value_enum)]
    format: Option<ExportForm>,
    /// Only these metrics, see `larder metrics list`
    #[arg(long = "metric", value_name = "NAME", value_parser = metric_name)]
    metrics: Vec<String>,
    /// Only figures of these families of keys, see `larder metrics list --families`
    #[arg(long = "family", value_name = "FAMILY")]
    families: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ExportForm {
    /// A line a figure, with a header
    Csv,
    /// A JSON object a figure
    Json,
    /// A JSON object a snapshot, with everything that was measured, but no families
    Snapshots,
}

pub(crate) async fn run(args: &MetricsArgs, settings: &Settings) -> Result<ExitCode> {
    match &args.action {
        Action::Show(args) => show::run(args, settings).await,
        Action::Plot(args) => plot::run(args, settings).await,
        Action::Export(args) => run_export(args, settings).await,
        Action::List(args) => list::run(args, settings).await,
        Action::Check(args) => check::run(args, settings).await,
        Action::Import => import(settings).await,
    }
}

impl RangeArgs {
    /// A cache that is named is looked for; without a name everything in the history is shown.
    fn cache(&self, settings: &Settings) -> Option<String> {
        (settings.names_cache && !self.all_caches).then(|| settings.url.name())
    }
}

async fn run_export(args: &ExportArgs, settings: &Settings) -> Result<ExitCode> {
    let store = settings.history_to_read()?;
    let format = match (args.format, settings.output) {
        (Some(ExportForm::Snapshots), _) => ExportFormat::Snapshots,
        (Some(ExportForm::Json), _) | (None, OutputForm::Json) => ExportFormat::JsonLines,
        (Some(ExportForm::Csv) | None, _) => ExportFormat::Csv,
    };
    if format == ExportFormat::Snapshots && !args.families.is_empty() {
        return Err(UsageError("--format snapshots has no families; leave one of both out".to_owned()).into());
    }
    let mut query = Query::default();
    (query.from, query.until, query.cache) = (args.range.since, args.range.until, args.range.cache(settings));
    let form =
        Export::new(format).only(args.metrics.iter().cloned()).of_families(args.families.iter().cloned());
    let exported = export(store.as_ref(), &query, form, std::io::stdout()).await?;
    message::note(&format!("{} lines", exported.lines));
    Ok(end(&exported.damaged))
}

async fn import(settings: &Settings) -> Result<ExitCode> {
    let (files, series) = (settings.daily_files(), settings.series()?);
    let imported =
        tokio::task::spawn_blocking(move || import_daily_files(&files, &series, Utc::now())).await??;
    let words = format!(
        "{} snapshots brought in, {} were there already, {} are past their retention",
        imported.new, imported.known, imported.too_old
    );
    stdout::text(&words)?;
    Ok(end(&imported.damaged))
}

/// Warns of what could not be read; a history that lacks a part was read in part.
fn end(damaged: &[Damage]) -> ExitCode {
    for damage in damaged {
        message::warning(&damage.to_string());
    }
    if damaged.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(PARTIAL) }
}

/// Reads the name of a metric, and tells the nearest one where there is no such.
fn metric_name(name: &str) -> Result<String, String> {
    if metric(name).is_some() {
        return Ok(name.to_owned());
    }
    let nearest = larder_metrics_model::metrics()
        .iter()
        .map(|metric| metric.name)
        .min_by_key(|known| strsim::damerau_levenshtein(known, name));
    Err(format!(
        "there is no such metric; is `{}` meant? `larder metrics list` shows all",
        nearest.unwrap_or_default()
    ))
}

/// Reads a moment: an age, a date, or a date with time, in local time where no zone is given.
fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(age) = humantime::parse_duration(text) {
        let age = chrono::Duration::from_std(age).map_err(|_| "that is too long ago".to_owned())?;
        return Utc::now().checked_sub_signed(age).ok_or_else(|| "that is too long ago".to_owned());
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|date| date.and_hms_opt(0, 0, 0));
    let time = date.or_else(|| {
        ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
    });
    let time = time.context("no such form").map_err(|_| {
        "it is an age such as 7d, a date such as 2026-01-31, or 2026-01-31T08:00:00".to_owned()
    })?;
    Local
        .from_local_datetime(&time)
        .earliest()
        .map(|time| time.to_utc())
        .ok_or_else(|| "there is no such local time".to_owned())
}

/// So that a typing error is told before anything is read.
fn unknown_cache(name: &str, known: &[String]) -> UsageError {
    let known =
        if known.is_empty() { "it is empty".to_owned() } else { format!("it has {}", known.join(", ")) };
    UsageError(format!("the history has nothing of {name}; {known}"))
}

/// So that a typing error is told; `None` where the history knows that family, or none at all.
fn unknown_family(name: &str, series: &[SeriesName]) -> Option<UsageError> {
    let known = || series.iter().filter_map(|series| series.family.as_deref());
    if known().any(|known| known == name) {
        return None;
    }
    let nearest = known().min_by_key(|known| strsim::damerau_levenshtein(known, name))?;
    Some(UsageError(format!(
        "the history has no family `{name}`; is `{nearest}` meant? `larder metrics list --families` shows all"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_in_every_form() {
        assert!(moment("7d").unwrap() < Utc::now());
        assert_eq!(moment("2026-01-31T08:00:00Z").unwrap().to_rfc3339(), "2026-01-31T08:00:00+00:00");
        for form in ["2026-01-31", "2026-01-31T08:00:00", "2026-01-31 08:00"] {
            assert!(moment(form).is_ok(), "{form}");
        }
        for wrong in ["", "yesterday", "2026-13-01", "99999999999999y"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_metric_is_known_or_the_nearest_is_told() {
        assert!(metric_name("hit_ratio").is_ok());
        assert!(metric_name("hit_rate").unwrap_err().contains("hit_ratio"));
    }
}
