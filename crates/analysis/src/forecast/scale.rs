//! On which scale a metric is foretold.

/// The scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// As it is.
    Linear,
    /// Its logarithm: seasons and noise grow with the level.
    Logarithmic,
}

/// A horizon of at most this part of the past is foretold on a logarithmic scale: further on, a straight line of logarithms is
/// growth without end.
const PART: usize = 4;

impl Scale {
    pub(super) fn for_values(values: &[f64], horizon: usize) -> Self {
        let is_positive = values.iter().all(|value| *value > 0.0);
        if is_positive && horizon * PART <= values.len() { Self::Logarithmic } else { Self::Linear }
    }

    pub(super) fn of(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Logarithmic => value.ln(),
        }
    }

    pub(super) fn back(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Logarithmic => value.exp(),
        }
    }
}
