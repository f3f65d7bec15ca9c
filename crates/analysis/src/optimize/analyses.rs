//! The guide's four analyses.

use chrono::{DateTime, Duration, Utc};
use serde::Serialize;

use super::{
    ChangeOfLevel, OptimizeFacts, OptimizeThresholds, Refill,
    course::{Course, settled},
    levels::{Figure, summed_up},
};
use crate::{Better, Level, Rates, Summarise, TimeSeries, TrendWord, wording::counted};

/// An analysis, or that there is none.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Analysis<T> {
    /// What was found out.
    Known(T),
    /// Nothing was measured.
    NoData(NoData),
}

/// Nothing was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NoData {
    /// Always `no_data`.
    pub status: &'static str,
}

/// How many look-ups found a value, 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct HitRateAnalysis {
    /// Over all look-ups of the time; the mean of what was told where look-ups are not counted.
    pub average_hit_rate: f64,
    /// In the worst hour, or measurement where little was measured.
    pub min_hit_rate: f64,
    /// In the best one.
    pub max_hit_rate: f64,
    /// Which way it goes.
    pub trend: TrendWord,
    /// By how much a day; null where that is not more than chance, and where its level changed.
    pub hit_rate_per_day: Option<f64>,
    /// Where its level changed, and what it is like since; null where it has one level.
    pub change_of_level: Option<ChangeOfLevel>,
    /// Its standard deviation.
    pub volatility: f64,
    /// The look-ups; null where they are not counted.
    pub lookups: Option<f64>,
}

/// How long a round trip took, in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LatencyAnalysis {
    /// The mean.
    pub average_latency: f64,
    /// The shortest.
    pub min_latency: f64,
    /// The longest.
    pub max_latency: f64,
    /// Which way it goes.
    pub trend: TrendWord,
    /// By how much a day; null where that is not more than chance, and where its level changed.
    pub latency_per_day: Option<f64>,
    /// Where its level changed, and what it is like since; null where it has one level.
    pub change_of_level: Option<ChangeOfLevel>,
    /// What 95 of 100 measurements do not exceed; null for fewer than 20.
    pub p95_latency: Option<f64>,
}

/// How full the memory was.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MemoryAnalysis {
    /// The mean of the memory allocated by all primaries.
    pub average_used_memory_bytes: f64,
    /// The least.
    pub min_used_memory_bytes: f64,
    /// The most.
    pub max_used_memory_bytes: f64,
    /// Whether it grows.
    pub trend: TrendWord,
    /// By how much a day; null where that is not more than chance, and where its level changed.
    pub growth_bytes_per_day: Option<f64>,
    /// Where its level changed, and what it is like since; null where it has one level.
    pub change_of_level: Option<ChangeOfLevel>,
    /// Since when it fills again after a restart or a flush, so that its growth says nothing; null where it does not.
    pub filling_since: Option<DateTime<Utc>>,
    /// Share of `maxmemory` that the fullest node does not exceed in 95 of 100 measurements, or at all where there are fewer
    /// than 20; null where no node has a limit.
    pub memory_usage_ratio: Option<f64>,
    /// Whether that is above the threshold; null where it is not known.
    pub memory_pressure: Option<bool>,
}

/// How much was done.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OperationAnalysis {
    /// Operations that were counted.
    pub total_operations: f64,
    /// Operations a second, over all of the time.
    pub average_operations_per_second: f64,
    /// In the calmest interval.
    pub min_operations_per_second: f64,
    /// In the busiest one.
    pub max_operations_per_second: f64,
    /// What 95 of 100 intervals do not exceed; null for fewer than 20.
    pub p95_operations_per_second: Option<f64>,
    /// Which way it goes.
    pub trend: TrendWord,
    /// By how much a day; null where that is not more than chance, and where their level changed.
    pub operations_per_second_per_day: Option<f64>,
    /// Where their level changed, and what they are like since; null where they have one level.
    pub change_of_level: Option<ChangeOfLevel>,
    /// Share of the operations that failed; null where that is not counted.
    pub error_rate: Option<f64>,
}

/// An hour of fewer look-ups has no rate of its own.
const LOOKUPS_OF_A_RATE: f64 = 100.0;

impl HitRateAnalysis {
    /// Returns what it is now: that of its level, where that changed.
    #[must_use]
    pub fn now(&self) -> f64 {
        self.change_of_level.as_ref().map_or(self.average_hit_rate, |change| change.now)
    }
}

