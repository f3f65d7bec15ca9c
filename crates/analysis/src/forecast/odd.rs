//! Values that stand alone, and say nothing of what comes.

use chrono::TimeDelta;

use super::seasons::Decomposed;
use crate::{
    series::mean,
    statistics::{index, median, number, spread},
};

/// So many steps to either side tell what is usual around one.
const BESIDE: usize = 3;
/// A value this many standard deviations beside the running median is odd.
const LEAST_DEVIATIONS: f64 = 8.0;
/// Where more than this share of the values would be odd, they are what is usual.
const MOST_ODD: f64 = 0.02;
/// The standard deviation of a normal distribution over its mean absolute deviation: √(π / 2).
const OF_MEAN: f64 = 1.253_314_137_315_500_3;

/// Puts what is usual around it in place of each odd value, and returns where they were.
///
/// Odd is what lies far beside the running median of its neighbours, seasons left aside, by the median absolute deviation of all (the
/// filter of Hampel, as Pearson 2002 has it, <https://doi.org/10.1109/87.974338>; its spread is that of the whole series, because a
/// few neighbours tell none). The last value is never odd: it may be the first of a new level.
pub(super) fn replace_odd(values: &mut [f64], width: TimeDelta) -> Vec<usize> {
    let parts = Decomposed::by_strength(values, width);
    let usual: Vec<f64> = (0..values.len()).map(|place| usual_around(&parts.rest, place)).collect();
    let beside: Vec<f64> = parts.rest.iter().zip(&usual).map(|(value, usual)| value - usual).collect();
    let least = LEAST_DEVIATIONS * spread_of(&beside);
    let odd: Vec<usize> = (0..values.len()).filter(|place| beside[*place].abs() > least).collect();
    if odd.len() > index(MOST_ODD * number(values.len())).max(1) {
        return Vec::new();
    }
    for place in &odd {
        values[*place] -= beside[*place];
    }
    odd
}

/// The median of as many neighbours before as behind, so that a slope is none beside it.
fn usual_around(rest: &[f64], place: usize) -> f64 {
    let reach = BESIDE.min(place).min(rest.len() - 1 - place);
    median(&mut rest[place - reach..=place + reach].to_vec()).unwrap_or_default()
}

/// Where most lie on their running median, it is the mean that tells.
fn spread_of(beside: &[f64]) -> f64 {
    let of_mean = || mean(beside.iter().map(|it| it.abs())) * OF_MEAN;
    spread(beside).filter(|spread| *spread > 0.0).unwrap_or_else(of_mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: u32) -> Vec<f64> {
        (0..count).map(|step| (f64::from(step) * 12.9898).sin() * 43_758.547 % 1.0).collect()
    }

    fn odd(values: &[f64]) -> Vec<usize> {
        replace_odd(&mut values.to_vec(), TimeDelta::days(1))
    }

    #[test]
    fn one_wild_value_is_taken_for_what_lies_around_it() {
        let calm: Vec<f64> = noise(60).iter().zip(0..).map(|(it, day)| it + 5.0 * f64::from(day)).collect();
        for (place, by) in [(50, 300.0), (50, -200.0), (1, 300.0), (58, 300.0)] {
            let mut values = calm.clone();
            values[place] += by;
            assert_eq!(replace_odd(&mut values, TimeDelta::days(1)), [place]);
            assert!((values[place] - calm[place]).abs() < 8.0, "{} not {}", values[place], calm[place]);
        }
    }

    #[test]
    fn noise_a_slope_a_step_and_a_week_have_none() {
        let slope: Vec<f64> = (0..60).map(f64::from).collect();
        let step: Vec<f64> =
            noise(60).iter().zip(0..).map(|(it, at)| it + if at < 30 { 0.0 } else { 99.0 }).collect();
        let week: Vec<f64> =
            noise(60).iter().zip(0..).map(|(it, at)| it + if at % 7 == 6 { 99.0 } else { 0.0 }).collect();
        for calm in [noise(60), slope, step, week, vec![3.0; 60], vec![1.0], Vec::new()] {
            assert_eq!(odd(&calm), [0; 0], "{calm:?}");
        }
    }

    #[test]
    fn the_last_value_may_be_a_new_level_and_many_odd_ones_are_usual() {
        let mut values = noise(60);
        values[59] = 900.0;
        assert_eq!(odd(&values), [0; 0]);
        let often: Vec<f64> =
            noise(60).iter().zip(0..).map(|(it, at)| it + if at % 11 == 6 { 99.0 } else { 0.0 }).collect();
        assert_eq!(odd(&often), [0; 0]);
    }

    #[test]
    fn among_equal_values_one_is_odd() {
        let mut values = vec![3.0; 60];
        values[20] = 9.0;
        assert_eq!(odd(&values), [20]);
    }
}
