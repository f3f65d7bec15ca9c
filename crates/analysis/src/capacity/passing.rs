//! On which day a limit is passed.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use serde::Serialize;

use crate::{Forecast, wording::counted};

/// On which day a share of a limit is passed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Passing {
    /// The share, 1 for the limit itself.
    pub share: f64,
    /// What is passed, in the unit of the resource.
    pub value: f64,
    /// Whether it is.
    pub state: PassingState,
    /// The day on which the point forecast passes it.
    pub expected: Option<NaiveDate>,
    /// The day on which the upper bound of the interval does.
    pub earliest: Option<NaiveDate>,
    /// The day on which the lower bound does.
    pub latest: Option<NaiveDate>,
    /// How many days were foretold.
    pub within_days: i64,
}

/// Whether something is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PassingState {
    /// It was passed when it was measured last.
    Passed,
    /// It is expected to be.
    Passes,
    /// It is not expected to be, and may be all the same.
    MayPass,
    /// It is not, as far as is foretold.
    NotWithin,
    /// Nothing is foretold.
    NotEnoughData,
}

impl Passing {
    /// Tells when `share` of `limit` is passed; `reached` is the part of that which counts as all of it. A day that was foretold from
    /// an old history, and is past, is today.
    pub(super) fn of(
        (share, reached): (f64, f64),
        limit: f64,
        latest: Option<f64>,
        forecast: Option<(&Forecast, i64)>,
        now: DateTime<Utc>,
    ) -> Self {
        let value = share * limit;
        let mut passing = Self {
            share,
            value,
            state: PassingState::NotEnoughData,
            expected: None,
            earliest: None,
            latest: None,
            within_days: forecast.map_or(0, |(_, days)| days),
        };
        if latest.is_some_and(|latest| latest >= value * reached) {
            passing.state = PassingState::Passed;
            return passing;
        }
        let Some((forecast, _)) = forecast else { return passing };
        let day = |values: &[f64]| {
            let step = values.iter().position(|it| *it >= value)?;
            Some(forecast.at(step).max(now).date_naive())
        };
        passing.expected = day(&forecast.mean);
        passing.earliest = day(&forecast.upper);
        passing.latest = day(&forecast.lower);
        passing.state = match (passing.expected, passing.earliest) {
            (Some(_), _) => PassingState::Passes,
            (None, Some(_)) => PassingState::MayPass,
            (None, None) => PassingState::NotWithin,
        };
        passing
    }

    /// Writes it for people who know what day it is: the year is said where it is another one.
    #[must_use]
    pub fn words(&self, now: DateTime<Utc>) -> String {
        let year = now.year();
        let within = counted(self.within_days.unsigned_abs(), "day");
        match (self.state, self.expected, self.earliest, self.latest) {
            (PassingState::Passed, ..) => "passed already".to_owned(),
            (PassingState::NotEnoughData, ..) => "not enough data".to_owned(),
            (_, Some(expected), earliest, Some(latest)) => {
                let earliest = earliest.unwrap_or(expected);
                if earliest == latest {
                    return day(expected, year);
                }
                format!("{} (between {})", day(expected, year), span(earliest, latest, expected.year()))
            }
            (_, Some(expected), earliest, None) => format!(
                "{} ({} at the earliest, perhaps not within {within})",
                day(expected, year),
                day(earliest.unwrap_or(expected), expected.year())
            ),
            (_, None, Some(earliest), _) => {
                format!("not expected within {within} ({} at the earliest)", day(earliest, year))
            }
            (_, None, None, _) => format!("not within {within}"),
        }
    }
}

/// `14 March`, or `14 March 2027` where that is not the year that is understood.
fn day(date: NaiveDate, year: i32) -> String {
    let form = if date.year() == year { "%-d %B" } else { "%-d %B %Y" };
    date.format(form).to_string()
}

/// `2 and 30 March`, `2 March and 4 April`.
fn span(from: NaiveDate, to: NaiveDate, year: i32) -> String {
    if (from.year(), from.month()) == (to.year(), to.month()) {
        return format!("{} and {}", from.day(), day(to, year));
    }
    format!("{} and {}", day(from, year), day(to, year))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Option<NaiveDate> {
        (!text.is_empty()).then(|| text.parse().unwrap())
    }

    #[test]
    fn days_read_as_people_say_them() {
        let now = DateTime::from_timestamp(1_767_225_600, 0).unwrap();
        for (days, words) in [
            (["2026-03-14", "2026-03-02", "2026-03-30"], "14 March (between 2 and 30 March)"),
            (["2026-03-14", "2026-02-02", "2026-04-30"], "14 March (between 2 February and 30 April)"),
            (["2026-03-14", "2026-03-14", "2026-03-14"], "14 March"),
            (["2027-03-14", "2027-03-02", "2027-03-30"], "14 March 2027 (between 2 and 30 March)"),
            (
                ["2026-12-14", "2026-12-02", "2027-02-01"],
                "14 December (between 2 December and 1 February 2027)",
            ),
            (["2027-03-14", "2027-01-02", "2027-03-30"], "14 March 2027 (between 2 January and 30 March)"),
            (
                ["2027-01-14", "2026-12-30", "2027-02-01"],
                "14 January 2027 (between 30 December 2026 and 1 February)",
            ),
            (
                ["2026-03-14", "2026-03-02", ""],
                "14 March (2 March at the earliest, perhaps not within 180 days)",
            ),
            (["", "2026-03-02", ""], "not expected within 180 days (2 March at the earliest)"),
            (["", "", ""], "not within 180 days"),
        ] {
            let [expected, earliest, latest] = days.map(date);
            let passing = Passing {
                share: 1.0,
                value: 1.0,
                state: PassingState::Passes,
                expected,
                earliest,
                latest,
                within_days: 180,
            };
            assert_eq!(passing.words(now), words);
        }
    }
}
