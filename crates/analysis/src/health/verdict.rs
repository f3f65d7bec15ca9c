//! What judging comes to.

use std::fmt;

use larder_metrics_model::Skipped;
use serde::Serialize;

use super::PerformanceDatum;
use crate::{Finding, Severity};

/// The state of the whole, as monitoring plugins have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing that matters was found.
    Ok,
    /// Something has to be looked at.
    Warning,
    /// Users are hurt, or soon will be.
    Critical,
    /// Nothing of the cache could be judged.
    Unknown,
}

/// The state of one thing that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// Looked at, and fine; a finding of severity info may go with it.
    Ok,
    /// A finding of severity warning goes with it.
    Warning,
    /// A finding of severity critical goes with it.
    Critical,
    /// Asked for, and the answer did not come or makes no sense.
    Unknown,
    /// Not asked for, blocked, or not given by this server.
    Skipped,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Check {
    /// What was looked at, such as `node.memory`.
    pub id: &'static str,
    /// Of what: a node, a mount point, a container, a URL.
    pub subject: String,
    /// How it is.
    pub state: CheckState,
    /// What was seen, for people; `None` where nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Why it is not ok, or not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The health of a cache and what it depends on.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct HealthVerdict {
    /// The worst of the findings; unknown where nothing of the cache could be judged.
    pub status: Status,
    /// What was found, worst first; equals stay in the order in which they were looked at.
    pub findings: Vec<Finding>,
    /// Everything that was looked at, what was fine as well.
    pub checks: Vec<Check>,
    /// What was not looked at, with the reason.
    pub skipped: Vec<Skipped>,
    /// The numbers, for monitoring systems. Labels are unique.
    pub performance_data: Vec<PerformanceDatum>,
}

impl Status {
    /// Returns the exit code of a monitoring plugin: 0 ok, 1 warning, 2 critical, 3 unknown.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    /// Returns the status that findings come to; an unseen cache is neither ok nor merely worth a warning.
    pub(super) fn of(findings: &[Finding], cache_was_judged: bool) -> Self {
        match findings.iter().map(|finding| finding.severity).max() {
            Some(Severity::Critical) => Self::Critical,
            _ if !cache_was_judged => Self::Unknown,
            Some(Severity::Warning) => Self::Warning,
            Some(Severity::Info) | None => Self::Ok,
        }
    }
}

impl HealthVerdict {
    /// Returns how many findings have this severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// Returns one line that says how it is: the counts, then the worst finding.
    #[must_use]
    pub fn summary(&self) -> String {
        let in_state = |state| self.checks.iter().filter(|check| check.state == state).count();
        let looked_at = self.checks.len() - in_state(CheckState::Skipped);
        let unknown = match in_state(CheckState::Unknown) {
            0 => String::new(),
            count => format!("{count} unknown, "),
        };
        let counts = format!(
            "{} - {} critical, {} warning, {unknown}{looked_at} looked at, {} skipped",
            self.status,
            self.count(Severity::Critical),
            self.count(Severity::Warning),
            self.skipped.len()
        );
        match self.findings.first().filter(|finding| finding.severity > Severity::Info) {
            Some(worst) => format!("{counts}; {}: {}", worst.subject, worst.message),
            None => counts,
        }
    }
}

impl CheckState {
    /// Tells whether something was seen and judged.
    #[must_use]
    pub const fn is_judged(self) -> bool {
        matches!(self, Self::Ok | Self::Warning | Self::Critical)
    }
}

impl From<Severity> for CheckState {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Ok,
            Severity::Warning => Self::Warning,
            Severity::Critical => Self::Critical,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        })
    }
}

impl fmt::Display for CheckState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
            Self::Skipped => "skipped",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FindingId;

    fn found(severity: Severity) -> Finding {
        Finding::new(FindingId::new("x.y"), severity, "s")
    }

    #[test]
    fn exit_codes_are_those_of_monitoring_plugins() {
        let codes = [Status::Ok, Status::Warning, Status::Critical, Status::Unknown].map(Status::exit_code);
        assert_eq!(codes, [0, 1, 2, 3]);
    }

    #[test]
    fn an_unseen_cache_is_unknown_unless_something_is_critical() {
        use Severity::{Critical, Info, Warning};
        for (severities, judged, expected) in [
            (vec![], true, Status::Ok),
            (vec![Info], true, Status::Ok),
            (vec![Info, Warning], true, Status::Warning),
            (vec![Warning, Critical], true, Status::Critical),
            (vec![], false, Status::Unknown),
            (vec![Warning], false, Status::Unknown),
            (vec![Critical], false, Status::Critical),
        ] {
            let findings: Vec<Finding> = severities.into_iter().map(found).collect();
            assert_eq!(Status::of(&findings, judged), expected);
        }
    }
}
