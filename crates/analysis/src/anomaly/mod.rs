//! What is out of the ordinary, for its hour and by what came before.

mod band;
mod cause;
mod detect;
mod detector;
mod line;
mod options;
mod season;

use chrono::{DateTime, Utc};
use serde::Serialize;

pub use cause::{Cause, CauseKind, Movement, Surroundings, likely_cause};
pub use detect::detect_anomalies;
pub use detector::AnomalyDetector;
pub use options::AnomalyOptions;

/// Which side of what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Above it.
    Above,
    /// Below it.
    Below,
}

/// What is out of the ordinary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The value itself.
    Value,
    /// The median of the last hours, of [`AnomalyOptions::level_span`].
    Level,
}

/// Where in an episode a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// In none.
    Calm,
    /// An episode begins with it: this is the moment for an alarm.
    Begins,
    /// An episode that has begun goes on.
    GoesOn,
}

/// One value, judged by those before it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Judged {
    /// When it was measured.
    pub at: DateTime<Utc>,
    /// What was measured; the median of the last hours where `basis` says so.
    pub value: f64,
    /// What was expected: of the value, or of the median of the last hours as `basis` says.
    pub expected: f64,
    /// Below this is an alarm.
    pub lower: f64,
    /// Above this is an alarm.
    pub upper: f64,
    /// How far off it is, in standard deviations.
    pub score: f64,
    /// The score above which is an alarm.
    pub threshold: f64,
    /// On which side of what was expected it is.
    pub direction: Direction,
    /// What was compared with what was expected.
    pub basis: Basis,
    /// Where in an episode it is.
    pub phase: Phase,
}

/// A time in which a metric was out of the ordinary; figures are those of its peak.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Anomaly {
    /// When it began.
    pub from: DateTime<Utc>,
    /// The last moment of it. A level that stays is the new level, so that this is no later than
    /// [`AnomalyOptions::cool_down`] after the last value that surprised anew.
    pub until: DateTime<Utc>,
    /// When it was furthest off.
    pub peak: DateTime<Utc>,
    /// What was measured then; the median of the last hours where `basis` says so.
    pub value: f64,
    /// What was expected.
    pub expected: f64,
    /// The least that would have been no alarm.
    pub lower: f64,
    /// The most that would have been no alarm.
    pub upper: f64,
    /// How far off it was, in standard deviations.
    pub score: f64,
    /// On which side of what was expected.
    pub direction: Direction,
    /// What was compared with what was expected.
    pub basis: Basis,
}

/// What was out of the ordinary in a series.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Anomalies {
    /// The episodes, oldest first.
    pub episodes: Vec<Anomaly>,
    /// How many values were judged; those before only taught what is usual.
    pub judged: usize,
    /// What was left out, and why.
    pub notes: Vec<String>,
}
