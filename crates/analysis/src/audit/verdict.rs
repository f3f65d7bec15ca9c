//! What an audit comes to.

use chrono::NaiveDate;
use larder_metrics_model::Skipped;
use serde::{Deserialize, Serialize};

use crate::{Check, CheckState, Finding, PerformanceDatum, Severity, Status};

/// A finding that is known and lived with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// The id of the finding.
    pub id: String,
    /// On which node; every node where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Why it is lived with.
    pub reason: String,
    /// The last day on which it is.
    pub until: NaiveDate,
}

/// What is not to count.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct AuditOptions {
    /// Findings that are known and lived with.
    pub accepted: Vec<Acceptance>,
}

/// A finding that does not count, or did not until its day.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Accepted {
    /// The finding.
    pub finding: Finding,
    /// Why it is lived with.
    pub reason: String,
    /// Until when.
    pub until: NaiveDate,
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
    /// Every rule on every node.
    pub checks: Vec<Check>,
    /// What was not looked at, with the reason.
    pub skipped: Vec<Skipped>,
    /// The numbers, for monitoring systems.
    pub performance_data: Vec<PerformanceDatum>,
    /// What was published after this day is not in the list of advisories.
    pub advisories_as_of: Option<NaiveDate>,
}

impl AuditVerdict {
    /// Returns how many findings that count have this severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// Returns one line that says how it is: the counts, then the worst finding.
    #[must_use]
    pub fn summary(&self) -> String {
        let in_state = |state| self.checks.iter().filter(|check| check.state == state).count();
        let counts = format!(
            "{} - {} critical, {} warning, {} info, {} accepted, {} unknown, {} looked at",
            self.status,
            self.count(Severity::Critical),
            self.count(Severity::Warning),
            self.count(Severity::Info),
            self.accepted.len(),
            in_state(CheckState::Unknown),
            self.checks.len()
        );
        match self.findings.first().filter(|finding| finding.severity > Severity::Info) {
            Some(worst) => format!("{counts}; {}: {}", worst.subject, worst.message),
            None => counts,
        }
    }
}
