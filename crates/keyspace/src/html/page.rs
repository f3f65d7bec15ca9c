//! What the page says.

use serde::Serialize;

use super::{
    bars::{Bar, bars},
    timeline::{Fault, timeline},
    words,
};
use crate::{Burst, Coverage, FamilyReport, KeyReport, NotSeen, SampleReport, Span};

/// How many families have a bar, and how many a row of the table.
const MOST_BARS: usize = 15;
const MOST_ROWS: usize = 500;

/// What the template puts in; the charts are its own words and are not escaped again.
#[derive(Debug, Serialize)]
pub(super) struct Page {
    source: String,
    format: Option<String>,
    moment: String,
    complete: bool,
    cards: Vec<Card>,
    sample: Option<String>,
    families_chart: String,
    ttl_chart: Option<String>,
    idle_chart: Option<String>,
    idle_of: String,
    due_charts: Vec<String>,
    bursts: Vec<BurstRow>,
    families: Vec<FamilyRow>,
    more_families: usize,
    bytes_source: String,
    not_seen: Vec<String>,
    skipped: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Card {
    figure: String,
    of: &'static str,
}

#[derive(Debug, Serialize)]
struct BurstRow {
    moment: String,
    minutes: u32,
    keys: String,
    usual: String,
    families: String,
    jitter: String,
}

#[derive(Debug, Serialize)]
struct FamilyRow {
    name: String,
    keys: String,
    share: String,
    bytes: String,
    biggest: String,
    without_ttl: String,
    /// Whether none of its keys has a TTL.
    all_without: bool,
    ttl: String,
    idle: String,
}

impl Page {
    pub(super) fn of(report: &KeyReport) -> Result<Self, Fault> {
        let histogram = |spans: &[Span]| bars(&spans_as_bars(spans));
        Ok(Self {
            source: report.source.clone(),
            format: report.format.clone(),
            moment: words::moment(report.at_ms),
            complete: report.complete,
            cards: cards(report),
            sample: report.sample.as_ref().map(sample),
            families_chart: bars(&families_as_bars(report))?,
            ttl_chart: report.ttl.as_ref().map(|ttl| histogram(&ttl.histogram)).transpose()?,
            idle_chart: report.idle.as_ref().map(|idle| histogram(&idle.histogram)).transpose()?,
            idle_of: words::count(report.idle.as_ref().map_or(0, |idle| idle.keys_read)),
            due_charts: report
                .due
                .iter()
                .map(|due| timeline(due, &report.bursts))
                .collect::<Result<_, _>>()?,
            bursts: report.bursts.iter().map(burst).collect(),
            families: report.families.iter().take(MOST_ROWS).map(family).collect(),
            more_families: report.families.len().saturating_sub(MOST_ROWS),
            bytes_source: report.bytes_source.to_string(),
            not_seen: report.not_seen.iter().map(not_seen).collect(),
            skipped: report.skipped.iter().map(|it| format!("{}: {}", it.what, it.reason)).collect(),
        })
    }
}

fn cards(report: &KeyReport) -> Vec<Card> {
    let card = |figure, of| Card { figure, of };
    let expiring = report.expiring_keys.filter(|_| report.total_keys > 0);
    let without = expiring.map(|keys| share(report.total_keys.saturating_sub(keys), report.total_keys));
    vec![
        card(words::count(report.total_keys), "keys"),
        card(words::or_dash(report.bytes, words::bytes), "of memory"),
        card(words::or_dash(without, words::percent), "without TTL"),
        card(words::count(report.families.len() as u64), "families"),
        card(words::count(report.bursts.len() as u64), "expiry bursts"),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "a share that is shown")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

fn sample(sample: &SampleReport) -> String {
    let how = match sample.coverage {
        Coverage::ChosenByName => "chosen by a hash of their names",
        _ => "the first ones in the order of SCAN",
    };
    let bytes = sample.bytes.map(|it| {
        format!(
            " Bytes are between {} and {} with 95 % confidence.",
            words::bytes(it.low),
            words::bytes(it.high)
        )
    });
    format!(
        "Figures are estimates from a sample: {} of {} keys were read, {how}.{}",
        words::count(sample.keys_read),
        words::count(sample.of_keys),
        bytes.unwrap_or_default()
    )
}

/// By bytes; where these are not known, by keys.
fn families_as_bars(report: &KeyReport) -> Vec<Bar> {
    let mut families: Vec<&FamilyReport> = report.families.iter().collect();
    let has_bytes = report.bytes.is_some();
    let value =
        |family: &FamilyReport| family.figures.bytes.filter(|_| has_bytes).unwrap_or(family.figures.keys);
    families.sort_by_key(|family| std::cmp::Reverse(value(family)));
    let written = if has_bytes { words::bytes } else { words::count };
    let bar = |family: &&FamilyReport| Bar {
        name: family.name.clone(),
        figure: written(value(family)),
        value: value(family),
    };
    families.iter().take(MOST_BARS).map(bar).collect()
}

/// Without the buckets behind the last one that has something in it.
fn spans_as_bars(spans: &[Span]) -> Vec<Bar> {
    let filled = spans.iter().rposition(|span| span.keys > 0).map_or(0, |last| last + 1);
    let spans = spans.get(..filled).unwrap_or(spans);
    let mut before = None;
    let mut bars = Vec::with_capacity(spans.len());
    for span in spans {
        let name = match (span.up_to_s, before) {
            (Some(end), _) => format!("up to {}", span_end(end)),
            (None, Some(begin)) => format!("over {}", span_end(begin)),
            (None, None) => "any".to_owned(),
        };
        before = span.up_to_s;
        bars.push(Bar { name, figure: words::count(span.keys), value: span.keys });
    }
    bars
}

#[expect(clippy::cast_precision_loss, reason = "ends are small")]
fn span_end(seconds: u64) -> String {
    words::time(seconds as f64)
}

fn burst(burst: &Burst) -> BurstRow {
    let families: Vec<String> =
        burst.families.iter().map(|it| format!("{} ({})", it.name, words::count(it.keys))).collect();
    BurstRow {
        moment: words::moment(burst.begins_at_ms),
        minutes: burst.minutes,
        keys: words::count(burst.keys),
        usual: words::count(burst.usual_per_minute),
        families: families.join(", "),
        jitter: format!(
            "{} ({} of the TTL)",
            words::time(burst.jitter_s),
            words::percent(burst.jitter_share)
        ),
    }
}

fn family(family: &FamilyReport) -> FamilyRow {
    let figures = &family.figures;
    let biggest = family.biggest.as_ref();
    FamilyRow {
        name: family.name.clone(),
        keys: words::count(figures.keys),
        share: words::percent(figures.share_of_keys),
        bytes: words::or_dash(figures.bytes, words::bytes),
        biggest: words::or_dash(biggest, |it| words::bytes(it.bytes)),
        without_ttl: words::or_dash(figures.without_ttl, words::count),
        all_without: figures.keys > 0 && figures.without_ttl == Some(figures.keys),
        ttl: words::or_dash(family.ttl.as_ref(), |ttl| words::time(ttl.median_s)),
        idle: words::or_dash(family.idle.as_ref(), |idle| words::time(idle.median_s)),
    }
}

fn not_seen(gap: &NotSeen) -> String {
    let shard = gap.shard.as_deref().unwrap_or("the cache");
    let slots = gap.slots.as_ref().map(|slots| format!(" ({slots})")).unwrap_or_default();
    format!("{shard}{slots}: {}", gap.reason)
}
