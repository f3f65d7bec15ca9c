//! What is done on a node: evictions, expiry, connections, slow commands.

use std::{collections::BTreeMap, time::Duration};

use larder_metrics_model::Unit;

use super::{
    DAY_SECONDS, FEWEST, NodeHistory, OptimizeThresholds, SlowCommand,
    analyses::{hit_ratios, word},
    ids,
    memory::middle,
};
use crate::{
    Better, Finding, Level, Severity, TrendWord,
    wording::{counted, percent},
};

/// An interval is a burst where so many times the median expires in it.
const BURST: f64 = 10.0;
/// Fewer keys a second than this disturb nobody.
const BURST_PER_SECOND: f64 = 10.0;
/// Connections that live for less than this are not kept in a pool.
const SHORT_LIFE_SECONDS: f64 = 10.0;
/// Fewer connections a second are probes and people.
const CHURN_PER_SECOND: f64 = 1.0;
/// So many kinds of slow commands are told, those that took longest in sum.
const MOST_KINDS: usize = 5;
const MILLISECOND: Duration = Duration::from_millis(1);
/// A command that long is felt by everyone who waits behind it.
const FELT: Duration = Duration::from_millis(100);

pub(super) fn judge(node: &NodeHistory, thresholds: &OptimizeThresholds) -> Vec<Finding> {
    let found = [evictions(node, thresholds), expiry(node), connections(node)];
    found.into_iter().flatten().chain(slow_commands(node)).collect()
}

fn evictions(node: &NodeHistory, thresholds: &OptimizeThresholds) -> Option<Finding> {
    let per_second = node.evicted.per_second().filter(|_| node.evicted.series.len() >= FEWEST)?;
    let keys = middle(&node.keys).filter(|keys| *keys > 0.0)?;
    let share = per_second * DAY_SECONDS / keys;
    let ratios = hit_ratios(&node.hits, &node.misses);
    let trend = word(&ratios, Better::Higher);
    let hit_ratio = Level::of(&ratios).map(|level| level.mean);
    let is_felt =
        trend == TrendWord::Declining || hit_ratio.is_some_and(|ratio| ratio < thresholds.hit_rate_min.get());
    let severity = if is_felt { Severity::Warning } else { Severity::Info };
    (share > thresholds.evicted_share_a_day.get()).then(|| {
        let mut finding = Finding::new(ids::EVICTION_PRESSURE, severity, node.node.to_string())
            .saying(format!(
                "{per_second:.2} keys a second are evicted, in a day {} of the number of keys; the trend of the hit rate is {trend}.",
                percent(share)
            ))
            .with_evidence("evictions_per_second", per_second, Unit::PerSecond)
            .with_evidence("evicted_share_a_day", share, Unit::Ratio)
            .with_evidence("keys", keys, Unit::Count)
            .with_evidence("hit_ratio_trend", trend.as_str(), None);
        if let Some(ratio) = hit_ratio {
            finding = finding.with_evidence("hit_ratio", ratio, Unit::Ratio);
        }
        finding
            .recommending("Raise maxmemory, or shorten the TTL of families that are seldom used (`larder keys report`).")
            .expecting("Keys stay until their time is up, and are found when they are asked for again.")
            .risking("The machine needs room for a raised limit, and for a fork while a dump is written.")
    })
}

/// Keys that were written together, with one TTL, go together.
fn expiry(node: &NodeHistory) -> Option<Finding> {
    let level = Level::of(&node.expired.series)?;
    // Without percentiles there are too few values to call one of them unusual.
    level.p95?;
    let limit = (level.median * BURST).max(BURST_PER_SECOND);
    let all = node.expired.series.len();
    let bursts: Vec<f64> = node.expired.series.values().filter(|rate| *rate > limit).collect();
    let (inside, sum): (f64, f64) = (bursts.iter().sum(), node.expired.series.values().sum());
    let is_seldom = bursts.len() * 10 <= all;
    (bursts.len() >= 2 && is_seldom && inside > sum / 2.0).then(|| {
        Finding::new(ids::EXPIRY_BURSTS, Severity::Info, node.node.to_string())
            .saying(format!(
                "{} of the keys that expire do so in {} of {all}, up to {:.0} a second; usual are {:.1}.",
                percent(inside / sum),
                counted(bursts.len() as u64, "interval"),
                level.max,
                level.median,
            ))
            .with_evidence("bursts", bursts.len() as u64, Unit::Count)
            .with_evidence("expired_share_in_bursts", inside / sum, Unit::Ratio)
            .with_evidence("max_expired_per_second", level.max, Unit::PerSecond)
            .with_evidence("median_expired_per_second", level.median, Unit::PerSecond)
            .recommending("Spread the TTLs of what is written together: add a random tenth to each.")
            .expecting("Keys go one by one, and so do the look-ups that make them anew.")
            .risking("A value may be a tenth of its TTL older than before.")
    })
}

