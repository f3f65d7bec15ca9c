//! A straight line that wild values do not bend.

use super::{index, median, number};

/// A line, with what its slope may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Line {
    /// Change of the value in one unit of the place.
    pub(crate) slope: f64,
    /// The value at place 0.
    pub(crate) intercept: f64,
    /// The slopes between which the true one is believed to lie.
    pub(crate) interval: (f64, f64),
}

/// The median of the slopes between all pairs (Theil 1950; Sen 1968, <https://doi.org/10.1080/01621459.1968.10480934>): it stays
/// true while fewer than 29 % of the values are wild. The interval holds the slopes whose rank lies within `reach` / 2 of the
/// middle, where `reach` is the quantile of the normal distribution times the standard deviation of Kendall's S, as Sen derives
/// it. `None` where no two places differ.
#[expect(clippy::float_cmp, reason = "places that are the same have no slope between them")]
pub(crate) fn theil_sen(places: &[f64], values: &[f64], reach: f64) -> Option<Line> {
    let mut slopes = Vec::with_capacity(places.len() * places.len().saturating_sub(1) / 2);
    for (first, (place, value)) in places.iter().zip(values).enumerate() {
        let later = places[first + 1..].iter().zip(&values[first + 1..]);
        slopes.extend(
            later
                .filter(|(other, _)| *other != place)
                .map(|(other, later)| (later - value) / (other - place)),
        );
    }
    let slope = median(&mut slopes)?;
    let mut rest: Vec<f64> = places.iter().zip(values).map(|(place, value)| value - slope * place).collect();
    let intercept = median(&mut rest)?;
    let pairs = number(slopes.len());
    let last = slopes.len() - 1;
    let rank = |place: f64| index(place).min(last);
    let lower = rank(((pairs - reach) / 2.0).floor() - 1.0);
    let upper = rank(f64::midpoint(pairs, reach).ceil());
    let mut at = |rank: usize| *slopes.select_nth_unstable_by(rank, f64::total_cmp).1;
    Some(Line { slope, intercept, interval: (at(lower), at(upper)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_wild_values_does_not_bend_the_line() {
        let places: Vec<f64> = (0..40).map(f64::from).collect();
        let values: Vec<f64> = places
            .iter()
            .map(|place| if (place % 4.0 - 1.0).abs() < 0.5 { 1e9 } else { 3.0 + 2.0 * place })
            .collect();
        let line = theil_sen(&places, &values, 0.0).unwrap();
        assert!((line.slope - 2.0).abs() < 1e-9 && (line.intercept - 3.0).abs() < 1e-9, "{line:?}");
    }

    #[test]
    fn the_interval_holds_the_slope_and_widens_with_the_reach() {
        let places: Vec<f64> = (0..20).map(f64::from).collect();
        let values: Vec<f64> = places.iter().map(|place| place + (place * 7.0).sin()).collect();
        let narrow = theil_sen(&places, &values, 10.0).unwrap();
        let wide = theil_sen(&places, &values, 60.0).unwrap();
        assert!(narrow.interval.0 <= narrow.slope && narrow.slope <= narrow.interval.1);
        assert!(wide.interval.0 < narrow.interval.0 && narrow.interval.1 < wide.interval.1);
        let all = theil_sen(&places, &values, 1e9).unwrap();
        assert!(all.interval.0.is_finite() && all.interval.1.is_finite());
    }

    #[test]
    fn one_place_has_no_slope() {
        assert_eq!(theil_sen(&[1.0, 1.0], &[1.0, 2.0], 0.0), None);
        assert_eq!(theil_sen(&[], &[], 0.0), None);
    }
}
