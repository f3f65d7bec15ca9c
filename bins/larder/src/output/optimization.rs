//! What would make a cache better, for people.

use std::fmt::Write;

use larder_analysis::{
    ChangeOfLevel, Evidence, EvidenceValue, Finding, HitRateAnalysis, LatencyAnalysis, MemoryAnalysis,
    OperationAnalysis, Optimization, TrendWord,
};
use larder_metrics_model::Unit;

use super::{format, skipped, table, verdict};

/// Writes an optimization for people: the sum of it, what the figures were like, what to do, what was left out and what was not
/// looked at.
pub(crate) fn for_people(found: &Optimization) -> String {
    let window = &found.window;
    let mut text = format!(
        "{}, {} to {}\n{}\n",
        window.cache.as_deref().unwrap_or("a cache without a name"),
        window.from.format("%F %H:%M"),
        window.until.format("%F %H:%M UTC"),
        found.summary(),
    );
    text.push_str(&figures(found));
    for finding in &found.findings {
        write_finding(&mut text, finding);
    }
    write_list(&mut text, "notes", &found.notes);
    let skipped = skipped::by_reason(&found.skipped).map(|(what, reason)| format!("{what}: {reason}"));
    write_list(&mut text, "skipped", &skipped.collect::<Vec<_>>());
    text
}

fn figures(found: &Optimization) -> String {
    let mut table = table::table(&["figure", "mean", "lowest", "highest", "95 of 100 below", "trend"]);
    let rows = [
        found.hit_rate_analysis.known().map(hit_rate),
        found.latency_analysis.known().map(latency),
        found.memory_analysis.known().map(memory),
        found.memory_analysis.known().and_then(share_of_limit),
        found.operation_analysis.known().map(operations),
        found.operation_analysis.known().and_then(failed),
    ];
    table.add_rows(rows.into_iter().flatten());
    if table.is_empty() { String::new() } else { format!("\n{}", table::written(&table)) }
}

fn dash() -> String {
    "-".to_owned()
}

fn hit_rate(known: &HitRateAnalysis) -> [String; 6] {
    let points = |ratio: f64| format!("{:.1} points", ratio * 100.0);
    let [mean, min, max] =
        [known.average_hit_rate, known.min_hit_rate, known.max_hit_rate].map(format::percent);
    let sizes = (format::percent, points);
    let trend = course(known.trend.as_str(), known.hit_rate_per_day, known.change_of_level.as_ref(), sizes);
    ["hit rate".to_owned(), mean, min, max, dash(), trend]
}

fn latency(known: &LatencyAnalysis) -> [String; 6] {
    let time = |value: f64| format!("{value:.3} ms");
    let [mean, min, max] = [known.average_latency, known.min_latency, known.max_latency].map(time);
    let p95 = format::or_dash(known.p95_latency, time);
    // What declines takes longer.
    let word = match known.trend {
        TrendWord::Declining => "declining (slower)",
        TrendWord::Improving => "improving (faster)",
        other => other.as_str(),
    };
    let trend = course(word, known.latency_per_day, known.change_of_level.as_ref(), (time, time));
    ["latency".to_owned(), mean, min, max, p95, trend]
}

fn memory(known: &MemoryAnalysis) -> [String; 6] {
    let bytes = |value| format::metric(value, Some(Unit::Bytes));
    let [mean, min, max] =
        [known.average_used_memory_bytes, known.min_used_memory_bytes, known.max_used_memory_bytes]
            .map(bytes);
    let filling =
        known.filling_since.map(|since| format!("filling again since {}", since.format("%F %H:%M")));
    let sizes = (bytes, bytes);
    let trend = filling.unwrap_or_else(|| {
        course(known.trend.as_str(), known.growth_bytes_per_day, known.change_of_level.as_ref(), sizes)
    });
    ["memory".to_owned(), mean, min, max, dash(), trend]
}

