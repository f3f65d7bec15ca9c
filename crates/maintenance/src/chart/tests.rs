//! Whole charts.

use chrono::{DateTime, TimeDelta, Utc};
use larder_analysis::{
    AnomalyOptions, Forecast, ForecastOptions, TimeSeries, TrendOptions, detect_anomalies, forecast,
    judge_trend,
};
use roxmltree::{Document, Node};

use super::*;

const GIB: f64 = 1_073_741_824.0;

/// 1 November 2026.
fn at(hour: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_793_491_200 + hour * 3_600, 0).unwrap()
}

/// Hours of a value.
fn hourly(value: impl Fn(f64) -> f64, hours: impl Iterator<Item = i32>) -> TimeSeries {
    hours.map(|hour| (at(hour.into()), value(hour.into()))).collect()
}

/// Twenty days that rise, with a wave of the day, a gap and a spike.
fn lively() -> TimeSeries {
    let wave = |hour: f64| (hour / 24.0 * std::f64::consts::TAU).sin();
    let value = |hour: f64| {
        let noise = ((hour * 12.9898).sin() * 43_758.545).fract().abs();
        let spike = if (hour - 400.0).abs() < 1.5 { 0.6 } else { 0.0 };
        GIB * (2.0 + hour / 400.0 + 0.12 * wave(hour) + 0.03 * noise + spike)
    };
    hourly(value, (0..480).filter(|hour| !(150..190).contains(hour)))
}

fn foretold(series: &TimeSeries) -> Forecast {
    forecast(series, &ForecastOptions::new(TimeDelta::hours(1), 96)).unwrap()
}

fn drawn(chart: &Chart) -> String {
    chart.to_svg(960, 400).unwrap()
}

/// What can be drawn at all: everything within the paper, and nothing that is no number.
fn is_sound(svg: &str) {
    let document = Document::parse(svg).unwrap_or_else(|error| panic!("{error}: {svg}"));
    let root = document.root_element();
    assert_eq!((root.tag_name().name(), root.attribute("role")), ("svg", Some("img")));
    let of = |name: &str| root.attribute(name).unwrap().parse::<f64>().unwrap();
    let (width, height) = (of("width"), of("height"));
    for node in document.descendants().filter(Node::is_element) {
        for (name, most) in
            [("x", width), ("y", height), ("cx", width), ("cy", height), ("x1", width), ("y2", height)]
        {
            if let Some(text) = node.attribute(name) {
                let value: f64 = text.parse().unwrap_or_else(|error| panic!("{error}: {text}"));
                assert!((0.0..=most).contains(&value), "{name}={value}: {node:?}");
            }
        }
        for point in node.attribute("points").unwrap_or_default().split_whitespace() {
            let (x, y) = point.split_once(',').unwrap();
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((0.0..=width).contains(&x) && (0.0..=height).contains(&y), "{point}");
        }
    }
    let names: Vec<&str> = document.descendants().map(|node| node.tag_name().name()).collect();
    assert!(names.contains(&"title") && names.contains(&"desc"), "{names:?}");
    for part in ["<script", "href", "url(", "@import", "@font-face", "NaN", "inf"] {
        assert!(!svg.contains(part), "{part}: {svg}");
    }
}

fn lines<'a>(document: &'a Document<'_>, ink: &str) -> Vec<&'a str> {
    let of_ink = document
        .descendants()
        .filter(|node| node.tag_name().name() == "polyline" && node.attribute("stroke") == Some(ink));
    of_ink.filter_map(|node| node.attribute("points")).collect()
}

