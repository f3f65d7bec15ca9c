//! A history as CSV or JSON lines.

use std::io::{self, BufWriter, Write};

use chrono::SecondsFormat;
use larder_metrics_model::{KeyspaceSnapshot, NodeAddress, Scope, Snapshot};
use serde::Serialize;

use crate::{
    Damage, Error, History, MetricsStore, Query, Result, Series, Take, measured::Measured, moment,
    store::blocking,
};

/// How many snapshots are in memory at once, and how many keyspace snapshots, which are larger.
const PAGE: usize = 500;
const KEYSPACE_PAGE: usize = 20;

/// What is exported, and as what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Export {
    /// The form.
    pub format: ExportFormat,
    /// Only these metrics; all of them where it is empty.
    pub metrics: Vec<String>,
    /// Only figures of these families; those of everything where it is empty.
    pub families: Vec<String>,
}

/// A form of export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExportFormat {
    /// CSV with a header: one line a figure.
    #[default]
    Csv,
    /// JSON lines: one object a figure, with the fields of the CSV.
    JsonLines,
    /// JSON lines: one whole snapshot each; the choice of metrics does not apply, and families are not in it.
    Snapshots,
}

/// What was exported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// Lines written, the header not counted.
    pub lines: u64,
    /// What could not be read.
    pub damaged: Vec<Damage>,
}

/// Writes the figures of snapshots: `timestamp` (seconds since the Unix epoch), `date` (as the snapshot has it),
/// `cache`, `metric`, `node`, `value` and `family` (names are empty, or null, where there is none).
#[derive(Debug)]
pub struct SamplesExporter<W: Write> {
    lines: Exporter<W>,
    export: Export,
}

/// Writes rows as CSV, the header being the names of their fields, or as JSON lines.
#[derive(Debug)]
pub struct Exporter<W: Write> {
    form: Form<W>,
    lines: u64,
}

#[derive(Debug)]
enum Form<W: Write> {
    Csv(Box<csv::Writer<W>>),
    JsonLines(BufWriter<W>),
}

#[derive(Serialize)]
struct SampleRow<'a> {
    timestamp: f64,
    date: &'a str,
    cache: Option<&'a str>,
    metric: &'a str,
    node: Option<&'a str>,
    value: f64,
    family: Option<&'a str>,
}

#[derive(Serialize)]
struct PointRow<'a> {
    at: String,
    metric: &'a str,
    count: u64,
    min: f64,
    mean: f64,
    max: f64,
    first: f64,
    last: f64,
}

impl Export {
    /// Exports everything in this form.
    #[must_use]
    pub fn new(format: ExportFormat) -> Self {
        Self { format, ..Self::default() }
    }

    /// Exports only these metrics.
    #[must_use]
    pub fn only<M: Into<String>>(mut self, metrics: impl IntoIterator<Item = M>) -> Self {
        self.metrics = metrics.into_iter().map(Into::into).collect();
        self
    }

    /// Exports only figures of these families.
    #[must_use]
    pub fn of_families<F: Into<String>>(mut self, families: impl IntoIterator<Item = F>) -> Self {
        self.families = families.into_iter().map(Into::into).collect();
        self
    }

    fn wants(&self, metric: &str, family: Option<&str>) -> bool {
        let of_metric = self.metrics.is_empty() || self.metrics.iter().any(|wanted| wanted == metric);
        let of_family = self.families.is_empty()
            || family.is_some_and(|family| self.families.iter().any(|wanted| wanted == family));
        of_metric && of_family
    }

    /// Tells whether snapshots have anything that is asked for.
    fn wants_snapshots(&self) -> bool {
        let is_other = |metric: &String| Scope::of(metric) != Scope::Family;
        let of_metric = self.metrics.is_empty() || self.metrics.iter().any(is_other);
        self.format == ExportFormat::Snapshots || (self.families.is_empty() && of_metric)
    }

    /// Tells whether keyspace snapshots have anything that is asked for.
    fn wants_keyspaces(&self) -> bool {
        let is_of_families = |metric: &String| Scope::of(metric) == Scope::Family;
        let of_metric = self.metrics.is_empty() || self.metrics.iter().any(is_of_families);
        self.format != ExportFormat::Snapshots && of_metric
    }
}

impl<W: Write> Exporter<W> {
    /// Begins an export.
    pub fn new(format: ExportFormat, out: W) -> Self {
        let form = match format {
            ExportFormat::Csv => Form::Csv(Box::new(csv::Writer::from_writer(out))),
            ExportFormat::JsonLines | ExportFormat::Snapshots => Form::JsonLines(BufWriter::new(out)),
        };
        Self { form, lines: 0 }
    }

