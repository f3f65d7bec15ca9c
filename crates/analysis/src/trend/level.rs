//! What values are like, whatever their order.

use serde::Serialize;

use crate::{
    series::{TimeSeries, mean},
    statistics::{quantile, spread},
};

/// What the values of a metric are like.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Level {
    /// Their mean.
    pub mean: f64,
    /// Their median.
    pub median: f64,
    /// How far they lie from their median: the median absolute deviation, as a standard deviation.
    pub spread: f64,
    /// Their standard deviation, of a sample; 0 of one value.
    pub standard_deviation: f64,
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
    /// What 5 of 100 values do not exceed; `None` for fewer than 20 values.
    pub p5: Option<f64>,
    /// What 95 of 100 values do not exceed; `None` for fewer than 20 values.
    pub p95: Option<f64>,
    /// What 99 of 100 values do not exceed; `None` for fewer than 100 values.
    pub p99: Option<f64>,
}

impl Level {
    /// Describes the values of a series; `None` of none.
    #[must_use]
    pub fn of(series: &TimeSeries) -> Option<Self> {
        let mut values: Vec<f64> = series.values().collect();
        values.sort_unstable_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let mean = mean(values.iter().copied()).clamp(min, max);
        let median = crate::statistics::median(&mut values.clone())?;
        Some(Self {
            mean,
            median,
            spread: spread(&values)?,
            standard_deviation: standard_deviation(&values, mean),
            min,
            max,
            p5: quantile(&values, 0.05),
            p95: quantile(&values, 0.95),
            p99: quantile(&values, 0.99),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "fewer than 53 bits of values")]
fn standard_deviation(values: &[f64], mean: f64) -> f64 {
    let freedom = values.len().saturating_sub(1).max(1) as f64;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / freedom).sqrt()
}
