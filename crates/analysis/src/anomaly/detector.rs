//! Value by value.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    AnomalyOptions, Basis, Direction, Judged, Phase,
    band::{Band, Records, Surprise, Usually},
    season::{Hours, Season, Usual},
};
use crate::{series::Observation, statistics::median};

/// Values that follow one another more closely are judged, but not all learned from.
const LEARN_EVERY: TimeDelta = TimeDelta::minutes(4);
/// A season is believed in where it leaves no more than this share of the spread.
const WORTH_OF_SEASON: f64 = 0.8;
/// A score beyond this says no more.
const HIGHEST_SCORE: f64 = 1e9;

/// Judges values one by one, each by those before it alone.
///
/// Expected is the median of the last week, or where its growth leads if that is steady, or what is usual at this hour of the day or
/// of the week where that leaves less of the spread. Off by how many standard deviations a value is, is its score; so is that of the median of the last hours, which tells a
/// change of level. An alarm takes a score above [`AnomalyOptions::least_score`] that is also above every score of the last days:
/// of n alike scores one is the greatest with a probability of 1 / n (Rényi 1962, "Théorie des éléments saillants d'une suite
/// d'observations"), which bounds false alarms whatever the distribution. What recurs, as the nightly backup does, is no alarm.
#[derive(Clone, Debug)]
pub struct AnomalyDetector {
    options: AnomalyOptions,
    hours: Hours,
    candidates: [Candidate; 3],
    of_values: Records,
    of_levels: Records,
    first: Option<DateTime<Utc>>,
    last: Option<DateTime<Utc>>,
    learned: Option<DateTime<Utc>>,
    run: usize,
    last_alarm: Option<DateTime<Utc>>,
}

/// Values less what is usual at their hour.
#[derive(Clone, Debug)]
struct Candidate {
    season: Season,
    values: Band,
    recent: VecDeque<(DateTime<Utc>, f64)>,
    levels: Band,
}

/// One number against its band.
#[derive(Clone, Copy)]
struct Scored {
    expected: f64,
    spread: f64,
    off: f64,
    score: f64,
}

impl AnomalyDetector {
    /// Makes a detector that knows nothing yet.
    #[must_use]
    pub fn new(options: AnomalyOptions) -> Self {
        let candidate = |season| Candidate {
            season,
            values: Band::default(),
            recent: VecDeque::new(),
            levels: Band::default(),
        };
        Self {
            options,
            hours: Hours::default(),
            candidates: [Season::None, Season::Day, Season::Week].map(candidate),
            of_values: Records::default(),
            of_levels: Records::default(),
            first: None,
            last: None,
            learned: None,
            run: 0,
            last_alarm: None,
        }
    }

    /// Judges a value by those before it, then learns from it. `None` where it is no number or not newer than the last one, which
    /// are passed over, and while too little is known: see [`AnomalyOptions::warm_up`].
    pub fn judge(&mut self, observation: Observation) -> Option<Judged> {
        let Observation { at, value } = observation;
        if !value.is_finite() || self.last.is_some_and(|last| at <= last) {
            return None;
        }
        if self.last.is_none_or(|last| at - last >= self.options.warm_up) {
            self.first = Some(at);
            self.run = 0;
        }
        self.last = Some(at);
        let learns = self.learned.is_none_or(|learned| at - learned >= LEARN_EVERY);
        let scored = self.score(at, value, learns);
        if learns {
            self.hours.add(at, value);
            self.learned = Some(at);
        }
        let (of_value, of_level) = scored?;
        self.decide(at, value, of_value, of_level)
    }

    /// The scores of the value and of the level, by the candidate with the smallest spread.
    fn score(&mut self, at: DateTime<Utc>, value: f64, learns: bool) -> Option<(Scored, Option<Scored>)> {
        let mut chosen: Option<(f64, Scored, Option<Scored>)> = None;
        for candidate in &mut self.candidates {
            let Some(usual) = self.hours.usual(candidate.season, at) else { continue };
            let (spread, of_value, of_level) =
                candidate.score(at, value - usual.value, usual, learns, &self.options);
            let Some((spread, of_value)) = spread.zip(of_value) else { continue };
            if chosen.is_none_or(|(smallest, ..)| spread < smallest * WORTH_OF_SEASON) {
                chosen = Some((spread, of_value, of_level));
            }
        }
        chosen.map(|(_, of_value, of_level)| (of_value, of_level))
    }

