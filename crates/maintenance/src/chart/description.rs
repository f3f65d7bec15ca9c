//! A chart in words, for those who cannot see it.

use chrono::{DateTime, Utc};

use super::{Chart, legend::of_trend};

/// So many marks are named.
const MOST_MARKS: usize = 10;

/// Says what can be seen on a chart.
pub(super) fn of(chart: &Chart) -> String {
    let mut said: Vec<String> = chart.subtitle.iter().cloned().collect();
    said.push(measured(chart));
    said.extend(chart.trend.as_ref().map(|trend| format!("{}.", capital(&of_trend(chart, trend)))));
    said.extend(foretold(chart));
    said.extend(
        chart.limit.as_ref().map(|limit| format!("{}: {}.", limit.name, chart.unit.write(limit.value))),
    );
    said.extend(happened(chart));
    if !chart.anomalies.is_empty() {
        let peaks = chart
            .anomalies
            .iter()
            .take(MOST_MARKS)
            .map(|anomaly| format!("{} at {}", chart.unit.write(anomaly.value), written(anomaly.peak)));
        said.push(listed("Out of the ordinary", &peaks.collect::<Vec<_>>(), chart.anomalies.len()));
    }
    said.join(" ")
}

/// The first and the last moment of what is drawn.
pub(super) fn span(chart: &Chart) -> Option<String> {
    let (first, last) = chart.series.first().zip(chart.series.last())?;
    Some(format!("{} to {} UTC", minute(first.at), minute(last.at)))
}

fn measured(chart: &Chart) -> String {
    let values = || chart.series.values();
    let ends = values().reduce(f64::min).zip(values().reduce(f64::max));
    let (Some((lowest, highest)), Some(last), Some(span)) = (ends, chart.series.last(), span(chart)) else {
        return "Nothing was measured.".to_owned();
    };
    let write = |value| chart.unit.write(value);
    let values =
        if chart.series.len() == 1 { "1 value".to_owned() } else { format!("{} values", chart.series.len()) };
    format!(
        "{values} from {span}: lowest {}, highest {}, last {}.",
        write(lowest),
        write(highest),
        write(last.value)
    )
}

fn foretold(chart: &Chart) -> Option<String> {
    let forecast = chart.forecast.as_ref()?;
    let last = forecast.mean.len().checked_sub(1)?;
    let write = |values: &[f64]| values.get(last).map_or_else(String::new, |value| chart.unit.write(*value));
    Some(format!(
        "Expected at {}: {}, between {} and {}.",
        written(forecast.at(last)),
        write(&forecast.mean),
        write(&forecast.lower),
        write(&forecast.upper)
    ))
}

fn happened(chart: &Chart) -> Option<String> {
    if chart.marks.is_empty() {
        return None;
    }
    let marks =
        chart.marks.iter().take(MOST_MARKS).map(|mark| format!("{} at {}", mark.word, written(mark.at)));
    Some(listed("Marked", &marks.collect::<Vec<_>>(), chart.marks.len()))
}

fn listed(what: &str, named: &[String], count: usize) -> String {
    let more = count.saturating_sub(named.len());
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("{what}: {}{more}.", named.join(", "))
}

fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M").to_string()
}

fn written(at: DateTime<Utc>) -> String {
    format!("{} UTC", minute(at))
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
