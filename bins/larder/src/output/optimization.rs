//! What would make a cache better, for people.

use std::fmt::Write;

use larder_analysis::{ChangeOfLevel, Evidence, EvidenceValue, Finding, Optimization, TrendWord};
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
        let points = |ratio: f64| format!("{:.1} points", ratio * 100.0);
        let course = course(
            known.trend.to_string(),
            known.hit_rate_per_day,
            known.change_of_level.as_ref(),
            (format::percent, points),
        );
        table.add_row(["hit rate".to_owned(), mean, min, max, dash(), course]);
    }
    if let Some(known) = found.latency_analysis.known() {
        let time = |value: f64| format!("{value:.3} ms");
        let [mean, min, max] = [known.average_latency, known.min_latency, known.max_latency].map(time);
        let p95 = format::or_dash(known.p95_latency, time);
        // What declines takes longer.
        let word = match known.trend {
            TrendWord::Declining => format!("{} (slower)", known.trend),
            TrendWord::Improving => format!("{} (faster)", known.trend),
            other => other.to_string(),
        };
        let trend = course(word, known.latency_per_day, known.change_of_level.as_ref(), (time, time));
        table.add_row(["latency".to_owned(), mean, min, max, p95, trend]);
    }
    if let Some(known) = found.memory_analysis.known() {
        let bytes = |value| format::metric(value, Some(Unit::Bytes));
        let [mean, min, max] =
            [known.average_used_memory_bytes, known.min_used_memory_bytes, known.max_used_memory_bytes]
                .map(bytes);
        let trend = course(
            known.filling_since.map_or_else(
                || known.trend.to_string(),
                |since| format!("filling again since {}", since.format("%F %H:%M")),
            ),
            known.growth_bytes_per_day,
            known.change_of_level.as_ref(),
            (bytes, bytes),
        );
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
        let trend = course(
            known.trend.to_string(),
            known.operations_per_second_per_day,
            known.change_of_level.as_ref(),
            (rate, rate),
        );
        table.add_row(["operations a second".to_owned(), mean, min, max, p95, trend]);
        if let Some(share) = known.error_rate {
            let failed = "operations that failed".to_owned();
            table.add_row([failed, format::percent(share), dash(), dash(), dash(), dash()]);
        }
    }
    if table.is_empty() { String::new() } else { format!("\n{}", table::written(&table)) }
}

/// Which way a figure goes, in the words of its level and of what it changes by: `declining: 60.0 % since 2026-11-23` where its level
/// changed, `improving, +0.4 points a day` otherwise.
fn course(
    word: String,
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
            assert_eq!(course("improving".to_owned(), per_day, None, (points, points)), written);
        }
    }
}
