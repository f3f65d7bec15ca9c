//! From where on something is recommended.

use larder_metrics_model::Ratio;
use serde::{Deserialize, Serialize};

use crate::ThresholdError;

/// From where on something is recommended, and what is aimed at. Every value is fine at its threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct OptimizeThresholds {
    /// The lowest mean hit rate that is fine.
    pub hit_rate_min: Ratio,
    /// The hit rate to aim at.
    pub hit_rate_target: Ratio,
    /// Look-ups before the hit rate is judged.
    pub lookups_min: u64,
    /// The longest mean latency that is fine, in milliseconds.
    pub latency_max_ms: Milliseconds,
    /// The latency to aim at, in milliseconds.
    pub latency_target_ms: Milliseconds,
    /// Share of `maxmemory` in use above which memory is under pressure.
    pub memory_pressure: Ratio,
    /// Share of the keys that may be evicted in a day.
    pub evicted_share_a_day: Ratio,
    /// Share of a node's commands from which one key is hot.
    pub hot_key_share: Ratio,
}

/// A time in milliseconds: finite, and not negative.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Milliseconds(f64);

impl Milliseconds {
    /// Returns the number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Milliseconds {
    type Error = ThresholdError;

    fn try_from(value: f64) -> Result<Self, ThresholdError> {
        if value.is_finite() && value >= 0.0 {
            Ok(Self(value))
        } else {
            Err(ThresholdError::NotANumber { value })
        }
    }
}

impl From<Milliseconds> for f64 {
    fn from(time: Milliseconds) -> Self {
        time.0
    }
}

/// The thresholds of the guide's optimizer; those that it has not are ours.
impl Default for OptimizeThresholds {
    fn default() -> Self {
        let percent = |share| Ratio::of(share, 100).unwrap_or(Ratio::ONE);
        Self {
            hit_rate_min: percent(70),
            hit_rate_target: percent(80),
            lookups_min: 1_000,
            latency_max_ms: Milliseconds(50.0),
            latency_target_ms: Milliseconds(25.0),
            memory_pressure: percent(85),
            evicted_share_a_day: percent(10),
            hot_key_share: percent(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_taken_and_what_makes_no_sense_refused() {
        let taken: OptimizeThresholds = serde_json::from_str(r#"{"latency_max_ms": 5}"#).unwrap();
        assert_eq!(taken.latency_max_ms, Milliseconds(5.0));
        assert_eq!(taken.hit_rate_min, OptimizeThresholds::default().hit_rate_min);
        for wrong in [r#"{"latency_max_ms": -1}"#, r#"{"hit_rate_min": 70}"#, r#"{"hit_rate": 0.7}"#] {
            assert!(serde_json::from_str::<OptimizeThresholds>(wrong).is_err(), "{wrong}");
        }
    }
}
