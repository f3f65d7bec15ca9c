//! The audit's ids, and what it says where nothing is known.

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use larder_analysis::{
    AuditFacts, AuditOptions, AuditVerdict, AuditedNode, CheckState, MachineTuning, Severity, Status,
    audit_finding_ids, judge_audit,
};
use larder_metrics_model::{Failure, FailureKind, Info, NodeAddress, NodeKind, Observed, ServerFacts};

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
    let mut of_node = verdict.checks.iter().filter(|check| check.subject == "a:1");
    assert!(of_node.all(|check| check.state == CheckState::Unknown), "{:#?}", verdict.checks);
}

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 24, 0, 0, 0).unwrap()
}

/// A node of which INFO, settings and machine are known.
fn node(info: &str, settings: &[(&str, &str)], machine: MachineTuning) -> AuditedNode {
    let mut node = AuditedNode::unseen(NodeAddress::new("a:1"), NodeKind::Data);
    node.facts = Observed::Known(ServerFacts::from(&Info::parse(info)));
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    node.settings = Observed::Known(settings.iter().map(pair).collect());
    node.machine = Observed::Known(machine);
    node
}

fn judged(node: AuditedNode, now: DateTime<Utc>) -> AuditVerdict {
    let mut facts = AuditFacts::unseen();
    facts.nodes = Observed::Known(vec![node]);
    judge_audit(&facts, &AuditOptions::default(), now)
}

fn severity(verdict: &AuditVerdict, id: &str) -> Option<Severity> {
    verdict.findings.iter().find(|finding| finding.id.as_str() == id).map(|finding| finding.severity)
}

fn state(verdict: &AuditVerdict, id: &str) -> Option<CheckState> {
    verdict.checks.iter().find(|check| check.id == id).map(|check| check.state)
}

/// A test cannot set these on the machine that it runs on.
#[test]
fn what_the_machine_says_is_judged() {
    const HUGE: &str = "audit.huge_pages";
    const OVERCOMMIT: &str = "audit.overcommit";
    const FILES: &str = "audit.open_files_short";
    let tuning = |pages: &str, overcommit, files| {
        MachineTuning::new(Some(pages.to_owned()).filter(|pages| !pages.is_empty()), overcommit, files)
    };
    let saving: &[(&str, &str)] = &[("save", "3600 1"), ("maxclients", "10000")];
    for (id, settings, machine, expected) in [
        (HUGE, saving, tuning("always", Some(1), None), Some(CheckState::Warning)),
        (HUGE, saving, tuning("madvise", Some(1), None), Some(CheckState::Ok)),
        (HUGE, saving, tuning("never", Some(1), None), Some(CheckState::Ok)),
        (HUGE, &[("save", ""), ("disable-thp", "yes")], tuning("always", None, None), Some(CheckState::Ok)),
        (HUGE, saving, tuning("", Some(1), None), Some(CheckState::Unknown)),
        (OVERCOMMIT, saving, tuning("never", Some(0), None), Some(CheckState::Warning)),
        (OVERCOMMIT, saving, tuning("never", Some(2), None), Some(CheckState::Warning)),
        (OVERCOMMIT, saving, tuning("never", Some(1), None), Some(CheckState::Ok)),
        (OVERCOMMIT, saving, tuning("never", None, None), Some(CheckState::Unknown)),
        // Nothing is forked for.
        (OVERCOMMIT, &[("save", ""), ("appendonly", "no")], tuning("never", Some(0), None), None),
        (FILES, saving, tuning("never", None, Some(1_024)), Some(CheckState::Warning)),
        (FILES, saving, tuning("never", None, Some(10_031)), Some(CheckState::Warning)),
        (FILES, saving, tuning("never", None, Some(10_032)), Some(CheckState::Ok)),
        (FILES, saving, tuning("never", None, None), Some(CheckState::Unknown)),
        (FILES, &[("save", "")], tuning("never", None, Some(1_024)), Some(CheckState::Unknown)),
    ] {
        let verdict = judged(node("", settings, machine.clone()), now());
        assert_eq!(state(&verdict, id), expected, "{id} {settings:?} {machine:?}");
        assert_eq!(severity(&verdict, id).is_some(), expected == Some(CheckState::Warning), "{id}");
    }
    let mut elsewhere = node("", saving, tuning("always", Some(0), Some(1)));
    elsewhere.machine = Observed::skipped("the server is not on this machine");
    let verdict = judged(elsewhere, now());
    assert!([HUGE, OVERCOMMIT, FILES].iter().all(|id| state(&verdict, id).is_none()), "{verdict:#?}");
}

