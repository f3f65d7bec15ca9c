//! The page of an optimization.

use larder_analysis::{Optimization, TrendOptions, WatchedFigure, judge_trend};
use larder_metrics_model::Unit;

use crate::{Chart, ChartUnit, PageSection, ReportPage};

/// Makes the page of an optimization: what was found, each figure with its trend and what was out of the ordinary, and what was left
/// out.
#[must_use]
pub fn optimization_page(found: &Optimization) -> ReportPage {
    let window = &found.window;
    let title = format!("Optimization of {}", window.cache.as_deref().unwrap_or("a cache without a name"));
    let time =
        format!("{} to {}", window.from.format("%Y-%m-%d %H:%M"), window.until.format("%Y-%m-%d %H:%M UTC"));
    let findings = PageSection::new("Findings").paragraph(time).paragraph(found.summary());
    let mut figures = PageSection::new("Figures");
    for figure in found.figures.iter().filter(|figure| !figure.series.is_empty()) {
        figures = figures.chart(chart(figure, found));
    }
    let mut page =
        ReportPage::new(title, window.until).section(findings.findings(&found.findings)).section(figures);
    let skipped = found.skipped.iter().map(|skipped| format!("{}: {}", skipped.what, skipped.reason));
    for (heading, lines) in [("Notes", found.notes.clone()), ("Skipped", skipped.collect::<Vec<String>>())] {
        if !lines.is_empty() {
            page = page.section(lines.into_iter().fold(PageSection::new(heading), PageSection::paragraph));
        }
    }
    page
}

/// The time that was looked at, and the same time before it, so that it can be compared.
fn chart(figure: &WatchedFigure, found: &Optimization) -> Chart {
    let window = &found.window;
    let judged = figure.series.since(window.from);
    let shown = figure.series.since(window.from - (window.until - window.from));
    let trend = judge_trend(&judged, &TrendOptions::default());
    let since = shown.first().map(|first| first.at);
    let anomalies: Vec<_> = figure
        .anomalies
        .episodes
        .iter()
        .filter(|episode| since.is_some_and(|since| episode.from >= since))
        .copied()
        .collect();
    let unit = match figure.unit {
        Unit::Ratio => ChartUnit::Share,
        Unit::Bytes => ChartUnit::Bytes,
        Unit::Milliseconds => ChartUnit::Milliseconds,
        Unit::PerSecond => ChartUnit::OperationsPerSecond,
        _ => ChartUnit::Count,
    };
    Chart::new(figure.name, unit)
        .subtitle("The time that was judged, with its trend, and the same time before it")
        .series(&shown)
        .trend(&judged, &trend)
        .anomalies(&anomalies)
}
