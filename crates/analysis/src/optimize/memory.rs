//! The memory of a node: what of it is lost, and what happens at its limit.

use larder_metrics_model::Unit;

use super::{
    FEWEST, NodeHistory, OptimizeThresholds, Refill,
    analyses::{hit_ratios, mostly_at_most, word},
    course::Course,
    ids,
    levels::Figure,
};
use crate::{
    Better, Finding, Level, Severity, TimeSeries, TrendWord,
    wording::{bytes, percent},
};

/// From this on it is worth the work: "a ratio greater than 1.5" (Redis documentation of INFO, `mem_fragmentation_ratio`).
const FRAGMENTED: f64 = 1.5;
const WORTH_IT_BYTES: f64 = 100.0 * 1024.0 * 1024.0;
/// What is missing below this may never have been touched by the allocator.
const SWAPPED_BYTES: f64 = 10.0 * 1024.0 * 1024.0;
/// With fewer keys that may be evicted than this share, `volatile-*` soon has nothing to evict.
const FEW_TTLS: f64 = 0.1;
/// A server of fewer keys may be about anything.
const FEWEST_KEYS: f64 = 100.0;

pub(super) fn judge(node: &NodeHistory, thresholds: &OptimizeThresholds) -> Vec<Finding> {
    let found = [
        residence(node),
        refuses_writes(node, thresholds),
        few_ttls(node, thresholds),
        evicts_used(node),
        no_limit(node),
    ];
    found.into_iter().flatten().collect()
}

/// Resident over allocated memory, both ways.
fn residence(node: &NodeHistory) -> Option<Finding> {
    let (ratio, used) = (middle(&node.fragmentation_ratio)?, middle(&node.used_memory_bytes)?);
    let lost = middle(&node.rss_bytes)? - used;
    let begin = |id| {
        Finding::new(id, Severity::Warning, node.node.to_string())
            .with_evidence("fragmentation_ratio", ratio, Unit::Ratio)
            .with_evidence("used_memory_bytes", used, Unit::Bytes)
            .with_evidence("rss_bytes", used + lost, Unit::Bytes)
    };
    if ratio > FRAGMENTED && lost > WORTH_IT_BYTES {
        return Some(
            begin(ids::FRAGMENTATION)
                .saying(format!(
                    "The server takes {ratio:.2} times the memory that it has allocated: {} are lost to fragmentation.",
                    whole_bytes(lost)
                ))
                .recommending(
                    "Turn `activedefrag` on where the server was built with jemalloc, or restart it in a calm hour.",
                )
                .expecting(format!("Up to {} go back to the machine.", whole_bytes(lost)))
                .risking("Defragmentation takes processor time, up to `active-defrag-cycle-max`."),
        );
    }
    (ratio < 1.0 && -lost > SWAPPED_BYTES).then(|| {
        begin(ids::SWAPPED_OUT)
            .saying(format!(
                "{} of the allocated memory are not in RAM: they are swapped out, or were never touched.",
                whole_bytes(-lost)
            ))
            .recommending("Look at VmSwap in /proc/PID/status; where it is not 0, lower maxmemory or give the machine more memory.")
            .expecting("No look-up waits for a disk.")
            .risking("With a lower maxmemory keys are evicted until it is kept.")
    })
}

fn refuses_writes(node: &NodeHistory, thresholds: &OptimizeThresholds) -> Option<Finding> {
    let share = recent_use(node).filter(|share| *share > thresholds.memory_pressure.get())?;
    (node.policy.as_deref()? == "noeviction").then(|| {
        let severity = if share > 0.95 { Severity::Critical } else { Severity::Warning };
        Finding::new(ids::POLICY_REFUSES_WRITES, severity, node.node.to_string())
            .saying(format!(
                "{} of maxmemory are used, and the policy is noeviction: at the limit writes are refused.",
                percent(share)
            ))
            .with_evidence("memory_usage_ratio", share, Unit::Ratio)
            .with_evidence("maxmemory_policy", "noeviction", None)
            .recommending("If all of it is a cache, set maxmemory-policy to allkeys-lru or allkeys-lfu; otherwise raise maxmemory.")
            .expecting("At the limit the least used keys go, and writes go on.")
            .risking("Keys that no one can make again must not lie on a server that evicts.")
    })
}

