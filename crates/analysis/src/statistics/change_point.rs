//! Where the level of values changed.

use std::ops::Range;

use super::{median, number, ranks, spread, theil_sen};

/// A place at which the level changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Split {
    /// The first value of the new level.
    pub(crate) place: usize,
    /// The median before, back to the change before it.
    pub(crate) before: f64,
    /// The median from there to the next change.
    pub(crate) after: f64,
    /// How probable as much of a change is where there is none.
    pub(crate) p_value: f64,
}

/// A level has so many values at least.
const SHORTEST: usize = 3;
/// A change is one where it is more probable than this that it is none.
const SIGNIFICANCE: f64 = 0.05;
/// Changes are placed anew so many times.
const ROUNDS: usize = 2;
/// Levels are this many times further apart than values lie around them.
const LEAST_DEVIATIONS: f64 = 2.0;
/// Levels are apart by more than this share of the greater one: less matters to nobody, however little values lie around them.
const LEAST_SHARE: f64 = 0.01;

/// Finds the places at which the level changed, in the order of time: the values are divided in two where the test of Pettitt
/// (1979), <https://doi.org/10.2307/2346729>, sees the greatest change, and each part again, as in binary segmentation. Then a
/// change between two parts is taken back, the least first, where one straight line describes both better than their two levels do,
/// so that a slope is none, or where the levels are no further apart than chance makes them, or by 1 % or less. Ranks tell that there is a change, but
/// in a slope, or off the middle, they place it early or late: each that is left is placed anew.
pub(crate) fn splits(values: &[f64]) -> Vec<Split> {
    let mut places = Vec::new();
    divide(values, 0, &mut places);
    places.sort_by_key(|(place, _)| *place);
    take_back(values, &mut places);
    place_anew(values, &mut places);
    take_back(values, &mut places);
    let of = |(at, (place, p_value)): (usize, &(usize, f64))| {
        let (begin, end) = around(values, &places, at);
        let level = |part: &[f64]| median(&mut part.to_vec()).unwrap_or_default();
        let (before, after) = (level(&values[begin..*place]), level(&values[*place..end]));
        Split { place: *place, before, after, p_value: *p_value }
    };
    places.iter().enumerate().map(of).collect()
}

fn divide(values: &[f64], offset: usize, places: &mut Vec<(usize, f64)>) {
    let Some((place, p_value)) = pettitt(values).filter(|(_, p_value)| *p_value < SIGNIFICANCE) else {
        return;
    };
    places.push((offset + place, p_value));
    divide(&values[..place], offset, places);
    divide(&values[place..], offset + place, places);
}

/// Moves each change, between its neighbours, to where it describes the values best, as Bai (1997) does with changes that were found
/// one at a time, <https://doi.org/10.1017/S0266466600005831>. The slope is told anew where the change was moved.
fn place_anew(values: &[f64], places: &mut [(usize, f64)]) {
    for _ in 0..ROUNDS {
        for at in 0..places.len() {
            let (begin, end) = around(values, places, at);
            places[at].0 = begin + best_place(&values[begin..end], places[at].0 - begin);
        }
    }
}

/// Where two levels, with the same slope in both, leave the least sum of absolute deviations (Bai 1995,
/// <https://www.jstor.org/stable/3532941>).
fn best_place(values: &[f64], place: usize) -> usize {
    let slope = slope_beside(values, place);
    let level: Vec<f64> = values.iter().enumerate().map(|(at, value)| value - slope * number(at)).collect();
    let left = |part: Range<usize>| {
        let part = &level[part];
        let middle = median(&mut part.to_vec()).unwrap_or_default();
        part.iter().map(|value| (value - middle).abs()).sum::<f64>()
    };
    let all = (SHORTEST..(values.len() + 1).saturating_sub(SHORTEST))
        .map(|place| (place, left(0..place) + left(place..values.len())));
    all.min_by(|(_, a), (_, b)| a.total_cmp(b)).map_or(place, |(place, _)| place)
}

/// The median of the slopes of the pairs that lie on one side of a place, so that the change there is in none of them.
fn slope_beside(values: &[f64], place: usize) -> f64 {
    let (before, after) = values.split_at(place);
    let of = |part: &[f64]| -> Vec<f64> {
        let from = |(first, value): (usize, &f64)| {
            let later = part[first + 1..].iter().zip(1..).map(|(later, away)| (later - value) / number(away));
            later.collect::<Vec<_>>()
        };
        part.iter().enumerate().flat_map(from).collect()
    };
    median(&mut [of(before), of(after)].concat()).unwrap_or_default()
}

/// Where the part before a change begins, and the one behind it ends.
fn around(values: &[f64], places: &[(usize, f64)], at: usize) -> (usize, usize) {
    let begin = at.checked_sub(1).map_or(0, |before| places[before].0);
    let end = places.get(at + 1).map_or(values.len(), |(place, _)| *place);
    (begin, end)
}

/// Takes changes back until each that is left is one.
fn take_back(values: &[f64], places: &mut Vec<(usize, f64)>) {
    while let Some(least) = least_of_those_that_are_none(values, places) {
        places.remove(least);
    }
}

fn least_of_those_that_are_none(values: &[f64], places: &[(usize, f64)]) -> Option<usize> {
    let evidence = |at: usize| {
        let (begin, end) = around(values, places, at);
        evidence(&values[begin..end], places[at].0 - begin)
    };
    let none = (0..places.len()).map(|at| (at, evidence(at))).filter(|(_, evidence)| *evidence <= 1.0);
    none.min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(at, _)| at)
}

