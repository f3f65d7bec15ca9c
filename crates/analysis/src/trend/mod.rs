//! Which way a metric goes, and since when.

mod dating;
mod judge;
mod level;

use chrono::{DateTime, Utc};
use serde::Serialize;

pub(crate) use dating::date_change;
pub use judge::{TrendOptions, judge_trend};
pub use level::Level;

use crate::statistics::MannKendall;

/// Which way is good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// More is better, as of a hit ratio.
    Higher,
    /// Less is better, as of a latency.
    Lower,
    /// Neither, as of memory.
    #[default]
    Neither,
}

/// The trend in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrendWord {
    /// It gets better.
    Improving,
    /// It gets worse.
    Declining,
    /// It rises, which is neither good nor bad.
    Increasing,
    /// It falls, which is neither good nor bad.
    Decreasing,
    /// It neither rises nor falls by more than chance, or by so little that it does not matter.
    Stable,
    /// Too little was measured to tell.
    #[default]
    NotEnoughData,
}

/// Which way a metric goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Trend {
    /// In one word, over all of the time.
    pub word: TrendWord,
    /// What the values are like, whatever their order; `None` of none.
    pub level: Option<Level>,
    /// How fast it goes; `None` where too little was measured.
    pub slope: Option<Slope>,
    /// Whether that is more than chance.
    pub significance: Option<MannKendall>,
    /// Where the level changed, oldest first.
    pub changes: Vec<LevelChange>,
    /// Values that were looked at: raw ones, or of hours, days or weeks.
    pub values: usize,
    /// How long a value stands for, in seconds; `None` for raw ones.
    pub step_seconds: Option<u64>,
    /// What was left out or summed up, and why.
    pub notes: Vec<String>,
}

/// How fast a metric goes, a day.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Slope {
    /// Units a day: the median of the slopes of all pairs of values.
    pub per_day: f64,
    /// The least it may be.
    pub lower: f64,
    /// The most it may be.
    pub upper: f64,
    /// How sure that is, as of 0.95.
    pub confidence: f64,
}

/// A moment at which the level of a metric changed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LevelChange {
    /// When the first value of the new level was measured, or begins.
    pub at: DateTime<Utc>,
    /// The median before, back to the change before it.
    pub before: f64,
    /// The median from then to the next change.
    pub after: f64,
    /// How probable as much of a change is where there is none.
    pub p_value: f64,
}

impl TrendWord {
    /// Returns the word as people read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Improving => "improving",
            Self::Declining => "declining",
            Self::Increasing => "increasing",
            Self::Decreasing => "decreasing",
            Self::Stable => "stable",
            Self::NotEnoughData => "not enough data",
        }
    }

    pub(crate) fn of(change: f64, better: Better) -> Self {
        match (better, change > 0.0) {
            (Better::Higher, true) | (Better::Lower, false) => Self::Improving,
            (Better::Higher, false) | (Better::Lower, true) => Self::Declining,
            (Better::Neither, true) => Self::Increasing,
            (Better::Neither, false) => Self::Decreasing,
        }
    }
}

impl std::fmt::Display for TrendWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