    /// Writes one row.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn row(&mut self, row: &impl Serialize) -> Result<()> {
        let done = match &mut self.form {
            Form::Csv(csv) => csv.serialize(row).map_err(from_csv),
            Form::JsonLines(out) => serde_json::to_writer(&mut *out, row)
                .map_err(io::Error::from)
                .and_then(|()| out.write_all(b"\n")),
        };
        self.lines += 1;
        done.map_err(|source| Error::Export { source })
    }

    /// Writes the points of a series: `at` (RFC 3339, UTC), `metric`, `count`, `min`, `mean`, `max`, `first`, `last`.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn points(&mut self, metric: &str, series: &Series) -> Result<()> {
        series.points.iter().try_for_each(|point| {
            self.row(&PointRow {
                at: point.at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
                metric,
                count: point.count,
                min: point.min,
                mean: point.mean,
                max: point.max,
                first: point.first,
                last: point.last,
            })
        })
    }

    /// Writes out what is still held, and returns how many lines there were.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(self) -> Result<u64> {
        let done = match self.form {
            Form::Csv(mut csv) => csv.flush(),
            Form::JsonLines(mut out) => out.flush(),
        };
        done.map(|()| self.lines).map_err(|source| Error::Export { source })
    }
}

impl<W: Write> SamplesExporter<W> {
    /// Begins an export.
    pub fn new(export: Export, out: W) -> Self {
        Self { lines: Exporter::new(export.format, out), export }
    }

    /// Writes what is asked for of one snapshot.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn snapshot(&mut self, snapshot: &Snapshot) -> Result<()> {
        if self.export.format == ExportFormat::Snapshots {
            return self.lines.row(snapshot);
        }
        self.figures(snapshot)
    }

    /// Writes what is asked for of one keyspace snapshot, a line a figure of each family.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keyspace(&mut self, snapshot: &KeyspaceSnapshot) -> Result<()> {
        if self.export.format == ExportFormat::Snapshots {
            return Ok(());
        }
        self.figures(snapshot)
    }

    fn figures(&mut self, snapshot: &impl Measured) -> Result<()> {
        for sample in snapshot.samples() {
            if !self.export.wants(sample.metric.name, sample.family) {
                continue;
            }
            self.lines.row(&SampleRow {
                timestamp: snapshot.timestamp(),
                date: snapshot.date(),
                cache: snapshot.cache(),
                metric: sample.metric.name,
                node: sample.node.map(NodeAddress::as_str),
                value: sample.value,
                family: sample.family,
            })?;
        }
        Ok(())
    }

    /// Writes out what is still held, and returns how many lines there were.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(self) -> Result<u64> {
        self.lines.finish()
    }
}

/// Exports a history a page at a time: the figures of caches and nodes ordered by time, then those of families ordered by
/// time. The `take` of the query does not apply.
///
/// # Errors
/// The history cannot be read at all, or `out` cannot be written.
pub async fn export<W: Write + Send + 'static>(
    store: &dyn MetricsStore,
    query: &Query,
    export: Export,
    out: W,
) -> Result<Exported> {
    let (has_snapshots, has_keyspaces) = (export.wants_snapshots(), export.wants_keyspaces());
    let mut exporter = SamplesExporter::new(export, out);
    let mut outcome = Exported::default();
    if has_snapshots {
        let mut page = query.clone().take(Take::Oldest(PAGE));
        while let Some(found) = turned(store.read(&page).await?, &mut page, &mut outcome)? {
            exporter = written(exporter, found, SamplesExporter::snapshot).await?;
        }
    }
    if has_keyspaces {
        let mut page = query.clone().take(Take::Oldest(KEYSPACE_PAGE));
        while let Some(found) = turned(store.read_keyspaces(&page).await?, &mut page, &mut outcome)? {
            exporter = written(exporter, found, SamplesExporter::keyspace).await?;
        }
    }
    outcome.lines = blocking(move || exporter.finish()).await?;
    Ok(outcome)
}

/// Writes a page where it blocks nobody.
async fn written<W: Write + Send + 'static, T: Measured>(
    mut exporter: SamplesExporter<W>,
    page: Vec<T>,
    write: fn(&mut SamplesExporter<W>, &T) -> Result<()>,
) -> Result<SamplesExporter<W>> {
    blocking(move || {
        page.iter().try_for_each(|snapshot| write(&mut exporter, snapshot))?;
        Ok(exporter)
    })
    .await
}

/// Notes what is damaged, turns the page, and returns what is on it; `None` after the last one.
fn turned<T: Measured>(
    history: History<T>,
    page: &mut Query,
    outcome: &mut Exported,
) -> Result<Option<Vec<T>>> {
    for damage in history.damaged {
        if !outcome.damaged.contains(&damage) {
            outcome.damaged.push(damage);
        }
    }
    let Some(last) = history.snapshots.last() else { return Ok(None) };
    page.from = Some(moment::time(moment::of(last)?.saturating_add(1)));
    Ok(Some(history.snapshots))
}

fn from_csv(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}
