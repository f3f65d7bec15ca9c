//! The page of an optimization.

use larder_analysis::{ChangeOfLevel, Optimization, TrendOptions, WatchedFigure, judge_trend};
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
    let change = change_of_level(figure.name, found);
    let judged = figure.series.since(change.map_or(window.from, |change| change.since));
    let shown = figure.series.since(window.from - (window.until - window.from));
    let mut trend = judge_trend(&judged, &TrendOptions::default());
    let mut subtitle = "The time that was judged, with its trend, and the same time before it";
    if let Some(change) = change {
        trend.changes.clone_from(&change.changes);
        subtitle =
            "The time that was judged, with the trend since its level changed, and the same time before it";
    }
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
        .subtitle(subtitle)
        .series(&shown)
        .trend(&judged, &trend)
        .anomalies(&anomalies)
}

fn change_of_level<'a>(figure: &str, found: &'a Optimization) -> Option<&'a ChangeOfLevel> {
    let change = match figure {
        "hit rate" => &found.hit_rate_analysis.known()?.change_of_level,
        "latency" => &found.latency_analysis.known()?.change_of_level,
        "memory" => &found.memory_analysis.known()?.change_of_level,
        "operations" => &found.operation_analysis.known()?.change_of_level,
        _ => return None,
    };
    change.as_ref()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use larder_analysis::{OptimizeFacts, OptimizeThresholds, TimeSeries, optimize};

    use super::*;

    fn page(high: f64) -> String {
        let at = |hour: i32| DateTime::from_timestamp(1_760_000_400 + i64::from(hour) * 3_600, 0).unwrap();
        let latency: TimeSeries =
            (0..168).map(|hour| (at(hour), if hour < 48 { 1.0 } else { high })).collect();
        let mut facts = OptimizeFacts::unseen(at(0), at(168));
        facts.latency_ms = latency.clone();
        facts.watched.latency_ms = latency;
        optimization_page(&optimize(&facts, &OptimizeThresholds::default())).to_html().unwrap()
    }

    #[test]
    fn a_change_of_level_is_marked_and_the_trend_is_that_since_then() {
        let changed = page(3.0);
        assert!(changed.contains("level up at") && changed.contains("since its level changed"), "{changed}");
        let flat = page(1.0);
        assert!(!flat.contains("level up at") && !flat.contains("since its level changed"), "{flat}");
    }
}
