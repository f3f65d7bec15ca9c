//! Pictures of metrics, as SVG.

mod description;
mod drawing;
mod ink;
mod layout;
mod legend;
mod line;
mod mark;
mod text;
mod time_axis;
mod trend_line;
mod unit;
mod value_axis;

#[cfg(test)]
mod tests;

use larder_analysis::{Anomaly, Forecast, TimeSeries, Trend};
use minijinja::{Environment, value::Serde};
use serde::Serialize;

use self::{layout::Layout, mark::MarkKind, text::printable, trend_line::TrendLine};
pub use self::{mark::ChartMark, unit::ChartUnit};
use crate::history_series::Extremes;

/// A picture of one metric over time.
///
/// ```
/// use chrono::{DateTime, Utc};
/// use larder_analysis::{TimeSeries, TrendOptions, judge_trend};
/// use larder_maintenance::{Chart, ChartUnit};
///
/// let at = |hour: i64| DateTime::from_timestamp(1_780_000_000 + hour * 3_600, 0).unwrap_or_default();
/// let series: TimeSeries = (0..48_i32).map(|hour| (at(hour.into()), f64::from(hour) * 1e6)).collect();
/// let trend = judge_trend(&series, &TrendOptions::default());
/// let svg = Chart::new("used_memory_bytes", ChartUnit::Bytes)
///     .series(&series)
///     .trend(&series, &trend)
///     .limit("maxmemory", 64e6)
///     .to_svg(960, 400)?;
/// assert!(svg.contains("maxmemory"));
/// # Ok::<(), larder_maintenance::ChartError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Chart {
    title: String,
    subtitle: Option<String>,
    unit: ChartUnit,
    series: TimeSeries,
    extremes: Option<Extremes>,
    trend: Option<TrendLine>,
    forecast: Option<Forecast>,
    anomalies: Vec<Anomaly>,
    marks: Vec<ChartMark>,
    limit: Option<Limit>,
}

/// A value that is not to be passed.
#[derive(Clone, Debug, PartialEq)]
struct Limit {
    name: String,
    value: f64,
}

/// Why there is no picture, or no page.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChartError {
    /// It would be too small for what is written on it, or too large for anyone to look at.
    #[error("a chart of {width} by {height} pixels cannot be drawn; it takes {} by {} to {} by {}", SMALLEST.0, SMALLEST.1, LARGEST.0, LARGEST.1)]
    Size {
        /// The width that was asked for.
        width: u32,
        /// The height that was asked for.
        height: u32,
    },
    /// It could not be put together.
    #[error("the chart cannot be drawn")]
    Drawing {
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The page could not be put together.
    #[error("the page cannot be put together")]
    Page {
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

const SMALLEST: (u32, u32) = (320, 200);
const LARGEST: (u32, u32) = (8_000, 8_000);

/// What the template puts in; style and drawing are our own, and are not escaped again.
#[derive(Debug, Serialize)]
struct Framed<'a> {
    width: u32,
    height: u32,
    title: &'a str,
    description: String,
    style: &'static str,
    drawing: String,
}

const FRAME: &str = include_str!("chart.xml");
/// The name tells the template engine that what is put in is to be escaped.
const NAME: &str = "chart.xml";

impl Chart {
    /// Begins a chart of values in this unit.
    #[must_use]
    pub fn new(title: impl AsRef<str>, unit: ChartUnit) -> Self {
        Self {
            title: printable(title.as_ref()),
            subtitle: None,
            unit,
            series: TimeSeries::default(),
            extremes: None,
            trend: None,
            forecast: None,
            anomalies: Vec::new(),
            marks: Vec::new(),
            limit: None,
        }
    }

    /// Says below the title what the metric means.
    #[must_use]
    pub fn subtitle(mut self, words: impl AsRef<str>) -> Self {
        self.subtitle = Some(printable(words.as_ref()));
        self
    }

    /// Draws these values. Where more than one falls on a pixel, their mean is drawn, and the lowest and the highest as a band;
    /// a gap is a gap in the line.
    #[must_use]
    pub fn series(mut self, series: &TimeSeries) -> Self {
        self.series = series.clone();
        self
    }

    /// Draws how low and how high values were that the series has only summed up.
    #[must_use]
    pub fn extremes(mut self, extremes: &Extremes) -> Self {
        self.extremes = Some(extremes.clone());
        self
    }

    /// Draws the trend over the series that it was judged from, and marks the changes of level that it tells.
    #[must_use]
    pub fn trend(mut self, judged: &TimeSeries, trend: &Trend) -> Self {
        self.trend = TrendLine::of(judged, trend);
        self.marks(trend.changes.iter().map(ChartMark::from))
    }

    /// Draws what is expected, with its band.
    #[must_use]
    pub fn forecast(mut self, forecast: &Forecast) -> Self {
        self.forecast = Some(forecast.clone());
        self
    }

    /// Rings what is out of the ordinary, and shades how long it lasted.
    #[must_use]
    pub fn anomalies(mut self, anomalies: &[Anomaly]) -> Self {
        self.anomalies.extend_from_slice(anomalies);
        self
    }

    /// Marks moments with a line and a word.
    #[must_use]
    pub fn marks(mut self, marks: impl IntoIterator<Item = ChartMark>) -> Self {
        self.marks.extend(marks);
        self.marks.sort_by(|one, other| one.at.cmp(&other.at).then_with(|| one.word.cmp(&other.word)));
        self
    }

    /// Draws a value that is not to be passed. One that lies far above what is drawn is named only: drawn, it would flatten
    /// everything else.
    #[must_use]
    pub fn limit(mut self, name: impl AsRef<str>, value: f64) -> Self {
        self.limit = value.is_finite().then(|| Limit { name: printable(name.as_ref()), value });
        self
    }

    /// Returns the title.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Draws the chart as an SVG document of so many pixels: self-contained, without scripts, with a title and a description for
    /// those who cannot see it, and with other colours on a dark screen.
    ///
    /// # Errors
    /// [`ChartError::Size`] below 320 by 200 or above 8000 by 8000; [`ChartError::Drawing`] where it could not be put together.
    pub fn to_svg(&self, width: u32, height: u32) -> Result<String, ChartError> {
        let fits = |of: fn(&(u32, u32)) -> u32, asked| (of(&SMALLEST)..=of(&LARGEST)).contains(&asked);
        if !fits(|size| size.0, width) || !fits(|size| size.1, height) {
            return Err(ChartError::Size { width, height });
        }
        self.framed(width, height).map_err(|source| ChartError::Drawing { source })
    }

    fn framed(&self, width: u32, height: u32) -> Result<String, drawing::Fault> {
        let layout = Layout::of(self, i32::try_from(width)?, i32::try_from(height)?);
        let drawing = drawing::draw(self, &layout)?;
        let mut environment = Environment::new();
        environment.add_template(NAME, FRAME)?;
        let description = description::of(self);
        let framed = Framed { width, height, title: &self.title, description, style: ink::STYLE, drawing };
        Ok(environment.get_template(NAME)?.render(Serde(framed))?)
    }

    /// Marks of one kind, for the legend.
    fn has_mark(&self, kind: MarkKind) -> bool {
        self.marks.iter().any(|mark| mark.kind == kind)
    }
}
