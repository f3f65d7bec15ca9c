//! From what is counted up to what happens a second.

use std::time::Duration;

use super::{Observation, TimeSeries};

/// What a counter comes to a second, and what of it could not be told.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Rates {
    /// Counts a second, each from the measurement before to its own moment.
    pub series: TimeSeries,
    /// Intervals that were left out because the counting began anew in them.
    pub resets: usize,
    /// Intervals that were left out because nothing was measured for more than three typical steps.
    pub gaps: usize,
    /// What was counted in the intervals that tell something.
    pub gained: f64,
    /// How long those intervals are together.
    pub covered: Duration,
}

impl Rates {
    /// Returns what was counted a second over all of the time that tells something; `None` where there is no such time.
    #[must_use]
    pub fn per_second(&self) -> Option<f64> {
        (!self.covered.is_zero()).then(|| self.gained / self.covered.as_secs_f64())
    }

    /// Puts what was told of a later time behind this; the interval between both is not told.
    #[must_use]
    pub fn followed_by(self, later: &Self) -> Self {
        let observations = self.series.observations().iter().chain(later.series.observations()).copied();
        Self {
            series: TimeSeries::new(observations),
            resets: self.resets + later.resets,
            gaps: self.gaps + later.gaps,
            gained: self.gained + later.gained,
            covered: self.covered + later.covered,
        }
    }
}

/// Tells what a counter comes to a second. An interval in which the counter went back, or in a gap, says nothing and is left
/// out.
#[must_use]
pub fn rates(counter: &TimeSeries) -> Rates {
    let longest = counter.typical_step().map(|step| step * super::GAP_STEPS);
    let mut told = Rates::default();
    let mut observations = Vec::with_capacity(counter.len().saturating_sub(1));
    for pair in counter.observations().windows(2) {
        let elapsed = pair[1].at - pair[0].at;
        if pair[1].value < pair[0].value {
            told.resets += 1;
        } else if longest.is_some_and(|longest| elapsed > longest) {
            told.gaps += 1;
        } else if let Ok(elapsed) = elapsed.to_std() {
            let gained = pair[1].value - pair[0].value;
            told.gained += gained;
            told.covered += elapsed;
            observations.push(Observation { at: pair[1].at, value: gained / elapsed.as_secs_f64() });
        }
    }
    told.series = TimeSeries::new(observations);
    told
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn resets_and_gaps_are_left_out() {
        let minutes = [(0, 0.0), (1, 60.0), (2, 180.0), (3, 30.0), (4, 90.0), (30, 900.0), (31, 960.0)];
        let at = |minute: i64| DateTime::from_timestamp(minute * 60, 0).unwrap();
        let told = rates(&minutes.map(|(minute, value)| (at(minute), value)).into_iter().collect());
        assert_eq!(told.series.values().collect::<Vec<_>>(), [1.0, 2.0, 1.0, 1.0]);
        assert_eq!((told.resets, told.gaps), (1, 1));
        assert_eq!((told.gained, told.covered), (300.0, Duration::from_mins(4)));
        assert_eq!(told.per_second(), Some(1.25));
        assert!(rates(&TimeSeries::default()).series.is_empty());
        assert_eq!(rates(&TimeSeries::default()).per_second(), None);
    }

    #[test]
    fn what_lies_between_two_parts_is_not_told() {
        let at = |minute: i64| DateTime::from_timestamp(minute * 60, 0).unwrap();
        let part = |from: i64, values: [f64; 2]| {
            rates(&[(at(from), values[0]), (at(from + 1), values[1])].into_iter().collect())
        };
        let both = part(0, [0.0, 60.0]).followed_by(&part(2, [500.0, 680.0]));
        assert_eq!(both.series.values().collect::<Vec<_>>(), [1.0, 3.0]);
        assert_eq!((both.resets, both.per_second()), (0, Some(2.0)));
    }
}
