//! What one resource will be.

use chrono::{DateTime, TimeDelta, Utc};
use larder_metrics_model::Unit;
use serde::Serialize;

use super::{
    CapacityModel, CapacityOptions, Growth, LimitSource, MonthOverMonth, Passing, ResourceFacts,
    ResourceKind, ResourceLimit,
    foretell::{Foretelling, foretell, widen},
    growth,
    period::{self, Used},
};
use crate::{TrendWord, series::TimeSeries};

/// What one resource is, how fast it grows, and when it passes its limit.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ResourceOutlook {
    /// What it is.
    pub resource: ResourceKind,
    /// Of which node, or of which cache.
    pub subject: String,
    /// What it is counted in; of the network and of operations a second.
    pub unit: Unit,
    /// What was measured last; null where nothing was.
    pub latest: Option<f64>,
    /// When that was.
    pub measured_at: Option<DateTime<Utc>>,
    /// From when on the history was used.
    pub used_from: Option<DateTime<Utc>>,
    /// Which way it goes over that time.
    pub trend: TrendWord,
    /// How fast; null where less than a week was measured.
    pub growth: Option<Growth>,
    /// The last two whole months of the calendar; null where they are not there.
    pub month_over_month: Option<MonthOverMonth>,
    /// How much there is.
    pub limit: Option<f64>,
    /// What says so.
    pub limit_source: Option<LimitSource>,
    /// Why there is no limit, or why it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_no_limit: Option<String>,
    /// Whether keys are removed where it is full, so that nothing is refused.
    pub evicts: bool,
    /// When it passes the share that counts as nearly full, and when the limit; empty where there is none.
    pub passings: Vec<Passing>,
    /// How it was foretold; null where it could not be.
    pub model: Option<CapacityModel>,
    /// Why nothing is foretold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_not_foretold: Option<String>,
    /// What was left out or filled in of the history, and why.
    pub notes: Vec<String>,
}

/// A server at its limit evicts or refuses before it is passed, and so stays a little below it.
const FULL_MEMORY: f64 = 0.99;
/// What was not measured for so long is said.
pub(super) const STALE: TimeDelta = TimeDelta::days(2);

impl ResourceOutlook {
    pub(super) fn of(facts: &ResourceFacts, options: &CapacityOptions, now: DateTime<Utc>) -> Self {
        let mut notes = facts.notes.clone();
        notes.extend(facts.series.unusable_note());
        let Used { series: rest, is_filling } = period::used(facts, &mut notes);
        say_how_fresh(&rest, now, &mut notes);
        let Foretelling { series: rest, known: mut foretold } = match &is_filling {
            Some(why) => Foretelling { series: rest, known: Err(why.clone()) },
            None => foretell(facts.kind, rest, options.horizon, now, &mut notes),
        };
        // Growth is that of the same part of the history.
        let rest = foretold.as_ref().map_or(rest.clone(), |known| rest.since(known.begin));
        let (trend, growth) = if is_filling.is_some() { Default::default() } else { growth::growth(&rest) };
        if let Some((known, growth)) = foretold.as_mut().ok().zip(growth) {
            widen(&mut known.forecast, &growth);
        }
        let latest = facts.series.last();
        let (limit, limit_source, why_no_limit) = match &facts.limit {
            ResourceLimit::Known { value, source } => (Some(*value), Some(*source), None),
            ResourceLimit::Unlimited(why) | ResourceLimit::Unknown(why) => (None, None, Some(why.clone())),
        };
        let known = foretold.as_ref().ok().map(|it| (&it.forecast, it.days));
        let reached = if facts.kind == ResourceKind::Memory { FULL_MEMORY } else { 1.0 };
        let passing =
            |limit: f64, share| Passing::of((share, reached), limit, latest.map(|it| it.value), known, now);
        let shares = shares(options);
        let passings = limit.iter().flat_map(|limit| shares.iter().map(|share| passing(*limit, *share)));
        let passings = passings.collect();
        Self {
            resource: facts.kind,
            subject: facts.subject.clone(),
            unit: facts.kind.unit(),
            latest: latest.map(|it| it.value),
            measured_at: latest.map(|it| it.at),
            used_from: rest.first().map(|it| it.at),
            trend,
            growth,
            month_over_month: growth::month_over_month(&rest, facts.kind.summarise()),
            limit,
            limit_source,
            why_no_limit,
            evicts: facts.evicts(),
            passings,
            why_not_foretold: foretold.as_ref().err().cloned(),
            model: foretold.ok().map(|it| CapacityModel::of(&it.forecast, it.measured_share, it.days)),
            notes,
        }
    }

    /// Tells whether nothing was measured lately, so that what was measured last need not be what is there.
    #[must_use]
    pub fn is_stale(&self, now: DateTime<Utc>) -> bool {
        self.measured_at.is_some_and(|at| now - at > STALE)
    }

    /// Returns when it is full.
    #[must_use]
    pub fn full(&self) -> Option<&Passing> {
        self.passings.last()
    }

    /// Returns when it is nearly full.
    #[must_use]
    pub fn nearly_full(&self) -> Option<&Passing> {
        self.passings.first()
    }
}

/// What counts as nearly full, and what is; one where both are the same.
fn shares(options: &CapacityOptions) -> Vec<f64> {
    let near = options.near_share.get();
    if near < 1.0 { vec![near, 1.0] } else { vec![1.0] }
}

fn say_how_fresh(series: &TimeSeries, now: DateTime<Utc>, notes: &mut Vec<String>) {
    let Some(last) = series.last() else { return };
    if now - last.at > STALE {
        notes.push(format!("nothing has been measured since {}", period::minute(last.at)));
    }
}
