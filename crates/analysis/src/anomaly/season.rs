//! What is usual at this hour of the day, or of the week.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::statistics::median;

const HOUR_SECONDS: i64 = 3_600;
/// So many hours of the same name are needed to tell what is usual.
const FEWEST_ALIKE: usize = 3;
const WEEKS_KEPT: i64 = 5;

/// After how long the values repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Season {
    /// They do not.
    None,
    Day,
    Week,
}

impl Season {
    /// The length in hours, and how many of them are looked back at.
    fn period(self) -> Option<(i64, i64)> {
        match self {
            Self::None => None,
            Self::Day => Some((24, 7)),
            Self::Week => Some((168, WEEKS_KEPT)),
        }
    }
}

/// What is usual at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Usual {
    pub(super) value: f64,
    /// How much less well that is known where it changes: a part of the change from one hour to the next, because when in the
    /// hour it changes is not known.
    pub(super) slack: f64,
}

/// Halfway between two hours a sudden change is off by a half of itself, which is two slacks.
const SLACK: f64 = 0.25;

/// The medians of past hours.
#[derive(Clone, Debug, Default)]
pub(super) struct Hours {
    medians: BTreeMap<i64, f64>,
    hour: i64,
    values: Vec<f64>,
}

impl Hours {
    /// Adds a value; they come in the order of time.
    pub(super) fn add(&mut self, at: DateTime<Utc>, value: f64) {
        let hour = at.timestamp().div_euclid(HOUR_SECONDS);
        if hour != self.hour {
            if let Some(median) = median(&mut self.values) {
                self.medians.insert(self.hour, median);
            }
            self.values.clear();
            self.hour = hour;
            self.medians = self.medians.split_off(&(hour - WEEKS_KEPT * 168 - 1));
        }
        self.values.push(value);
    }

    /// What is usual then: the medians of the same hour of earlier days or weeks, of which the median is taken, joined by straight
    /// lines between the middles of the hours. 0 without a season; `None` where too little is known.
    pub(super) fn usual(&self, season: Season, at: DateTime<Utc>) -> Option<Usual> {
        let Some((period, back)) = season.period() else { return Some(Usual { value: 0.0, slack: 0.0 }) };
        let since_middle = at.timestamp() - HOUR_SECONDS / 2;
        let hour = since_middle.div_euclid(HOUR_SECONDS);
        let seconds = i32::try_from(since_middle.rem_euclid(HOUR_SECONDS)).ok()?;
        let share = f64::from(seconds) / 3_600.0;
        let of_hour = |hour: i64| {
            let alike = (1..=back).filter_map(|times| self.medians.get(&(hour - times * period)).copied());
            let mut alike: Vec<f64> = alike.collect();
            if alike.len() < FEWEST_ALIKE { None } else { median(&mut alike) }
        };
        let (before, after) = (of_hour(hour)?, of_hour(hour + 1)?);
        Some(Usual { value: before * (1.0 - share) + after * share, slack: (after - before).abs() * SLACK })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_is_that_of_the_hour_and_known_after_three() {
        let mut hours = Hours::default();
        let at = |hour: i64| DateTime::from_timestamp(hour * HOUR_SECONDS + HOUR_SECONDS / 2, 0).unwrap();
        for hour in 0..80 {
            hours.add(at(hour), if hour % 24 == 5 { 9.0 } else { 1.0 });
        }
        let usual = |season, at| hours.usual(season, at).map(|usual| usual.value);
        assert_eq!(usual(Season::None, at(77)), Some(0.0));
        assert_eq!(usual(Season::Day, at(77)), Some(9.0));
        assert_eq!(usual(Season::Day, at(70)), None, "two alike");
        assert_eq!(usual(Season::Week, at(77)), None);
        let half = at(76) + chrono::TimeDelta::minutes(30);
        assert_eq!(hours.usual(Season::Day, half), Some(Usual { value: 5.0, slack: 2.0 }));
    }
}
