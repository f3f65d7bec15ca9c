//! What one resource will be.

use chrono::{DateTime, TimeDelta, Utc};
use larder_metrics_model::Unit;
use serde::Serialize;

use super::{
    CapacityModel, CapacityOptions, Growth, LimitSource, MONTH_DAYS, MonthOverMonth, Passing, ResourceFacts,
    ResourceKind, ResourceLimit, growth, period,
};
use crate::{
    Forecast, ForecastMethod, ForecastOptions, Summary, TrendWord, forecast,
    series::TimeSeries,
    statistics::number,
    wording::{counted, percent},
};

/// What one resource is, how fast it grows, and when it passes its limit.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ResourceOutlook {
    /// What it is.
    pub resource: ResourceKind,
    /// Of which node, or of which cache.
    pub subject: String,
    /// What it is counted in; of the network and of operations a second.
    pub unit: Unit,
    /// What was measured last; null where nothing was.
    pub latest: Option<f64>,
    /// When that was.
    pub measured_at: Option<DateTime<Utc>>,
    /// From when on the history was used.
    pub used_from: Option<DateTime<Utc>>,
    /// Which way it goes over that time.
    pub trend: TrendWord,
    /// How fast; null where less than a week was measured.
    pub growth: Option<Growth>,
    /// The last two whole months of the calendar; null where they are not there.
    pub month_over_month: Option<MonthOverMonth>,
    /// How much there is.
    pub limit: Option<f64>,
    /// What says so.
    pub limit_source: Option<LimitSource>,
    /// Why there is no limit, or why it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_no_limit: Option<String>,
    /// Whether keys are removed where it is full, so that nothing is refused.
    pub evicts: bool,
    /// When it passes the share that counts as nearly full, and when the limit; empty where there is none.
    pub passings: Vec<Passing>,
    /// How it was foretold; null where it could not be.
    pub model: Option<CapacityModel>,
    /// Why nothing is foretold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_not_foretold: Option<String>,
    /// What was left out or filled in of the history, and why.
    pub notes: Vec<String>,
}

/// From so many days on, a step is a day.
const DAYS_OF_DAYS: i64 = 21;
/// The fewest days from which hours are foretold.
const FEWEST_DAYS: i64 = 3;
/// The fewest steps with a value in them.
const FEWEST_STEPS: usize = 8;
/// A history says something of a future this many times as long as it is.
const REACH: i32 = 2;
/// A history is called gappy where less than this share of its steps was measured.
const GAPPY: f64 = 0.9;
/// What was not measured for so long is said.
const STALE: TimeDelta = TimeDelta::days(2);
/// What filled anew so short a time ago may still be filling.
const FILLING: TimeDelta = TimeDelta::days(14);

impl ResourceOutlook {
    pub(super) fn of(facts: &ResourceFacts, options: &CapacityOptions, now: DateTime<Utc>) -> Self {
        let mut notes = facts.notes.clone();
        notes.extend(facts.series.unusable_note());
        let rest = period::used(facts, &mut notes);
        say_how_fresh(facts, &rest, now, &mut notes);
        let mut foretold = foretell(facts.kind, &rest, options.horizon, now, &mut notes);
        // Growth is that of the same part of the history.
        let rest = foretold.as_ref().map_or(rest.clone(), |known| rest.since(known.begin));
        let (trend, growth) = growth::growth(&rest);
        if let Some((known, growth)) = foretold.as_mut().ok().zip(growth) {
            widen(&mut known.forecast, &growth);
        }
        let latest = facts.series.last();
        let (limit, limit_source, why_no_limit) = match &facts.limit {
            ResourceLimit::Known { value, source } => (Some(*value), Some(*source), None),
            ResourceLimit::Unlimited(why) | ResourceLimit::Unknown(why) => (None, None, Some(why.clone())),
        };
        let known = foretold.as_ref().ok().map(|it| (&it.forecast, it.days));
        let shares = [options.near_share.get(), 1.0];
        let shares = if shares[0] < 1.0 { shares.as_slice() } else { &shares[1..] };
        let passing =
            |limit: f64, share: f64| Passing::of(share, limit, latest.map(|it| it.value), known, now);
        let passings =
            limit.iter().flat_map(|limit| shares.iter().map(|share| passing(*limit, *share))).collect();
        Self {
            resource: facts.kind,
            subject: facts.subject.clone(),
            unit: facts.kind.unit(),
            latest: latest.map(|it| it.value),
            measured_at: latest.map(|it| it.at),
            used_from: rest.first().map(|it| it.at),
            trend,
            growth,
            month_over_month: growth::month_over_month(&rest, facts.kind.summarise()),
            limit,
            limit_source,
            why_no_limit,
            evicts: facts.evicts(),
            passings,
            why_not_foretold: foretold.as_ref().err().cloned(),
            model: foretold.ok().map(|it| CapacityModel::of(&it.forecast, it.measured_share, it.days)),
            notes,
        }
    }