fn share_of_limit(known: &MemoryAnalysis) -> Option<[String; 6]> {
    let share = format::percent(known.memory_usage_ratio?);
    let side = if known.memory_pressure == Some(true) { "above" } else { "below" };
    let fullest = "share of maxmemory, fullest node".to_owned();
    Some([fullest, dash(), dash(), dash(), share, format!("{side} the threshold")])
}

fn operations(known: &OperationAnalysis) -> [String; 6] {
    let rate = |value: f64| format!("{value:.1}");
    let [mean, min, max] = [
        known.average_operations_per_second,
        known.min_operations_per_second,
        known.max_operations_per_second,
    ]
    .map(rate);
    let p95 = format::or_dash(known.p95_operations_per_second, rate);
    let (per_day, change) = (known.operations_per_second_per_day, known.change_of_level.as_ref());
    let trend = course(known.trend.as_str(), per_day, change, (rate, rate));
    ["operations a second".to_owned(), mean, min, max, p95, trend]
}

fn failed(known: &OperationAnalysis) -> Option<[String; 6]> {
    let share = format::percent(known.error_rate?);
    Some(["operations that failed".to_owned(), share, dash(), dash(), dash(), dash()])
}

/// Which way a figure goes, in the words of its level and of what it changes by: `declining: 60.0 % since 2026-11-23` where its level
/// changed, `improving, +0.4 points a day` otherwise.
fn course(
    word: &str,
    per_day: Option<f64>,
    change: Option<&ChangeOfLevel>,
    (level, size): (impl Fn(f64) -> String, impl Fn(f64) -> String),
) -> String {
    let per_day = change.map_or(per_day, |change| change.per_day_since);
    let changed = change.map_or_else(String::new, |change| {
        format!(": {} since {}", level(change.now), change.since.format("%F"))
    });
    let size = per_day.map_or_else(String::new, |per_day| a_day(per_day, size));
    format!("{word}{changed}{size}")
}

/// What is too little to be written is no size.
fn a_day(per_day: f64, size: impl Fn(f64) -> String) -> String {
    let written = size(per_day.abs());
    if written == size(0.0) {
        return String::new();
    }
    format!(", {}{written} a day", if per_day > 0.0 { "+" } else { "-" })
}

fn write_finding(text: &mut String, finding: &Finding) {
    text.push('\n');
    verdict::write_heading(text, finding);
    let seen: Vec<String> = finding.evidence.iter().map(evidence).collect();
    let _ = writeln!(text, "  seen: {}", seen.join(", "));
    verdict::write_advice(text, finding);
}

fn evidence(Evidence { name, value, unit, .. }: &Evidence) -> String {
    match value {
        EvidenceValue::Count(count) => format!("{name} {count}"),
        EvidenceValue::Number(number) => format!("{name} {}", figure(name, *number, *unit)),
        EvidenceValue::Text(text) => format!("{name} {text}"),
        other => format!("{name} {other:?}"),
    }
}

/// A unit that the name says already is not said again.
fn figure(name: &str, number: f64, unit: Option<Unit>) -> String {
    match unit {
        Some(Unit::Milliseconds) if !name.ends_with("_ms") => format!("{} ms", format::number(number)),
        Some(Unit::PerSecond) if !name.ends_with("_per_second") => {
            format!("{} a second", format::number(number))
        }
        Some(Unit::Seconds) => format::time(number),
        unit => format::metric(number, unit),
    }
}

fn write_list(text: &mut String, heading: &str, list: &[String]) {
    if list.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{heading}");
    for line in list {
        let _ = writeln!(text, "  {line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_changes_by_has_its_sign_and_nothing_is_said_of_nothing() {
        let points = |ratio: f64| format!("{:.1} points", ratio * 100.0);
        for (per_day, written) in [
            (Some(0.004), "improving, +0.4 points a day"),
            (Some(-0.012), "improving, -1.2 points a day"),
            (Some(0.000_1), "improving"),
            (Some(-0.000_1), "improving"),
            (None, "improving"),
        ] {
            assert_eq!(course("improving", per_day, None, (points, points)), written);
        }
    }
}
