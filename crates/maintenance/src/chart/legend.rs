//! What the lines are.

use chrono::TimeDelta;
use larder_analysis::TrendWord;

use super::{
    Chart, Limit,
    layout::{Plot, SMALL},
    mark::MarkKind,
    text::{cut, width},
    trend_line::TrendLine,
};

/// How something is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Swatch {
    Series,
    Band,
    Trend,
    Forecast,
    Anomaly,
    Limit,
    Event,
    Change,
}

/// One line's words, from the left border on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LegendEntry {
    pub(super) x: i32,
    pub(super) swatch: Swatch,
    pub(super) words: String,
}

pub(super) type LegendRow = Vec<LegendEntry>;

/// How long a piece of line is, and what is free behind it.
pub(super) const PIECE: i32 = 26;
pub(super) const BEHIND_PIECE: i32 = 6;
const BETWEEN: i32 = 18;

/// Puts the words of what is drawn in rows of this width.
pub(super) fn rows(chart: &Chart, plot: &Plot, hidden_marks: usize, room: i32) -> Vec<LegendRow> {
    let mut rows: Vec<LegendRow> = Vec::new();
    let mut x = 0;
    for (swatch, words) in entries(chart, plot, hidden_marks) {
        let words = cut(&words, SMALL, room - PIECE - BEHIND_PIECE);
        let taken = PIECE + BEHIND_PIECE + width(&words, SMALL);
        if x + taken > room || rows.is_empty() {
            rows.push(Vec::new());
            x = 0;
        }
        if let Some(row) = rows.last_mut() {
            row.push(LegendEntry { x, swatch, words });
        }
        x += taken + BETWEEN;
    }
    rows
}

fn entries(chart: &Chart, plot: &Plot, hidden_marks: usize) -> Vec<(Swatch, String)> {
    let mut entries = Vec::new();
    if !chart.series.is_empty() {
        entries.push((Swatch::Series, "measured".to_owned()));
    }
    if chart.extremes.is_some() || has_band(chart, plot) {
        entries.push((Swatch::Band, "lowest to highest".to_owned()));
    }
    if let Some(trend) = &chart.trend {
        entries.push((Swatch::Trend, of_trend(chart, trend)));
    }
    if let Some(forecast) = &chart.forecast {
        entries.push((
            Swatch::Forecast,
            format!("forecast, {:.0} % within the band", forecast.confidence * 100.0),
        ));
    }
    match chart.anomalies.len() {
        0 => {}
        1 => entries.push((Swatch::Anomaly, "1 anomaly".to_owned())),
        many => entries.push((Swatch::Anomaly, format!("{many} anomalies"))),
    }
    if let Some(limit) = &chart.limit {
        entries.push((Swatch::Limit, of_limit(chart, plot, limit)));
    }
    for (kind, swatch, words) in
        [(MarkKind::Event, Swatch::Event, "events"), (MarkKind::Change, Swatch::Change, "changes of level")]
    {
        if hidden_marks > 0 && chart.has_mark(kind) {
            let count = chart.marks.iter().filter(|mark| mark.kind == kind).count();
            entries.push((swatch, format!("{count} {words}")));
        }
    }
    entries
}

fn has_band(chart: &Chart, plot: &Plot) -> bool {
    super::line::stretches(&chart.series, |it| plot.x(it.at)).iter().any(|stretch| !stretch.band.is_empty())
}

fn of_limit(chart: &Chart, plot: &Plot, limit: &Limit) -> String {
    let figure = chart.unit.write(limit.value);
    if plot.values.holds(limit.value) {
        format!("{}: {figure}", limit.name)
    } else if limit.value > plot.values.high {
        format!("{}: {figure}, far above", limit.name)
    } else {
        format!("{}: {figure}, far below", limit.name)
    }
}

/// Says the trend in its word, with the slope where it is one.
pub(super) fn of_trend(chart: &Chart, trend: &TrendLine) -> String {
    let word = trend.word;
    if matches!(word, TrendWord::Stable | TrendWord::NotEnoughData) {
        return format!("trend: {word}");
    }
    let sign = if trend.per_day > 0.0 { "+" } else { "" };
    let (in_days, time) = step(trend.until.0 - trend.from.0);
    let figure = chart.unit.write_change(trend.per_day * in_days);
    format!("trend: {word}, {sign}{figure} {time}")
}

/// A slope is said for a time that is shorter than what it was seen in: how many days that is, and what it is called.
fn step(span: TimeDelta) -> (f64, &'static str) {
    match span {
        span if span >= TimeDelta::days(2) => (1.0, "a day"),
        span if span >= TimeDelta::hours(2) => (1.0 / 24.0, "an hour"),
        _ => (1.0 / 1_440.0, "a minute"),
    }
}
