//! The guide's three recommendations, each with the finding that says the same with its evidence.

use larder_metrics_model::Unit;
use serde::Serialize;

use super::{
    Analysis, ChangeOfLevel, HitRateAnalysis, LatencyAnalysis, MemoryAnalysis, OptimizeFacts,
    OptimizeThresholds, ids,
};
use crate::{Finding, Severity, TrendWord, wording::percent};

/// What to do, in the words of the guide.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Recommendation {
    /// `hit_rate`, `latency` or `memory`.
    pub category: &'static str,
    /// How soon.
    pub priority: Priority,
    /// What is wrong.
    pub issue: &'static str,
    /// What to do about it.
    pub recommendation: &'static str,
    /// What it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_value: Option<f64>,
    /// What it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_value: Option<f64>,
    /// What to begin with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<&'static str>,
}

/// How soon something should be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Soon.
    Medium,
    /// Now.
    High,
}

impl std::fmt::Display for Priority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Medium => "medium",
            Self::High => "high",
        })
    }
}

pub(super) fn recommend(
    facts: &OptimizeFacts,
    thresholds: &OptimizeThresholds,
    hit_rate: &Analysis<HitRateAnalysis>,
    latency: &Analysis<LatencyAnalysis>,
    memory: &Analysis<MemoryAnalysis>,
) -> (Vec<Recommendation>, Vec<Finding>) {
    let cache = facts.cache.as_deref().unwrap_or("cache");
    let found = [
        hit_rate.known().and_then(|known| hit_rate_low(cache, known, thresholds)),
        latency.known().and_then(|known| latency_high(cache, known, thresholds)),
        memory.known().and_then(|known| memory_pressure(cache, known, thresholds)),
    ];
    found.into_iter().flatten().unzip()
}

fn hit_rate_low(
    cache: &str,
    known: &HitRateAnalysis,
    thresholds: &OptimizeThresholds,
) -> Option<(Recommendation, Finding)> {
    let mean = known.now();
    if mean >= thresholds.hit_rate_min.get() {
        return None;
    }
    let recommendation = Recommendation {
        category: "hit_rate",
        priority: Priority::High,
        issue: "Low cache hit rate",
        recommendation: "Consider increasing TTL values or cache size",
        current_value: Some(mean),
        target_value: Some(thresholds.hit_rate_target.get()),
        action: None,
    };
    let finding = Finding::new(ids::HIT_RATE_LOW, Severity::Warning, cache)
        .saying(format!(
            "{} of the look-ups found a value{}, which is less than {}; {}.",
            percent(mean),
            since(known.change_of_level.as_ref()),
            percent(thresholds.hit_rate_min.get()),
            direction(known.trend, known.change_of_level.as_ref(), percent),
        ))
        .with_evidence("hit_rate_now", mean, Unit::Ratio)
        .with_evidence("average_hit_rate", known.average_hit_rate, Unit::Ratio)
        .with_evidence("min_hit_rate", known.min_hit_rate, Unit::Ratio)
        .with_evidence("trend", known.trend.as_str(), None)
        .with_evidence("threshold", thresholds.hit_rate_min, Unit::Ratio)
        .recommending(
            "Look whether keys are evicted (more memory helps) or expire before they are asked for again (a longer TTL helps); \
             `larder keys report` shows the families.",
        )
        .expecting(format!(
            "At {} the source behind the cache would be asked {} less often.",
            percent(thresholds.hit_rate_target.get()),
            percent((thresholds.hit_rate_target.get() - mean).max(0.0) / (1.0 - mean)),
        ))
        .risking("Values with a longer TTL are out of date for longer.");
    Some((recommendation, finding))
}

fn since(change: Option<&ChangeOfLevel>) -> String {
    change.map_or_else(String::new, |change| format!(" since {}", change.since.format("%F %H:%M UTC")))
}

/// Which way it goes; where its level changed, from what, and which way it goes since.
fn direction(trend: TrendWord, change: Option<&ChangeOfLevel>, written: impl Fn(f64) -> String) -> String {
    let last = change.and_then(|change| Some((change.changes.last()?, change.trend_since)));
    match last {
        Some((last, TrendWord::NotEnoughData)) => format!("before that it was {}", written(last.before)),
        Some((last, since)) => {
            format!("before that it was {}, and the trend since then is {since}", written(last.before))
        }
        None => format!("the trend is {trend}"),
    }
}

fn latency_high(
    cache: &str,
    known: &LatencyAnalysis,
    thresholds: &OptimizeThresholds,
) -> Option<(Recommendation, Finding)> {
    let (mean, most) = (known.now(), thresholds.latency_max_ms.get());
    if mean <= most {
        return None;
    }
    let recommendation = Recommendation {
        category: "latency",
        priority: Priority::Medium,
        issue: "High response latency",
        recommendation: "Optimize Redis configuration or increase connection pool size",
        current_value: Some(mean),
        target_value: Some(thresholds.latency_target_ms.get()),
        action: None,
    };
    let finding = Finding::new(ids::LATENCY_HIGH, Severity::Warning, cache)
        .saying(format!(
            "A round trip took {mean:.1} ms in the mean{}, which is more than {most} ms; {}.",
            since(known.change_of_level.as_ref()),
            direction(known.trend, known.change_of_level.as_ref(), |time| format!("{time:.1} ms")),
        ))
        .with_evidence("latency_now", mean, Unit::Milliseconds)
        .with_evidence("average_latency", known.average_latency, Unit::Milliseconds)
        .with_evidence("max_latency", known.max_latency, Unit::Milliseconds)
        .with_evidence("trend", known.trend.as_str(), None)
        .with_evidence("threshold", most, Unit::Milliseconds)
        .recommending(
            "Look for slow commands (SLOWLOG GET), forks (LATENCY LATEST), swapping, and the way through the network.",
        )
        .expecting(format!("Round trips of {} ms or less.", thresholds.latency_target_ms.get()))
        .risking("Looking changes nothing; a larger pool of connections takes memory and hides a slow server.");
    Some((recommendation, finding))
}

fn memory_pressure(
    cache: &str,
    known: &MemoryAnalysis,
    thresholds: &OptimizeThresholds,
) -> Option<(Recommendation, Finding)> {
    let share = known.memory_usage_ratio.filter(|_| known.memory_pressure == Some(true))?;
    let recommendation = Recommendation {
        category: "memory",
        priority: Priority::High,
        issue: "Memory pressure detected",
        recommendation: "Increase memory allocation or optimize eviction policy",
        current_value: None,
        target_value: None,
        action: Some("Scale up memory resources"),
    };
    let finding = Finding::new(ids::MEMORY_PRESSURE, Severity::Warning, cache)
        .saying(format!(
            "The fullest node has used up to {} of its memory limit; {}.",
            percent(share),
            match known.filling_since {
                Some(since) => format!("memory is filling again since {}", since.format("%F %H:%M UTC")),
                None => format!("the trend of memory is {}", known.trend),
            },
        ))
        .with_evidence("memory_usage_ratio", share, Unit::Ratio)
        .with_evidence("trend", known.trend.as_str(), None)
        .with_evidence("threshold", thresholds.memory_pressure, Unit::Ratio)
        .recommending("Clean up what is not used (`larder clean`), shorten TTLs, or raise maxmemory.")
        .expecting("Fewer keys are evicted, and no write is refused.")
        .risking("The machine needs room for a raised limit, and for a fork while a dump is written.");
    Some((recommendation, finding))
}
