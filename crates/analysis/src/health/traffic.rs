//! What look-ups and commands came to.

use larder_metrics_model::{Ratio, ServerFacts, Unit};

use super::{ids, ledger::Outcome, node::Node};
use crate::{
    Finding, Severity,
    wording::{counted, percent, share},
};

/// Error answers that send a client of a cluster to another node; they are part of its work.
const REDIRECTIONS: [&str; 2] = ["MOVED", "ASK"];

pub(super) fn hit_rate(node: &Node<'_>) -> Outcome {
    let stats = &node.facts.stats;
    Outcome::of("keyspace_hits and keyspace_misses", stats.hits.zip(stats.misses), |(hits, misses)| {
        let lookups = hits.saturating_add(misses);
        let needed = node.thresholds.lookups_min;
        match Ratio::of(hits, lookups).filter(|_| lookups >= needed) {
            Some(rate) => hit_rate_of(node, rate, lookups),
            None => Outcome::Skipped(format!(
                "{} since the start are too few, {needed} are needed",
                counted(lookups, "look-up")
            )),
        }
    })
}

fn hit_rate_of(node: &Node<'_>, rate: Ratio, lookups: u64) -> Outcome {
    let seen = format!("{rate} of {}", counted(lookups, "look-up"));
    let least = node.thresholds.hit_rate_min;
    if rate >= least {
        return Outcome::Fine(seen);
    }
    let finding = Finding::new(ids::NODE_HIT_RATE, Severity::Warning, node.name)
        .saying(format!("Few look-ups find a key: {seen} since the start, and {least} is expected."))
        .with_evidence("hit_rate", rate, Unit::Ratio)
        .with_evidence("lookups", lookups, Unit::Count)
        .with_evidence("threshold", least, Unit::Ratio)
        .recommending("Look at evictions and TTLs; warm the cache, give it more memory or longer TTLs.")
        .expecting("Fewer queries reach what the cache protects.");
    Outcome::found(seen, finding)
}

/// Returns error answers without those that only redirect.
fn real_errors(facts: &ServerFacts) -> Option<u64> {
    let redirected = REDIRECTIONS
        .iter()
        .filter_map(|name| facts.errors.get(*name))
        .fold(0, |sum: u64, count| sum.saturating_add(*count));
    Some(facts.error_replies()?.saturating_sub(redirected))
}

fn most_frequent(facts: &ServerFacts) -> Option<(&str, u64)> {
    let real = facts.errors.iter().filter(|(name, _)| !REDIRECTIONS.contains(&name.as_str()));
    real.max_by_key(|(_, count)| **count).map(|(name, count)| (name.as_str(), *count))
}

/// Judges the share of error answers. A command that is refused before it runs counts as an error and not as a
/// command, so the whole is at least as large as its errors.
pub(super) fn errors(node: &Node<'_>) -> Outcome {
    let given = real_errors(node.facts).zip(node.facts.stats.commands);
    Outcome::of("total_error_replies and total_commands_processed", given, |(errors, commands)| {
        let whole = commands.max(errors);
        let needed = node.thresholds.commands_min;
        match share(errors, whole).filter(|_| whole >= needed) {
            Some(rate) => error_rate_of(node, (errors, whole), rate),
            None => Outcome::Skipped(format!(
                "{} since the start are too few, {needed} are needed",
                counted(whole, "command")
            )),
        }
    })
}

fn error_rate_of(node: &Node<'_>, (errors, commands): (u64, u64), rate: f64) -> Outcome {
    let seen = format!("{} of {}", percent(rate), counted(commands, "command"));
    let most = node.thresholds.error_rate_max;
    if rate <= most.get() {
        return Outcome::Fine(seen);
    }
    let mostly = most_frequent(node.facts)
        .map_or(String::new(), |(name, count)| format!(", most of them {name} ({count})"));
    let finding = Finding::new(ids::NODE_ERRORS, Severity::Warning, node.name)
        .saying(format!(
            "Many commands end in an error: {seen} since the start, and {most} is allowed{mostly}."
        ))
        .with_evidence("error_replies", errors, Unit::Count)
        .with_evidence("commands", commands, Unit::Count)
        .with_evidence("threshold", most, Unit::Ratio)
        .recommending("INFO errorstats says which errors, INFO commandstats of which commands.")
        .expecting("Clients get answers instead of errors.");
    Outcome::found(seen, finding)
}
