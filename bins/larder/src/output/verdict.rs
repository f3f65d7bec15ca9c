//! A health verdict, or an audit, for people and for monitoring systems.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use larder_analysis::{
    Acceptance, Accepted, AuditVerdict, Check, CheckState, Finding, HealthVerdict, Severity, Status,
    UnknownGroup,
};
use larder_metrics_model::Skipped;

use super::table;

/// Writes a verdict for people: the sum of it, what to do, what was looked at, what was not.
pub(crate) fn for_people(verdict: &HealthVerdict) -> String {
    let mut text = String::new();
    let style = status_style(verdict.status);
    let word = verdict.status.to_string().to_uppercase();
    // The summary begins with the status in lower case; people get it in colour.
    let rest = verdict.summary();
    let rest = rest.get(word.len()..).unwrap_or_default().to_owned();
    let _ = writeln!(text, "{style}{word}{style:#}{rest}");
    write_all(&mut text, &verdict.findings);
    if !verdict.checks.is_empty() {
        text.push('\n');
        text.push_str(&checks(&verdict.checks));
    }
    if !verdict.skipped.is_empty() {
        text.push_str("\nskipped\n");
        for Skipped { what, reason } in &verdict.skipped {
            let _ = writeln!(text, "  {what}: {reason}");
        }
    }
    text
}

/// Writes findings worst first, and those of one kind together.
pub(crate) fn write_all(text: &mut String, findings: &[Finding]) {
    let mut findings = findings.to_vec();
    findings.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.id));
    for alike in findings.chunk_by(are_alike) {
        write_findings(text, alike);
    }
}

/// Nodes that are alike have alike findings; what to do about them is said once.
fn are_alike(one: &Finding, other: &Finding) -> bool {
    one.id == other.id && one.severity == other.severity && one.recommendation == other.recommendation
}

fn write_findings(text: &mut String, alike: &[Finding]) {
    text.push('\n');
    for finding in alike {
        write_heading(text, finding);
    }
    if let Some(first) = alike.first() {
        write_advice(text, first);
    }
}

/// Writes what was found.
pub(crate) fn write_heading(text: &mut String, finding: &Finding) {
    let Finding { severity, subject, message, id, .. } = finding;
    let style = severity_style(*severity);
    let _ = writeln!(text, "{style}{severity}{style:#} {subject}: {message} [{id}]");
}

/// Writes what to do about it.
pub(crate) fn write_advice(text: &mut String, finding: &Finding) {
    if !finding.recommendation.is_empty() {
        let _ = writeln!(text, "  do: {}", finding.recommendation);
    }
    if let Some(effect) = &finding.expected_effect {
        let _ = writeln!(text, "  then: {effect}");
    }
    if let Some(risk) = &finding.risk {
        let _ = writeln!(text, "  risk: {risk}");
    }
}

/// What was skipped has a list of its own, with the reasons.
fn checks(checks: &[Check]) -> String {
    let mut table = table::table(&["state", "of", "check", "seen"]);
    for check in checks.iter().filter(|check| check.state != CheckState::Skipped) {
        let seen = check.value.as_deref().or(check.reason.as_deref()).unwrap_or("-");
        table.add_row([check.state.to_string().as_str(), &check.subject, check.id, seen]);
    }
    table::written(&table)
}

/// Writes a verdict as monitoring plugins do: one line with performance data, then a line a finding.
pub(crate) fn for_monitoring(verdict: &HealthVerdict) -> String {
    let data: Vec<String> = verdict.performance_data.iter().map(ToString::to_string).collect();
    let mut text = format!("LARDER HEALTH {} | {}\n", one_line(&verdict.summary()), data.join(" "));
    for finding in &verdict.findings {
        let _ = writeln!(text, "{}", one_line(&finding.to_string()));
    }
    for skipped in &verdict.skipped {
        let _ = writeln!(text, "{}", one_line(&skipped.to_string()));
    }
    text
}

