//! What was out of the ordinary, and what moved with it.

use chrono::TimeDelta;
use larder_metrics_model::{MetricKind, NodeAddress, Unit, metric};

use super::{
    OptimizeFacts,
    analyses::{hit_ratios, is_by_hour},
    changed::Changed,
    ids,
    memory::whole_bytes,
};
use crate::{
    Anomalies, Anomaly, AnomalyOptions, Basis, Cause, CauseKind, Direction, Finding, Severity, TimeSeries,
    detect_anomalies, likely_cause,
    wording::{percent, without_sign_of_nothing},
};

/// So many episodes of a figure are told, those that were furthest off.
const MOST_EPISODES: usize = 5;

/// A figure in which what is out of the ordinary was looked for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WatchedFigure {
    /// What people call it.
    pub name: &'static str,
    /// What it is called in the history, so that it is no cause of itself.
    pub metric: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// All that was looked at to know what is usual.
    pub series: TimeSeries,
    /// What was out of the ordinary in it.
    pub anomalies: Anomalies,
    /// How much time a value stands for, from its moment on.
    width: TimeDelta,
}

/// An anomaly of a figure, and what probably caused it.
struct Found<'a> {
    figure: &'a WatchedFigure,
    episode: Anomaly,
    cause: Option<(&'a NodeAddress, Cause)>,
}

impl Found<'_> {
    fn begins_anew(&self) -> bool {
        let kind = self.cause.as_ref().map(|(_, cause)| cause.kind);
        matches!(kind, Some(CauseKind::Restart | CauseKind::Flush))
    }
}

pub(super) fn judge(
    figures: &[WatchedFigure],
    facts: &OptimizeFacts,
    changed: &[Changed<'_>],
    notes: &mut Vec<String>,
) -> Vec<Finding> {
    notes.extend(unjudged(figures));
    let told = |figure: &&WatchedFigure, episode: &Anomaly| {
        changed.iter().any(|changed| changed.tells(figure.name, episode))
    };
    let episodes = |figure| episodes(figure, facts, |episode| !told(&figure, episode), notes);
    let found: Vec<Found<'_>> = figures.iter().flat_map(episodes).collect();
    together(found).iter().map(|alike| finding(alike, facts)).collect()
}

/// What one restart or one flush moved is one.
fn together(found: Vec<Found<'_>>) -> Vec<Vec<Found<'_>>> {
    let mut groups: Vec<Vec<Found<'_>>> = Vec::new();
    for one in found {
        let is_same = |group: &&mut Vec<Found<'_>>| {
            one.begins_anew() && group.iter().any(|other| other.cause == one.cause)
        };
        match groups.iter_mut().find(is_same) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}

/// Says where too little was measured: once where it holds for all, of the figure that was measured most often.
fn unjudged(figures: &[WatchedFigure]) -> Vec<String> {
    let measured = figures.iter().filter(|figure| !figure.series.is_empty());
    let mut unjudged: Vec<_> = measured.clone().filter(|figure| figure.anomalies.judged == 0).collect();
    let why = |figure: &&WatchedFigure| figure.anomalies.notes.last().cloned();
    if unjudged.len() == measured.count() {
        unjudged.sort_by_key(|figure| figure.series.len());
        return unjudged.last().and_then(why).map(|why| format!("anomalies: {why}")).into_iter().collect();
    }
    let of = |figure: &&WatchedFigure| Some(format!("anomalies of {}: {}", figure.name, why(figure)?));
    unjudged.iter().filter_map(of).collect()
}

pub(super) fn figures(facts: &OptimizeFacts) -> Vec<WatchedFigure> {
    let watched = &facts.watched;
    let figure = |name, metric, unit, series: TimeSeries| WatchedFigure {
        name,
        metric,
        unit,
        anomalies: detect_anomalies(&series, &AnomalyOptions::default()),
        series,
        width: TimeDelta::zero(),
    };
    // Hours have their beginning as their moment, measurements the end of what they tell.
    let hour = if is_by_hour(&watched.hits) { TimeDelta::hours(1) } else { TimeDelta::zero() };
    vec![
        WatchedFigure {
            width: hour,
            ..figure("hit rate", "hit_ratio", Unit::Ratio, hit_ratios(&watched.hits, &watched.misses))
        },
        figure("latency", "latency_mean_ms", Unit::Milliseconds, watched.latency_ms.clone()),
        figure("operations", "node_commands", Unit::PerSecond, watched.operations.series.clone()),
        figure("memory", "node_used_memory_bytes", Unit::Bytes, watched.used_memory_bytes.clone()),
    ]
}

fn episodes<'a>(
    figure: &'a WatchedFigure,
    facts: &'a OptimizeFacts,
    is_new: impl Fn(&Anomaly) -> bool,
    notes: &mut Vec<String>,
) -> Vec<Found<'a>> {
    let all = figure.anomalies.episodes.iter().copied();
    let mut lately: Vec<Anomaly> =
        all.filter(|episode| episode.until >= facts.from && is_new(episode)).collect();
    lately.sort_by(|a, b| b.score.total_cmp(&a.score));
    if lately.len() > MOST_EPISODES {
        let rest = lately.len() - MOST_EPISODES;
        notes.push(format!("anomalies of {}: {rest} that were less far off are not told", figure.name));
    }
    lately.truncate(MOST_EPISODES);
    lately.sort_by_key(|episode| episode.from);
    let found = |episode| Found { figure, episode, cause: cause(figure, &episode, facts) };
    lately.into_iter().map(found).collect()
}

