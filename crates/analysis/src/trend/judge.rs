//! From a series to its trend.

use chrono::TimeDelta;
use statrs::distribution::{ContinuousCDF as _, Normal};

use super::{Better, Level, LevelChange, Slope, Trend, TrendWord, date_change};
use crate::{
    series::{Step, Summarise, Summary, TimeSeries},
    statistics::{MannKendall, splits, theil_sen},
    wording::counted,
};

/// How a trend is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct TrendOptions {
    /// Which way is good.
    pub better: Better,
    /// How probable a trend may be by chance and still be called one, 0 to 1; 0.05.
    pub significance: f64,
    /// What does not matter: a change over all of the time that is smaller than this share of the level; 0.01.
    pub least_change: f64,
}

/// The fewest values that can show a trend at 5 %: of the orders of four values, 8 in 100 go one way only by chance.
const FEWEST: usize = 5;
/// So many values are compared in pairs at most.
const MOST: usize = 1_000;
const DAY_SECONDS: f64 = 86_400.0;

impl Default for TrendOptions {
    fn default() -> Self {
        Self { better: Better::default(), significance: 0.05, least_change: 0.01 }
    }
}

/// Tells which way a metric goes. What lies within days is summed up by day where there are five days, so that the time of the day
/// is no trend; otherwise by hour where there are more values than that.
#[must_use]
pub fn judge_trend(series: &TimeSeries, options: &TrendOptions) -> Trend {
    let mut trend = Trend { level: Level::of(series), ..Trend::default() };
    trend.notes.extend(series.unusable_note());
    let points = Points::of(series, &mut trend.notes);
    trend.values = points.values.len();
    trend.step_seconds = points.step.width().and_then(|width| u64::try_from(width.num_seconds()).ok());
    if points.values.len() < FEWEST {
        trend.notes.push(format!(
            "{} {} too few to tell a trend, which takes {FEWEST}",
            counted(points.values.len() as u64, "value"),
            if points.values.len() == 1 { "is" } else { "are" },
        ));
        return trend;
    }
    let Some(test) = MannKendall::test(&points.values) else { return trend };
    let reach = quantile_of_normal(1.0 - options.significance / 2.0) * test.deviation;
    let Some(line) = theil_sen(&points.days, &points.values, reach) else { return trend };
    trend.slope = Some(Slope {
        per_day: line.slope,
        lower: line.interval.0,
        upper: line.interval.1,
        confidence: 1.0 - options.significance,
    });
    trend.significance = Some(test);
    trend.changes = points.changes(series);
    let least = options.least_change * trend.level.map_or(0.0, |level| level.median.abs());
    let days = points.days.last().copied().unwrap_or_default();
    let in_steps = trend.changes.first().zip(trend.changes.last());
    let in_steps = in_steps.map_or(0.0, |(first, last)| last.after - first.before);
    trend.word = if test.p_value < options.significance && (line.slope * days).abs() > least {
        TrendWord::of(test.tau, options.better)
    } else if in_steps.abs() > least {
        // Steps, which no slope sees; each of them is more than chance.
        TrendWord::of(in_steps, options.better)
    } else {
        TrendWord::Stable
    };
    trend
}

fn quantile_of_normal(share: f64) -> f64 {
    Normal::standard().inverse_cdf(share.clamp(0.5, 1.0 - 1e-12))
}

/// What is compared: values, and the days since the first of them.
struct Points {
    step: Step,
    moments: Vec<chrono::DateTime<chrono::Utc>>,
    days: Vec<f64>,
    values: Vec<f64>,
}

impl Points {
    fn of(series: &TimeSeries, notes: &mut Vec<String>) -> Self {
        notes.extend(series.gap_note());
        let mut points = Self::in_steps(series, step_for(series), notes);
        while points.values.len() > MOST && points.step < Step::Week {
            points = Self::in_steps(series, next(points.step), notes);
        }
        points
    }

    fn in_steps(series: &TimeSeries, step: Step, notes: &mut Vec<String>) -> Self {
        let (moments, values): (Vec<_>, Vec<_>) = match step.width() {
            None => series.observations().iter().map(|it| (it.at, it.value)).unzip(),
            Some(width) => {
                let summary = Summary::of(series, width, Summarise::Median);
                if summary.incomplete > 0 {
                    let ends = summary.incomplete;
                    notes.push(format!(
                        "{ends} {} at the ends of the time were left out, being incomplete",
                        name(step)
                    ));
                }
                let known: Vec<_> =
                    summary.known().map(|(step, value)| (summary.moment(step), value)).collect();
                // Of more weeks than that, the last ones count.
                let most = if step == Step::Week { MOST } else { usize::MAX };
                let skipped = known.len().saturating_sub(most);
                known.into_iter().skip(skipped).unzip()
            }
        };
        let begin = moments.first().copied().unwrap_or_default();
        let days = moments.iter().map(|at| days(*at - begin)).collect();
        Self { step, moments, days, values }
    }

    fn changes(&self, series: &TimeSeries) -> Vec<LevelChange> {
        let at = |place: usize| match self.step.width() {
            Some(width) => date_change(series, self.moments[place] - width / 2, width),
            None => self.moments[place],
        };
        let of = |split: crate::statistics::Split| LevelChange {
            at: at(split.place),
            before: split.before,
            after: split.after,
            p_value: split.p_value,
        };
        splits(&self.values).into_iter().map(of).collect()
    }
}

/// As fine as it may be without the time of the day in it.
fn step_for(series: &TimeSeries) -> Step {
    let (span, step) = (series.span(), series.typical_step().unwrap_or_default());
    let fewest = u32::try_from(FEWEST).unwrap_or(u32::MAX);
    let holds = |width: Step| {
        width.width().is_some_and(|width| {
            step * 2 <= width && width.to_std().is_ok_and(|width| span >= width * fewest)
        })
    };
    [Step::Day, Step::Hour].into_iter().find(|width| holds(*width)).unwrap_or(Step::Raw)
}

fn next(step: Step) -> Step {
    match step {
        Step::Raw => Step::Hour,
        Step::Hour => Step::Day,
        Step::Day | Step::Week => Step::Week,
    }
}

fn name(step: Step) -> &'static str {
    match step {
        Step::Raw => "values",
        Step::Hour => "hours",
        Step::Day => "days",
        Step::Week => "weeks",
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds of some centuries")]
fn days(time: TimeDelta) -> f64 {
    time.num_milliseconds() as f64 / 1e3 / DAY_SECONDS
}
