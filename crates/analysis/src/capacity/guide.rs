//! The guide's figures, each meaning what its name says: a month is a month, and nothing is divided by the first value.

use chrono::{DateTime, TimeDelta, Utc};
use larder_metrics_model::Unit;
use serde::Serialize;

use super::{
    CapacityOptions, Growth, MONTH_DAYS, ResourceFacts, growth, ids,
    period::{self, Used},
};
use crate::{
    Finding, Level, Priority, Severity, Summarise, Summary, TrendWord,
    optimize::Analysis,
    series::{TimeSeries, mean},
    wording::percent,
};

/// Memory of all primaries over the last month, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MemoryTrends {
    /// The mean.
    pub average_usage: f64,
    /// The most.
    pub peak_usage: f64,
    /// Growth a month of 30.44 days over what is usual now, in percent; null where that is not known.
    pub growth_rate_percent: Option<f64>,
    /// `increasing` above 5 %, `decreasing` below -5 %, `stable` between, or `not_enough_data`.
    pub trend: TrendWord,
}

/// Operations of the cache over the last month.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OperationTrends {
    /// Operations in a day, in the mean of the days.
    pub average_daily_operations: f64,
    /// On the busiest day.
    pub peak_daily_operations: f64,
    /// Growth a month of 30.44 days over what is usual now, in percent; null where that is not known.
    pub growth_rate_percent: Option<f64>,
    /// Operations a second, in the busiest measurement.
    pub operations_per_second_peak: f64,
}

/// What both come to in six months where they go on as they did; null where that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GrowthProjections {
    /// Memory in six months, in bytes: what is usual now, and six times the growth of a month.
    #[serde(rename = "6_month_memory_projection")]
    pub memory_in_6_months: Option<f64>,
    /// Operations a day in six months.
    #[serde(rename = "6_month_operations_projection")]
    pub operations_in_6_months: Option<f64>,
    /// Growth of memory a month, as a share of it.
    pub memory_growth_monthly: Option<f64>,
    /// Growth of operations a month, as a share of them.
    pub operations_growth_monthly: Option<f64>,
}

/// What to do, in the words of the guide.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CapacityRecommendation {
    /// `memory` or `performance`.
    pub category: &'static str,
    /// How soon.
    pub priority: Priority,
    /// What is wrong.
    pub issue: &'static str,
    /// What to do about it.
    pub recommendation: &'static str,
    /// How much memory it will be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub projected_requirement: Option<String>,
    /// How many operations a second it will be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub projected_ops_per_second: Option<String>,
}

/// One of the guide's analyses, with what projections are made of.
pub(super) struct Trends<T> {
    pub(super) analysis: Analysis<T>,
    growth: Option<Growth>,
    level: Option<f64>,
    /// How long a time growth was reckoned from.
    span: std::time::Duration,
    /// Whether nothing was measured for so long that it may be another now.
    is_old: bool,
}

/// What was measured before that says nothing of how it grows now.
const OLD: TimeDelta = TimeDelta::days(7);

fn is_old(series: &TimeSeries, now: DateTime<Utc>) -> bool {
    series.last().is_some_and(|last| now - last.at > OLD)
}

/// The guide calls memory stable within this growth a month, in percent.
const STABLE_PERCENT: f64 = 5.0;
/// Of less time than this no growth a month is found fault with.
const LONG_ENOUGH: std::time::Duration = std::time::Duration::from_hours(21 * 24);
const DAY_SECONDS: f64 = 86_400.0;
const MONTHS: f64 = 6.0;

pub(super) fn memory_trends(facts: &ResourceFacts, now: DateTime<Utc>) -> Trends<MemoryTrends> {
    let Used { series, is_filling } = period::used(facts, &mut Vec::new());
    let (word, growth) = if is_filling.is_some() { Default::default() } else { growth::growth(&series) };
    let level = Level::of(&last_month(&series, now));
    let trends = level.map(|level| MemoryTrends {
        average_usage: level.mean,
        peak_usage: level.max,
        growth_rate_percent: growth.and_then(in_percent),
        trend: word_of_guide(word, growth),
    });
    Trends {
        analysis: Analysis::of(trends),
        growth,
        level: growth::level(&series),
        span: series.span(),
        is_old: is_old(&series, now),
    }
}

pub(super) fn operation_trends(facts: &ResourceFacts, now: DateTime<Utc>) -> Trends<OperationTrends> {
    let (_, growth) = growth::growth(&facts.series);
    let month = last_month(&facts.series, now);
    let days = Summary::of(&month, TimeDelta::days(1), Summarise::Mean);
    let daily: Vec<f64> = days.known().map(|(_, per_second)| per_second * DAY_SECONDS).collect();
    let peak = daily.iter().copied().reduce(f64::max);
    let trends = peak.zip(Level::of(&month)).map(|(peak, level)| OperationTrends {
        average_daily_operations: mean(daily.iter().copied()).min(peak),
        peak_daily_operations: peak,
        growth_rate_percent: growth.and_then(in_percent),
        operations_per_second_peak: level.max,
    });
    let (level, span) = (growth::level(&facts.series), facts.series.span());
    Trends { analysis: Analysis::of(trends), growth, level, span, is_old: is_old(&facts.series, now) }
}

#[expect(clippy::cast_possible_truncation, reason = "seconds of a month")]
fn last_month(series: &TimeSeries, now: DateTime<Utc>) -> TimeSeries {
    series.since(now - TimeDelta::seconds((MONTH_DAYS * DAY_SECONDS) as i64))
}