/// What the figures of one cause did; there is one figure at least.
fn finding(alike: &[Found<'_>], facts: &OptimizeFacts) -> Finding {
    let cause = alike.iter().find_map(|one| one.cause.as_ref());
    let subject = facts.cache.as_deref().unwrap_or("cache");
    let messages: Vec<String> = alike.iter().map(|one| message(one.figure, &one.episode)).collect();
    let mut finding = Finding::new(ids::ANOMALY, Severity::Info, subject).saying(format!(
        "{} {}",
        messages.join(" "),
        because(cause, facts)
    ));
    for Found { figure, episode, .. } in alike {
        finding = finding
            .with_evidence("figure", figure.name, None)
            .with_evidence("measured", episode.value, figure.unit)
            .with_evidence("expected", episode.expected, figure.unit)
            .with_evidence("standard_deviations_off", episode.score, None);
    }
    for moved in cause.iter().flat_map(|(_, cause)| &cause.evidence) {
        finding = finding.with_evidence(moved.metric, moved.during, unit_of(moved.metric));
    }
    let (recommendation, effect, risk) = advice(cause.map(|(_, cause)| cause.kind));
    finding.recommending(recommendation).expecting(effect).risking(risk)
}

/// The first node of which something moved with it.
pub(super) fn cause<'a>(
    figure: &WatchedFigure,
    episode: &Anomaly,
    facts: &'a OptimizeFacts,
) -> Option<(&'a NodeAddress, Cause)> {
    let mut time = *episode;
    time.until += figure.width;
    facts.watched.surroundings.iter().find_map(|(node, surroundings)| {
        Some((node, likely_cause(&time, &surroundings.clone().about(figure.metric))?))
    })
}

fn message(figure: &WatchedFigure, episode: &Anomaly) -> String {
    let (from, until) = (episode.from, episode.until + figure.width);
    let until = if from.date_naive() == until.date_naive() {
        until.format("%H:%M")
    } else {
        until.format("%F %H:%M")
    };
    let time = if episode.from == episode.until && figure.width.is_zero() {
        format!("At {}", from.format("%F %H:%M UTC"))
    } else {
        format!("From {} to {until} UTC", from.format("%F %H:%M"))
    };
    let what = match episode.basis {
        Basis::Value => figure.name.to_owned(),
        Basis::Level => format!("median of six hours of the {}", figure.name),
    };
    let far = match episode.direction {
        Direction::Above => "up to",
        Direction::Below => "down to",
    };
    let number = |value| number(value, figure.unit);
    format!(
        "{time} the {what} went {far} {}, where {} was expected.",
        number(episode.value),
        number(episode.expected),
    )
}

pub(super) fn because(cause: Option<&(&NodeAddress, Cause)>, facts: &OptimizeFacts) -> String {
    match cause {
        Some((node, cause)) => format!("The likely cause on {node}: {}.", cause.message),
        None if facts.watched.surroundings.iter().all(|(_, around)| around.is_empty()) => {
            "What else moved then is not in the history.".to_owned()
        }
        None => "Nothing else that is followed explains it.".to_owned(),
    }
}

pub(super) fn number(value: f64, unit: Unit) -> String {
    without_sign_of_nothing(match unit {
        Unit::Ratio => percent(value),
        Unit::Bytes => whole_bytes(value),
        Unit::Milliseconds => format!("{value:.2} ms"),
        Unit::PerSecond => format!("{value:.1} a second"),
        _ => format!("{value:.1}"),
    })
}

/// Of a counter what moved is what it comes to a second.
fn unit_of(name: &str) -> Option<Unit> {
    let metric = metric(name)?;
    Some(if metric.kind == MetricKind::Counter { Unit::PerSecond } else { metric.unit })
}

pub(super) fn advice(kind: Option<CauseKind>) -> (&'static str, &'static str, &'static str) {
    match kind {
        Some(CauseKind::Restart) => (
            "Find out from the server's log, and that of its machine, why it was started anew.",
            "It is started anew only where someone means to.",
            "Looking changes nothing.",
        ),
        Some(CauseKind::Flush) => (
            "Find out who flushed it, and take the right to FLUSHALL and FLUSHDB from users that need none (`larder audit`).",
            "The cache is emptied only where someone means to.",
            "A program that flushes on purpose then fails.",
        ),
        Some(CauseKind::Fork) => (
            "Write dumps in a calm hour or on a replica, and turn transparent huge pages off.",
            "A fork is not felt.",
            "Fewer dumps mean that more is lost with the server.",
        ),
        Some(CauseKind::ClientStorm) => (
            "Let clients keep their connections in a pool, and wait a random time before they connect anew.",
            "Clients come one by one.",
            "After an outage the last clients are back a little later.",
        ),
        Some(CauseKind::ExpiryBurst) => (
            "Spread the TTLs of what is written together: add a random tenth to each.",
            "Keys go one by one, and so do the look-ups that make them anew.",
            "A value may be a tenth of its TTL older than before.",
        ),
        Some(CauseKind::BigKey) => (
            "Find the biggest keys (`larder keys top`), and split or compress them.",
            "No answer holds up the others.",
            "Whoever reads the values has to know of their new form.",
        ),
        _ => (
            "Look at what else happened then: deployments, jobs, the application's log (`larder metrics show METRIC --points`).",
            "What it was is known when it comes again.",
            "Looking changes nothing.",
        ),
    }
}