impl LatencyAnalysis {
    /// Returns what it is now: that of its level, where that changed.
    #[must_use]
    pub fn now(&self) -> f64 {
        self.change_of_level.as_ref().map_or(self.average_latency, |change| change.now)
    }
}

impl<T> Analysis<T> {
    /// Returns what was found out.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(known) => Some(known),
            Self::NoData(_) => None,
        }
    }

    pub(crate) fn of(known: Option<T>) -> Self {
        known.map_or(Self::NoData(NoData { status: "no_data" }), Self::Known)
    }
}

pub(super) fn hit_rate(
    facts: &OptimizeFacts,
    thresholds: &OptimizeThresholds,
    notes: &mut Vec<String>,
) -> Analysis<HitRateAnalysis> {
    let lookups = facts.hits.gained + facts.misses.gained;
    let rates = hit_ratios(&facts.hits, &facts.misses);
    let counted_level =
        Level::of(&rates).filter(|_| lookups >= crate::wording::number(thresholds.lookups_min));
    if let Some(level) = counted_level {
        let usual = hit_ratios(&facts.watched.hits, &facts.watched.misses);
        let figure = Figure { series: &rates, usual: &usual, is_share: true };
        let mut course = Course::of(&figure, Better::Higher).told("hit rate", notes);
        if let Some(change) = &mut course.change {
            change.now = found_since(facts, settled(change.since)).unwrap_or(change.now);
        }
        return Analysis::Known(HitRateAnalysis {
            average_hit_rate: facts.hits.gained / lookups,
            min_hit_rate: level.min,
            max_hit_rate: level.max,
            trend: course.word,
            hit_rate_per_day: course.per_day,
            change_of_level: course.change,
            volatility: level.standard_deviation,
            lookups: Some(lookups),
        });
    }
    if lookups > 0.0 || !facts.hits.covered.is_zero() {
        notes.push(format!(
            "hit rate: {lookups:.0} look-ups are fewer than the {} that it is judged by",
            thresholds.lookups_min
        ));
        return Analysis::of(None);
    }
    let told = &facts.hit_ratio;
    let level = Level::of(told);
    if level.is_some() {
        notes.push(format!(
            "hit rate: hits and misses between two measurements are not known, so {} of the rate since the counting began {} judged",
            counted(told.len() as u64, "measurement"),
            if told.len() == 1 { "is" } else { "are" },
        ));
    }
    Analysis::of(level.map(|level| {
        // A rate since the counting began has no levels: it goes on changing for long.
        let course = Course::without_levels(told, Better::Higher).told("hit rate", notes);
        HitRateAnalysis {
            average_hit_rate: level.mean,
            min_hit_rate: level.min,
            max_hit_rate: level.max,
            trend: course.word,
            hit_rate_per_day: course.per_day,
            change_of_level: None,
            volatility: level.standard_deviation,
            lookups: None,
        }
    }))
}

/// The share of all look-ups since then that found a value.
fn found_since(facts: &OptimizeFacts, since: DateTime<Utc>) -> Option<f64> {
    let sum = |rates: &Rates| rates.series.since(since).values().sum::<f64>();
    let (hits, misses) = (sum(&facts.hits), sum(&facts.misses));
    (hits + misses > 0.0).then(|| hits / (hits + misses))
}

pub(super) fn latency(facts: &OptimizeFacts, notes: &mut Vec<String>) -> Analysis<LatencyAnalysis> {
    Analysis::of(Level::of(&facts.latency_ms).map(|level| {
        let figure = Figure { series: &facts.latency_ms, usual: &facts.watched.latency_ms, is_share: false };
        let course = Course::of(&figure, Better::Lower).told("latency", notes);
        LatencyAnalysis {
            average_latency: level.mean,
            min_latency: level.min,
            max_latency: level.max,
            trend: course.word,
            latency_per_day: course.per_day,
            change_of_level: course.change,
            p95_latency: level.p95,
        }
    }))
}

pub(super) fn memory(
    facts: &OptimizeFacts,
    thresholds: &OptimizeThresholds,
    notes: &mut Vec<String>,
) -> Analysis<MemoryAnalysis> {
    let used = &facts.used_memory_bytes;
    let fullest = facts.nodes.iter().filter_map(|node| mostly_at_most(&node.memory_use())).reduce(f64::max);
    Analysis::of(Level::of(used).map(|level| {
        if fullest.is_none() {
            notes.push("memory pressure: no limit of memory is known that it could be a share of".to_owned());
        }
        let (course, filling_since) = memory_course(facts, notes);
        MemoryAnalysis {
            average_used_memory_bytes: level.mean,
            min_used_memory_bytes: level.min,
            max_used_memory_bytes: level.max,
            trend: course.word,
            growth_bytes_per_day: course.per_day,
            change_of_level: course.change,
            filling_since,
            memory_usage_ratio: fullest,
            memory_pressure: fullest.map(|share| share > thresholds.memory_pressure.get()),
        }
    }))
}

