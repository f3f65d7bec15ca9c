//! Which seasons a metric has.

use augurs::mstl::stlrs::{MstlParams, MstlResult, StlParams};
use chrono::TimeDelta;
use statrs::distribution::{Beta, ContinuousCDF as _};

use crate::statistics::number;

/// A season at least this strong is one: 0 is none, 1 is nothing else (Wang, Smith & Hyndman 2006,
/// <https://doi.org/10.1007/s10618-005-0039-x>).
const LEAST_STRENGTH: f64 = 0.3;
/// A season is one where as strong a one is more probable than this to be none.
const SIGNIFICANCE: f64 = 0.005;
/// What the trend takes away, and cycles that may change, leave of the cycles to tell a season from noise.
const CYCLES_LEFT: f64 = 0.8;

/// A series and its seasons.
#[derive(Clone, Debug)]
pub(super) struct Decomposed {
    /// The series without them.
    pub(super) rest: Vec<f64>,
    /// How long each season is, in steps, the shortest first.
    pub(super) periods: Vec<usize>,
    /// The last cycle of each.
    seasons: Vec<Vec<f64>>,
}

impl Decomposed {
    /// Takes seasons out; without any, nothing is taken.
    pub(super) fn of(values: &[f64], periods: &[usize]) -> Self {
        match decompose(values, periods) {
            Some(parts) => Self::made(&parts, periods),
            None => Self { rest: values.to_vec(), periods: Vec::new(), seasons: Vec::new() },
        }
    }

    /// Finds the seasons, of the day and the week where a step is an hour, of the week and the year where it is a day, and takes out
    /// those that are strong, and stronger than those of noise. Two cycles at least have to be there.
    pub(super) fn by_strength(values: &[f64], width: TimeDelta) -> Self {
        let mut periods = possible(width);
        periods.retain(|period| values.len() > 2 * period);
        while let Some(parts) = decompose(values, &periods) {
            let strength = parts.seasonal_strength();
            let beyond =
                strength.iter().zip(&periods).map(|(it, period)| it - least_strength(values.len(), *period));
            let weak = beyond.zip(0..).filter(|(beyond, _)| *beyond < 0.0);
            let Some((_, weakest)) = weak.min_by(|(a, _), (b, _)| a.total_cmp(b)) else {
                return Self::made(&parts, &periods);
            };
            periods.remove(weakest);
        }
        Self::of(values, &[])
    }

    fn made(parts: &MstlResult<f64>, periods: &[usize]) -> Self {
        let rest = parts.trend().iter().zip(parts.remainder()).map(|(trend, rest)| trend + rest).collect();
        let last = |(period, season): (&usize, &Vec<f64>)| season[season.len() - period..].to_vec();
        let seasons = periods.iter().zip(parts.seasonal()).map(last).collect();
        Self { rest, periods: periods.to_vec(), seasons }
    }

    /// What the seasons add in a step behind the end.
    pub(super) fn season(&self, step: usize) -> f64 {
        self.seasons.iter().map(|cycle| cycle[step % cycle.len()]).sum()
    }
}

fn possible(width: TimeDelta) -> Vec<usize> {
    match width.num_seconds() {
        3_600 => vec![24, 7 * 24],
        86_400 => vec![7, 365],
        _ => Vec::new(),
    }
}

/// How strong a season of so many steps has to be. The means of few cycles differ even in noise, the more the fewer the cycles: the
/// share that they have of all variance there is that of an analysis of variance, which has a beta distribution (Fisher 1925,
/// "Statistical Methods for Research Workers", chapter VII).
fn least_strength(count: usize, period: usize) -> f64 {
    let cycles = CYCLES_LEFT * number(count) / number(period);
    let (of_season, of_rest) = (number(period - 1) / 2.0, number(period) * (cycles - 1.0).max(0.1) / 2.0);
    let of_noise = Beta::new(of_season, of_rest).map_or(1.0, |beta| beta.inverse_cdf(1.0 - SIGNIFICANCE));
    of_noise.max(LEAST_STRENGTH)
}

/// Cycles that stay the same from one to the next, as long histories of a server have them.
fn decompose(values: &[f64], periods: &[usize]) -> Option<MstlResult<f64>> {
    if periods.is_empty() || values.len() <= periods.iter().max()? * 2 {
        return None;
    }
    let mut cycle = StlParams::new();
    cycle.inner_loops(2).outer_loops(0).seasonal_degree(0);
    let parts = MstlParams::new().stl_params(cycle).fit(values, periods).ok()?;
    parts.remainder().iter().all(|value| value.is_finite()).then_some(parts)
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Noise of so many steps; the sum of twelve even numbers is nearly normal.
    fn noise(rng: &mut ChaCha8Rng, count: usize) -> Vec<f64> {
        (0..count).map(|_| (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0).collect()
    }

    /// How many of 200 series of noise have a season.
    fn seasonal(width: TimeDelta, steps_a_day: usize, days: std::ops::RangeInclusive<usize>) -> usize {
        let mut rng = ChaCha8Rng::seed_from_u64(20_261_128);
        (0..200)
            .map(|at| days.start() + at % (days.end() - days.start() + 1))
            .filter(|days| {
                let noise = noise(&mut rng, days * steps_a_day);
                !Decomposed::by_strength(&noise, width).periods.is_empty()
            })
            .count()
    }

    #[test]
    fn noise_seldom_has_a_season() {
        let of_days = seasonal(TimeDelta::days(1), 1, 28..=60);
        assert!(of_days <= 10, "{of_days} of 200 series of days");
        let of_few = seasonal(TimeDelta::days(1), 1, 15..=28);
        assert!(of_few <= 10, "{of_few} of 200 series of few days");
        let of_hours = seasonal(TimeDelta::hours(1), 24, 15..=40);
        assert!(of_hours <= 10, "{of_hours} of 200 series of hours");
    }

    #[test]
    fn a_week_is_seen_in_four_of_them() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut week = noise(&mut rng, 28);
        week.iter_mut().zip(0..).for_each(|(value, day)| *value += if day % 7 > 4 { 0.0 } else { 5.0 });
        assert_eq!(Decomposed::by_strength(&week, TimeDelta::days(1)).periods, [7]);
    }
}
