//! What the dates of a resource come to.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use larder_metrics_model::Unit;

use super::{CapacityOptions, LimitSource, Passing, PassingState, ResourceKind, ResourceOutlook, ids};
use crate::{Finding, Severity, wording};

/// What to do about a resource, what that changes, and what may go wrong.
struct Advice {
    recommendation: &'static str,
    effect: &'static str,
    risk: &'static str,
}

/// Judges when a resource is full; nothing where it has no limit, or does not come near it.
pub(super) fn judge(
    outlook: &ResourceOutlook,
    options: &CapacityOptions,
    now: DateTime<Utc>,
) -> Option<Finding> {
    let (limit, source) = (outlook.limit?, outlook.limit_source?);
    let (near, full) = (outlook.nearly_full()?, outlook.full()?);
    let mut severity = severity(outlook, near, full, options, now)?;
    if outlook.is_stale(now) {
        // It may be another by now.
        severity = severity.min(Severity::Warning);
    }
    let advice = advice(outlook.resource, source, outlook.evicts);
    let finding = Finding::new(ids::of(outlook.resource, source), severity, outlook.subject.as_str())
        .saying(message(outlook, limit, source, now))
        .recommending(in_time(advice.recommendation, full))
        .expecting(advice.effect)
        .risking(advice.risk);
    Some(with_evidence(finding, outlook, limit, source))
}

/// Where no day is expected there is none to be faster than.
fn in_time(recommendation: &str, full: &Passing) -> String {
    if full.expected.is_some() {
        return recommendation.to_owned();
    }
    recommendation.replace(", before that day", "").replace(" before that day", "")
}

fn message(outlook: &ResourceOutlook, limit: f64, source: LimitSource, now: DateTime<Utc>) -> String {
    let write = |value: f64| amount(value, outlook.resource);
    let latest = outlook.latest.map_or_else(|| "An unknown part".to_owned(), write);
    let verb = if outlook.resource == ResourceKind::Connections { "are" } else { "is" };
    let mut parts = vec![format!("{latest} of {} ({}) {verb} in use", write(limit), source.as_str())];
    for passing in &outlook.passings {
        let share = if passing.share < 1.0 {
            format!("{} of that", wording::percent(passing.share))
        } else {
            "all of it".to_owned()
        };
        parts.push(format!("{share}: {}", passing.words(now)));
    }
    let is_full = outlook.full().is_some_and(|full| full.state == PassingState::Passed);
    let evicts = match (outlook.evicts, is_full) {
        (true, true) => " It is full, and keys are evicted for new ones; no write is refused.",
        (true, false) => " Keys are evicted from then on; no write is refused.",
        (false, _) => "",
    };
    let stale = outlook.measured_at.filter(|_| outlook.is_stale(now));
    let as_of = stale
        .map_or_else(String::new, |at| format!("As of {}, when it was measured last: ", at.format("%F")));
    format!("{as_of}{}.{evicts}", parts.join("; "))
}

fn with_evidence(finding: Finding, outlook: &ResourceOutlook, limit: f64, source: LimitSource) -> Finding {
    let unit = outlook.unit;
    let mut finding = finding
        .with_evidence("resource", outlook.resource.as_str(), None)
        .with_evidence("limit", limit, unit)
        .with_evidence("limit_source", source.as_str(), None);
    let growth = outlook.growth.map(|growth| growth.per_month);
    for (name, value) in [("latest", outlook.latest), ("growth_per_month", growth)] {
        if let Some(value) = value {
            finding = finding.with_evidence(name, value, unit);
        }
    }
    let days = outlook.full().map(|full| {
        [("full_expected", full.expected), ("full_earliest", full.earliest), ("full_latest", full.latest)]
    });
    for (name, day) in days.into_iter().flatten() {
        if let Some(day) = day {
            finding = finding.with_evidence(name, day.to_string().as_str(), None);
        }
    }
    finding
}

/// Critical is what refuses users within the urgent time, a warning what comes near its limit soon, or may; a cache that evicts
/// loses keys rather than writes, and counts one less.
fn severity(
    outlook: &ResourceOutlook,
    near: &Passing,
    full: &Passing,
    options: &CapacityOptions,
    now: DateTime<Utc>,
) -> Option<Severity> {
    let within =
        |day: Option<NaiveDate>, time: TimeDelta| day.is_some_and(|day| day <= (now + time).date_naive());
    let is_past = |passing: &Passing| passing.state == PassingState::Passed;
    let severity = if is_past(full) || within(full.expected, options.urgent) {
        Severity::Critical
    } else if is_past(near)
        || within(near.expected, options.soon)
        || within(full.expected, options.soon)
        || within(full.earliest, options.urgent)
    {
        Severity::Warning
    } else if near.state == PassingState::Passes {
        Severity::Info
    } else {
        return None;
    };
    Some(match severity {
        // A cache that evicts and is full is as it is meant to be.
        _ if outlook.evicts && is_past(near) => Severity::Info,
        Severity::Critical if outlook.evicts => Severity::Warning,
        Severity::Warning if outlook.evicts => Severity::Info,
        other => other,
    })
}

fn advice(kind: ResourceKind, source: LimitSource, evicts: bool) -> Advice {
    match kind {
        ResourceKind::Memory if source == LimitSource::Machine => Advice {
            recommendation: "Set maxmemory and a policy below what the machine has, or give it more memory before that day.",
            effect: "The server stays below what the machine has, rather than being killed by the operating system.",
            risk: "With maxmemory keys are evicted, or writes refused, as the policy says; other programs and forks need memory as well.",
        },
        ResourceKind::Memory if evicts => Advice {
            recommendation: "Look whether the hit rate falls as keys are evicted (`larder optimize`); if it does, raise maxmemory, add a shard, \
                             or shorten TTLs.",
            effect: "Keys stay until their TTL ends.",
            risk: "A raised limit needs memory of the machine, and for a fork while a dump is written.",
        },
        ResourceKind::Memory => Advice {
            recommendation: "Raise maxmemory, add a shard, clean up what is not used (`larder clean`), or shorten TTLs before that day; a policy that \
                             evicts lets writes through.",
            effect: "Writes go on being taken.",
            risk: "A raised limit needs memory of the machine, and for a fork while a dump is written; a policy that evicts removes keys.",
        },
        ResourceKind::Connections => Advice {
            recommendation: "Use pools in the clients, close idle ones (`timeout`), or raise maxclients and the limit of open files before that day.",
            effect: "Clients go on being let in.",
            risk: "Each connection takes memory; a server may have fewer open files than maxclients asks for.",
        },
        ResourceKind::Keys
        | ResourceKind::Operations
        | ResourceKind::NetworkIn
        | ResourceKind::NetworkOut => Advice {
            recommendation: "Add a shard or replicas that are read, or find out what asks for more (`larder keys top`), before that day.",
            effect: "Each node has less to do.",
            risk: "Slots that move take time and load; replicas answer with what is a moment old.",
        },
    }
}

/// Writes so much of a resource.
pub(super) fn amount(value: f64, kind: ResourceKind) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an amount is not negative")]
    let whole = value.max(0.0).round() as u64;
    let suffix = match kind {
        ResourceKind::Operations | ResourceKind::NetworkIn | ResourceKind::NetworkOut => "/s",
        ResourceKind::Memory | ResourceKind::Connections | ResourceKind::Keys => "",
    };
    match kind.unit() {
        Unit::Bytes => format!("{}{suffix}", wording::bytes(whole)),
        _ => format!("{whole}{suffix}"),
    }
}
