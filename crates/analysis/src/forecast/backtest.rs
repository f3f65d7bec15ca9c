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
    /// By how much they would have to be scaled, which may be more than makes sense.
    pub(super) needed: f64,
    pub(super) backtest: Backtest,
}

/// The most moments of the past from which the future is tried.
const ORIGINS: usize = 3;
/// At most this part of the past is foretold.
const PART: usize = 4;
/// Intervals are scaled by this at most: what was off by more did not come from what was before.
pub(super) const MOST_STRETCHED: f64 = 6.0;
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
    let needed = stretch(&tried, options.confidence);
    let stretch = needed.min(MOST_STRETCHED);
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
    Some(Trial { method, stretch, needed, backtest })
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
/// <https://proceedings.neurips.cc/paper/2021/hash/312f1ba2a72318edaaa995a67835fad5-Abstract.html>). Errors of all origins are taken
/// together, so that one wild value is not the answer. Errors from one origin go together, which makes them look surer than they are:
/// so the share is that of one side of the interval, and intervals are never narrower than those of theory.
fn stretch(tried: &[Foretold], confidence: f64) -> f64 {
    let mut off: Vec<f64> =
        tried.iter().map(|it| (it.came - it.mean).abs() / it.half).filter(|off| off.is_finite()).collect();
    off.sort_unstable_by(f64::total_cmp);
    let place = index((number(off.len()) * f64::midpoint(1.0, confidence)).ceil()).saturating_sub(1);
    off.get(place).map_or(1.0, |off| off.max(1.0))
}

fn over(part: f64, whole: f64) -> Option<f64> {
    Some(part / whole).filter(|ratio| ratio.is_finite())
}

fn share(part: usize, whole: usize) -> f64 {
    number(part) / number(whole.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(off: &[f64]) -> Vec<Foretold> {
        off.iter().map(|off| Foretold { mean: 10.0, half: 2.0, came: 10.0 + 2.0 * off }).collect()
    }

    #[test]
    fn one_wild_value_does_not_stretch_the_intervals() {
        let mut off = [0.5; 42];
        off[13] = 1e6;
        assert!((stretch(&tried(&off), 0.95) - 1.0).abs() < 1e-12);
        let all_off = stretch(&tried(&[3.0; 42]), 0.95);
        assert!((all_off - 3.0).abs() < 1e-12, "{all_off}");
        assert!((stretch(&[], 0.95) - 1.0).abs() < 1e-12);
        let without_width = [Foretold { mean: 1.0, half: 0.0, came: 2.0 }];
        assert!((stretch(&without_width, 0.95) - 1.0).abs() < 1e-12);
    }
}
