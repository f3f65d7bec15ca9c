//! Where judgements are written down while they are made.

use std::collections::BTreeSet;

use larder_metrics_model::{Observed, Skipped};

use super::{Check, CheckState, HealthVerdict, PerformanceDatum, Status};
use crate::Finding;

/// What one check came to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// Fine; what was seen.
    Fine(String),
    /// Something was found.
    Found {
        /// What was seen.
        value: String,
        /// What it means.
        finding: Finding,
    },
    /// Asked for, and the answer did not come or makes no sense.
    Unknown(String),
    /// Not asked for, blocked, or not given.
    Skipped(String),
    /// There is no such thing here, such as the link to a primary on a primary.
    NotApplicable,
}

/// Checks, findings and numbers, in the order in which they come.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    checks: Vec<Check>,
    findings: Vec<Finding>,
    skipped: Vec<Skipped>,
    performance_data: Vec<PerformanceDatum>,
    labels: BTreeSet<String>,
}

impl Outcome {
    /// Records a finding.
    pub(super) fn found(value: impl Into<String>, finding: Finding) -> Self {
        Self::Found { value: value.into(), finding }
    }

    /// Judges a field of INFO; one that the server does not give is skipped.
    pub(super) fn of<T>(field: &str, given: Option<T>, judge: impl FnOnce(T) -> Self) -> Self {
        match given {
            Some(value) => judge(value),
            None => Self::not_given(field),
        }
    }

    /// Records that the server does not give a field.
    pub(super) fn not_given(field: &str) -> Self {
        Self::Skipped(format!("the server does not give {field}"))
    }
}

impl Ledger {
    /// Writes down what a check came to.
    pub(super) fn record(&mut self, id: &'static str, subject: &str, outcome: Outcome) {
        let (state, value, reason) = match outcome {
            Outcome::NotApplicable => return,
            Outcome::Fine(value) => (CheckState::Ok, Some(value), None),
            Outcome::Found { value, finding } => {
                let reason = finding.message.clone();
                let state = finding.severity.into();
                self.findings.push(finding);
                (state, Some(value), Some(reason))
            }
            Outcome::Unknown(reason) => (CheckState::Unknown, None, Some(reason)),
            Outcome::Skipped(reason) => {
                self.skipped.push(Skipped::new(format!("{id} of {subject}"), reason.clone()));
                (CheckState::Skipped, None, Some(reason))
            }
        };
        self.checks.push(Check { id, subject: subject.to_owned(), state, value, reason });
    }

    /// Writes down why something is not known; what is known is not written.
    pub(super) fn record_unknown<T>(&mut self, id: &'static str, subject: &str, observed: &Observed<T>) {
        match observed {
            Observed::Known(_) => {}
            Observed::Skipped(reason) => self.record(id, subject, Outcome::Skipped(reason.clone())),
            Observed::Failed(failure) => self.record(id, subject, Outcome::Unknown(failure.reason.clone())),
        }
    }

    /// Takes over what the gatherer did not look at.
    pub(super) fn skip_all(&mut self, skipped: &[Skipped]) {
        self.skipped.extend_from_slice(skipped);
    }

    /// Writes down a number; what is not finite is no number, and a label that is taken gets a counter.
    pub(super) fn measure(&mut self, mut datum: PerformanceDatum) {
        if !datum.value.is_finite() {
            return;
        }
        let wanted = datum.label.clone();
        for copy in 2_u64.. {
            if self.labels.insert(datum.label.clone()) {
                break;
            }
            datum.label = format!("{wanted} {copy}");
        }
        self.performance_data.push(datum);
    }

    /// Returns how many checks saw something and judged it.
    pub(super) fn judged(&self) -> usize {
        self.checks.iter().filter(|check| check.state.is_judged()).count()
    }

    /// Makes the verdict.
    pub(super) fn close(mut self, cache_was_judged: bool) -> HealthVerdict {
        self.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        HealthVerdict {
            status: Status::of(&self.findings, cache_was_judged),
            findings: self.findings,
            checks: self.checks,
            skipped: self.skipped,
            performance_data: self.performance_data,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::PerformanceUnit;

    #[test]
    fn labels_are_unique_and_numbers_finite() {
        let mut ledger = Ledger::default();
        for (label, value) in [("a", 1.0), ("a", 2.0), ("a 2", 3.0), ("b", f64::NAN), ("a", 4.0)] {
            ledger.measure(PerformanceDatum::new(label, value, PerformanceUnit::Plain));
        }
        let data = ledger.close(true).performance_data;
        let labels: Vec<&str> = data.iter().map(|datum| datum.label.as_str()).collect();
        assert_eq!(labels, ["a", "a 2", "a 2 2", "a 3"]);
    }

    #[test]
    fn what_is_skipped_is_listed_and_what_is_unknown_is_not_ok() {
        let mut ledger = Ledger::default();
        ledger.record("node.memory", "a:1", Outcome::not_given("maxmemory"));
        ledger.record("node.ping", "a:1", Outcome::Unknown("NaN ms".to_owned()));
        assert_eq!(ledger.judged(), 0);
        let verdict = ledger.close(false);
        assert_eq!(verdict.skipped[0].what, "node.memory of a:1");
        assert_eq!(verdict.checks[1].state, CheckState::Unknown);
    }
}
