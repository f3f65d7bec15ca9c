//! How something was foretold.

use chrono::{NaiveDate, TimeDelta};
use serde::Serialize;

use super::MONTH_DAYS;
use crate::{Backtest, Forecast, ForecastMethod, series::mean};

/// How something was foretold, and how well that would have done.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CapacityModel {
    /// The way that was chosen by the backtest.
    pub method: ForecastMethod,
    /// How long a step is, in seconds.
    pub step_seconds: u64,
    /// The steps of the past that it rests on.
    pub steps: usize,
    /// The share of them in which something was measured; what was not is filled in by straight lines.
    pub measured_share: f64,
    /// The seasons that were found, in steps.
    pub seasons: Vec<usize>,
    /// How probable it is that a value lies within its interval.
    pub confidence: f64,
    /// How well the end of the series would have been foretold.
    pub backtest: Option<Backtest>,
    /// How many days from now on are foretold.
    pub foretold_days: i64,
    /// What is expected a month on, two months on, and so forth.
    pub foretold: Vec<Foretold>,
    /// All of it, for those who draw it; not written into the report.
    #[serde(skip)]
    pub forecast: Forecast,
}

/// What is expected of a week, in its mean, so that the day of the week does not matter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Foretold {
    /// The last day of the week, UTC.
    pub on: NaiveDate,
    /// What is expected.
    pub expected: f64,
    /// What it is not expected to fall below.
    pub lower: f64,
    /// What it is not expected to exceed; null where that is beyond all numbers.
    pub upper: f64,
}

impl CapacityModel {
    pub(super) fn of(forecast: &Forecast, measured_share: f64, foretold_days: i64) -> Self {
        Self {
            method: forecast.method,
            step_seconds: forecast.step_seconds,
            steps: forecast.steps,
            measured_share,
            seasons: forecast.seasons.clone(),
            confidence: forecast.confidence,
            backtest: forecast.backtest,
            foretold_days,
            foretold: months(forecast),
            forecast: forecast.clone(),
        }
    }

    /// Returns the seasons in words.
    #[must_use]
    pub fn seasons_in_words(&self) -> String {
        let name = |steps: &usize| match *steps as u64 * self.step_seconds / 3_600 {
            24 => "of the day".to_owned(),
            168 => "of the week".to_owned(),
            8_760 => "of the year".to_owned(),
            hours => format!("of {hours} hours"),
        };
        let names: Vec<String> = self.seasons.iter().map(name).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(" and ") }
    }
}

/// The last week of each month from the beginning of the forecast on.
fn months(forecast: &Forecast) -> Vec<Foretold> {
    let of_month = |month: u32| {
        let seconds = (MONTH_DAYS * 86_400.0 * f64::from(month)).round();
        let width = TimeDelta::seconds(i64::try_from(forecast.step_seconds).ok()?.max(1));
        #[expect(clippy::cast_possible_truncation, reason = "seconds of some years")]
        let step = usize::try_from(seconds as i64 / width.num_seconds()).ok()?.checked_sub(1)?;
        let week = usize::try_from(TimeDelta::weeks(1).num_seconds() / width.num_seconds()).ok()?;
        let of = |values: &[f64]| {
            let days = values.get((step + 1).saturating_sub(week)..=step)?;
            Some(mean(days.iter().copied()))
        };
        Some(Foretold {
            on: forecast.at(step).date_naive(),
            expected: of(&forecast.mean)?,
            lower: of(&forecast.lower)?,
            upper: of(&forecast.upper)?,
        })
    };
    (1..).map_while(of_month).collect()
}
