//! A report of keys for people.

use std::fmt::Write;

use chrono::DateTime;
use larder_keyspace::{Burst, Coverage, FamilyNode, FamilyReport, Interval, KeyReport, SampleReport, Span};
use larder_metrics_model::{Ratio, Skipped};

use crate::output::{format, table};

pub(super) fn for_people(report: &KeyReport, most: usize) -> String {
    let mut text = heading(report);
    if let Some(sample) = &report.sample {
        text.push_str(&sampled(sample));
    }
    if report.total_keys > 0 {
        let _ = write!(text, "\n{}\n{}", types(report), families(report, most));
        if let Some(ttl) = &report.ttl {
            let _ = write!(text, "\n{}", histogram("time left", &ttl.histogram));
        }
        if let Some(idle) = &report.idle {
            let of = format!("not used for ({} keys asked)", idle.keys_read);
            let _ = write!(text, "\n{}", histogram(&of, &idle.histogram));
        }
    }
    if !report.bursts.is_empty() {
        let _ = write!(text, "\n{}", bursts(&report.bursts));
    }
    text.push_str(&gaps(report));
    text
}

fn heading(report: &KeyReport) -> String {
    let format = report.format.as_ref().map(|format| format!("{format}, ")).unwrap_or_default();
    let share = report.expiring_keys.map_or_else(
        || "TTLs not known".to_owned(),
        |expiring| format!("{} with a TTL", share(expiring, report.total_keys)),
    );
    let bytes = report.bytes.map(|bytes| format!(", {} {}", format::bytes(bytes), report.bytes_source));
    let mut text = format!(
        "{}: {format}{} keys ({share}){}\n",
        report.source,
        report.total_keys,
        bytes.unwrap_or_default()
    );
    if let Some(expired) = report.expired_keys.filter(|expired| *expired > 0) {
        let _ = writeln!(text, "and {expired} keys whose time was up at {}", moment(report.at_ms));
    }
    text
}

fn sampled(sample: &SampleReport) -> String {
    let how = match sample.coverage {
        Coverage::ChosenByName => "chosen by a hash of their names",
        _ => "the first ones in the order of SCAN",
    };
    let bytes = sample.bytes.map(|it| {
        format!("; bytes are {} to {} with 95 % confidence", format::bytes(it.low), format::bytes(it.high))
    });
    format!(
        "a sample: {} of {} keys were read, {how}{}\n",
        sample.keys_read,
        sample.of_keys,
        bytes.unwrap_or_default()
    )
}

fn share(part: u64, whole: u64) -> String {
    format::or_dash(Ratio::of(part, whole), |ratio| ratio.to_string())
}

fn types(report: &KeyReport) -> String {
    let mut types = table::table(&["type", "keys", "share", "bytes"]);
    for (name, keys) in &report.types {
        let bytes = format::or_dash(report.bytes_by_type.get(name).copied(), format::bytes);
        types.add_row([name.clone(), keys.to_string(), share(*keys, report.total_keys), bytes]);
    }
    table::written(&types)
}

const HEADINGS: [&str; 9] =
    ["family", "keys", "share", "bytes", "share", "biggest", "without ttl", "ttl median", "idle median"];

/// The tree, down to as many families as are to be shown; where figures are estimates, with their intervals.
fn families(report: &KeyReport, most: usize) -> String {
    let mut headings = HEADINGS.to_vec();
    if report.sample.is_some() {
        headings.extend(["keys from–to", "bytes from–to"]);
    }
    let mut families = table::table(&headings);
    let mut rows = Vec::new();
    flatten(&report.tree, 0, &mut rows);
    for (node, depth) in rows.iter().take(most) {
        let known = report.families.iter().find(|family| family.name == node.name);
        families.add_row(row(node, *depth, known, report.sample.is_some()));
    }
    let mut text = table::written(&families);
    if rows.len() > most {
        let _ = writeln!(text, "and {} more rows", rows.len() - most);
    }
    text
}

fn flatten<'n>(nodes: &'n [FamilyNode], depth: usize, rows: &mut Vec<(&'n FamilyNode, usize)>) {
    for node in nodes {
        let node = lowest_of_all(node);
        rows.push((node, depth));
        flatten(&node.children, depth + 1, rows);
    }
}

