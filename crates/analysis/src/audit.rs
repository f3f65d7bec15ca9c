//! The audit: security and configuration.

mod acceptance;
mod acl;
mod advisories;
mod configuration;
mod dates;
mod deprecated;
mod facts;
mod likeness;
mod machines;
mod rule;
mod security;
mod settings_file;
mod table;
mod verdict;
mod written;

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use larder_metrics_model::{FailureKind, NodeKind, Observed, Skipped};

use self::{acceptance::Parted, rule::Judged};
pub use self::{
    acceptance::{Acceptance, Accepted},
    acl::AclUser,
    facts::{AuditFacts, AuditedNode, DANGEROUS_COMMANDS, DangerousCommand, MachineTuning},
    rule::AuditRule,
    settings_file::{SettingLine, SettingsFile},
    verdict::{AuditOptions, AuditVerdict, UnknownGroup},
};
use crate::{
    Check, CheckState, Finding, FindingId, PerformanceDatum, PerformanceUnit, Severity, Status,
    wording::number,
};

const NODES_DIFFER: FindingId = FindingId::new("audit.nodes_differ");
const CACHE_UNREACHABLE: FindingId = FindingId::new("audit.cache_unreachable");
/// What is of no node alone.
const CACHE: &str = "cache";

/// Returns the rules that are judged on each node.
#[must_use]
pub fn audit_rules() -> &'static [AuditRule] {
    table::RULES
}

/// Returns every kind of finding that an audit can hold.
pub fn audit_finding_ids() -> impl Iterator<Item = FindingId> {
    table::RULES.iter().map(|rule| rule.id).chain([
        dates::CERTIFICATE_ENDS,
        dates::ADVISORIES_OLD,
        NODES_DIFFER,
        CACHE_UNREACHABLE,
    ])
}

/// Judges what was gathered, as of `now`.
///
/// A rule that could not be judged is unknown, with the reason, and the audit is then never ok. A finding that is accepted does
/// not count until its day has passed.
#[must_use]
pub fn judge_audit(facts: &AuditFacts, options: &AuditOptions, now: DateTime<Utc>) -> AuditVerdict {
    let mut found = Vec::new();
    let mut checks = Vec::new();
    match &facts.nodes {
        Observed::Known(nodes) => {
            let nodes: Vec<&AuditedNode> =
                nodes.iter().filter(|node| node.kind != NodeKind::Sentinel).collect();
            for node in &nodes {
                let begun = checks.len();
                judge_node(node, &mut checks, &mut found);
                dates::judge_certificate(node, now, &mut checks, &mut found);
                name_silence(node, checks.get_mut(begun..).unwrap_or_default());
            }
            judge_likeness(&nodes, &mut checks, &mut found);
            if !nodes.is_empty() {
                dates::judge_list(now.date_naive(), &mut checks, &mut found);
            }
            if nodes.is_empty() {
                checks.push(unknown(CACHE_UNREACHABLE, CACHE, "no node that holds keys was found"));
            }
        }
        Observed::Skipped(why) => checks.push(unknown(CACHE_UNREACHABLE, CACHE, why)),
        Observed::Failed(failure) => checks.push(unknown(CACHE_UNREACHABLE, CACHE, &failure.reason)),
    }
    let unseen = |one: &Skipped| unknown(CACHE_UNREACHABLE, &one.what, &one.reason);
    checks.extend(facts.skipped.iter().map(unseen));
    let mut skipped: Vec<Skipped> = facts.skipped.iter().chain(&facts.beside).cloned().collect();
    skipped.extend(files_not_looked_for(facts));
    close(skipped, checks, found, options, now.date_naive())
}

/// Names the nodes whose configuration file was not looked for, those of one reason together.
fn files_not_looked_for(facts: &AuditFacts) -> Vec<Skipped> {
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for node in facts.nodes.known().into_iter().flatten().filter(|node| node.kind != NodeKind::Sentinel) {
        if let (Observed::Known(_), Observed::Skipped(reason)) = (&node.facts, &node.settings_file) {
            by_reason.entry(reason).or_default().push(node.node.as_str());
        }
    }
    let skipped = |(reason, nodes): (&str, Vec<&str>)| {
        Skipped::new(format!("configuration file of {}", nodes.join(", ")), reason)
    };
    by_reason.into_iter().map(skipped).collect()
}

