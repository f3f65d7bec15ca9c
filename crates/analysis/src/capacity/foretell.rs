//! Foretelling a resource as far as its history reaches.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Growth, MONTH_DAYS, ResourceKind, period};
use crate::{
    Forecast, ForecastMethod, ForecastOptions, Summary,
    forecast::{YoungLevel, forecast},
    series::TimeSeries,
    statistics::number,
    wording::{counted, percent, seconds, whole_days},
};

/// A forecast, and what it rests on.
pub(super) struct Known {
    pub(super) forecast: Forecast,
    /// When the first step begins that was used.
    pub(super) begin: DateTime<Utc>,
    pub(super) measured_share: f64,
    /// From now on.
    pub(super) days: i64,
}

/// What was foretold, and from which part of the history.
pub(super) struct Foretelling {
    /// The part that says something of what is to come.
    pub(super) series: TimeSeries,
    /// Why nothing was, otherwise.
    pub(super) known: Result<Known, String>,
}

/// From so many days on, a step is a day.
const DAYS_OF_DAYS: i64 = 21;
/// The fewest days from which anything is foretold.
const FEWEST_DAYS: i64 = 3;
/// The fewest steps with a value in them.
const FEWEST_STEPS: usize = 8;
/// A history says something of a future this many times as long as it is.
const REACH: i32 = 2;
/// A history is called gappy where less than this share of its steps was measured.
const GAPPY: f64 = 0.9;

/// Foretells from what was measured since the last change of level, however short a time ago that was: a forecast from two levels
/// believes in a third.
pub(super) fn foretell(
    kind: ResourceKind,
    series: TimeSeries,
    horizon: TimeDelta,
    now: DateTime<Utc>,
    notes: &mut Vec<String>,
) -> Foretelling {
    let mut said = Vec::new();
    let known = from_all_of(kind, &series, horizon, now, &mut said);
    let young = known.as_ref().ok().and_then(|known| known.forecast.young_level.clone());
    let Some(YoungLevel { at, words }) = young else {
        notes.append(&mut said);
        return Foretelling { series, known };
    };
    notes.push(format!("{words}: what was before was left out"));
    let Foretelling { series, known } = foretell(kind, series.since(at), horizon, now, notes);
    Foretelling { series, known: known.map_err(|why| format!("{words}; since then: {why}")) }
}

/// Foretells as far as the horizon, or as the history is long enough to say something of; otherwise says why not.
fn from_all_of(
    kind: ResourceKind,
    series: &TimeSeries,
    horizon: TimeDelta,
    now: DateTime<Utc>,
    notes: &mut Vec<String>,
) -> Result<Known, String> {
    let Some((first, last)) = series.first().zip(series.last()) else {
        return Err("nothing was measured".to_owned());
    };
    let span = last.at - first.at;
    if span < TimeDelta::days(FEWEST_DAYS) {
        let span = seconds(span.num_seconds().unsigned_abs());
        return Err(format!("{span} of history are too short: it takes {FEWEST_DAYS} days"));
    }
    let width = width(series, span);
    let measured_share = measured(&Summary::of(series, width, kind.summarise()), notes)?;
    let asked = now + horizon;
    let end = asked.min(last.at + span * REACH);
    let days = (end - now).num_days();
    if days < 1 {
        return Err(format!(
            "nothing has been measured since {}, and {} of history say nothing of today",
            period::minute(last.at),
            counted(whole_days(span).unsigned_abs(), "day")
        ));
    }
    let steps = (end - last.at).num_seconds() / width.num_seconds() + 1;
    let mut options = ForecastOptions::new(width, usize::try_from(steps).unwrap_or(1));
    options.summarise = kind.summarise();
    let mut forecast = forecast(series, &options).map_err(|error| error.to_string())?;
    notes.append(&mut forecast.notes);
    let begin = forecast.from - width * i32::try_from(forecast.steps).unwrap_or(i32::MAX);
    let end = end.min(last.at + (last.at - begin) * REACH);
    if end < asked {
        notes.push(format!(
            "{} of history say nothing of what is further away than {}",
            counted(whole_days(last.at - begin).unsigned_abs(), "day"),
            end.format("%F"),
        ));
    }
    shorten(&mut forecast, end);
    Ok(Known { forecast, begin, measured_share, days: whole_days(end - now).max(0) })
}

/// Leaves out what lies too far away.
fn shorten(forecast: &mut Forecast, end: DateTime<Utc>) {
    let steps = (0..forecast.mean.len()).take_while(|step| forecast.at(*step) <= end).count();
    for values in [&mut forecast.mean, &mut forecast.lower, &mut forecast.upper] {
        values.truncate(steps);
    }
}

/// Days where there are enough of them, or where an hour has no measurement of its own.
fn width(series: &TimeSeries, span: TimeDelta) -> TimeDelta {
    let is_hourly = series.typical_step().is_some_and(|step| step <= TimeDelta::hours(1));
    if span >= TimeDelta::days(DAYS_OF_DAYS) || !is_hourly { TimeDelta::days(1) } else { TimeDelta::hours(1) }
}

/// The share of the steps in which something was measured; says why where these are too few.
fn measured(steps: &Summary, notes: &mut Vec<String>) -> Result<f64, String> {
    let noun = if steps.width == TimeDelta::days(1) { "day" } else { "hour" };
    let measured = steps.known().count();
    if measured < FEWEST_STEPS {
        return Err(format!(
            "{} in which something was measured are too few: it takes {FEWEST_STEPS}",
            counted(measured as u64, noun)
        ));
    }
    let share = number(measured) / number(steps.values.len());
    if share < GAPPY {
        notes.push(format!(
            "the history is gappy: something was measured in {} of its {noun}s; what is missing lies on straight lines",
            percent(share)
        ));
    }
    Ok(share)
}

/// Intervals of exponential smoothing take its slope for known ("Forecasting: principles and practice", 3rd edition, section 8.7,
/// <https://otexts.com/fpp3/ets-forecasting.html>); far away the slope is what dates hang on. So its own interval is added, as errors
/// that are independent add up; a robust line has it already, and what stays as it is has no slope.
pub(super) fn widen(forecast: &mut Forecast, growth: &Growth) {
    if forecast.method != ForecastMethod::ExponentialSmoothing {
        return;
    }
    #[expect(clippy::cast_precision_loss, reason = "seconds of a step")]
    let months_a_step = forecast.step_seconds as f64 / 86_400.0 / MONTH_DAYS;
    let off = (growth.upper - growth.lower) / 2.0 * months_a_step;
    for (step, mean) in forecast.mean.iter().enumerate() {
        let off = off * number(step + 1);
        let (upper, lower) = (forecast.upper[step], forecast.lower[step]);
        forecast.upper[step] = mean + (upper - mean).hypot(off);
        forecast.lower[step] = (mean - (mean - lower).hypot(off)).max(0.0);
    }
}
