//! Figures that have another level than before.

use chrono::TimeDelta;
use larder_metrics_model::Unit;

use super::{
    Analysis, ChangeOfLevel, HitRateAnalysis, LatencyAnalysis, MemoryAnalysis, OperationAnalysis,
    OptimizeFacts, WatchedFigure, ids,
    unusual::{because, cause, number},
};
use crate::{Anomaly, Direction, Finding, LevelChange, Severity, TrendWord};

/// A figure whose level changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Changed<'a> {
    name: &'static str,
    unit: Unit,
    change: &'a ChangeOfLevel,
}

/// An anomaly that begins so near to a change is the same.
const NEAR: TimeDelta = TimeDelta::hours(12);
/// So many changes are told one by one, the last ones.
const MOST_TOLD: usize = 4;

impl<'a> Changed<'a> {
    pub(super) fn all(
        hit_rate: &'a Analysis<HitRateAnalysis>,
        latency: &'a Analysis<LatencyAnalysis>,
        memory: &'a Analysis<MemoryAnalysis>,
        operations: &'a Analysis<OperationAnalysis>,
    ) -> Vec<Self> {
        let all = [
            ("hit rate", Unit::Ratio, hit_rate.known().and_then(|known| known.change_of_level.as_ref())),
            ("latency", Unit::Milliseconds, latency.known().and_then(|known| known.change_of_level.as_ref())),
            ("memory", Unit::Bytes, memory.known().and_then(|known| known.change_of_level.as_ref())),
            (
                "operations",
                Unit::PerSecond,
                operations.known().and_then(|known| known.change_of_level.as_ref()),
            ),
        ];
        all.into_iter()
            .filter_map(|(name, unit, change)| Some(Self { name, unit, change: change? }))
            .collect()
    }

    /// Tells whether an anomaly of a figure is the beginning of its new level.
    pub(super) fn tells(&self, figure: &str, episode: &Anomaly) -> bool {
        let is_same = |change: &LevelChange| {
            let rises = change.after > change.before;
            (episode.from - change.at).abs() <= NEAR && rises == (episode.direction == Direction::Above)
        };
        figure == self.name && self.change.changes.iter().any(is_same)
    }

    pub(super) fn finding(&self, figures: &[WatchedFigure], facts: &OptimizeFacts) -> Finding {
        let ChangeOfLevel { changes, now, trend_since, .. } = self.change;
        let subject = facts.cache.as_deref().unwrap_or("cache");
        let before = changes.last().map_or(*now, |last| last.before);
        Finding::new(ids::LEVEL_CHANGED, Severity::Info, subject)
            .saying(self.message(figures, facts))
            .with_evidence("figure", self.name, None)
            .with_evidence("changed_at", self.change.since.format("%F %H:%M UTC").to_string().as_str(), None)
            .with_evidence("before", before, self.unit)
            .with_evidence("now", *now, self.unit)
            .with_evidence("trend_since", trend_since.as_str(), None)
            .recommending(
                "Look at what was changed then: a deployment, a setting, what clients ask for (`larder metrics show METRIC --points`).",
            )
            .expecting("Where the change was not meant it is taken back; where it was, the new level is the one to judge by.")
            .risking("Looking changes nothing.")
    }

    fn message(&self, figures: &[WatchedFigure], facts: &OptimizeFacts) -> String {
        let changes = &self.change.changes;
        let told = changes.get(changes.len().saturating_sub(MOST_TOLD)..).unwrap_or_default();
        let steps: Vec<String> = told.iter().map(|change| self.step(change)).collect();
        let mut message = format!("{} {}{}.", self.subject(), steps.join(", and "), self.since());
        if let Some(cause) = self.cause(figures, facts) {
            message = format!("{message} {cause}");
        }
        message
    }

    fn subject(&self) -> &'static str {
        match self.name {
            "hit rate" => "The hit rate",
            "latency" => "The latency",
            "memory" => "Memory",
            _ => "The number of operations",
        }
    }

    fn step(&self, change: &LevelChange) -> String {
        format!(
            "{} from {} to {} at {}",
            if change.after > change.before { "rose" } else { "fell" },
            number(change.before, self.unit),
            number(change.after, self.unit),
            change.at.format("%F %H:%M UTC"),
        )
    }

    fn since(&self) -> String {
        match self.change.trend_since {
            TrendWord::Stable => " and has stayed there".to_owned(),
            TrendWord::NotEnoughData => String::new(),
            word => format!("; since then it is {word}"),
        }
    }

    /// What moved with the anomaly that the last change began with.
    fn cause(&self, figures: &[WatchedFigure], facts: &OptimizeFacts) -> Option<String> {
        let figure = figures.iter().find(|figure| figure.name == self.name)?;
        let last = ChangeOfLevel { changes: vec![*self.change.changes.last()?], ..self.change.clone() };
        let last = Changed { change: &last, ..*self };
        let episode = figure.anomalies.episodes.iter().find(|episode| last.tells(self.name, episode))?;
        let cause = cause(figure, episode, facts)?;
        Some(because(Some(&cause), facts))
    }
}
