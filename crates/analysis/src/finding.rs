//! One judgement: the word that health, optimiser, audit and alerting share.

use std::fmt;

use larder_metrics_model::{Ratio, Unit};
use serde::Serialize;

/// How much a finding matters; a later one matters more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; nothing has to be done.
    Info,
    /// Has to be looked at in working hours.
    Warning,
    /// Users are hurt, or soon will be.
    Critical,
}

/// The stable name of a kind of finding, such as `node.unreachable`. Rules, silences and reports refer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct FindingId(&'static str);

/// One judgement, with the numbers it rests on and what to do about it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What kind of finding it is.
    pub id: FindingId,
    /// How much it matters.
    pub severity: Severity,
    /// What it is about: a node, a mount point, a container, a URL.
    pub subject: String,
    /// What was found, in one sentence with the numbers in it.
    pub message: String,
    /// The numbers.
    pub evidence: Vec<Evidence>,
    /// What to do; empty where nothing has to be done.
    pub recommendation: String,
    /// What doing it would change, where that can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_effect: Option<String>,
    /// What may go wrong where it is done, and what is to be known before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<String>,
}

/// One number, or word, that a finding rests on.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Evidence {
    /// What it is, in the words of the metrics: `used_memory`, `threshold`.
    pub name: &'static str,
    /// Its value.
    pub value: EvidenceValue,
    /// What it counts; `None` for a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
}

/// The value of a piece of evidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum EvidenceValue {
    /// A count, exact.
    Count(u64),
    /// A measured number.
    Number(f64),
    /// A word, such as the name of a policy.
    Text(String),
}

impl FindingId {
    /// Names a kind of finding: `area.what`, lower case.
    #[must_use]
    pub const fn new(id: &'static str) -> Self {
        Self(id)
    }

    /// Returns the name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl Finding {
    /// Begins a finding about `subject`; the message follows with [`saying`](Self::saying).
    pub fn new(id: FindingId, severity: Severity, subject: impl Into<String>) -> Self {
        Self {
            id,
            severity,
            subject: subject.into(),
            message: String::new(),
            evidence: Vec::new(),
            recommendation: String::new(),
            expected_effect: None,
            risk: None,
        }
    }

    /// Says what was found.
    #[must_use]
    pub fn saying(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// Adds a piece of evidence; a word has no unit.
    #[must_use]
    pub fn with_evidence(
        mut self,
        name: &'static str,
        value: impl Into<EvidenceValue>,
        unit: impl Into<Option<Unit>>,
    ) -> Self {
        self.evidence.push(Evidence { name, value: value.into(), unit: unit.into() });
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn recommending(mut self, recommendation: impl Into<String>) -> Self {
        self.recommendation = recommendation.into();
        self
    }

    /// Says what doing it would change.
    #[must_use]
    pub fn expecting(mut self, effect: impl Into<String>) -> Self {
        self.expected_effect = Some(effect.into());
        self
    }

    /// Says what may go wrong where it is done.
    #[must_use]
    pub fn risking(mut self, risk: impl Into<String>) -> Self {
        self.risk = Some(risk.into());
        self
    }
}

impl From<u64> for EvidenceValue {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<f64> for EvidenceValue {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<Ratio> for EvidenceValue {
    fn from(ratio: Ratio) -> Self {
        Self::Number(ratio.get())
    }
}

impl From<&str> for EvidenceValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        })
    }
}

/// `critical 10.0.0.1:6379: The node does not answer: connection refused. [node.unreachable]`
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {} [{}]", self.severity, self.subject, self.message, self.id)
    }
}

/// Checks that the README has a row for each of these kinds of findings, and for no other that is meant.
#[cfg(test)]
pub(crate) fn assert_documented(all: &[FindingId], is_meant: impl Fn(&str) -> bool) {
    use std::collections::BTreeSet;
    let rows =
        include_str!("../README.md").lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let rows: BTreeSet<&str> = rows.map(|(id, _)| id).filter(|id| is_meant(id)).collect();
    let ids: BTreeSet<&str> = all.iter().map(|id| id.as_str()).collect();
    assert_eq!(ids.len(), all.len(), "an id is there twice");
    assert_eq!(rows, ids);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_are_ordered() {
        assert!(Severity::Info < Severity::Warning && Severity::Warning < Severity::Critical);
    }

    #[test]
    fn a_finding_reads_as_one_line_and_as_json() {
        let finding = Finding::new(FindingId::new("node.memory_high"), Severity::Warning, "a:1")
            .saying("Memory is at 90.0 %.")
            .with_evidence("used_memory", 90_u64, Unit::Bytes)
            .with_evidence("policy", "noeviction", None)
            .recommending("Raise maxmemory.");
        assert_eq!(finding.to_string(), "warning a:1: Memory is at 90.0 %. [node.memory_high]");
        let json = serde_json::to_value(&finding).unwrap();
        assert_eq!(
            json["evidence"][0],
            serde_json::json!({"name": "used_memory", "value": 90, "unit": "bytes"})
        );
        assert_eq!(json["evidence"][1], serde_json::json!({"name": "policy", "value": "noeviction"}));
        assert!(json.get("expected_effect").is_none());
    }
}
