//! What an audit comes to.

use std::{cmp::Reverse, fmt};

use chrono::NaiveDate;
use larder_metrics_model::Skipped;
use serde::Serialize;

use super::{Acceptance, Accepted};
use crate::{Check, CheckState, Finding, PerformanceDatum, Severity, Status, wording::clause};

/// What is not to count.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct AuditOptions {
    /// Findings that are known and lived with.
    pub accepted: Vec<Acceptance>,
}

/// Rules that could not be judged on one node for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownGroup<'a> {
    /// Of which node; of the cache where it is of more than one.
    pub subject: &'a str,
    /// Why.
    pub reason: &'a str,
    /// Which rules.
    pub ids: Vec<&'static str>,
}

/// The audit of a cache.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AuditVerdict {
    /// The worst of the findings that count; unknown where there is none and a rule could not be judged.
    pub status: Status,
    /// What was found and counts, worst first.
    pub findings: Vec<Finding>,
    /// What was found and is accepted.
    pub accepted: Vec<Accepted>,
    /// Findings whose acceptance has ended: they count again, and are among the findings too.
    pub ended: Vec<Accepted>,
    /// What is accepted and was not found, though it was looked for: mended since, or written wrong.
    pub unmatched: Vec<Acceptance>,
    /// Every rule on every node.
    pub checks: Vec<Check>,
    /// What was not looked at, with the reason.
    pub skipped: Vec<Skipped>,
    /// The numbers, for monitoring systems.
    pub performance_data: Vec<PerformanceDatum>,
    /// What was published after this day may be missing from the list of advisories.
    pub advisories_as_of: Option<NaiveDate>,
}

impl AuditVerdict {
    /// Returns how many findings that count have this severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// Returns the rules that could not be judged, those of one node and one reason together, most of them first.
    #[must_use]
    pub fn unknown(&self) -> Vec<UnknownGroup<'_>> {
        let mut groups: Vec<UnknownGroup<'_>> = Vec::new();
        for check in self.checks.iter().filter(|check| check.state == CheckState::Unknown) {
            let (subject, reason) = (check.subject.as_str(), check.reason.as_deref().unwrap_or("-"));
            match groups.iter_mut().find(|group| group.subject == subject && group.reason == reason) {
                Some(group) => group.ids.push(check.id),
                None => groups.push(UnknownGroup { subject, reason, ids: vec![check.id] }),
            }
        }
        groups.sort_by_key(|group| Reverse(group.ids.len()));
        groups
    }

    /// Returns one line that says how it is: the counts, then the worst finding, and why most of the unknown is unknown.
    #[must_use]
    pub fn summary(&self) -> String {
        let unknown = self.checks.iter().filter(|check| check.state == CheckState::Unknown).count();
        let counts = format!(
            "{} - {} critical, {} warning, {} info, {} accepted, {} unknown, {} looked at",
            self.status,
            self.count(Severity::Critical),
            self.count(Severity::Warning),
            self.count(Severity::Info),
            self.accepted.len(),
            unknown,
            self.checks.len() - unknown
        );
        let worst = self.findings.first().filter(|finding| finding.severity > Severity::Info);
        let worst = worst.map(|worst| format!("{}: {}", worst.subject, clause(&worst.message)));
        let most = self.unknown().first().map(|most| format!("unknown: {most}"));
        let parts: Vec<String> = std::iter::once(counts).chain(worst).chain(most).collect();
        parts.join("; ")
    }
}

impl fmt::Display for UnknownGroup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// More are a list that no one reads.
        const NAMED: usize = 3;
        let Self { subject, reason, ids } = self;
        if ids.len() > NAMED {
            write!(f, "{} rules of {subject}: {reason}", ids.len())
        } else {
            write!(f, "{} of {subject}: {reason}", ids.join(", "))
        }
    }
}
