//! The axis of time, UTC.

use chrono::{DateTime, Datelike as _, Months, NaiveDate, Timelike as _, Utc};

/// From when to when something is drawn, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TimeAxis {
    from: f64,
    until: f64,
}

const DAY: i64 = 86_400;
/// 5 January 1970 was a Monday.
const MONDAY: i64 = 4 * DAY;
/// Steps that are as long each time.
const STEPS: [i64; 20] = [
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1_800,
    3_600,
    7_200,
    10_800,
    21_600,
    43_200,
    DAY,
    2 * DAY,
    7 * DAY,
];
/// Steps of the calendar, in months.
const MONTHS: [u32; 9] = [1, 3, 6, 12, 24, 60, 120, 600, 1_200];
/// A single moment is drawn in the middle of so much time.
const AROUND_ONE_MOMENT: f64 = 1_800.0;
/// More ticks than this are a mistake.
const MOST_TICKS: usize = 40;

impl TimeAxis {
    /// Makes the axis from one moment to another.
    pub(super) fn of(from: DateTime<Utc>, until: DateTime<Utc>) -> Self {
        let (from, until) = (seconds(from), seconds(until));
        if until > from {
            return Self { from, until };
        }
        Self { from: from - AROUND_ONE_MOMENT, until: from + AROUND_ONE_MOMENT }
    }

    /// Returns where a moment is, 0 at the left and 1 at the right; `None` outside.
    pub(super) fn place(&self, at: DateTime<Utc>) -> Option<f64> {
        let place = self.place_of(seconds(at));
        (0.0..=1.0).contains(&place).then_some(place)
    }

    /// Returns where a moment is; what lies outside is at the border.
    pub(super) fn place_within(&self, at: DateTime<Utc>) -> f64 {
        self.place_of(seconds(at)).clamp(0.0, 1.0)
    }

    fn place_of(&self, at: f64) -> f64 {
        (at - self.from) / (self.until - self.from)
    }

    /// Returns the places of at most so many moments, with what is written there.
    pub(super) fn ticks(&self, most: u32) -> Vec<(f64, String)> {
        let span = self.until - self.from;
        let wanted = span / f64::from(most.max(1));
        let even = STEPS.into_iter().find(|step| as_f64(*step) >= wanted);
        let moments = match even {
            Some(step) => self.even(step),
            None => self.of_calendar(wanted),
        };
        let place = |(at, words): (DateTime<Utc>, String)| Some((self.place(at)?, words));
        moments.into_iter().filter_map(place).take(MOST_TICKS).collect()
    }

    fn even(&self, step: i64) -> Vec<(DateTime<Utc>, String)> {
        let shift = if step == 7 * DAY { MONDAY } else { 0 };
        let first = (whole(self.from) - shift).div_euclid(step);
        let moment = |place: i64| DateTime::from_timestamp(place.checked_mul(step)?.checked_add(shift)?, 0);
        let moments = (first..).map_while(moment).take_while(|at| seconds(*at) <= self.until);
        moments.take(MOST_TICKS).map(|at| (at, written(at, step))).collect()
    }

    fn of_calendar(&self, wanted: f64) -> Vec<(DateTime<Utc>, String)> {
        const MONTH: f64 = 30.44 * 86_400.0;
        let last = MONTHS.len() - 1;
        let step = MONTHS.into_iter().find(|months| f64::from(*months) * MONTH >= wanted);
        let step = step.unwrap_or(MONTHS[last]);
        let begin = DateTime::from_timestamp(whole(self.from), 0).unwrap_or_default();
        let years = i32::try_from(step / 12).unwrap_or(1).max(1);
        let year = begin.year().div_euclid(years) * years;
        let mut next = NaiveDate::from_ymd_opt(year, 1, 1);
        let form = if step < 12 { "%b %Y" } else { "%Y" };
        let mut moments = Vec::new();
        while let Some(date) = next
            && let Some(at) = date.and_hms_opt(0, 0, 0).map(|time| time.and_utc())
            && seconds(at) <= self.until
            && moments.len() < MOST_TICKS * 12
        {
            moments.push((at, date.format(form).to_string()));
            next = date.checked_add_months(Months::new(step));
        }
        moments
    }
}

/// Writes a moment as long as a step of that many seconds needs it.
fn written(at: DateTime<Utc>, step: i64) -> String {
    let is_midnight = at.num_seconds_from_midnight() == 0;
    let form = match step {
        _ if step >= DAY || is_midnight => "%-d %b",
        _ if step < 60 => "%H:%M:%S",
        _ => "%H:%M",
    };
    at.format(form).to_string()
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of some thousand years")]
fn seconds(at: DateTime<Utc>) -> f64 {
    at.timestamp_millis() as f64 / 1e3
}

#[expect(clippy::cast_precision_loss, reason = "steps are short")]
fn as_f64(step: i64) -> f64 {
    step as f64
}

#[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
fn whole(seconds: f64) -> i64 {
    seconds.floor() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn written(from: &str, until: &str, most: u32) -> Vec<String> {
        TimeAxis::of(at(from), at(until)).ticks(most).into_iter().map(|(_, words)| words).collect()
    }

    #[test]
    fn moments_are_round() {
        for (from, until, expected) in [
            (
                "2026-11-01T00:00:00Z",
                "2026-11-01T00:00:20Z",
                ["1 Nov", "00:00:05", "00:00:10", "00:00:15", "00:00:20"].as_slice(),
            ),
            ("2026-11-01T10:03:00Z", "2026-11-01T13:00:00Z", &["11:00", "12:00", "13:00"]),
            ("2026-11-01T10:00:00Z", "2026-11-02T14:00:00Z", &["12:00", "2 Nov", "12:00"]),
            ("2026-11-01T10:00:00Z", "2026-11-05T09:00:00Z", &["2 Nov", "3 Nov", "4 Nov", "5 Nov"]),
            ("2026-11-01T10:00:00Z", "2026-11-28T14:00:00Z", &["2 Nov", "9 Nov", "16 Nov", "23 Nov"]),
            (
                "2025-11-10T00:00:00Z",
                "2026-03-10T00:00:00Z",
                &["Dec 2025", "Jan 2026", "Feb 2026", "Mar 2026"],
            ),
            ("2016-11-10T00:00:00Z", "2026-03-10T00:00:00Z", &["2020", "2025"]),
        ] {
            assert_eq!(written(from, until, 4), expected, "{from} {until}");
        }
    }

    #[test]
    fn one_moment_is_in_the_middle_and_the_ends_of_time_have_an_axis() {
        let one = TimeAxis::of(at("2026-11-01T10:00:00Z"), at("2026-11-01T10:00:00Z"));
        assert_eq!(one.place(at("2026-11-01T10:00:00Z")), Some(0.5));
        let all = TimeAxis::of(DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
        assert!(all.ticks(5).len() <= MOST_TICKS);
        assert_eq!(one.place(at("2026-11-02T10:00:00Z")), None);
        assert!((one.place_within(at("2026-11-02T10:00:00Z")) - 1.0).abs() < 1e-9);
    }
}