    fn decide(
        &mut self,
        at: DateTime<Utc>,
        value: f64,
        of_value: Scored,
        of_level: Option<Scored>,
    ) -> Option<Judged> {
        let options = self.options;
        let threshold =
            |greatest: f64| options.least_score.max(greatest * options.margin.max(1.0)).min(HIGHEST_SCORE);
        let oldest = at - options.memory;
        let for_value = threshold(self.of_values.greatest_since(oldest, of_value.spread));
        let spread_of_levels = of_level.map_or(0.0, |scored| scored.spread);
        let for_level = threshold(self.of_levels.greatest_since(oldest, spread_of_levels));
        self.of_values.add(of_value.surprise(at));
        if let Some(scored) = of_level {
            self.of_levels.add(scored.surprise(at));
        }
        let first = self.first?;
        if at - first < options.warm_up {
            return None;
        }
        let changed = of_level.filter(|scored| scored.score > for_level);
        let (scored, threshold, basis) = match changed {
            Some(scored) if of_value.score <= for_value => (scored, for_level, Basis::Level),
            _ => (of_value, for_value, Basis::Value),
        };
        let is_record = scored.score > threshold;
        self.run = if is_record { self.run + 1 } else { 0 };
        let is_open = self.last_alarm.is_some_and(|last| at - last <= options.cool_down);
        let phase = match (is_open, is_record && self.run >= options.least_run) {
            (false, true) => Phase::Begins,
            (true, true) => Phase::GoesOn,
            (true, false) if of_value.score >= options.least_score => Phase::GoesOn,
            _ => Phase::Calm,
        };
        if is_record && phase != Phase::Calm {
            self.last_alarm = Some(at);
        }
        let reach = threshold * scored.spread;
        let value = if basis == Basis::Level { scored.expected + scored.off } else { value };
        Some(Judged {
            at,
            value,
            expected: scored.expected,
            lower: scored.expected - reach,
            upper: scored.expected + reach,
            score: scored.score,
            threshold,
            direction: if scored.off < 0.0 { Direction::Below } else { Direction::Above },
            basis,
            phase,
        })
    }
}

impl Candidate {
    fn score(
        &mut self,
        at: DateTime<Utc>,
        rest: f64,
        usual: Usual,
        learns: bool,
        options: &AnomalyOptions,
    ) -> (Option<f64>, Option<Scored>, Option<Scored>) {
        let band = self.values.usually(at);
        let of_value = band.map(|band| Scored::new(rest, usual, band, options));
        let spread = band.map(|band| band.spread);
        if !learns {
            return (spread, of_value, None);
        }
        self.values.add(at, rest, options.history);
        while self.recent.front().is_some_and(|(oldest, _)| at - *oldest > options.level_span) {
            self.recent.pop_front();
        }
        self.recent.push_back((at, rest));
        let mut recent: Vec<f64> = self.recent.iter().map(|(_, rest)| *rest).collect();
        let level = median(&mut recent).unwrap_or(rest);
        let of_level = self.levels.usually(at).map(|band| Scored::new(level, usual, band, options));
        self.levels.add(at, level, options.history);
        (spread, of_value, of_level)
    }
}

impl Scored {
    fn new(rest: f64, usual: Usual, band: Usually, options: &AnomalyOptions) -> Self {
        let expected = usual.value + band.level;
        let least = options.least_spread * expected.abs().max(band.widest);
        let spread = band.spread.max(least) + usual.slack;
        let off = rest - band.level;
        let score = if off == 0.0 { 0.0 } else { (off.abs() / spread).min(HIGHEST_SCORE) };
        Self { expected, spread, off, score }
    }

    fn surprise(&self, at: DateTime<Utc>) -> Surprise {
        Surprise { at, score: self.score, off: self.off.abs() }
    }
}