/// A node that answers nothing has one cause for all that is unknown of it.
fn name_silence(node: &AuditedNode, checks: &mut [Check]) {
    let Observed::Failed(failure) = &node.facts else { return };
    let reason = match failure.kind {
        FailureKind::Other => return,
        FailureKind::Unreachable | FailureKind::Timeout => format!("it does not answer: {}", failure.reason),
        _ => failure.reason.clone(),
    };
    for check in checks.iter_mut().filter(|check| check.state == CheckState::Unknown) {
        check.reason = Some(reason.clone());
    }
}

fn unknown(id: FindingId, subject: &str, why: &str) -> Check {
    let reason = Some(why.to_owned());
    Check { id: id.as_str(), subject: subject.to_owned(), state: CheckState::Unknown, value: None, reason }
}

fn judge_node(node: &AuditedNode, checks: &mut Vec<Check>, found: &mut Vec<Finding>) {
    let subject = node.node.as_str();
    for rule in table::RULES {
        let id = rule.id.as_str();
        let check = |state, value, reason| Check { id, subject: subject.to_owned(), state, value, reason };
        match (rule.judge)(node) {
            Ok(Judged::NotHere) => {}
            Ok(Judged::Fine(seen)) => checks.push(check(CheckState::Ok, Some(seen), None)),
            Ok(Judged::Found(message)) => {
                found.push(finding(rule, subject, &message));
                checks.push(check(rule.severity.into(), Some(message), Some(rule.why.to_owned())));
            }
            Ok(Judged::Listed(message, all)) => {
                found.push(finding(rule, subject, &message).with_evidence("all", all.as_str(), None));
                checks.push(check(rule.severity.into(), Some(message), Some(rule.why.to_owned())));
            }
            Err(why) => checks.push(unknown(rule.id, subject, &why)),
        }
    }
}

fn finding(rule: &AuditRule, subject: &str, message: &str) -> Finding {
    Finding::new(rule.id, rule.severity, subject)
        .saying(format!("{message} {}", rule.why))
        .with_evidence("seen_by", rule.seen_by, None)
        .recommending(rule.mend)
        .expecting(rule.effect)
        .risking(rule.risk)
}

fn judge_likeness(nodes: &[&AuditedNode], checks: &mut Vec<Check>, found: &mut Vec<Finding>) {
    if nodes.len() < 2 {
        return;
    }
    match likeness::differences(nodes) {
        Err(why) => checks.push(unknown(NODES_DIFFER, CACHE, &why)),
        Ok(differing) => {
            let state = if differing.is_empty() { CheckState::Ok } else { CheckState::Warning };
            let value = if differing.is_empty() { "alike".to_owned() } else { differing.join(". ") };
            checks.push(Check {
                id: NODES_DIFFER.as_str(),
                subject: CACHE.to_owned(),
                state,
                value: Some(value.clone()),
                reason: None,
            });
            if !differing.is_empty() {
                found.push(
                    Finding::new(NODES_DIFFER, Severity::Warning, CACHE)
                        .saying(format!("Nodes that should be alike differ: {value}. After a failover the cache behaves differently."))
                        .with_evidence("seen_by", "INFO, CONFIG GET and ACL LIST of every node", None)
                        .recommending("Set them alike, in the configuration files as well (CONFIG REWRITE).")
                        .expecting("A failover changes nothing but the address.")
                        .risking("As that of each setting."),
                );
            }
        }
    }
}

fn close(
    skipped: Vec<Skipped>,
    checks: Vec<Check>,
    found: Vec<Finding>,
    options: &AuditOptions,
    today: NaiveDate,
) -> AuditVerdict {
    let Parted { findings, accepted, ended, unmatched } =
        acceptance::part(found, &checks, &options.accepted, today);
    let mut findings = machines::bundle(findings);
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let unknowns = checks.iter().filter(|check| check.state == CheckState::Unknown).count();
    let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let status = match findings.first().map(|finding| finding.severity) {
        Some(Severity::Critical) => Status::Critical,
        Some(Severity::Warning) => Status::Warning,
        _ if unknowns > 0 => Status::Unknown,
        _ => Status::Ok,
    };
    let datum =
        |label, count: usize| PerformanceDatum::new(label, number(count as u64), PerformanceUnit::Plain);
    let performance_data = vec![
        datum("critical", of(Severity::Critical)),
        datum("warning", of(Severity::Warning)),
        datum("info", of(Severity::Info)),
        datum("accepted", accepted.len()),
        datum("unknown", unknowns),
    ];
    let advisories_as_of = security::with_list(|list| list.as_of).ok();
    AuditVerdict {
        status,
        findings,
        accepted,
        ended,
        unmatched,
        checks,
        skipped,
        performance_data,
        advisories_as_of,
    }
}
