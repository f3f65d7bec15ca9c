//! How well the end of a series would have been foretold from what came before.

use serde::Serialize;

use super::{FEWEST, ForecastMethod, ForecastOptions, model::foretell, scale::Scale, seasons::Decomposed};
use crate::{
    series::mean,
    statistics::{index, number},
};

/// How well the end of a series would have been foretold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Backtest {
    /// From how many moments of the past.
    pub origins: usize,
    /// How many steps from each.
    pub horizon: usize,
    /// The mean absolute error over that of repeating the season, or the last value where there is none: below 1 is better
    /// (mean absolute scaled error, Hyndman & Koehler 2006, <https://doi.org/10.1016/j.ijforecast.2006.03.001>).
    pub scaled_error: Option<f64>,
    /// The mean absolute error over the mean of the absolute values, 0 to 1 and beyond.
    pub relative_error: Option<f64>,
    /// The share of values that lay within the interval of theory, before it was scaled.
    pub coverage_of_theory: f64,
    /// The share of values that lie within the interval as it is given.
    pub coverage: f64,
}

/// The method that did best, and how it did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    pub(super) method: ForecastMethod,
    /// By how much the intervals of theory are scaled.
    pub(super) stretch: f64,
    pub(super) backtest: Backtest,
}

/// The most moments of the past from which the future is tried.
const ORIGINS: usize = 3;
/// At most this part of the past is foretold.
const PART: usize = 4;
/// Another method has to be this much better than one before it in the list.
const BETTER_BY: f64 = 0.95;

/// What was foretold, how far the interval went, and what came.
struct Foretold {
    mean: f64,
    half: f64,
    came: f64,
}

/// Tries all methods; `None` where the past is too short. Values are on the scale of the forecast.
pub(super) fn trials(
    values: &[f64],
    periods: &[usize],
    options: &ForecastOptions,
    scale: Scale,
) -> Option<Trial> {
    let horizon = options.horizon.min(values.len() / PART).max(1);
    let needed = periods.last().map_or(FEWEST, |period| 2 * period + 1).max(FEWEST);
    let cuts: Vec<usize> = (1..=ORIGINS)
        .filter_map(|ends| values.len().checked_sub(ends * horizon))
        .filter(|cut| *cut >= needed)
        .collect();
    if cuts.is_empty() {
        return None;
    }
    let pasts: Vec<Decomposed> = cuts.iter().map(|cut| Decomposed::of(&values[..*cut], periods)).collect();
    let foretold = |method: ForecastMethod| -> Vec<Foretold> {
        let from = |(cut, past): (&usize, &Decomposed)| {
            let band = foretell(past, horizon, method, options.confidence);
            let came = values[*cut..].to_vec();
            band.mean.into_iter().zip(band.half).zip(came).map(|((mean, half), came)| Foretold {
                mean,
                half,
                came,
            })
        };
        cuts.iter().zip(&pasts).flat_map(from).collect()
    };
    let mut best: Option<(ForecastMethod, Vec<Foretold>, f64)> = None;
    for method in ForecastMethod::ALL {
        let tried = foretold(method);
        let error = error(&tried, scale);
        if best.as_ref().is_none_or(|(_, _, least)| error < least * BETTER_BY) {
            best = Some((method, tried, error));
        }
    }
    let (method, tried, error) = best?;
    let stretch = stretch(&tried, horizon, options.confidence);
    let covered = |by: f64| {
        share(tried.iter().filter(|it| (it.came - it.mean).abs() <= by * it.half).count(), tried.len())
    };
    let lag = periods.first().copied().unwrap_or(1);
    let backtest = Backtest {
        origins: cuts.len(),
        horizon,
        scaled_error: over(error, repeating(values, lag, scale)),
        relative_error: over(error, mean(tried.iter().map(|it| scale.back(it.came).abs()))),
        coverage_of_theory: covered(1.0),
        coverage: covered(stretch),
    };
    Some(Trial { method, stretch, backtest })
}

/// The mean absolute error, on the scale of the metric.
fn error(tried: &[Foretold], scale: Scale) -> f64 {
    mean(tried.iter().map(|it| (scale.back(it.came) - scale.back(it.mean)).abs()))
}

/// The error of repeating what was a season ago.
fn repeating(values: &[f64], lag: usize, scale: Scale) -> f64 {
    mean(
        values
            .iter()
            .zip(values.iter().skip(lag))
            .map(|(before, now)| (scale.back(*now) - scale.back(*before)).abs()),
    )
}

/// The factor that would have made the intervals of the backtest hold their share of the values, as conformal prediction does
/// (Stankevičiūtė, Alaa & van der Schaar 2021,
/// <https://proceedings.neurips.cc/paper/2021/hash/312f1ba2a72318edaaa995a67835fad5-Abstract.html>). Errors from one origin go
/// together, so that there are as few independent ones as there are origins: the origin counts that was furthest off, and intervals are
/// never narrower than those of theory.
fn stretch(tried: &[Foretold], horizon: usize, confidence: f64) -> f64 {
    tried
        .chunks(horizon)
        .map(|of_one_origin| off_at(of_one_origin, f64::midpoint(1.0, confidence)))
        .fold(1.0, f64::max)
}

/// How many of their half-widths values were off at most, in so great a share of them.
fn off_at(tried: &[Foretold], share: f64) -> f64 {
    let mut off: Vec<f64> =
        tried.iter().map(|it| (it.came - it.mean).abs() / it.half).filter(|off| off.is_finite()).collect();
    off.sort_unstable_by(f64::total_cmp);
    let place = index((number(off.len()) * share).ceil()).saturating_sub(1);
    off.get(place).copied().unwrap_or(1.0)
}

fn over(part: f64, whole: f64) -> Option<f64> {
    Some(part / whole).filter(|ratio| ratio.is_finite())
}

fn share(part: usize, whole: usize) -> f64 {
    number(part) / number(whole.max(1))
}