#[test]
fn a_certificate_is_judged_by_the_days_that_are_left() {
    const ID: &str = "audit.certificate_ends";
    for (left, expected) in [
        (TimeDelta::days(31), None),
        (TimeDelta::days(30) + TimeDelta::seconds(1), None),
        (TimeDelta::days(30), Some(Severity::Warning)),
        (TimeDelta::days(7) + TimeDelta::seconds(1), Some(Severity::Warning)),
        (TimeDelta::days(7), Some(Severity::Critical)),
        (TimeDelta::zero(), Some(Severity::Critical)),
        (TimeDelta::days(-400), Some(Severity::Critical)),
    ] {
        let mut node = AuditedNode::unseen(NodeAddress::new("a:1"), NodeKind::Data);
        node.certificate_ends = Observed::Known(now() + left);
        let verdict = judged(node, now());
        assert_eq!(severity(&verdict, ID), expected, "{left}");
        assert!(state(&verdict, ID).is_some());
    }
    let mut unknown = AuditedNode::unseen(NodeAddress::new("a:1"), NodeKind::Data);
    unknown.certificate_ends = Observed::Failed(Failure::new(FailureKind::Timeout, "no answer"));
    assert_eq!(state(&judged(unknown, now()), ID), Some(CheckState::Unknown));
    let mut plain = AuditedNode::unseen(NodeAddress::new("a:1"), NodeKind::Data);
    plain.certificate_ends = Observed::skipped("it has no port with TLS");
    assert_eq!(state(&judged(plain, now()), ID), None);
}

#[test]
fn a_list_of_advisories_that_is_old_is_a_warning() {
    const ID: &str = "audit.advisories_old";
    let plain = || AuditedNode::unseen(NodeAddress::new("a:1"), NodeKind::Data);
    let as_of = judged(plain(), now()).advisories_as_of.unwrap().and_hms_opt(12, 0, 0).unwrap().and_utc();
    for (days, expected) in [(-1, None), (0, None), (180, None), (181, Some(Severity::Warning))] {
        let verdict = judged(plain(), as_of + TimeDelta::days(days));
        assert_eq!(severity(&verdict, ID), expected, "{days}");
        assert!(state(&verdict, ID).is_some());
    }
}

#[test]
fn a_line_that_the_list_of_advisories_does_not_cover_is_unknown() {
    const KNOWN: &str = "audit.advisories";
    const KEPT: &str = "audit.end_of_life";
    let machine = || MachineTuning::new(None, None, None);
    for (info, known, kept) in [
        (
            "# Server\nredis_version:7.2.4\nserver_name:valkey\nvalkey_version:9.1.2\n",
            CheckState::Ok,
            CheckState::Ok,
        ),
        (
            "# Server\nredis_version:7.2.4\nserver_name:valkey\nvalkey_version:9.9.0\n",
            CheckState::Unknown,
            CheckState::Unknown,
        ),
        ("# Server\nredis_version:9.0.0\n", CheckState::Unknown, CheckState::Unknown),
        ("# Server\nredis_version:7.0.15\n", CheckState::Warning, CheckState::Warning),
        ("# Server\nredis_version:5.0.14\n", CheckState::Warning, CheckState::Warning),
    ] {
        let verdict = judged(node(info, &[], machine()), now());
        assert_eq!(state(&verdict, KNOWN), Some(known), "{info}");
        assert_eq!(state(&verdict, KEPT), Some(kept), "{info}");
    }
}

#[test]
fn what_an_operator_who_cares_for_data_would_ask_of_replication() {
    const WRITES: &str = "audit.writes_unreplicated";
    const READS: &str = "audit.replica_refuses_reads";
    let primary = "# Replication\nrole:master\nconnected_slaves:1\nslave0:ip=10.0.0.2,port=6379,state=online,offset=1,lag=0\n";
    let replica = "# Replication\nrole:slave\nmaster_host:10.0.0.1\nmaster_port:6379\n";
    let machine = || MachineTuning::new(None, None, None);
    // Whether there is a finding; `None` where there is no such thing on the node.
    for (id, info, settings, expected) in [
        (WRITES, primary, [("save", "3600 1"), ("min-replicas-to-write", "0")].as_slice(), Some(true)),
        (WRITES, primary, &[("save", ""), ("appendonly", "yes"), ("min-slaves-to-write", "0")], Some(true)),
        (WRITES, primary, &[("save", "3600 1"), ("min-replicas-to-write", "1")], Some(false)),
        (WRITES, primary, &[("save", ""), ("min-replicas-to-write", "0")], None),
        (WRITES, replica, &[("save", "3600 1"), ("min-replicas-to-write", "0")], None),
        (READS, replica, &[("replica-serve-stale-data", "no")], Some(true)),
        (READS, replica, &[("replica-serve-stale-data", "yes")], Some(false)),
        (READS, primary, &[("replica-serve-stale-data", "no")], None),
    ] {
        let verdict = judged(node(info, settings, machine()), now());
        let found = state(&verdict, id).map(|_| severity(&verdict, id) == Some(Severity::Info));
        assert_eq!(found, expected, "{id} {settings:?}");
    }
}
