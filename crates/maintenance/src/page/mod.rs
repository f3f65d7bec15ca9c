//! A report as one page that needs nothing but itself.

use chrono::{DateTime, Utc};
use larder_analysis::{Evidence, EvidenceValue, Finding};
use larder_metrics_model::Unit;
use minijinja::{Environment, value::Serde};
use serde::Serialize;

use crate::{Chart, ChartError, ChartUnit};

/// A report for people: one HTML page that loads nothing, runs nothing, follows the reader's choice of a light or a dark screen,
/// and can be read on a telephone. Whatever is put in is escaped.
///
/// ```
/// use chrono::{DateTime, Utc};
/// use larder_maintenance::{PageSection, PageTable, ReportPage};
///
/// let table = PageTable::new(["metric", "a month"]).row(["used_memory_bytes", "+4.2 %"]);
/// let growth = PageSection::new("Growth").paragraph("Memory is <growing>.").table(table);
/// let page = ReportPage::new("Capacity of redis://10.0.0.1", DateTime::<Utc>::UNIX_EPOCH).section(growth).to_html()?;
/// assert!(page.contains("Memory is &lt;growing&gt;."));
/// # Ok::<(), larder_maintenance::ChartError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ReportPage {
    title: String,
    made_at: DateTime<Utc>,
    sections: Vec<PageSection>,
}

/// A part of a page under a heading of its own. What it has is shown in this order: paragraphs, charts, tables, findings.
#[derive(Clone, Debug)]
pub struct PageSection {
    heading: String,
    paragraphs: Vec<String>,
    charts: Vec<Chart>,
    tables: Vec<PageTable>,
    findings: Vec<Finding>,
}

/// A table of a page. The first column has names, the others figures.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PageTable {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
}

const TEMPLATE: &str = include_str!("page.html");
/// The name tells the template engine that what is put in is to be escaped.
const NAME: &str = "page.html";
const CHART_SIZE: (u32, u32) = (960, 400);

impl ReportPage {
    /// Begins a page.
    #[must_use]
    pub fn new(title: impl Into<String>, made_at: DateTime<Utc>) -> Self {
        Self { title: title.into(), made_at, sections: Vec::new() }
    }

    /// Adds a section.
    #[must_use]
    pub fn section(mut self, section: PageSection) -> Self {
        self.sections.push(section);
        self
    }

    /// Puts the page together.
    ///
    /// # Errors
    /// [`ChartError::Drawing`] where a chart could not be drawn; [`ChartError::Page`] where the page could not be put together.
    pub fn to_html(&self) -> Result<String, ChartError> {
        let sections = self.sections.iter().map(Written::of).collect::<Result<Vec<_>, _>>()?;
        let page = || -> Result<String, minijinja::Error> {
            let mut environment = Environment::new();
            environment.add_template(NAME, TEMPLATE)?;
            let made_at = self.made_at.format("%Y-%m-%d %H:%M UTC").to_string();
            environment.get_template(NAME)?.render(Serde(Page { title: &self.title, made_at, sections }))
        };
        page().map_err(|source| ChartError::Page { source: source.into() })
    }
}

impl PageSection {
    /// Begins a section.
    #[must_use]
    pub fn new(heading: impl Into<String>) -> Self {
        Self {
            heading: heading.into(),
            paragraphs: Vec::new(),
            charts: Vec::new(),
            tables: Vec::new(),
            findings: Vec::new(),
        }
    }

    /// Adds a paragraph.
    #[must_use]
    pub fn paragraph(mut self, words: impl Into<String>) -> Self {
        self.paragraphs.push(words.into());
        self
    }

    /// Adds a chart.
    #[must_use]
    pub fn chart(mut self, chart: Chart) -> Self {
        self.charts.push(chart);
        self
    }

    /// Adds a table.
    #[must_use]
    pub fn table(mut self, table: PageTable) -> Self {
        self.tables.push(table);
        self
    }

    /// Adds findings, in the order in which they are given.
    #[must_use]
    pub fn findings<'a>(mut self, findings: impl IntoIterator<Item = &'a Finding>) -> Self {
        self.findings.extend(findings.into_iter().cloned());
        self
    }
}

impl PageTable {
    /// Begins a table with these headings.
    #[must_use]
    pub fn new<H: Into<String>>(headings: impl IntoIterator<Item = H>) -> Self {
        Self { headings: headings.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    #[must_use]
    pub fn row<C: Into<String>>(mut self, cells: impl IntoIterator<Item = C>) -> Self {
        self.rows.push(cells.into_iter().map(Into::into).collect());
        self
    }
}

#[derive(Debug, Serialize)]
struct Page<'a> {
    title: &'a str,
    made_at: String,
    sections: Vec<Written<'a>>,
}

/// A section as the template has it. Charts are drawings of our own, and are not escaped again.
#[derive(Debug, Serialize)]
struct Written<'a> {
    heading: &'a str,
    paragraphs: &'a [String],
    charts: Vec<String>,
    tables: &'a [PageTable],
    findings: Vec<WrittenFinding<'a>>,
}

#[derive(Debug, Serialize)]
struct WrittenFinding<'a> {
    id: &'static str,
    severity: String,
    subject: &'a str,
    message: &'a str,
    recommendation: &'a str,
    effect: Option<&'a str>,
    risk: Option<&'a str>,
    evidence: Vec<String>,
}

