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
    /// The last cycle of each.
    seasons: Vec<Vec<f64>>,
}

impl Decomposed {
    /// Takes seasons out; without any, nothing is taken.
    pub(super) fn of(values: &[f64], periods: &[usize]) -> Self {
        let Some(parts) = decompose(values, periods) else {
            return Self { rest: values.to_vec(), seasons: Vec::new() };
        };
        let rest = parts.trend().iter().zip(parts.remainder()).map(|(trend, rest)| trend + rest).collect();
        let last = |(period, season): (&usize, &Vec<f64>)| season[season.len() - period..].to_vec();
        Self { rest, seasons: periods.iter().zip(parts.seasonal()).map(last).collect() }
    }

    /// What the seasons add in a step behind the end.
    pub(super) fn season(&self, step: usize) -> f64 {
        self.seasons.iter().map(|cycle| cycle[step % cycle.len()]).sum()
    }
}

/// Finds the seasons, the shortest first, in steps: of the day and the week where a step is an hour, of the week and the year where it
/// is a day. Two cycles at least have to be there.
pub(super) fn periods(values: &[f64], width: TimeDelta) -> Vec<usize> {
    let mut possible = possible(width);
    possible.retain(|period| values.len() > 2 * period);
    while let Some(parts) = decompose(values, &possible) {
        let strength = parts.seasonal_strength();
        let weak = strength.iter().zip(0..).filter(|(strength, _)| **strength < LEAST_STRENGTH);
        let Some((_, weakest)) = weak.min_by(|(a, _), (b, _)| a.total_cmp(b)) else { break };
        possible.remove(weakest);
    }
    possible
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