fn in_percent(growth: Growth) -> Option<f64> {
    growth.share_per_month.map(|share| share * 100.0)
}

/// The guide's words for its own bounds; what is no more than chance is stable.
fn word_of_guide(word: TrendWord, growth: Option<Growth>) -> TrendWord {
    match (word, growth.and_then(in_percent)) {
        (TrendWord::NotEnoughData, _) => TrendWord::NotEnoughData,
        (TrendWord::Stable, _) | (_, None) => TrendWord::Stable,
        (_, Some(percent)) if percent > STABLE_PERCENT => TrendWord::Increasing,
        (_, Some(percent)) if percent < -STABLE_PERCENT => TrendWord::Decreasing,
        (_, Some(_)) => TrendWord::Stable,
    }
}

pub(super) fn projections(
    memory: &Trends<MemoryTrends>,
    operations: &Trends<OperationTrends>,
) -> GrowthProjections {
    GrowthProjections {
        memory_in_6_months: memory.in_six_months(),
        operations_in_6_months: operations.in_six_months().map(|per_second| per_second * DAY_SECONDS),
        memory_growth_monthly: memory.growth.and_then(|growth| growth.share_per_month),
        operations_growth_monthly: operations.growth.and_then(|growth| growth.share_per_month),
    }
}

impl<T> Trends<T> {
    fn in_six_months(&self) -> Option<f64> {
        Some((self.level? + MONTHS * self.growth?.per_month).max(0.0))
    }

    /// The growth a month as a share, where it is more than `most`, more than chance, of now, and not of a few days.
    fn rapid(&self, most: f64) -> Option<(Growth, f64)> {
        let says_something = !self.is_old && self.span >= LONG_ENOUGH;
        let growth = self.growth.filter(|growth| growth.lower > 0.0 && says_something)?;
        let share = growth.share_per_month.filter(|share| *share > most)?;
        Some((growth, share))
    }
}

/// The guide's two recommendations, each with the finding that says the same with its evidence.
pub(super) fn recommend(
    cache: &str,
    memory: &Trends<MemoryTrends>,
    operations: &Trends<OperationTrends>,
    options: &CapacityOptions,
) -> (Vec<CapacityRecommendation>, Vec<Finding>) {
    let found = [memory_grows(cache, memory, options), operations_grow(cache, operations, options)];
    found.into_iter().flatten().unzip()
}

fn memory_grows(
    cache: &str,
    memory: &Trends<MemoryTrends>,
    options: &CapacityOptions,
) -> Option<(CapacityRecommendation, Finding)> {
    let most = options.memory_growth_max;
    let (growth, share) = memory.rapid(most.get())?;
    let write = |value| super::findings::amount(value, super::ResourceKind::Memory);
    let projected = write(memory.in_six_months()?);
    let recommendation = CapacityRecommendation {
        category: "memory",
        priority: Priority::High,
        issue: "Rapid memory growth detected",
        recommendation: "Plan for memory upgrade within 3 months",
        projected_requirement: Some(projected.clone()),
        projected_ops_per_second: None,
    };
    let finding = Finding::new(ids::MEMORY_GROWTH, Severity::Warning, cache)
        .saying(format!(
            "Memory grows by {} of what it was in the last week a month ({}, between {} and {}), which is more than {}; in six months that comes to {projected}.",
            percent(share),
            write(growth.per_month),
            write(growth.lower),
            write(growth.upper),
            percent(most.get()),
        ))
        .with_evidence("growth_per_month", growth.per_month, Unit::Bytes)
        .with_evidence("growth_share_per_month", share, Unit::Ratio)
        .with_evidence("threshold", most, Unit::Ratio)
        .recommending("Find the families that grow (`larder keys diff`), and give them a TTL or plan the memory.")
        .expecting("Memory that grows no faster than what it is used for.")
        .risking("With a shorter TTL the source behind the cache is asked more often.");
    Some((recommendation, finding))
}

fn operations_grow(
    cache: &str,
    operations: &Trends<OperationTrends>,
    options: &CapacityOptions,
) -> Option<(CapacityRecommendation, Finding)> {
    let most = options.operations_growth_max;
    let (growth, share) = operations.rapid(most.get())?;
    let write = |value: f64| format!("{value:.0}");
    let projected = write(operations.in_six_months()?);
    let recommendation = CapacityRecommendation {
        category: "performance",
        priority: Priority::Medium,
        issue: "Rapid operation volume growth",
        recommendation: "Consider horizontal scaling or performance optimization",
        projected_requirement: None,
        projected_ops_per_second: Some(projected.clone()),
    };
    let finding = Finding::new(ids::OPERATIONS_GROWTH, Severity::Warning, cache)
        .saying(format!(
            "Operations grow by {} of what they were in the last week a month ({:.1}/s, between {:.1}/s and {:.1}/s), which is more than {}; in six months that comes to {projected}/s.",
            percent(share),
            growth.per_month,
            growth.lower,
            growth.upper,
            percent(most.get()),
        ))
        .with_evidence("growth_per_month", growth.per_month, Unit::PerSecond)
        .with_evidence("growth_share_per_month", share, Unit::Ratio)
        .with_evidence("threshold", most, Unit::Ratio)
        .recommending("Find out who asks for more, and measure what a node can do (`redis-benchmark`) before it has to.")
        .expecting("A shard or a replica is there before the node is busy all the time.")
        .risking("Slots that move take time and load; replicas answer with what is a moment old.");
    Some((recommendation, finding))
}
