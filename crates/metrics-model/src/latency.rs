//! Latency samples and their summary.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long something took, over several tries. All figures are milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LatencySummary {
    /// The number of samples, at least 1.
    pub samples: u64,
    /// The shortest.
    pub min_ms: f64,
    /// The arithmetic mean.
    pub mean_ms: f64,
    /// The median.
    pub p50_ms: f64,
    /// The 95th percentile.
    pub p95_ms: f64,
    /// The 99th percentile.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl LatencySummary {
    /// Sums up samples; `None` where there are none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a mean needs no exact count above 2^53")]
    pub fn of(samples: &[Duration]) -> Option<Self> {
        let mut sorted: Vec<f64> = samples.iter().map(|sample| sample.as_secs_f64() * 1e3).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let (&min_ms, &max_ms) = (sorted.first()?, sorted.last()?);
        Some(Self {
            samples: sorted.len() as u64,
            min_ms,
            mean_ms: sorted.iter().sum::<f64>() / sorted.len() as f64,
            p50_ms: percentile(&sorted, 0.50)?,
            p95_ms: percentile(&sorted, 0.95)?,
            p99_ms: percentile(&sorted, 0.99)?,
            max_ms,
        })
    }
}

/// Returns the sample quantile of sorted values, `None` for no values or a probability outside 0 to 1.
///
/// Between two values it interpolates linearly: definition 7 of R. J. Hyndman and Y. Fan, "Sample Quantiles in
/// Statistical Packages", The American Statistician 50(4), 1996, which R and `NumPy` use by default. One value is
/// every quantile of itself.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the rank lies between 0 and the number of values"
)]
pub fn percentile(sorted: &[f64], probability: f64) -> Option<f64> {
    if sorted.is_empty() || !(0.0..=1.0).contains(&probability) {
        return None;
    }
    let rank = (sorted.len() - 1) as f64 * probability;
    let below = rank.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (rank - rank.floor()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(actual: f64, expected: f64) {
        assert!((actual - expected).abs() < 1e-9, "{actual} is not {expected}");
    }

    #[test]
    fn nothing_has_no_summary() {
        assert_eq!(LatencySummary::of(&[]), None);
        assert_eq!(percentile(&[], 0.5), None);
        assert_eq!(percentile(&[1.0], 1.1), None);
        assert_eq!(percentile(&[1.0], f64::NAN), None);
    }

    #[test]
    fn one_sample_is_all_of_its_figures() {
        let summary = LatencySummary::of(&[Duration::from_millis(3)]).unwrap();
        for figure in [summary.min_ms, summary.mean_ms, summary.p50_ms, summary.p95_ms, summary.p99_ms] {
            close(figure, 3.0);
        }
    }

    /// Reference: `numpy.percentile([1..=10], [50, 95, 99])` is 5.5, 9.55 and 9.91.
    #[test]
    fn quantiles_are_those_of_definition_7() {
        let samples: Vec<Duration> = (1..=10).rev().map(Duration::from_millis).collect();
        let summary = LatencySummary::of(&samples).unwrap();
        close(summary.mean_ms, 5.5);
        close(summary.p50_ms, 5.5);
        close(summary.p95_ms, 9.55);
        close(summary.p99_ms, 9.91);
        close(summary.max_ms, 10.0);
    }

    #[test]
    fn equal_samples_have_no_spread() {
        let summary = LatencySummary::of(&[Duration::from_millis(2); 7]).unwrap();
        close(summary.min_ms, summary.max_ms);
        close(summary.p99_ms, 2.0);
    }
}
