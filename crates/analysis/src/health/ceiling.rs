//! A pair of upper limits.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Severity;

/// A limit above which there is a warning, and one above which it is critical; at the limit all is fine.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Pair<T>", bound(deserialize = "T: Copy + Deserialize<'de>, f64: From<T>"))]
pub struct Ceiling<T> {
    warning: T,
    critical: T,
}

/// Thresholds that make no sense.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum ThresholdError {
    /// The pair is the wrong way round.
    #[error("the warning threshold {warning} is above the critical threshold {critical}")]
    WarningAboveCritical {
        /// Where a warning begins.
        warning: f64,
        /// Where it becomes critical.
        critical: f64,
    },
    /// A threshold is negative, infinite or no number.
    #[error("{value} is not a threshold: it must be a number of at least 0")]
    NotANumber {
        /// What was given.
        value: f64,
    },
    /// A field of `monitoring_config.json` is out of its range.
    #[error("{field} is {value}, and must lie between 0 and {most}")]
    OutOfRange {
        /// The field, as it is called in the file.
        field: &'static str,
        /// What was given.
        value: f64,
        /// The most it can be.
        most: f64,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair<T> {
    warning: T,
    critical: T,
}

impl<T> Ceiling<T> {
    /// Makes a pair of which the source code shows that it is in order; a test checks the defaults.
    pub(super) const fn in_order(warning: T, critical: T) -> Self {
        Self { warning, critical }
    }
}

impl<T: Copy> Ceiling<T>
where
    f64: From<T>,
{
    /// Makes a pair.
    ///
    /// # Errors
    ///
    /// [`ThresholdError`] where one is negative or not finite, or the warning lies above the critical one.
    pub fn new(warning: T, critical: T) -> Result<Self, ThresholdError> {
        let pair = (f64::from(warning), f64::from(critical));
        for value in [pair.0, pair.1] {
            if !value.is_finite() || value < 0.0 {
                return Err(ThresholdError::NotANumber { value });
            }
        }
        if pair.0 > pair.1 {
            return Err(ThresholdError::WarningAboveCritical { warning: pair.0, critical: pair.1 });
        }
        Ok(Self { warning, critical })
    }

    /// Returns the limit above which there is a warning.
    pub fn warning(&self) -> T {
        self.warning
    }

    /// Returns the limit above which it is critical.
    pub fn critical(&self) -> T {
        self.critical
    }

    /// Returns how bad `value` is; `None` at or below the warning limit, and for what is no number.
    #[must_use]
    pub fn severity_of(&self, value: f64) -> Option<Severity> {
        if value > f64::from(self.critical) {
            Some(Severity::Critical)
        } else if value > f64::from(self.warning) {
            Some(Severity::Warning)
        } else {
            None
        }
    }

    /// Returns the limit that a value of this severity has passed.
    pub(super) fn passed(&self, severity: Severity) -> f64 {
        f64::from(if severity == Severity::Critical { self.critical } else { self.warning })
    }
}

impl<T: Copy> TryFrom<Pair<T>> for Ceiling<T>
where
    f64: From<T>,
{
    type Error = ThresholdError;

    fn try_from(pair: Pair<T>) -> Result<Self, ThresholdError> {
        Self::new(pair.warning, pair.critical)
    }
}

#[cfg(test)]
mod tests {
    use larder_metrics_model::Ratio;

    use super::*;

    #[test]
    fn at_the_limit_all_is_fine() {
        let ceiling = Ceiling::new(10.0, 20.0).unwrap();
        for (value, expected) in [
            (0.0, None),
            (10.0, None),
            (10.0 + 1e-9, Some(Severity::Warning)),
            (20.0, Some(Severity::Warning)),
            (20.1, Some(Severity::Critical)),
            (f64::INFINITY, Some(Severity::Critical)),
            (f64::NAN, None),
        ] {
            assert_eq!(ceiling.severity_of(value), expected, "{value}");
        }
    }

    #[test]
    fn pairs_that_make_no_sense_are_refused() {
        assert!(Ceiling::new(1.0, 1.0).is_ok());
        let wrong_way = ThresholdError::WarningAboveCritical { warning: 2.0, critical: 1.0 };
        assert_eq!(Ceiling::new(2.0, 1.0), Err(wrong_way));
        for value in [-0.1, f64::NAN, f64::INFINITY] {
            assert!(Ceiling::new(value, 1.0).is_err(), "{value}");
            assert!(Ceiling::new(0.0, value).is_err(), "{value}");
        }
    }

    #[test]
    fn a_pair_is_checked_when_it_is_read() {
        let read = |text: &str| serde_json::from_str::<Ceiling<Ratio>>(text).map_err(|e| e.to_string());
        assert_eq!(read(r#"{"warning":1,"critical":1}"#).unwrap().warning(), Ratio::ONE);
        let error = read(r#"{"warning":0.9,"critical":0.5}"#).unwrap_err();
        assert!(error.contains("0.9 is above the critical threshold 0.5"), "{error}");
        for wrong in [
            r#"{"warning":0.5,"critical":1.5}"#,
            r#"{"warning":0.5}"#,
            r#"{"warning":0.5,"critical":0.6,"x":1}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