/// By Little's law as many clients are connected as come a second times the seconds that each stays (Little 1961, "A proof for the
/// queuing formula L = λW", <https://doi.org/10.1287/opre.9.3.383>).
fn connections(node: &NodeHistory) -> Option<Finding> {
    let per_second = node.connections.per_second().filter(|_| node.connections.series.len() >= FEWEST)?;
    let clients = Level::of(&node.clients).filter(|_| node.clients.len() >= FEWEST)?.mean;
    let life = clients / per_second;
    (per_second >= CHURN_PER_SECOND && life < SHORT_LIFE_SECONDS).then(|| {
        let severity = if per_second >= 10.0 * CHURN_PER_SECOND { Severity::Warning } else { Severity::Info };
        Finding::new(ids::CONNECTION_CHURN, severity, node.node.to_string())
            .saying(format!(
                "{per_second:.1} connections a second are accepted, and {clients:.0} are there at a time: one lives {life:.1} s."
            ))
            .with_evidence("connections_per_second", per_second, Unit::PerSecond)
            .with_evidence("clients", clients, Unit::Count)
            .with_evidence("life_seconds", life, Unit::Seconds)
            .recommending("Let clients keep their connections in a pool; CLIENT LIST names those that do not.")
            .expecting("The server's time goes to commands, and clients do not wait for handshakes.")
            .risking("Pools that are too large reach maxclients.")
    })
}

fn slow_commands(node: &NodeHistory) -> Vec<Finding> {
    let Some(entries) = node.slow_log.known() else { return Vec::new() };
    let mut kinds: BTreeMap<(String, &'static str), Vec<&SlowCommand>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.duration >= MILLISECOND) {
        kinds.entry((entry.command.to_uppercase(), shape(entry.arguments))).or_default().push(entry);
    }
    let sum = |entries: &[&SlowCommand]| entries.iter().map(|entry| entry.duration).sum::<Duration>();
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(kind, entries)| (std::cmp::Reverse(sum(entries)), kind.clone()));
    kinds.truncate(MOST_KINDS);
    kinds
        .into_iter()
        .map(|((command, shape), entries)| slow(node, &command, shape, &entries, sum(&entries)))
        .collect()
}

fn slow(
    node: &NodeHistory,
    command: &str,
    shape: &'static str,
    entries: &[&SlowCommand],
    sum: Duration,
) -> Finding {
    let longest = entries.iter().map(|entry| entry.duration).max().unwrap_or_default();
    let severity = if longest >= FELT { Severity::Warning } else { Severity::Info };
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let time =
        |time: Duration| format!("{:.*} ms", if time < MILLISECOND { 3 } else { 1 }, milliseconds(time));
    let (recommendation, risk) = instead(command);
    Finding::new(ids::SLOW_COMMANDS, severity, node.node.to_string())
        .saying(match entries {
            [_] => format!("{command} with {shape} is in the slow log once, for {}.", time(longest)),
            _ => format!(
                "{command} with {shape} is in the slow log {} times, at most for {} and together for {}.",
                entries.len(),
                time(longest),
                time(sum)
            ),
        })
        .with_evidence("command", command, None)
        .with_evidence("shape", shape, None)
        .with_evidence("entries", entries.len() as u64, Unit::Count)
        .with_evidence("longest_ms", milliseconds(longest), Unit::Milliseconds)
        .with_evidence("together_ms", milliseconds(sum), Unit::Milliseconds)
        .recommending(recommendation)
        .expecting(format!("No one waits up to {} behind it.", time(longest)))
        .risking(risk)
}

/// The arguments are values of users and are not told; their number is.
fn shape(arguments: usize) -> &'static str {
    match arguments {
        0 => "no argument",
        1 => "1 argument",
        2..=9 => "2 to 9 arguments",
        10..=30 => "10 to 30 arguments",
        _ => "31 arguments or more",
    }
}

/// What to do instead of a command that takes as long as its key is big (complexities as in the command reference of Redis).
fn instead(command: &str) -> (&'static str, &'static str) {
    match command {
        "KEYS" => ("Use SCAN, which goes through the keys in small steps.", "SCAN may return a key twice."),
        "SMEMBERS" | "SUNION" | "SINTER" | "SDIFF" => {
            ("Read large sets with SSCAN, or keep them small.", "SSCAN may return a member twice.")
        }
        "HGETALL" | "HKEYS" | "HVALS" => (
            "Ask for the fields that are needed (HMGET), or read with HSCAN.",
            "HSCAN is no snapshot of the hash.",
        ),
        "DEL" => ("Use UNLINK, which frees values in the background.", "The memory is free a moment later."),
        "FLUSHALL" | "FLUSHDB" => {
            ("Add ASYNC, which frees values in the background.", "The memory is free a moment later.")
        }
        "EVAL" | "EVALSHA" | "FCALL" | "EVAL_RO" | "EVALSHA_RO" | "FCALL_RO" => (
            "Make the script shorter: let it touch fewer keys a call.",
            "Parts of a script are not one step any more.",
        ),
        "LRANGE" | "ZRANGE" | "ZREVRANGE" | "ZRANGEBYSCORE" | "SORT" => {
            ("Ask for a smaller range, page by page.", "Between two pages the key may change.")
        }
        "MGET" | "MSET" | "HMGET" | "HMSET" | "HSET" | "SADD" | "ZADD" | "LPUSH" | "RPUSH" => (
            "Send fewer keys or fields in one command, in a pipeline.",
            "A pipeline is not one step, as the command is.",
        ),
        _ => (
            "Look at its arguments (SLOWLOG GET) and at the size of its keys (`larder keys top`).",
            "Looking changes nothing.",
        ),
    }
}
