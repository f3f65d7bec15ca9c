//! What would make a cache better, for people.

use std::fmt::Write;

use larder_analysis::{Evidence, EvidenceValue, Finding, Optimization, TrendWord};
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
    let dash = || "-".to_owned();
    if let Some(known) = found.hit_rate_analysis.known() {
        let [mean, min, max] =
            [known.average_hit_rate, known.min_hit_rate, known.max_hit_rate].map(format::percent);
        table.add_row(["hit rate".to_owned(), mean, min, max, dash(), known.trend.to_string()]);
    }
    if let Some(known) = found.latency_analysis.known() {
        let time = |value: f64| format!("{value:.3} ms");
        let [mean, min, max] = [known.average_latency, known.min_latency, known.max_latency].map(time);
        let p95 = format::or_dash(known.p95_latency, time);
        // What declines takes longer.
        let trend = match known.trend {
            TrendWord::Declining => format!("{} (slower)", known.trend),
            TrendWord::Improving => format!("{} (faster)", known.trend),
            other => other.to_string(),
        };
        table.add_row(["latency".to_owned(), mean, min, max, p95, trend]);
    }
    if let Some(known) = found.memory_analysis.known() {
        let bytes = |value| format::metric(value, Some(Unit::Bytes));
        let [mean, min, max] =
            [known.average_used_memory_bytes, known.min_used_memory_bytes, known.max_used_memory_bytes]
                .map(bytes);
        let trend = match known.growth_bytes_per_day {
            Some(growth) if growth > 0.0 => format!("{}, {} a day", known.trend, bytes(growth)),
            Some(growth) if growth < 0.0 => format!("{}, -{} a day", known.trend, bytes(-growth)),
            _ => known.trend.to_string(),
        };
        table.add_row(["memory".to_owned(), mean, min, max, dash(), trend]);
        if let Some(share) = known.memory_usage_ratio {
            let limit = if known.memory_pressure == Some(true) {
                "above the threshold"
            } else {
                "below the threshold"
            };
            let fullest = "share of maxmemory, fullest node".to_owned();
            table.add_row([fullest, dash(), dash(), dash(), format::percent(share), limit.to_owned()]);
        }
    }
    if let Some(known) = found.operation_analysis.known() {
        let rate = |value: f64| format!("{value:.1}");
        let [mean, min, max] = [
            known.average_operations_per_second,
            known.min_operations_per_second,
            known.max_operations_per_second,
        ]
        .map(rate);
        let p95 = format::or_dash(known.p95_operations_per_second, rate);
        table.add_row(["operations a second".to_owned(), mean, min, max, p95, known.trend.to_string()]);
        if let Some(share) = known.error_rate {
            let failed = "operations that failed".to_owned();
            table.add_row([failed, format::percent(share), dash(), dash(), dash(), dash()]);
        }
    }
    if table.is_empty() { String::new() } else { format!("\n{}", table::written(&table)) }
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