fn words(svg: &str) -> String {
    let document = Document::parse(svg).unwrap();
    let texts = document.descendants().filter(|node| node.tag_name().name() == "text");
    texts.filter_map(|node| node.text()).map(str::trim).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_small_chart_looks_like_this() {
    let series = hourly(|hour| 100.0 * hour, 0..8);
    let trend = judge_trend(&series, &TrendOptions::default());
    let chart = Chart::new("operations of redis://h & <i>", ChartUnit::OperationsPerSecond)
        .series(&series)
        .trend(&series, &trend)
        .marks([ChartMark::new(at(3), "restart")])
        .limit("most", 900.0);
    let svg = chart.to_svg(480, 240).unwrap();
    is_sound(&svg);
    insta::assert_snapshot!(svg);
}

#[test]
fn everything_is_on_a_full_chart() {
    let series = lively();
    let trend = judge_trend(&series, &TrendOptions::default());
    let found = detect_anomalies(&series, &AnomalyOptions::default());
    assert!(!found.episodes.is_empty());
    let chart = Chart::new("used_memory_bytes of redis://10.0.0.1:6379", ChartUnit::Bytes)
        .subtitle("Memory allocated by all primaries.")
        .series(&series)
        .trend(&series, &trend)
        .forecast(&foretold(&series))
        .anomalies(&found.episodes)
        .marks([
            ChartMark::new(at(60), "restart"),
            ChartMark::new(at(62), "flush"),
            ChartMark::new(at(575), "drill"),
        ])
        .limit("maxmemory", 4.0 * GIB);
    let svg = drawn(&chart);
    is_sound(&svg);
    let words = words(&svg);
    for part in [
        "maxmemory: 4 GiB",
        "restart",
        "flush",
        "drill",
        "forecast, 95 %",
        "increasing, +",
        "anomal",
        "GiB",
        "Nov",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    let description = Document::parse(&svg).unwrap();
    let description = description.descendants().find(|node| node.tag_name().name() == "desc").unwrap();
    let description = description.text().unwrap().to_owned();
    for part in
        ["440 values from 2026-11-01 00:00 to", "Expected at 2026-11-24", "restart at 2026-11-03 12:00 UTC"]
    {
        assert!(description.contains(part), "{part}: {description}");
    }
}

#[test]
fn a_gap_is_a_gap_in_the_line() {
    let whole = hourly(|hour| hour, 0..48);
    let broken = whole.keep(|it| it.at < at(10) || it.at >= at(20));
    for (series, parts) in [(whole, 1), (broken, 2)] {
        let svg = drawn(&Chart::new("gaps", ChartUnit::Count).series(&series));
        assert_eq!(
            lines(&Document::parse(&svg).unwrap(), "#0072B2").len(),
            parts + 1,
            "and one of the legend"
        );
    }
}

#[test]
fn the_edges_are_drawn() {
    let edge = |values: &[f64]| -> TimeSeries {
        (0..).zip(values).map(|(hour, value)| (at(hour), *value)).collect()
    };
    for (what, series) in [
        ("nothing", TimeSeries::default()),
        ("one", edge(&[5.0])),
        ("two that are equal", edge(&[5.0, 5.0])),
        ("constant nothing", edge(&[0.0; 30])),
        ("no numbers", edge(&[f64::NAN, f64::INFINITY])),
        ("the greatest", edge(&[f64::MIN, f64::MAX, 0.0])),
        ("the smallest", edge(&[f64::MIN_POSITIVE, 0.0, f64::MIN_POSITIVE])),
        ("below nothing", edge(&[-5.0, -3.0, -9.0])),
    ] {
        for unit in [ChartUnit::Bytes, ChartUnit::Share, ChartUnit::Count, ChartUnit::Seconds] {
            let trend = judge_trend(&series, &TrendOptions::default());
            let chart = Chart::new(what, unit)
                .series(&series)
                .trend(&series, &trend)
                .marks([ChartMark::new(at(0), "restart"), ChartMark::new(DateTime::<Utc>::MAX_UTC, "never")])
                .limit("limit", f64::MAX)
                .limit("none", f64::NAN);
            is_sound(&drawn(&chart));
            is_sound(&chart.to_svg(320, 200).unwrap());
        }
    }
    let nothing = drawn(&Chart::new("nothing", ChartUnit::Count));
    assert!(words(&nothing).contains("nothing was measured"));
}

#[test]
fn what_stands_on_it_never_breaks_it() {
    let series = hourly(|hour| hour, 0..5);
    let hostile = "</svg><script>\u{1}\u{fffe}\"'&\n漢字".repeat(20);
    let chart = Chart::new(&hostile, ChartUnit::Count)
        .subtitle(&hostile)
        .series(&series)
        .marks([ChartMark::new(at(2), &hostile)])
        .limit(&hostile, 3.0);
    is_sound(&drawn(&chart));
}

#[test]
fn a_limit_far_above_is_named_and_does_not_flatten_the_rest() {
    let series = hourly(|hour| GIB + hour * 1e6, 0..48);
    let of = |limit: f64| {
        words(&drawn(&Chart::new("m", ChartUnit::Bytes).series(&series).limit("maxmemory", limit)))
    };
    assert!(of(2.0 * GIB).contains("maxmemory: 2 GiB\n") || of(2.0 * GIB).ends_with("maxmemory: 2 GiB"));
    assert!(of(64.0 * GIB).contains("maxmemory: 64 GiB, far above"));
}

#[test]
fn a_thousand_marks_and_a_year_of_minutes_stay_readable() {
    let series: TimeSeries = (0..525_600_i64)
        .map(|minute| (at(0) + TimeDelta::minutes(minute), f64::from(i32::try_from(minute % 1_440).unwrap())))
        .collect();
    let marks = (0..1_000).map(|number| ChartMark::new(at(number * 8), "restart"));
    let svg = drawn(&Chart::new("a year", ChartUnit::Count).series(&series).marks(marks));
    is_sound(&svg);
    let said = words(&svg);
    assert!(said.contains("1000 events"), "{said}");
    assert!(said.matches("restart").count() < 80, "{said}");
    assert!(said.contains("lowest to highest"), "{said}");
    assert!(svg.len() < 300_000, "{} bytes", svg.len());
}

#[test]
fn a_slope_is_said_for_a_time_that_was_seen() {
    let said = |minutes_apart: i64| {
        let at = |place: i32| at(0) + TimeDelta::minutes(minutes_apart) * place;
        let series: TimeSeries = (0..20_i32).map(|place| (at(place), 1_000.0 + f64::from(place))).collect();
        let trend = judge_trend(&series, &TrendOptions::default());
        words(&drawn(&Chart::new("slope", ChartUnit::Count).series(&series).trend(&series, &trend)))
    };
    for (minutes_apart, expected) in [(1, "+1 a minute"), (60, "+1 an hour"), (1_440, "+1 a day")] {
        let said = said(minutes_apart);
        assert!(said.contains(&format!("trend: increasing, {expected}")), "{minutes_apart}: {said}");
    }
}

#[test]
fn a_size_that_cannot_be_read_is_refused() {
    for (width, height) in [(0, 0), (319, 400), (960, 199), (9_000, 400), (960, u32::MAX)] {
        let refused = Chart::new("x", ChartUnit::Count).to_svg(width, height);
        assert!(matches!(refused, Err(ChartError::Size { .. })), "{width} {height}");
    }
}
