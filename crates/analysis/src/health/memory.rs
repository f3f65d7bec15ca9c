//! Memory against the limit, and what fragmentation costs.

use larder_metrics_model::{Role, ServerFacts, Unit};

use super::{ids, ledger::Outcome, node::Node};
use crate::{
    Finding, Severity,
    wording::{bytes, percent, share},
};

/// Resident over allocated memory from which on fragmentation is worth knowing; the `redis.conf` of Redis 4 and later
/// begins active defragmentation at 10 % and calls 100 % the upper end.
const FRAGMENTATION: f64 = 1.5;
/// Less waste than this does not matter, whatever the ratio: it is high on every small server.
const WASTE_BYTES: u64 = 100 << 20;

/// What a node does when it reaches `maxmemory`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AtLimit {
    /// It refuses writes.
    Refuses,
    /// It evicts keys, whichever.
    Evicts,
    /// It evicts keys that have a TTL, as long as there are any.
    EvictsExpiring,
    /// It is a replica, and waits for its primary to evict.
    Follows,
    /// It does not say.
    Untold,
}

impl AtLimit {
    fn of(facts: &ServerFacts) -> Self {
        let policy = facts.memory.policy.as_deref().unwrap_or_default();
        if facts.replication.role == Some(Role::Replica) {
            Self::Follows
        } else if policy == "noeviction" {
            Self::Refuses
        } else if policy.starts_with("allkeys") {
            Self::Evicts
        } else if !policy.starts_with("volatile") || facts.databases.is_empty() {
            Self::Untold
        } else if facts.keys_with_ttl() == 0 {
            Self::Refuses
        } else {
            Self::EvictsExpiring
        }
    }

    /// Returns how bad it is to be near the limit: a cache that evicts does what it is meant to.
    fn weigh(self, severity: Severity) -> Severity {
        match self {
            Self::Refuses => Severity::Critical,
            Self::Evicts | Self::Follows => Severity::Warning,
            Self::EvictsExpiring | Self::Untold => severity,
        }
    }

    fn consequence(self) -> &'static str {
        match self {
            Self::Refuses => "at the limit writes fail, because nothing may be evicted",
            Self::Evicts => "at the limit keys are evicted before their time",
            Self::EvictsExpiring => {
                "at the limit keys with a TTL are evicted, and writes fail when none are left"
            }
            Self::Follows => "its primary is as full",
            Self::Untold => "what happens at the limit is not known",
        }
    }

    fn recommendation(self) -> &'static str {
        match self {
            Self::Refuses => "Set maxmemory-policy to allkeys-lru for a cache, raise maxmemory, or clean up.",
            Self::Follows => "Look at its primary.",
            Self::Evicts | Self::EvictsExpiring | Self::Untold => {
                "If the hit rate suffers, raise maxmemory, shorten TTLs or clean up."
            }
        }
    }
}

pub(super) fn limit(node: &Node<'_>) -> Outcome {
    let memory = &node.facts.memory;
    Outcome::of("used_memory", memory.used_bytes, |used| {
        Outcome::of("maxmemory", memory.max_bytes, |max| match share(used, max) {
            Some(usage) => within_limit(node, (used, max), usage),
            None => without_limit(node, used),
        })
    })
}

fn within_limit(node: &Node<'_>, (used, max): (u64, u64), usage: f64) -> Outcome {
    let seen = format!("{} of {}, {}", bytes(used), bytes(max), percent(usage));
    let Some(passed) = node.thresholds.memory.severity_of(usage) else {
        return Outcome::Fine(seen);
    };
    let at_limit = AtLimit::of(node.facts);
    let finding = Finding::new(ids::NODE_MEMORY, at_limit.weigh(passed), node.name)
        .saying(format!("Memory is at {seen} of maxmemory: {}.", at_limit.consequence()))
        .with_evidence("used_memory", used, Unit::Bytes)
        .with_evidence("maxmemory", max, Unit::Bytes)
        .with_evidence("threshold", node.thresholds.memory.passed(passed), Unit::Ratio)
        .recommending(at_limit.recommendation())
        .expecting("There is room for new keys.");
    Outcome::found(seen, with_policy(finding, node.facts))
}

fn with_policy(finding: Finding, facts: &ServerFacts) -> Finding {
    let finding = match facts.memory.policy.as_deref() {
        Some(policy) => finding.with_evidence("maxmemory_policy", policy, None),
        None => finding,
    };
    match facts.stats.evicted {
        Some(evicted) => finding.with_evidence("evicted_keys", evicted, Unit::Count),
        None => finding,
    }
}

/// Judges a node without a limit by the memory of its machine, where it tells how much there is.
fn without_limit(node: &Node<'_>, used: u64) -> Outcome {
    let system = node.facts.memory.system_bytes.filter(|system| *system > 0);
    let usage = system.and_then(|system| share(used, system));
    let of_machine = system.map_or(String::new(), |system| format!(" of the machine's {}", bytes(system)));
    let seen = format!("{}{of_machine}, no limit is set", bytes(used));
    let severity = usage.and_then(|usage| node.thresholds.machine_memory.severity_of(usage));
    let mut finding = Finding::new(ids::NODE_NO_MEMORY_LIMIT, severity.unwrap_or(Severity::Info), node.name)
        .saying(format!("The server may take all memory: it uses {seen}."))
        .with_evidence("used_memory", used, Unit::Bytes)
        .with_evidence("maxmemory", 0_u64, Unit::Bytes)
        .recommending("Set maxmemory, with room for forks and buffers, and maxmemory-policy allkeys-lru.")
        .expecting("The cache evicts old keys before the system kills the server for want of memory.");
    if let Some(system) = system {
        finding = finding.with_evidence("total_system_memory", system, Unit::Bytes);
    }
    Outcome::found(seen, finding)
}

pub(super) fn fragmentation(node: &Node<'_>) -> Outcome {
    let memory = &node.facts.memory;
    Outcome::of("mem_fragmentation_ratio", memory.fragmentation_ratio, |ratio| {
        if !ratio.is_finite() || ratio < 0.0 {
            return Outcome::Unknown(format!("{ratio} is no ratio"));
        }
        let seen = format!("resident memory is {ratio:.2} times what is allocated");
        match memory.rss_bytes.zip(memory.used_bytes).map(|(rss, used)| rss.saturating_sub(used)) {
            Some(waste) if ratio > FRAGMENTATION && waste >= WASTE_BYTES => {
                Outcome::found(seen, fragmented(node, ratio, waste))
            }
            _ => Outcome::Fine(seen),
        }
    })
}

fn fragmented(node: &Node<'_>, ratio: f64, waste: u64) -> Finding {
    Finding::new(ids::NODE_FRAGMENTED, Severity::Info, node.name)
        .saying(format!(
            "Fragmentation holds {} more than is allocated, a ratio of {ratio:.2}.",
            bytes(waste)
        ))
        .with_evidence("mem_fragmentation_ratio", ratio, Unit::Ratio)
        .with_evidence("fragmentation", waste, Unit::Bytes)
        .recommending("Switch activedefrag on, run MEMORY PURGE, or restart the node after a failover.")
        .expecting(format!("Up to {} go back to the system.", bytes(waste)))
}
