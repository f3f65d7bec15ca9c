//! The page of a capacity plan.

use chrono::TimeDelta;
use larder_analysis::{
    Capacity, CapacityFacts, Passing, ResourceFacts, ResourceKind, ResourceOutlook, TrendOptions, judge_trend,
};

use crate::{Chart, ChartMark, ChartUnit, PageSection, PageTable, ReportPage};

/// Makes the page of a capacity plan: what passes its limit when, each resource with its past and what is expected, and what was
/// left out. The facts are those that it was planned from.
#[must_use]
pub fn capacity_page(facts: &CapacityFacts, planned: &Capacity) -> ReportPage {
    let title = format!("Capacity of {}", planned.cache.as_deref().unwrap_or("the cache"));
    let limits = PageSection::new("Limits").paragraph(planned.summary()).table(limits(planned));
    let mut page = ReportPage::new(title, planned.now).section(limits.findings(&planned.findings));
    for (facts, outlook) in facts.resources.iter().zip(&planned.resources) {
        page = page.section(resource(facts, outlook, planned));
    }
    let skipped = planned.skipped.iter().map(|skipped| format!("{}: {}", skipped.what, skipped.reason));
    for (heading, lines) in [("Notes", planned.notes.clone()), ("Skipped", skipped.collect::<Vec<String>>())]
    {
        if !lines.is_empty() {
            page = page.section(lines.into_iter().fold(PageSection::new(heading), PageSection::paragraph));
        }
    }
    page
}

fn limits(planned: &Capacity) -> PageTable {
    let table = PageTable::new(["resource", "of", "nearly full", "full"]);
    planned.resources.iter().fold(table, |table, outlook| {
        let words = |passing: Option<&Passing>| {
            passing.map_or_else(|| "no limit is known".to_owned(), |passing| passing.words(planned.now))
        };
        table.row([
            outlook.resource.to_string(),
            outlook.subject.clone(),
            words(outlook.nearly_full()),
            words(outlook.full()),
        ])
    })
}

fn resource(facts: &ResourceFacts, outlook: &ResourceOutlook, planned: &Capacity) -> PageSection {
    let heading = format!("{} of {}", outlook.resource, outlook.subject);
    let mut section = PageSection::new(&heading);
    section = outlook
        .why_not_foretold
        .iter()
        .chain(&outlook.why_no_limit)
        .fold(section, |section, words| section.paragraph(words.clone()));
    if !facts.series.is_empty() {
        section = section.chart(chart(&heading, facts, outlook, planned));
    }
    outlook.notes.iter().fold(section, |section, note| section.paragraph(note.clone()))
}

/// What was used of the past, but no more than three times as much as is foretold: more would leave no room for that.
fn chart(title: &str, facts: &ResourceFacts, outlook: &ResourceOutlook, planned: &Capacity) -> Chart {
    let furthest = planned.now - TimeDelta::days(planned.horizon_days.saturating_mul(3));
    let used = outlook.used_from.map_or_else(|| facts.series.clone(), |from| facts.series.since(from));
    let shown = used.since(furthest);
    let mut chart = Chart::new(title, unit(outlook.resource))
        .series(&shown)
        .trend(&used, &judge_trend(&used, &TrendOptions::default()))
        .marks(facts.breaks.iter().filter(|found| found.until >= furthest).map(ChartMark::from));
    if let Some(model) = &outlook.model {
        chart = chart.forecast(&model.forecast);
    }
    if let (Some(limit), Some(source)) = (outlook.limit, outlook.limit_source) {
        chart = chart.limit(source.as_str(), limit);
    }
    chart
}

fn unit(resource: ResourceKind) -> ChartUnit {
    match resource {
        ResourceKind::Memory => ChartUnit::Bytes,
        ResourceKind::Operations => ChartUnit::OperationsPerSecond,
        ResourceKind::NetworkIn | ResourceKind::NetworkOut => ChartUnit::BytesPerSecond,
        _ => ChartUnit::Count,
    }
}
