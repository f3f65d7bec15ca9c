//! What is expected of a series, and how far off it may be.

use augurs::{Fit as _, Predict as _, ets::AutoETS};
use statrs::distribution::{ContinuousCDF as _, Normal};

use super::{ForecastMethod, seasons::Decomposed};
use crate::statistics::{MannKendall, number, spread, theil_sen};

/// What is expected, and how far the bounds of the interval lie from it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Band {
    pub(super) mean: Vec<f64>,
    pub(super) half: Vec<f64>,
}

/// Older values than these say little of what comes, and take long.
const MOST: usize = 1_500;

/// Foretells by one method; where that cannot, everything stays as it is.
pub(super) fn foretell(parts: &Decomposed, horizon: usize, method: ForecastMethod, confidence: f64) -> Band {
    let rest = &parts.rest[parts.rest.len().saturating_sub(MOST)..];
    let reach = Normal::standard().inverse_cdf(f64::midpoint(1.0, confidence.clamp(0.0, 0.999_999)));
    let band = match method {
        ForecastMethod::ExponentialSmoothing => smoothed(rest, horizon, confidence),
        ForecastMethod::RobustLine => line(rest, horizon, reach),
        ForecastMethod::Naive => None,
    };
    let mut band = band
        .filter(|band| band.mean.iter().chain(&band.half).all(|value| value.is_finite()))
        .unwrap_or_else(|| naive(rest, horizon, reach));
    for (step, mean) in band.mean.iter_mut().enumerate() {
        *mean += parts.season(step);
    }
    band
}

fn smoothed(rest: &[f64], horizon: usize, confidence: f64) -> Option<Band> {
    let forecast = AutoETS::non_seasonal().fit(rest).ok()?.predict(horizon, confidence).ok()?;
    let bounds = forecast.intervals?;
    let half = bounds.upper.iter().zip(&bounds.lower).map(|(upper, lower)| (upper - lower) / 2.0).collect();
    Some(Band { mean: forecast.point, half })
}

/// The line goes on from its end. Beside the line values lie as far as they did; the slope may be off by its interval, which counts the
/// more the further a step is from the middle of the past.
fn line(rest: &[f64], horizon: usize, reach: f64) -> Option<Band> {
    let places: Vec<f64> = (0..rest.len()).map(number).collect();
    let test = MannKendall::test(rest)?;
    let line = theil_sen(&places, rest, reach * test.deviation)?;
    let beside: Vec<f64> =
        rest.iter().zip(&places).map(|(value, place)| value - line.intercept - line.slope * place).collect();
    let beside = reach * spread(&beside)?;
    let slope_off = (line.interval.1 - line.interval.0) / 2.0;
    let middle = number(rest.len() - 1) / 2.0;
    let places = (rest.len()..rest.len() + horizon).map(number);
    let mean = places.clone().map(|place| line.intercept + line.slope * place).collect();
    let half = places.map(|place| beside.hypot(slope_off * (place - middle))).collect();
    Some(Band { mean, half })
}

/// A random walk from the last value: its steps are as long as they were (Hyndman & Athanasopoulos, "Forecasting: principles and
/// practice", 3rd edition, section 5.5, <https://otexts.com/fpp3/prediction-intervals.html>).
fn naive(rest: &[f64], horizon: usize, reach: f64) -> Band {
    let last = rest.last().copied().unwrap_or_default();
    let steps: Vec<f64> = rest.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let step = (steps.iter().map(|step| step * step).sum::<f64>() / number(steps.len().max(1))).sqrt();
    let half = (1..=horizon).map(|ahead| reach * step * number(ahead).sqrt()).collect();
    Band { mean: vec![last; horizon], half }
}
