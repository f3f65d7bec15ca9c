//! Which seasons a metric has.

use augurs::mstl::stlrs::{MstlParams, MstlResult, StlParams};
use chrono::TimeDelta;

/// A season at least this strong is one: 0 is none, 1 is nothing else (Wang, Smith & Hyndman 2006,
/// <https://doi.org/10.1007/s10618-005-0039-x>).
const LEAST_STRENGTH: f64 = 0.3;

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
    /// those that are strong. Two cycles at least have to be there.
    pub(super) fn by_strength(values: &[f64], width: TimeDelta) -> Self {
        let mut periods = possible(width);
        periods.retain(|period| values.len() > 2 * period);
        while let Some(parts) = decompose(values, &periods) {
            let strength = parts.seasonal_strength();
            let weak = strength.iter().zip(0..).filter(|(strength, _)| **strength < LEAST_STRENGTH);
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
