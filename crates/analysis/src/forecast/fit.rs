//! A past that was tried, and what it foretells.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Forecast, ForecastMethod, ForecastOptions,
    backtest::{MOST_STRETCHED, Trial, trials},
    model::{Band, foretell},
    odd::replace_odd,
    prepare::Prepared,
    scale::Scale,
    seasons::Decomposed,
};
use crate::wording::counted;

/// So many odd values are named by their date.
const DATES: usize = 3;

/// What is known of the past, on one scale.
pub(super) struct Fit {
    scale: Scale,
    steps: usize,
    odd: Vec<usize>,
    parts: Decomposed,
    trial: Option<Trial>,
}

impl Fit {
    /// Fits on the scale of the metric's kind; where logarithms fail, as after a fall to nearly nothing, their intervals know no
    /// bounds, and the metric is taken as it is.
    pub(super) fn best(values: &[f64], options: &ForecastOptions) -> Self {
        let scale = Scale::for_values(values, options.horizon);
        let fit = Self::of(values, scale, options);
        if scale == Scale::Logarithmic && fit.needed() > MOST_STRETCHED {
            return Self::of(values, Scale::Linear, options);
        }
        fit
    }

    fn of(values: &[f64], scale: Scale, options: &ForecastOptions) -> Self {
        let mut values: Vec<f64> = values.iter().map(|value| scale.of(*value)).collect();
        let odd = replace_odd(&mut values, options.width);
        let parts = Decomposed::by_strength(&values, options.width);
        let trial = trials(&values, &parts.periods, options, scale);
        Self { scale, steps: values.len(), odd, parts, trial }
    }

    /// By how much the intervals would have to be stretched.
    fn needed(&self) -> f64 {
        self.trial.as_ref().map_or(1.0, |trial| trial.needed)
    }

    pub(super) fn foretell(self, prepared: Prepared, options: &ForecastOptions) -> Forecast {
        let Prepared { end, young_level, mut notes, .. } = prepared;
        notes.extend(odd_note(&self.odd, end - options.width * steps(self.steps), options.width));
        notes.extend(self.note());
        let method = self.trial.as_ref().map_or(ForecastMethod::ExponentialSmoothing, |trial| trial.method);
        let stretch = self.trial.as_ref().map_or(1.0, |trial| trial.stretch);
        let Band { mean, half } = foretell(&self.parts, options.horizon, method, options.confidence);
        let limit = |value: f64| options.floor.map_or(value, |floor| value.max(floor));
        let back = |value: f64| limit(self.scale.back(value));
        let bounds = |sign: f64| {
            mean.iter().zip(&half).map(|(mean, half)| back(mean + sign * stretch * half)).collect()
        };
        Forecast {
            from: end,
            step_seconds: u64::try_from(options.width.num_seconds()).unwrap_or_default(),
            lower: bounds(-1.0),
            upper: bounds(1.0),
            mean: mean.iter().map(|mean| back(*mean)).collect(),
            confidence: options.confidence,
            method,
            steps: self.steps,
            backtest: self.trial.map(|trial| trial.backtest),
            seasons: self.parts.periods,
            notes,
            young_level,
        }
    }

    /// Says how far the intervals are to be trusted.
    fn note(&self) -> Option<String> {
        if self.trial.is_none() {
            return Some(
                "the past is too short to try the forecast on it: its intervals are those of theory"
                    .to_owned(),
            );
        }
        (self.needed() > MOST_STRETCHED).then(|| {
            format!(
                "the end of the past lay further from its forecast than intervals {MOST_STRETCHED} times as wide would \
                 hold: the intervals are not to be trusted"
            )
        })
    }
}

/// Says which values were taken for others; the first few by their date.
fn odd_note(odd: &[usize], begin: DateTime<Utc>, width: TimeDelta) -> Option<String> {
    let dates = odd.iter().take(DATES).map(|place| (begin + width * steps(*place)).format("%F").to_string());
    let dates: Vec<String> = dates.collect();
    let more = if odd.len() > DATES { " and later" } else { "" };
    let were = if odd.len() == 1 { "was" } else { "were" };
    (!odd.is_empty()).then(|| {
        format!(
            "{} {were} taken for what is usual around: {}{more}",
            counted(odd.len() as u64, "odd value"),
            dates.join(", ")
        )
    })
}

fn steps(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