/// The place of the greatest change of rank, and how probable it is by chance: K and its approximation of Pettitt (1979), "A
/// non-parametric approach to the change-point problem", <https://doi.org/10.2307/2346729>; U from the ranks, as there (2.3).
fn pettitt(values: &[f64]) -> Option<(usize, f64)> {
    if values.len() < 2 * SHORTEST {
        return None;
    }
    let count = number(values.len());
    let (ranks, _) = ranks(values);
    let mut passed = 0.0;
    let mut greatest = (0, 0.0_f64);
    for (place, rank) in ranks.iter().enumerate() {
        passed += rank;
        let before = place + 1;
        let u = (2.0 * passed - number(before) * (count + 1.0)).abs();
        if before >= SHORTEST && before <= values.len() - SHORTEST && u > greatest.1 {
            greatest = (before, u);
        }
    }
    let (place, k) = greatest;
    let p_value = (2.0 * (-6.0 * k * k / (count.powi(3) + count * count)).exp()).min(1.0);
    (place > 0).then_some((place, p_value))
}

/// What speaks for two levels against a slope and against noise; more than 1 where both are the worse explanation.
fn evidence(values: &[f64], place: usize) -> f64 {
    let (before, after) = values.split_at(place);
    let level = |part: &[f64]| median(&mut part.to_vec()).unwrap_or_default();
    let (lower, upper) = (level(before), level(after));
    let rest: Vec<f64> =
        before.iter().map(|value| value - lower).chain(after.iter().map(|value| value - upper)).collect();
    let steps: Vec<f64> = (0..values.len()).map(number).collect();
    let Some(line) = theil_sen(&steps, values, 0.0) else { return 0.0 };
    let beside_line: f64 = values
        .iter()
        .zip(&steps)
        .map(|(value, step)| (value - line.intercept - line.slope * step).abs())
        .sum();
    let beside_levels: f64 = rest.iter().map(|it| it.abs()).sum();
    let apart = (upper - lower).abs() / (LEAST_DEVIATIONS * spread(&rest).unwrap_or_default());
    let of_level = (upper - lower).abs() / (LEAST_SHARE * lower.abs().max(upper.abs()));
    let against_line = beside_line / beside_levels;
    // Nothing beside the levels, and nothing between them, are no evidence.
    [apart, of_level, against_line]
        .into_iter()
        .map(|it| if it.is_nan() { 0.0 } else { it })
        .fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn noise(count: u32) -> impl Iterator<Item = f64> {
        (0..count).map(|step| (f64::from(step) * 12.9898).sin() * 43_758.547 % 1.0)
    }

    #[test]
    fn two_steps_are_found_where_they_are() {
        let values: Vec<f64> =
            noise(60).enumerate().map(|(at, it)| it + [10.0, 20.0, 5.0][at / 20]).collect();
        let found = splits(&values);
        assert_eq!(found.iter().map(|split| split.place).collect::<Vec<_>>(), [20, 40]);
        assert!((found[0].before - 10.0).abs() < 0.5 && (found[0].after - 20.0).abs() < 0.5);
        assert!((found[1].after - 5.0).abs() < 0.5, "{found:?}");
    }

    #[test]
    fn a_slope_noise_and_a_constant_have_none() {
        let slope: Vec<f64> = noise(60).zip(0..).map(|(it, at)| it + f64::from(at)).collect();
        assert_eq!(splits(&slope), []);
        assert_eq!(splits(&noise(60).collect::<Vec<_>>()), []);
        assert_eq!(splits(&[1.0; 60]), []);
        assert_eq!(splits(&[1.0, 9.0]), []);
    }

    #[test]
    fn a_change_that_matters_to_nobody_is_none() {
        let stepped = |by: f64| -> Vec<f64> {
            noise(40).enumerate().map(|(at, it)| 300.0 + 0.01 * it + if at < 20 { 0.0 } else { by }).collect()
        };
        assert_eq!(splits(&stepped(1.0)), []);
        assert_eq!(places(&stepped(-6.0)), [20]);
    }

    fn places(values: &[f64]) -> Vec<usize> {
        splits(values).iter().map(|split| split.place).collect()
    }

    /// So many values with a slope, noise and a change of the level at a place.
    fn stepped(count: usize, place: usize, change: f64, slope: f64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(20_261_128);
        let mut noise = || 6.0 * rng.random::<f64>() - 3.0;
        let level = |at: usize| 1_000.0 + slope * number(at) + if at < place { 0.0 } else { change };
        (0..count).map(|at| level(at) + noise()).collect()
    }

    #[test]
    fn a_step_is_dated_where_it_is_off_the_middle_and_in_a_slope() {
        for (count, place) in [(60, 25), (60, 15), (60, 48), (90, 60), (90, 12), (40, 9)] {
            for change in [1_500.0, -900.0] {
                for slope in [0.0, 5.0, -5.0, 2.0] {
                    let values = stepped(count, place, change, slope);
                    assert_eq!(places(&values), [place], "{count} {change} {slope}");
                }
            }
        }
    }

    #[test]
    fn a_step_within_a_day_is_dated_on_that_day_or_the_next() {
        for share in [0.1, 0.3, 0.7, 0.9] {
            let mut values = stepped(60, 25, 1_500.0, 5.0);
            values[24] += share * 1_500.0;
            assert_eq!(places(&values), [if share > 0.5 { 24 } else { 25 }], "{share}");
        }
    }

    #[test]
    fn a_step_amid_much_noise_is_dated_nearly() {
        let values: Vec<f64> = noise(90)
            .enumerate()
            .map(|(at, noise)| 40.0 * noise + if at < 60 { 100.0 } else { 200.0 })
            .collect();
        let found = places(&values);
        assert!(found.len() == 1 && found[0].abs_diff(60) <= 1, "{found:?}");
    }
}
