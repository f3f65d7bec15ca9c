//! What stands where on the drawing.

use chrono::{DateTime, Utc};

use super::{
    Chart,
    legend::{self, LegendRow},
    mark::{self, PlacedMark},
    text::width,
    time_axis::TimeAxis,
    value_axis::ValueAxis,
};

/// Pixels of the heights of letters.
pub(super) const TITLE: i32 = 16;
pub(super) const SMALL: i32 = 12;
/// Around everything.
pub(super) const MARGIN: i32 = 12;
/// A line of small letters.
pub(super) const ROW: i32 = 17;

const TITLE_ROW: i32 = 21;
/// Between the plot and the figures beside it.
pub(super) const APART: i32 = 6;
/// A tick of time has this much room at least, and one of values.
const TIME_TICK: i32 = 84;
const VALUE_TICK: i32 = 54;
/// A limit that is further above everything else is not drawn.
const FAR: f64 = 3.0;
/// A forecast may take so many times the height of what was measured.
const MOST_OF_FORECAST: f64 = 3.0;

/// The parts of the drawing, in pixels.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) width: i32,
    pub(super) height: i32,
    pub(super) plot: Plot,
    pub(super) value_ticks: Vec<(f64, String)>,
    pub(super) time_ticks: Vec<(f64, String)>,
    pub(super) marks: Vec<PlacedMark>,
    pub(super) legend: Vec<LegendRow>,
    /// Where the first row of the legend begins.
    pub(super) legend_top: i32,
}

/// Where values are drawn.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    pub(super) left: i32,
    pub(super) right: i32,
    pub(super) top: i32,
    pub(super) bottom: i32,
    pub(super) values: ValueAxis,
    /// `None` where there is nothing to be drawn.
    pub(super) times: Option<TimeAxis>,
}

impl Layout {
    pub(super) fn of(chart: &Chart, width_px: i32, height: i32) -> Self {
        let values = values(chart, height / VALUE_TICK);
        let value_ticks = values.ticks();
        let widest = value_ticks.iter().map(|(_, words)| width(words, SMALL)).max().unwrap_or(0);
        let times = times(chart);
        let (left, right) = (MARGIN + widest + APART, width_px - MARGIN - APART);
        let mut plot = Plot { left, right, top: 0, bottom: 0, values, times };
        let marks = plot.place_marks(chart);
        let hidden = marks.iter().filter(|mark| mark.label.is_none()).count();
        let legend = legend::rows(chart, &plot, hidden, width_px - 2 * MARGIN);
        let mark_rows = marks.iter().filter_map(|mark| mark.label.as_ref()).map(|word| word.row + 1).max();
        plot.top = MARGIN + TITLE_ROW + ROW + APART + rows(mark_rows.unwrap_or(0));
        let legend_top = height - MARGIN - rows(legend.len());
        plot.bottom = (legend_top - ROW - 2 * APART).max(plot.top + ROW);
        let most = u32::try_from((right - left) / TIME_TICK).unwrap_or(1);
        let time_ticks = times.map(|times| times.ticks(most)).unwrap_or_default();
        Self { width: width_px, height, plot, value_ticks, time_ticks, marks, legend, legend_top }
    }
}

impl Plot {
    /// Returns the pixel of a place between left (0) and right (1).
    #[expect(clippy::cast_possible_truncation, reason = "within the drawing")]
    pub(super) fn across(&self, place: f64) -> i32 {
        self.left + (place * f64::from(self.right - self.left)).round() as i32
    }

    /// Returns the pixel of a moment; what lies outside is at the border.
    pub(super) fn x(&self, at: DateTime<Utc>) -> i32 {
        self.across(self.times.map_or(0.0, |times| times.place_within(at)))
    }

    /// Returns the pixel of a value; what lies outside is at the border.
    #[expect(clippy::cast_possible_truncation, reason = "within the drawing")]
    pub(super) fn y(&self, value: f64) -> i32 {
        self.bottom - (self.values.place(value) * f64::from(self.bottom - self.top)).round() as i32
    }

    fn place_marks(&self, chart: &Chart) -> Vec<PlacedMark> {
        let Some(times) = self.times else { return Vec::new() };
        let inside = chart.marks.iter().filter_map(|mark| Some((self.across(times.place(mark.at)?), mark)));
        mark::place(&inside.collect::<Vec<_>>(), (MARGIN, self.right), SMALL)
    }
}

fn rows(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(0) * ROW
}

fn times(chart: &Chart) -> Option<TimeAxis> {
    let foretold = chart.forecast.as_ref().filter(|forecast| !forecast.mean.is_empty());
    let measured = chart.series.first().zip(chart.series.last());
    let measured = measured.map(|(first, last)| (first.at, last.at));
    let expected = foretold.map(|forecast| (forecast.from, forecast.at(forecast.mean.len())));
    let (from, until) = match (measured, expected) {
        (Some(measured), Some(expected)) => (measured.0.min(expected.0), measured.1.max(expected.1)),
        (known, expected) => known.or(expected)?,
    };
    Some(TimeAxis::of(from, until))
}

/// From the lowest to the highest of what is drawn. A band of a forecast that is far wider than everything else is cut off.
fn values(chart: &Chart, ticks: i32) -> ValueAxis {
    let mut all = Extent::default();
    all.add(chart.series.values());
    if let Some(extremes) = &chart.extremes {
        all.add(extremes.lowest.values().chain(extremes.highest.values()));
    }
    all.add(chart.anomalies.iter().map(|anomaly| anomaly.value));
    if let Some(forecast) = &chart.forecast {
        let measured = all;
        all.add(forecast.mean.iter().copied());
        let room = MOST_OF_FORECAST * (all.highest - all.lowest).max(all.highest.abs() * 0.1);
        let (lowest, highest) = if measured.is_empty() {
            (f64::NEG_INFINITY, f64::INFINITY)
        } else {
            (measured.lowest - room, measured.highest + room)
        };
        let band = forecast.lower.iter().chain(&forecast.upper);
        all.add(band.map(|value| value.clamp(lowest, highest)));
    }
    if let Some(limit) = &chart.limit
        && (all.is_empty() || limit.value <= all.highest.abs() * FAR)
    {
        all.add([limit.value]);
    }
    if all.is_empty() {
        all.add([0.0]);
    }
    ValueAxis::of(chart.unit, all.lowest, all.highest, u32::try_from(ticks).unwrap_or(2).clamp(2, 10))
}

#[derive(Clone, Copy, Debug)]
struct Extent {
    lowest: f64,
    highest: f64,
}

impl Default for Extent {
    fn default() -> Self {
        Self { lowest: f64::INFINITY, highest: f64::NEG_INFINITY }
    }
}

impl Extent {
    fn add(&mut self, values: impl IntoIterator<Item = f64>) {
        for value in values.into_iter().filter(|value| value.is_finite()) {
            self.lowest = self.lowest.min(value);
            self.highest = self.highest.max(value);
        }
    }

    fn is_empty(self) -> bool {
        self.lowest > self.highest
    }
}