fn few_ttls(node: &NodeHistory, thresholds: &OptimizeThresholds) -> Option<Finding> {
    let policy = node.policy.as_deref().filter(|policy| policy.starts_with("volatile-"))?;
    let share = recent_use(node).filter(|share| *share > thresholds.memory_pressure.get())?;
    let keys = middle(&node.keys).filter(|keys| *keys >= FEWEST_KEYS)?;
    let with_ttl = middle(&node.keys_with_ttl)?;
    (with_ttl / keys < FEW_TTLS).then(|| {
        Finding::new(ids::POLICY_FEW_TTLS, Severity::Warning, node.node.to_string())
            .saying(format!(
                "The policy {policy} evicts only keys with a TTL, which {} of the keys have, and {} of maxmemory are used.",
                percent(with_ttl / keys),
                percent(share)
            ))
            .with_evidence("maxmemory_policy", policy, None)
            .with_evidence("keys", keys, Unit::Count)
            .with_evidence("keys_with_ttl", with_ttl, Unit::Count)
            .with_evidence("memory_usage_ratio", share, Unit::Ratio)
            .recommending("Give keys a TTL (`larder keys report` names the families without), or take an allkeys policy.")
            .expecting("At the limit there is something to evict, and writes go on.")
            .risking("An allkeys policy may evict any key, those that were to stay as well.")
    })
}

fn evicts_used(node: &NodeHistory) -> Option<Finding> {
    let policy = node.policy.as_deref().filter(|policy| policy.starts_with("allkeys-"))?;
    if node.evicted.series.len() < FEWEST || node.evicted.gained <= 0.0 {
        return None;
    }
    let per_second = node.evicted.per_second()?;
    let ratios = hit_ratios(&node.hits, &node.misses);
    let (trend, level) = (word(&ratios, Better::Higher), Level::of(&ratios)?);
    let recommendation = if policy == "allkeys-lfu" {
        "Raise maxmemory, or shorten the TTL of what is seldom asked for."
    } else {
        "Try allkeys-lfu, which keeps what is asked for often; where that does not help, raise maxmemory."
    };
    (trend == TrendWord::Declining).then(|| {
        Finding::new(ids::POLICY_EVICTS_WHAT_IS_USED, Severity::Warning, node.node.to_string())
            .saying(format!(
                "The policy {policy} evicts {per_second:.2} keys a second while the hit rate falls: what is evicted is asked for again."
            ))
            .with_evidence("maxmemory_policy", policy, None)
            .with_evidence("evictions_per_second", per_second, Unit::PerSecond)
            .with_evidence("hit_ratio", level.mean, Unit::Ratio)
            .with_evidence("hit_ratio_trend", trend.as_str(), None)
            .recommending(recommendation)
            .expecting("The hit rate stops falling.")
            .risking("After a change of the policy it takes the server some hours to learn what is used.")
    })
}

fn no_limit(node: &NodeHistory) -> Option<Finding> {
    let has_none = node.maxmemory_bytes.last().is_some_and(|limit| limit.value == 0.0);
    // What fills again stops growing by itself.
    let grows = has_none && Refill::filling_since(node.memory_refill).is_none();
    let memory = Refill::growing(node.memory_refill, &node.used_memory_bytes);
    let figure = Figure { series: &memory, usual: &TimeSeries::default(), is_share: false };
    let per_day = Course::of(&figure, Better::Neither).growth().filter(|_| grows)?;
    let used = node.used_memory_bytes.last()?.value;
    Some(
        Finding::new(ids::NO_MEMORY_LIMIT, Severity::Warning, node.node.to_string())
            .saying(format!(
                "There is no limit of memory, and memory grows by {} a day.",
                whole_bytes(per_day.max(0.0))
            ))
            .with_evidence("used_memory_bytes", used, Unit::Bytes)
            .with_evidence("growth_bytes_per_day", per_day, Unit::Bytes)
            .recommending("Set maxmemory below what the machine can spare, and a policy that evicts.")
            .expecting(
                "The server keeps within its limit, and is not ended by the kernel for want of memory.",
            )
            .risking("Below what is used already, a limit evicts keys at once."),
    )
}

/// How full it is lately: over the last quarter of what was measured.
fn recent_use(node: &NodeHistory) -> Option<f64> {
    let shares = node.memory_use();
    if shares.len() < FEWEST {
        return None;
    }
    let quarter = shares.observations().get(shares.len() - shares.len().div_ceil(4))?.at;
    mostly_at_most(&shares.since(quarter))
}

/// The median, where enough was measured.
pub(super) fn middle(series: &TimeSeries) -> Option<f64> {
    Level::of(series).filter(|_| series.len() >= FEWEST).map(|level| level.median)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
pub(super) fn whole_bytes(count: f64) -> String {
    bytes(count as u64)
}