/// What fills again is not full for long: neither its growth nor its level says what is to come.
fn memory_course(facts: &OptimizeFacts, notes: &mut Vec<String>) -> (Course, Option<DateTime<Utc>>) {
    let series = Refill::growing(facts.memory_refill, &facts.used_memory_bytes);
    let Some(since) = Refill::filling_since(facts.memory_refill) else {
        let figure = Figure { series: &series, usual: &facts.watched.used_memory_bytes, is_share: false };
        return (Course::of(&figure, Better::Neither).told("memory", notes), None);
    };
    let course = Course::without_levels(&series, Better::Neither);
    match course.word {
        TrendWord::Increasing | TrendWord::NotEnoughData => {
            let at = since.format("%F %H:%M UTC");
            notes.push(format!(
                "trend of memory: it is filling again since {at}, so that its growth says nothing"
            ));
            (Course::default(), Some(since))
        }
        _ => (course, None),
    }
}

pub(super) fn operations(facts: &OptimizeFacts, notes: &mut Vec<String>) -> Analysis<OperationAnalysis> {
    let told = &facts.operations;
    let level = Level::of(&told.series).zip(told.per_second());
    let failed = (!facts.errors.covered.is_zero() && told.gained > 0.0)
        .then(|| (facts.errors.gained / told.gained).min(1.0));
    Analysis::of(level.map(|(level, mean)| {
        let usual = &facts.watched.operations.series;
        let figure = Figure { series: &told.series, usual, is_share: false };
        let course = Course::of(&figure, Better::Neither).told("operations", notes);
        OperationAnalysis {
            total_operations: told.gained,
            average_operations_per_second: mean,
            min_operations_per_second: level.min,
            max_operations_per_second: level.max,
            p95_operations_per_second: level.p95,
            trend: course.word,
            operations_per_second_per_day: course.per_day,
            change_of_level: course.change,
            error_rate: failed,
        }
    }))
}

/// What the values mostly do not exceed: their 95th percentile where it is known, the highest otherwise.
pub(super) fn mostly_at_most(series: &TimeSeries) -> Option<f64> {
    Level::of(series).map(|level| level.p95.unwrap_or(level.max))
}

/// The hit rate of each hour where there is a day of measurements, of each interval otherwise; only of those with enough look-ups
/// to have one. Hits and misses are of the same moments.
pub(super) fn hit_ratios(hits: &Rates, misses: &Rates) -> TimeSeries {
    let step = hits.series.typical_step().unwrap_or_default();
    let (hits, misses, step) = if is_by_hour(hits) {
        let hourly = |series| summed_up(series, Duration::hours(1), Summarise::Mean);
        (hourly(&hits.series), hourly(&misses.series), Duration::hours(1))
    } else {
        (hits.series.clone(), misses.series.clone(), step)
    };
    let seconds = step.to_std().unwrap_or_default().as_secs_f64();
    let not_found = misses.observations();
    let ratio = |hit: &crate::Observation| {
        let place = not_found.binary_search_by_key(&hit.at, |miss| miss.at).ok()?;
        let sum = hit.value + not_found.get(place)?.value;
        // Of two measurements the interval is not known, but the sum of both is judged before.
        let is_enough = seconds == 0.0 || sum * seconds >= LOOKUPS_OF_A_RATE;
        (sum > 0.0 && is_enough).then(|| (hit.at, hit.value / sum))
    };
    hits.observations().iter().filter_map(ratio).collect()
}

/// Tells whether hit rates are those of hours.
pub(super) fn is_by_hour(hits: &Rates) -> bool {
    let is_long = hits.series.span() >= std::time::Duration::from_hours(24);
    is_long && hits.series.typical_step().is_some_and(|step| step < Duration::hours(1))
}

pub(super) fn word(series: &TimeSeries, better: Better) -> TrendWord {
    let usual = TimeSeries::default();
    Course::of(&Figure { series, usual: &usual, is_share: true }, better).word
}
