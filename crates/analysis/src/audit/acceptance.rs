//! Findings that are known and lived with.

use chrono::NaiveDate;
use serde::{Deserialize, Deserializer, Serialize, de::Error};

use super::{CACHE, CACHE_UNREACHABLE, machines};
use crate::{Check, CheckState, Finding};

/// A finding that is known and lived with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// The id of the finding.
    pub id: String,
    /// On which node, or machine; on every one where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Why it is lived with; it is never read as empty.
    #[serde(deserialize_with = "said")]
    pub reason: String,
    /// The last day on which it is.
    pub until: NaiveDate,
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

/// Findings, parted by what is accepted.
#[derive(Debug, Default)]
pub(super) struct Parted {
    /// What counts.
    pub(super) findings: Vec<Finding>,
    pub(super) accepted: Vec<Accepted>,
    /// What counts again.
    pub(super) ended: Vec<Accepted>,
    /// What is accepted and was not found.
    pub(super) unmatched: Vec<Acceptance>,
}

fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let reason = String::deserialize(deserializer)?;
    if reason.trim().is_empty() {
        return Err(D::Error::custom("the reason is empty: say why the finding is lived with"));
    }
    Ok(reason)
}

/// Parts what was found by what is accepted until when.
pub(super) fn part(found: Vec<Finding>, checks: &[Check], list: &[Acceptance], today: NaiveDate) -> Parted {
    let is_unmatched =
        |one: &&Acceptance| !found.iter().any(|finding| one.covers(finding)) && !one.is_unseen(checks);
    let unmatched = list.iter().filter(is_unmatched).cloned().collect();
    let mut parted = Parted { unmatched, ..Parted::default() };
    for finding in found {
        // Of several the one that lasts longest holds.
        let acceptance = list.iter().filter(|one| one.covers(&finding)).max_by_key(|one| one.until);
        match acceptance {
            Some(one) if one.until >= today => parted.accepted.push(one.of(&finding)),
            Some(one) => {
                parted.ended.push(one.of(&finding));
                parted.findings.push(finding);
            }
            None => parted.findings.push(finding),
        }
    }
    parted
}

impl Acceptance {
    fn of(&self, finding: &Finding) -> Accepted {
        Accepted { finding: finding.clone(), reason: self.reason.clone(), until: self.until }
    }

    fn covers(&self, finding: &Finding) -> bool {
        self.id == finding.id.as_str() && self.is_about(&finding.subject)
    }

    fn is_about(&self, subject: &str) -> bool {
        let Some(named) = &self.subject else { return true };
        named == subject || (machines::is_of_machine(&self.id) && named == machines::host(subject))
    }

    /// Tells whether it could not be seen if there is such a finding.
    fn is_unseen(&self, checks: &[Check]) -> bool {
        checks.iter().filter(|check| check.state == CheckState::Unknown).any(|check| {
            (check.id == self.id && self.is_about(&check.subject))
                || (check.id == CACHE_UNREACHABLE.as_str() && check.subject == CACHE)
        })
    }
}
