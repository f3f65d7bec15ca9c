//! Quantiles and ranks.

use super::{index, number};

/// The standard deviation of a normal distribution over its median absolute deviation, 1 / Φ⁻¹(3/4).
const DEVIATIONS: f64 = 1.482_602_218_505_602;

/// The median; `None` of nothing. The values change their order.
pub(crate) fn median(values: &mut [f64]) -> Option<f64> {
    let middle = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    if below.len() == middle && values.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = values[..middle].iter().copied().reduce(f64::max).unwrap_or(upper);
    Some(lower / 2.0 + upper / 2.0)
}

/// The quantile of ordered values, interpolated as definition 7 of Hyndman & Fan (1996), "Sample quantiles in statistical
/// packages", <https://doi.org/10.1080/00031305.1996.10473566>. `None` where fewer than one value lies beyond it: of ten values
/// no 95th percentile is known.
pub(crate) fn quantile(ordered: &[f64], share: f64) -> Option<f64> {
    let count = number(ordered.len());
    if count * share.min(1.0 - share) < 1.0 {
        return None;
    }
    let place = (count - 1.0) * share;
    let (below, above) = (index(place.floor()), index(place.ceil()));
    let (below, above) = (*ordered.get(below)?, *ordered.get(above)?);
    Some(below + (above - below) * place.fract())
}

/// How far values lie from their median: the median absolute deviation, scaled so that it is the standard deviation where they
/// are normal (Rousseeuw & Croux 1993, <https://doi.org/10.1080/01621459.1993.10476408>).
pub(crate) fn spread(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    let middle = median(&mut values)?;
    let mut away: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    Some(median(&mut away)? * DEVIATIONS)
}

/// The rank of each value, from 1; those that are equal share the mean of their ranks. Also the sizes of groups of equal values.
#[expect(clippy::float_cmp, reason = "equal values are those that are the same")]
pub(crate) fn ranks(values: &[f64]) -> (Vec<f64>, Vec<usize>) {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut ties = Vec::new();
    let mut passed = 0;
    for equal in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let rank = number(passed) + f64::midpoint(number(equal.len()), 1.0);
        for place in equal {
            ranks[*place] = rank;
        }
        passed += equal.len();
        if equal.len() > 1 {
            ties.push(equal.len());
        }
    }
    (ranks, ties)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&mut [1.0]), Some(1.0));
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [f64::MAX, f64::MAX]), Some(f64::MAX));
    }

    #[test]
    fn a_percentile_that_nothing_lies_beyond_is_not_known() {
        let ten: Vec<f64> = (1..=10).map(f64::from).collect();
        assert_eq!(quantile(&ten, 0.5), Some(5.5));
        assert_eq!(quantile(&ten, 0.95), None);
        let hundred: Vec<f64> = (1..=101).map(f64::from).collect();
        assert_eq!(quantile(&hundred, 0.95), Some(96.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn one_wild_value_does_not_widen_the_spread() {
        let calm = spread(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        let wild = spread(&[1.0, 2.0, 3.0, 4.0, 5_000.0]).unwrap();
        assert!((calm - wild).abs() < 1e-12, "{calm} and {wild}");
    }

    #[test]
    fn equal_values_share_a_rank() {
        let (ranks, ties) = ranks(&[10.0, 20.0, 10.0, 30.0]);
        assert_eq!((ranks, ties), (vec![1.5, 3.0, 1.5, 4.0], vec![2]));
    }
}
