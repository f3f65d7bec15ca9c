//! What a metric will be, and between which values.

mod backtest;
mod fit;
mod model;
mod odd;
mod prepare;
mod scale;
mod seasons;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

pub use backtest::Backtest;
use fit::Fit;
use prepare::Prepared;
pub(crate) use prepare::YoungLevel;

use crate::series::{Summarise, TimeSeries};

/// How a metric is forecast.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct ForecastOptions {
    /// How long a step is: an hour, or a day.
    pub width: TimeDelta,
    /// How many steps are foretold.
    pub horizon: usize,
    /// What stands for the values of one step.
    pub summarise: Summarise,
    /// How probable it is that a value lies within its interval, 0 to 1; 0.95.
    pub confidence: f64,
    /// What the metric cannot fall below; 0, as most metrics count something.
    pub floor: Option<f64>,
}

/// What a metric will be.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Forecast {
    /// When the first foretold step begins.
    pub from: DateTime<Utc>,
    /// How long a step is, in seconds.
    pub step_seconds: u64,
    /// What is expected, a value a step.
    pub mean: Vec<f64>,
    /// What it is not expected to fall below.
    pub lower: Vec<f64>,
    /// What it is not expected to exceed.
    pub upper: Vec<f64>,
    /// How probable it is that a value lies between the two.
    pub confidence: f64,
    /// How it was foretold.
    pub method: ForecastMethod,
    /// The seasons that were found, in steps.
    pub seasons: Vec<usize>,
    /// How many steps of the past it rests on.
    pub steps: usize,
    /// How well the same way would have foretold the end of the series; `None` where the series is too short to leave an end out.
    pub backtest: Option<Backtest>,
    /// What was left out or filled in of the past, and what could not be done.
    pub notes: Vec<String>,
    /// The level that it has not had for long, where that is so.
    #[serde(skip)]
    pub(crate) young_level: Option<YoungLevel>,
}

/// A way to foretell what is left of a series without its seasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ForecastMethod {
    /// Exponential smoothing in state-space form, its components chosen by the corrected Akaike criterion (Hyndman & Khandakar 2008,
    /// <https://doi.org/10.18637/jss.v027.i03>).
    ExponentialSmoothing,
    /// A straight line through the median of all slopes (Theil 1950, Sen 1968).
    RobustLine,
    /// It stays as it is, but for its seasons: the floor that the others have to beat.
    Naive,
}

/// Why nothing is foretold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForecastError {
    /// Too little was measured.
    #[error("{steps} steps were measured, and a forecast takes {needed}")]
    TooShort {
        /// Steps that have a value.
        steps: usize,
        /// Steps that are needed.
        needed: usize,
    },
}

/// The fewest steps that anything is foretold from.
const FEWEST: usize = 8;

impl ForecastOptions {
    /// Foretells so many steps of this width.
    #[must_use]
    pub fn new(width: TimeDelta, horizon: usize) -> Self {
        Self { width, horizon, summarise: Summarise::Mean, confidence: 0.95, floor: Some(0.0) }
    }
}

impl Forecast {
    /// Returns when a foretold step begins.
    #[must_use]
    pub fn at(&self, step: usize) -> DateTime<Utc> {
        let width = TimeDelta::seconds(i64::try_from(self.step_seconds).unwrap_or(i64::MAX / 1_000));
        self.from + width * i32::try_from(step).unwrap_or(i32::MAX)
    }
}

impl ForecastMethod {
    /// All of them; of those that do equally well the first is taken.
    const ALL: [Self; 3] = [Self::ExponentialSmoothing, Self::RobustLine, Self::Naive];

    /// Returns its name as people read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExponentialSmoothing => "exponential smoothing",
            Self::RobustLine => "robust line",
            Self::Naive => "seasonal naive",
        }
    }
}

/// Foretells a metric.
///
/// The series is summed up in equal steps, short gaps are filled, and what lies before a long gap or before the last change of
/// level is left out where enough is left. Odd values that stand alone are taken for what is usual around them,
/// in the backtest also. Seasons of the day and the week (hours), or of the week and the year (days), are taken out by MSTL (Bandara,
/// Hyndman & Bergmeir 2021, <https://arxiv.org/abs/2107.13462>) where they are stronger than those of noise; what remains is foretold
/// by the method that would have foretold the end of the series best, and the seasons are added again. Metrics that are always
/// positive are foretold on a logarithmic scale where the horizon is short against the past. Intervals are those of the method, scaled
/// by how far it was off in the backtest; where that would be by more than makes sense, a note says that they are not to be trusted.
///
/// # Errors
/// [`ForecastError::TooShort`].
pub fn forecast(series: &TimeSeries, options: &ForecastOptions) -> Result<Forecast, ForecastError> {
    let prepared = Prepared::of(series, options);
    if prepared.values.len() < FEWEST {
        return Err(ForecastError::TooShort { steps: prepared.values.len(), needed: FEWEST });
    }
    let fit = Fit::best(&prepared.values, options);
    Ok(fit.foretell(prepared, options))
}