/// A prefix that all keys have one segment more of says nothing.
fn lowest_of_all(node: &FamilyNode) -> &FamilyNode {
    match node.children.as_slice() {
        [only] if only.figures.keys == node.figures.keys => lowest_of_all(only),
        _ => node,
    }
}

fn row(node: &FamilyNode, depth: usize, known: Option<&FamilyReport>, sampled: bool) -> Vec<String> {
    let figures = &node.figures;
    let of_family =
        |read: fn(&FamilyReport) -> Option<String>| format::or_dash(known.and_then(read), |it| it);
    let mut row = vec![
        format!("{}{}", "  ".repeat(depth), node.name),
        figures.keys.to_string(),
        format::percent(figures.share_of_keys),
        format::or_dash(figures.bytes, format::bytes),
        format::or_dash(figures.share_of_bytes, format::percent),
        of_family(|family| family.biggest_bytes.map(format::bytes)),
        format::or_dash(figures.without_ttl, |keys| keys.to_string()),
        of_family(|family| family.ttl.as_ref().map(|ttl| format::time(ttl.median_s))),
        of_family(|family| family.idle.as_ref().map(|idle| format::time(idle.median_s))),
    ];
    if sampled {
        let intervals = figures.intervals.unwrap_or_default();
        row.push(interval(intervals.keys, |keys| keys.to_string()));
        row.push(interval(intervals.bytes, format::bytes));
    }
    row
}

fn interval(of: Option<Interval>, write: fn(u64) -> String) -> String {
    format::or_dash(of, |it| format!("{}–{}", write(it.low), write(it.high)))
}

const BAR: usize = 40;

fn histogram(of: &str, spans: &[Span]) -> String {
    let filled = spans.iter().rposition(|span| span.keys > 0).map_or(0, |last| last + 1);
    let spans = spans.get(..filled).unwrap_or(spans);
    let most = spans.iter().map(|span| span.keys).max().unwrap_or(0).max(1);
    let mut histogram = table::table(&[of, "keys", ""]);
    let mut before = None;
    for span in spans {
        let label = match (before, span.up_to_s) {
            (_, Some(until)) => format!("up to {}", end(until)),
            (Some(begin), None) => format!("over {}", end(begin)),
            (None, None) => "any".to_owned(),
        };
        before = span.up_to_s;
        let length = usize::try_from(u128::from(span.keys) * BAR as u128 / u128::from(most)).unwrap_or(BAR);
        histogram.add_row([label, span.keys.to_string(), "▪".repeat(length)]);
    }
    table::written(&histogram)
}

fn bursts(bursts: &[Burst]) -> String {
    let mut table = table::table(&[
        "expiry burst",
        "minutes",
        "keys",
        "usual a minute",
        "families",
        "jitter that spreads it",
    ]);
    for burst in bursts {
        let families: Vec<&str> = burst.families.iter().map(|family| family.name.as_str()).collect();
        table.add_row([
            moment(burst.begins_at_ms),
            burst.minutes.to_string(),
            burst.keys.to_string(),
            burst.usual_per_minute.to_string(),
            families.join(" "),
            format!(
                "{} ({} of the usual TTL)",
                format::time(burst.jitter_s),
                format::percent(burst.jitter_share)
            ),
        ]);
    }
    table::written(&table)
}

/// What is not in the figures.
fn gaps(report: &KeyReport) -> String {
    let mut text = String::new();
    if !report.complete {
        text.push_str("\nthis is a part of the keyspace only\n");
    }
    if !report.not_seen.is_empty() {
        text.push_str("\nnot seen\n");
        for gap in &report.not_seen {
            let shard = gap.shard.as_deref().unwrap_or("the cache");
            let slots = gap.slots.as_ref().map(|slots| format!(" ({slots})")).unwrap_or_default();
            let _ = writeln!(text, "  {shard}{slots}: {}", gap.reason);
        }
    }
    if !report.skipped.is_empty() {
        text.push_str("\nskipped\n");
        for Skipped { what, reason } in &report.skipped {
            let _ = writeln!(text, "  {what}: {reason}");
        }
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "ends are small")]
fn end(seconds: u64) -> String {
    format::time(seconds as f64)
}

/// A moment that no calendar has is shown as the number that it is.
pub(super) fn moment(at_ms: i64) -> String {
    DateTime::from_timestamp_millis(at_ms)
        .map_or_else(|| at_ms.to_string(), |at| at.format("%Y-%m-%d %H:%M:%SZ").to_string())
}
