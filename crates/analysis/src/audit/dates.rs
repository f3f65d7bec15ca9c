//! Rules about days: what ends, and what is too old.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use larder_metrics_model::Observed;

use super::{AuditedNode, security};
use crate::{Check, CheckState, Finding, FindingId, Severity, wording::counted};

pub(super) const CERTIFICATE_ENDS: FindingId = FindingId::new("audit.certificate_ends");
pub(super) const ADVISORIES_OLD: FindingId = FindingId::new("audit.advisories_old");

/// Time enough to get another one.
const CERTIFICATE_WARNING: TimeDelta = TimeDelta::days(30);
const CERTIFICATE_CRITICAL: TimeDelta = TimeDelta::days(7);
/// A list that is older says little of what is known now.
const LIST_KEPT: TimeDelta = TimeDelta::days(180);

/// Judges how long the certificate of a node still holds; a node without TLS has none.
pub(super) fn judge_certificate(
    node: &AuditedNode,
    now: DateTime<Utc>,
    checks: &mut Vec<Check>,
    found: &mut Vec<Finding>,
) {
    let subject = node.node.as_str();
    match &node.certificate_ends {
        Observed::Known(ends) => {
            let seen = written(*ends, now);
            let severity = match *ends - now {
                left if left <= CERTIFICATE_CRITICAL => Some(Severity::Critical),
                left if left <= CERTIFICATE_WARNING => Some(Severity::Warning),
                _ => None,
            };
            checks.push(seen_as(CERTIFICATE_ENDS, subject, severity, &seen));
            found.extend(severity.map(|severity| {
                Finding::new(CERTIFICATE_ENDS, severity, subject)
                    .saying(format!("The certificate of its TLS port {seen}. Clients that verify it are then refused by themselves."))
                    .with_evidence("seen_by", "the TLS handshake", None)
                    .recommending("Put a new certificate in place, and CONFIG SET tls-cert-file and tls-key-file to the same names, which reads them again.")
                    .expecting("Clients go on connecting.")
                    .risking("One by an authority that clients do not trust locks them out.")
            }));
        }
        Observed::Skipped(_) => {}
        Observed::Failed(failure) => {
            // Where the settings are blocked that is why, in the same words as for the other rules.
            let blocked = node.all_settings().err().filter(|why| why.ends_with(&failure.reason));
            let why = blocked.as_deref().unwrap_or(&failure.reason);
            checks.push(super::unknown(CERTIFICATE_ENDS, subject, why));
        }
    }
}

fn written(ends: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let day = ends.format("%Y-%m-%d %H:%M UTC");
    let days = (ends - now).num_days();
    if ends <= now {
        return format!("has ended on {day}");
    }
    format!("ends on {day}, in {}", counted(days.unsigned_abs(), "day"))
}

/// Judges whether the list of advisories is recent enough to say that nothing is known.
pub(super) fn judge_list(today: NaiveDate, checks: &mut Vec<Check>, found: &mut Vec<Finding>) {
    let as_of = match security::with_list(|list| list.as_of) {
        Ok(as_of) => as_of,
        Err(why) => return checks.push(super::unknown(ADVISORIES_OLD, "cache", &why)),
    };
    let age = today - as_of;
    let severity = (age > LIST_KEPT).then_some(Severity::Warning);
    let seen = format!("of {as_of}, {} old", counted(age.num_days().max(0).unsigned_abs(), "day"));
    checks.push(seen_as(ADVISORIES_OLD, "cache", severity, &seen));
    found.extend(severity.map(|severity| {
        Finding::new(ADVISORIES_OLD, severity, "cache")
            .saying(format!(
                "The list of advisories is {seen}: vulnerabilities that became known since are not in it."
            ))
            .with_evidence("seen_by", "the list of advisories", None)
            .recommending("Install a newer Larder, which brings a newer list.")
            .expecting("What is known by now is found.")
            .risking("None that is known.")
    }));
}

fn seen_as(id: FindingId, subject: &str, severity: Option<Severity>, seen: &str) -> Check {
    let state = severity.map_or(CheckState::Ok, CheckState::from);
    Check { id: id.as_str(), subject: subject.to_owned(), state, value: Some(seen.to_owned()), reason: None }
}
