//! Whether values go one way more than chance does.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF as _, Normal};

use super::{number, ranks};

/// What the test of Mann and Kendall says: whether later values are higher, or lower, more often than by chance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MannKendall {
    /// Kendall's τ, -1 to 1: the share of pairs that rise, less the share of those that fall.
    pub tau: f64,
    /// How probable as much of a trend is where there is none, both ways counted.
    pub p_value: f64,
    /// The standard deviation of the sum of signs, serial correlation taken into account.
    #[serde(skip)]
    pub(crate) deviation: f64,
}

/// Up to so many values, without equal ones, the distribution is counted out; beyond, it is taken for normal.
const EXACT: usize = 10;

impl MannKendall {
    /// Tests values in the order of time; `None` for fewer than two.
    ///
    /// The sum of signs S and its variance with equal values: Mann (1945), <https://doi.org/10.2307/1907187>, and Kendall,
    /// "Rank Correlation Methods" (1975). Values that follow one another are seldom independent, which makes chance look like a
    /// trend: the variance is widened as Hamed & Rao (1998) do, <https://doi.org/10.1016/S0022-1694(97)00125-X>, and never
    /// narrowed. Up to ten values without equal ones p is exact.
    #[must_use]
    pub fn test(values: &[f64]) -> Option<Self> {
        let count = number(values.len());
        if values.len() < 2 {
            return None;
        }
        let sum: f64 = values
            .iter()
            .enumerate()
            .flat_map(|(place, earlier)| values[place + 1..].iter().map(move |later| sign(later - earlier)))
            .sum();
        let (_, ties) = ranks(values);
        let of_equals: f64 = ties.iter().map(|of| number(*of)).map(|t| t * (t - 1.0) * (2.0 * t + 5.0)).sum();
        let variance = (count * (count - 1.0) * (2.0 * count + 5.0) - of_equals) / 18.0 * inflation(values);
        let deviation = variance.max(0.0).sqrt();
        let p_value = if values.len() <= EXACT && ties.is_empty() {
            exact(values.len(), sum)
        } else if deviation == 0.0 {
            1.0
        } else {
            // Continuity: S moves in steps of two.
            two_sided((sum.abs() - 1.0).max(0.0) / deviation)
        };
        Some(Self { tau: sum / (count * (count - 1.0) / 2.0), p_value, deviation })
    }
}

fn sign(difference: f64) -> f64 {
    if difference == 0.0 { 0.0 } else { difference.signum() }
}

pub(super) fn two_sided(deviations: f64) -> f64 {
    2.0 * (1.0 - Normal::standard().cdf(deviations))
}

/// By how much serial correlation of the ranks widens the variance of S; those of its lags count that are more than chance.
fn inflation(values: &[f64]) -> f64 {
    let count = number(values.len());
    if values.len() <= EXACT {
        return 1.0;
    }
    let (ranks, _) = ranks(&detrended(values));
    let middle = f64::midpoint(count, 1.0);
    let away: Vec<f64> = ranks.iter().map(|rank| rank - middle).collect();
    let whole: f64 = away.iter().map(|it| it * it).sum();
    if whole == 0.0 {
        return 1.0;
    }
    let chance = 1.96 / count.sqrt();
    let weighed = |lag: usize| {
        let shared: f64 = away.iter().zip(&away[lag..]).map(|(a, b)| a * b).sum();
        let (correlation, left) = (shared / whole, count - number(lag));
        let counts = if correlation.abs() > chance { correlation } else { 0.0 };
        left * (left - 1.0) * (left - 2.0) * counts
    };
    // Lags of more than a quarter of the values rest on too few pairs.
    let sum: f64 = (1..=values.len() / 4).map(weighed).sum();
    (1.0 + 2.0 / (count * (count - 1.0) * (count - 2.0)) * sum).max(1.0)
}

/// What is left beside a straight line through the values.
fn detrended(values: &[f64]) -> Vec<f64> {
    let steps: Vec<f64> = (0..values.len()).map(number).collect();
    let slope = super::theil_sen(&steps, values, 0.0).map_or(0.0, |line| line.slope);
    values.iter().zip(&steps).map(|(value, step)| value - slope * step).collect()
}

/// The probability of a sum of signs as far from 0 as this one, counted over all orders of so many values. The number of orders
/// with so many inversions follows from that of one value fewer (Mann 1945).
fn exact(count: usize, sum: f64) -> f64 {
    let mut orders = vec![1.0];
    for places in 2..=count {
        let mut next = vec![0.0; orders.len() + places - 1];
        for (inversions, of) in orders.iter().enumerate() {
            for more in 0..places {
                next[inversions + more] += of;
            }
        }
        orders = next;
    }
    let (all, pairs): (f64, f64) = (orders.iter().sum(), number(orders.len() - 1));
    let as_far = orders
        .iter()
        .enumerate()
        .filter(|(inversions, _)| (pairs - 2.0 * number(*inversions)).abs() >= sum.abs());
    as_far.map(|(_, of)| of).sum::<f64>() / all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_are_counted_out() {
        // 2 of 120 orders of five values go one way only.
        let rising = MannKendall::test(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert!((rising.p_value - 2.0 / 120.0).abs() < 1e-12 && (rising.tau - 1.0).abs() < 1e-12);
        // Four values cannot show a trend at 5 %.
        assert!(MannKendall::test(&[1.0, 2.0, 3.0, 4.0]).unwrap().p_value > 0.05);
    }

    #[test]
    fn equal_values_are_no_trend() {
        let flat = MannKendall::test(&[2.0; 30]).unwrap();
        assert_eq!((flat.tau, flat.p_value), (0.0, 1.0));
        assert!(MannKendall::test(&[1.0]).is_none());
    }

    #[test]
    fn the_normal_approximation_agrees_with_published_figures() {
        // n = 30 rising values: S = 435, Var(S) = 30 * 29 * 65 / 18 = 3141.67, z = 434 / 56.05 = 7.743.
        let values: Vec<f64> = (0..30).map(f64::from).collect();
        let test = MannKendall::test(&values).unwrap();
        assert!(test.p_value < 1e-12 && (test.deviation - 56.05).abs() < 0.01, "{test:?}");
    }

    #[test]
    fn values_that_cling_to_their_neighbours_need_more_to_be_a_trend() {
        // A slow wave that ends higher than it began.
        let wave: Vec<f64> = (0..40).map(|step| (f64::from(step) / 12.0).sin()).collect();
        let plain = 40.0 * 39.0 * 85.0 / 18.0_f64;
        assert!(MannKendall::test(&wave).unwrap().deviation > plain.sqrt() * 1.2);
    }
}