impl<'a> Written<'a> {
    fn of(section: &'a PageSection) -> Result<Self, ChartError> {
        let charts = section.charts.iter().map(inlined).collect::<Result<_, _>>()?;
        Ok(Self {
            heading: &section.heading,
            paragraphs: &section.paragraphs,
            charts,
            tables: &section.tables,
            findings: section.findings.iter().map(WrittenFinding::of).collect(),
        })
    }
}

impl<'a> WrittenFinding<'a> {
    fn of(finding: &'a Finding) -> Self {
        Self {
            id: finding.id.as_str(),
            severity: finding.severity.to_string(),
            subject: &finding.subject,
            message: &finding.message,
            recommendation: &finding.recommendation,
            effect: finding.expected_effect.as_deref(),
            risk: finding.risk.as_deref(),
            evidence: finding.evidence.iter().map(evidence).collect(),
        }
    }
}

/// A drawing inside a page needs no name space, and so the page names no address at all.
fn inlined(chart: &Chart) -> Result<String, ChartError> {
    let svg = chart.to_svg(CHART_SIZE.0, CHART_SIZE.1)?;
    Ok(svg.replacen(" xmlns=\"http://www.w3.org/2000/svg\"", "", 1))
}

fn evidence(evidence: &Evidence) -> String {
    let value = match &evidence.value {
        EvidenceValue::Text(text) => text.clone(),
        EvidenceValue::Count(count) => figure(precise(*count), evidence.unit),
        EvidenceValue::Number(number) => figure(*number, evidence.unit),
        other => format!("{other:?}"),
    };
    format!("{}: {value}", evidence.name)
}

fn figure(value: f64, unit: Option<Unit>) -> String {
    let unit = match unit {
        Some(Unit::Bytes) => ChartUnit::Bytes,
        Some(Unit::Milliseconds) => ChartUnit::Milliseconds,
        Some(Unit::Seconds) => ChartUnit::Seconds,
        Some(Unit::Ratio) => ChartUnit::Quotient,
        Some(Unit::PerSecond) => ChartUnit::PerSecond,
        _ => ChartUnit::Count,
    };
    unit.write(value)
}

#[expect(clippy::cast_precision_loss, reason = "what is read needs no more than 53 bits")]
fn precise(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use larder_analysis::{FindingId, Severity, TimeSeries};

    use super::*;

    const HOSTILE: &str = "<script>alert(1)</script>\"onload=\"x' {{ title }}{% raw %}&amp;\u{1b}[31m";

    fn hostile() -> String {
        let finding = Finding::new(FindingId::new("memory.high"), Severity::Critical, HOSTILE)
            .saying(HOSTILE)
            .with_evidence("used_memory", 3_221_225_472_u64, Unit::Bytes)
            .with_evidence("policy", HOSTILE, None)
            .recommending(HOSTILE)
            .expecting(HOSTILE)
            .risking(HOSTILE);
        let at = |hour: i64| DateTime::from_timestamp(hour * 3_600, 0).unwrap();
        let series: TimeSeries = (0..9_i32).map(|hour| (at(hour.into()), f64::from(hour))).collect();
        let chart =
            Chart::new(HOSTILE, ChartUnit::Bytes).subtitle(HOSTILE).series(&series).limit(HOSTILE, 5.0);
        let section = PageSection::new(HOSTILE)
            .paragraph(HOSTILE)
            .chart(chart)
            .table(PageTable::new([HOSTILE, "b"]).row([HOSTILE, "1"]))
            .findings([&finding]);
        ReportPage::new(HOSTILE, at(0)).section(section).to_html().unwrap()
    }

    #[test]
    fn what_is_put_in_is_escaped_and_nothing_is_loaded() {
        let page = hostile();
        for part in ["<script", "\"onload", "src=", "href=", "@import", "url(", "xmlns", "://"] {
            assert!(!page.contains(part), "{part}: {page}");
        }
        for part in [
            "&lt;script&gt;",
            "{{ title }}{% raw %}&amp;amp;",
            "used_memory: 3 GiB",
            "memory.high",
            "critical",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }

    #[test]
    fn a_page_without_anything_is_a_page() {
        let page =
            ReportPage::new("", DateTime::<Utc>::UNIX_EPOCH).section(PageSection::new("")).to_html().unwrap();
        assert!(page.starts_with("<!DOCTYPE html>") && page.contains("1970-01-01 00:00 UTC"), "{page}");
    }

    #[test]
    fn a_page_looks_like_this() {
        let finding = Finding::new(FindingId::new("memory.high"), Severity::Warning, "10.0.0.1:6379")
            .saying("Memory is at 91 %.")
            .with_evidence("used_memory", 3_221_225_472_u64, Unit::Bytes)
            .recommending("Raise maxmemory.");
        let section = PageSection::new("Memory")
            .paragraph("It grows.")
            .table(PageTable::new(["metric", "a month"]).row(["used_memory_bytes", "+4.2 %"]))
            .findings([&finding]);
        let page =
            ReportPage::new("Capacity", DateTime::<Utc>::UNIX_EPOCH).section(section).to_html().unwrap();
        let body = page.split_once("<body>").unwrap().1;
        insta::assert_snapshot!(body);
    }
}