/// The form gives `|` and the end of a line a meaning of their own.
pub(crate) fn one_line(text: &str) -> String {
    text.replace('|', "/").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Writes an audit for people: the sum of it, what to do, what is accepted, what is not known.
pub(crate) fn audit_for_people(verdict: &AuditVerdict) -> String {
    let mut text = String::new();
    let style = status_style(verdict.status);
    let word = verdict.status.to_string();
    let summary = verdict.summary();
    let _ = writeln!(text, "{style}{word}{style:#}{}", summary.get(word.len()..).unwrap_or_default());
    write_all(&mut text, &verdict.findings);
    write_accepted(&mut text, "accepted", "until", &verdict.accepted);
    write_accepted(&mut text, "accepted no longer", "was until", &verdict.ended);
    write_unmatched(&mut text, &verdict.unmatched);
    write_unknown(&mut text, &verdict.unknown());
    if !verdict.skipped.is_empty() {
        text.push('\n');
    }
    for Skipped { what, reason } in &verdict.skipped {
        let _ = writeln!(text, "skipped {what}: {reason}");
    }
    if let Some(day) = verdict.advisories_as_of {
        let _ =
            writeln!(text, "\nThe list of advisories is of {day}; what was published later may be missing.");
    }
    text
}

fn write_accepted(text: &mut String, heading: &str, until: &str, list: &[Accepted]) {
    if list.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{heading}");
    for one in list {
        let _ = writeln!(
            text,
            "  {} of {}, {until} {}: {}",
            one.finding.id, one.finding.subject, one.until, one.reason
        );
    }
}

/// An entry that matches nothing is of what was mended, or has a slip of the pen.
fn write_unmatched(text: &mut String, list: &[Acceptance]) {
    if list.is_empty() {
        return;
    }
    text.push_str(
        "\naccepted, and not found: take it from the configuration, or see that id and subject are right\n",
    );
    for one in list {
        let subject = one.subject.as_deref().unwrap_or("every node");
        let _ = writeln!(text, "  {} of {subject}, until {}: {}", one.id, one.until, one.reason);
    }
}

fn write_unknown(text: &mut String, groups: &[UnknownGroup<'_>]) {
    if groups.is_empty() {
        return;
    }
    text.push_str("\nunknown\n");
    for group in groups {
        let _ = writeln!(text, "  {group}");
    }
}

/// Writes an audit as monitoring plugins do.
pub(crate) fn audit_for_monitoring(verdict: &AuditVerdict) -> String {
    let data: Vec<String> = verdict.performance_data.iter().map(ToString::to_string).collect();
    let mut text = format!("LARDER AUDIT {} | {}\n", one_line(&verdict.summary()), data.join(" "));
    for finding in &verdict.findings {
        let _ = writeln!(text, "{}", one_line(&finding.to_string()));
    }
    for group in verdict.unknown() {
        let _ = writeln!(text, "{}", one_line(&format!("unknown {group}")));
    }
    for one in &verdict.unmatched {
        let subject = one.subject.as_deref().unwrap_or("every node");
        let _ = writeln!(text, "{}", one_line(&format!("accepted, and not found: {} of {subject}", one.id)));
    }
    for skipped in &verdict.skipped {
        let _ = writeln!(text, "{}", one_line(&skipped.to_string()));
    }
    text
}

fn status_style(status: Status) -> Style {
    match status {
        Status::Ok => AnsiColor::Green.on_default().bold(),
        Status::Warning => AnsiColor::Yellow.on_default().bold(),
        Status::Critical => AnsiColor::Red.on_default().bold(),
        Status::Unknown => AnsiColor::Magenta.on_default().bold(),
    }
}

fn severity_style(severity: Severity) -> Style {
    match severity {
        Severity::Info => AnsiColor::Cyan.on_default(),
        Severity::Warning => AnsiColor::Yellow.on_default(),
        Severity::Critical => AnsiColor::Red.on_default(),
    }
}
