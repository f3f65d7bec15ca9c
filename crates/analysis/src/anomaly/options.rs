//! What is called an anomaly.

use chrono::TimeDelta;

/// How anomalies are told. The defaults are one setting for every metric; the crate's documentation says what they find.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct AnomalyOptions {
    /// Of how much of the past the level and its spread are learned; 7 days. A lasting change of level is the new level when
    /// half of this is over.
    pub history: TimeDelta,
    /// For how long what was seen surprises no more; 3 days. An alarm takes a value that surprises more than all within this.
    pub memory: TimeDelta,
    /// How many times the greatest surprise within `memory` a value has to surprise, at least 1; 1.2. Of what comes in sizes that
    /// differ little, as jobs do, the greatest of the last days is passed by a little again and again.
    pub margin: f64,
    /// How far a value has to be off, in standard deviations; 3.5, as Iglewicz & Hoaglin, "How to Detect and Handle Outliers"
    /// (1993), have it for scores that are made of medians.
    pub least_score: f64,
    /// A standard deviation is never taken for less than this share of what is expected, nor of how far off the furthest value
    /// of `history` was; 0.01. What never moves would otherwise raise an alarm at its first breath; and of what rests between
    /// bursts the score of a burst would be told by how still the rest was, not by how great the burst is.
    pub least_spread: f64,
    /// How long a value has to stay off to count as a change of level, which is told by the median of as much time; 6 hours.
    pub level_span: TimeDelta,
    /// How long values are learned before the first is judged, and again after a gap of this length; 2 days.
    pub warm_up: TimeDelta,
    /// For how long nothing may surprise anew until an episode is over; 6 hours. So one episode is one alarm.
    pub cool_down: TimeDelta,
    /// How many values in a row have to be anomalous until an episode begins, at least 1; 1.
    pub least_run: usize,
}

impl Default for AnomalyOptions {
    fn default() -> Self {
        Self {
            history: TimeDelta::days(7),
            memory: TimeDelta::days(3),
            margin: 1.2,
            least_score: 3.5,
            least_spread: 0.01,
            level_span: TimeDelta::hours(6),
            warm_up: TimeDelta::days(2),
            cool_down: TimeDelta::hours(6),
            least_run: 1,
        }
    }
}