    /// Returns when it is full.
    #[must_use]
    pub fn full(&self) -> Option<&Passing> {
        self.passings.last()
    }

    /// Returns when it is nearly full.
    #[must_use]
    pub fn nearly_full(&self) -> Option<&Passing> {
        self.passings.first()
    }
}

/// A forecast, and what it rests on.
struct Known {
    forecast: Forecast,
    /// When the first step begins that was used.
    begin: DateTime<Utc>,
    measured_share: f64,
    /// From now on.
    days: i64,
}

/// Foretells as far as the horizon, or as the history is long enough to say something of; otherwise says why not.
fn foretell(
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
        return Err(format!(
            "{} of history are too short: it takes {FEWEST_DAYS} days",
            crate::wording::seconds(span.num_seconds().unsigned_abs())
        ));
    }
    let width = width(series, span);
    let summary = Summary::of(series, width, kind.summarise());
    let measured = summary.known().count();
    if measured < FEWEST_STEPS {
        return Err(format!(
            "{} in which something was measured are too few: it takes {FEWEST_STEPS}",
            counted(measured as u64, if width == TimeDelta::days(1) { "day" } else { "hour" })
        ));
    }
    let measured_share = number(measured) / number(summary.values.len());
    if measured_share < GAPPY {
        notes.push(format!(
            "the history is gappy: something was measured in {} of its {}; what is missing lies on straight lines",
            percent(measured_share),
            if width == TimeDelta::days(1) { "days" } else { "hours" },
        ));
    }
    let end = (now + horizon).min(last.at + span * REACH);
    if end < now + horizon {
        notes.push(format!(
            "{} of history say nothing of what is further away than {}",
            counted(span.num_days().unsigned_abs(), "day"),
            end.format("%F"),
        ));
    }
    let days = (end - now).num_days();
    if days < 1 {
        return Err(format!(
            "nothing has been measured since {}, and {} of history say nothing of today",
            period::minute(last.at),
            counted(span.num_days().unsigned_abs(), "day")
        ));
    }
    let steps = (end - last.at).num_seconds() / width.num_seconds() + 1;
    let mut options = ForecastOptions::new(width, usize::try_from(steps).unwrap_or(1));
    options.summarise = kind.summarise();
    let forecast = forecast(series, &options).map_err(|error| error.to_string())?;
    notes.extend(forecast.notes.iter().cloned());
    let begin = forecast.from - width * i32::try_from(forecast.steps).unwrap_or(i32::MAX);
    Ok(Known { forecast, begin, measured_share, days })
}

/// Intervals of exponential smoothing take its slope for known ("Forecasting: principles and practice", 3rd edition, section 8.7,
/// <https://otexts.com/fpp3/ets-forecasting.html>); far away the slope is what dates hang on. So its own interval is added, as errors
/// that are independent add up; a robust line has it already, and what stays as it is has no slope.
fn widen(forecast: &mut Forecast, growth: &Growth) {
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

/// Days where there are enough of them, or where an hour has no measurement of its own.
fn width(series: &TimeSeries, span: TimeDelta) -> TimeDelta {
    let is_hourly = series.typical_step().is_some_and(|step| step <= TimeDelta::hours(1));
    if span >= TimeDelta::days(DAYS_OF_DAYS) || !is_hourly { TimeDelta::days(1) } else { TimeDelta::hours(1) }
}

fn say_how_fresh(facts: &ResourceFacts, rest: &TimeSeries, now: DateTime<Utc>, notes: &mut Vec<String>) {
    let Some((first, last)) = rest.first().zip(rest.last()) else { return };
    if now - last.at > STALE {
        notes.push(format!("nothing has been measured since {}", period::minute(last.at)));
    }
    if rest.len() < facts.series.len() && last.at - first.at < FILLING {
        notes.push("it began anew so short a time ago that what grows may be what fills again".to_owned());
    }
}
