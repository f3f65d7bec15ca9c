//! The audit's ids, and what it says where nothing is known.

use chrono::{TimeZone, Utc};
use larder_analysis::{
    AuditFacts, AuditOptions, AuditedNode, CheckState, Status, audit_finding_ids, judge_audit,
};
use larder_metrics_model::{NodeAddress, NodeKind, Observed};

#[test]
fn the_ids_are_held() {
    let ids: Vec<String> = audit_finding_ids().map(|id| id.to_string()).collect();
    insta::assert_snapshot!(ids.join("\n"));
}

#[test]
fn the_readme_has_every_id() {
    let readme = include_str!("../../README.md");
    for id in audit_finding_ids() {
        assert!(readme.contains(&format!("- `{id}`")), "{id}");
    }
}

#[test]
fn what_is_not_known_is_unknown_and_never_ok() {
    let now = Utc.with_ymd_and_hms(2026, 11, 24, 0, 0, 0).unwrap();
    let mut facts = AuditFacts::unseen();
    assert_eq!(judge_audit(&facts, &AuditOptions::default(), now).status, Status::Unknown);
    let node = AuditedNode::unseen(NodeAddress::new("a:1"), NodeKind::Data);
    facts.nodes = Observed::Known(vec![node]);
    let verdict = judge_audit(&facts, &AuditOptions::default(), now);
    assert_eq!(verdict.status, Status::Unknown);
    assert!(verdict.findings.is_empty());
    assert!(verdict.checks.iter().all(|check| check.state == CheckState::Unknown), "{:#?}", verdict.checks);
}
