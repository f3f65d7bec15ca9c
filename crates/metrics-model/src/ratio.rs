//! A share between nothing and all.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A share from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Ratio(f64);

/// A number that is not a share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatioError(f64);

impl Ratio {
    /// Nothing.
    pub const ZERO: Self = Self(0.0);
    /// All.
    pub const ONE: Self = Self(1.0);

    /// Returns `part / whole`, or `None` where `whole` is 0 or `part` is larger than it.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
    pub fn of(part: u64, whole: u64) -> Option<Self> {
        (whole > 0 && part <= whole).then(|| Self(part as f64 / whole as f64))
    }

    /// Returns the share as a number from 0 to 1.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// Returns the share as a percentage, 0 to 100.
    #[must_use]
    pub fn percent(self) -> f64 {
        self.0 * 100.0
    }
}

impl TryFrom<f64> for Ratio {
    type Error = RatioError;

    fn try_from(value: f64) -> Result<Self, RatioError> {
        if (0.0..=1.0).contains(&value) { Ok(Self(value)) } else { Err(RatioError(value)) }
    }
}

impl From<Ratio> for f64 {
    fn from(ratio: Ratio) -> Self {
        ratio.0
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} %", self.percent())
    }
}

impl fmt::Display for RatioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not a share: it must lie between 0 and 1", self.0)
    }
}

impl std::error::Error for RatioError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_nothing_is_unknown() {
        assert_eq!(Ratio::of(0, 0), None);
        assert_eq!(Ratio::of(2, 1), None);
        assert_eq!(Ratio::of(0, 4), Some(Ratio::ZERO));
        assert_eq!(Ratio::of(4, 4), Some(Ratio::ONE));
        assert_eq!(Ratio::of(1, 4).map(Ratio::percent), Some(25.0));
    }

    #[test]
    fn numbers_outside_are_refused() {
        for wrong in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(Ratio::try_from(wrong).is_err(), "{wrong}");
        }
        assert!(serde_json::from_str::<Ratio>("1.5").is_err());
    }
}
