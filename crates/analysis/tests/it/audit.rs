//! The audit's ids, and what it says where nothing is known.

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use larder_analysis::{
    Acceptance, AuditFacts, AuditOptions, AuditVerdict, AuditedNode, CheckState, MachineTuning, Severity,
    Status, audit_finding_ids, judge_audit,
};
use larder_metrics_model::{
    Failure, FailureKind, Info, NodeAddress, NodeKind, Observed, ServerFacts, Skipped,
};

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

pub(crate) fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 24, 0, 0, 0).unwrap()
}

/// A node of which INFO, settings and machine are known.
pub(crate) fn node(info: &str, settings: &[(&str, &str)], machine: MachineTuning) -> AuditedNode {
    let mut node = AuditedNode::unseen(NodeAddress::new("a:1"), NodeKind::Data);
    node.facts = Observed::Known(ServerFacts::from(&Info::parse(info)));
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    node.settings = Observed::Known(settings.iter().map(pair).collect());
    node.machine = Observed::Known(machine);
    node
}

pub(crate) fn judged(node: AuditedNode, now: DateTime<Utc>) -> AuditVerdict {
    let mut facts = AuditFacts::unseen();
    facts.nodes = Observed::Known(vec![node]);
    judge_audit(&facts, &AuditOptions::default(), now)
}

fn severity(verdict: &AuditVerdict, id: &str) -> Option<Severity> {
    verdict.findings.iter().find(|finding| finding.id.as_str() == id).map(|finding| finding.severity)
}

pub(crate) fn state(verdict: &AuditVerdict, id: &str) -> Option<CheckState> {
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

/// Two nodes of one machine, and one of another, that all save.
fn on_two_machines(overcommit: u8) -> AuditFacts {
    let of = |address: &str| {
        let machine = MachineTuning::new(Some("never".to_owned()), Some(overcommit), None);
        let mut node = node("", &[("save", "3600 1"), ("maxmemory", "1048576")], machine);
        node.node = NodeAddress::new(address);
        node
    };
    let mut facts = AuditFacts::unseen();
    facts.nodes = Observed::Known(vec![of("a:1"), of("a:2"), of("b:1")]);
    facts
}

fn accepting(id: &str, subject: Option<&str>) -> AuditOptions {
    let until = now().date_naive();
    let mut options = AuditOptions::default();
    let (id, subject, reason) = (id.to_owned(), subject.map(ToOwned::to_owned), "it is known".to_owned());
    options.accepted = vec![Acceptance { id, subject, reason, until }];
    options
}

#[test]
fn what_is_of_a_machine_is_found_once_and_accepted_by_machine_or_node() {
    const ID: &str = "audit.overcommit";
    for (accepted, expected) in [
        (None, ["a", "b:1"].as_slice()),
        (Some("a"), &["b:1"]),
        (Some("a:1"), &["a:2", "b:1"]),
        (Some("c"), &["a", "b:1"]),
    ] {
        let options = accepted.map_or_else(AuditOptions::default, |subject| accepting(ID, Some(subject)));
        let verdict = judge_audit(&on_two_machines(0), &options, now());
        let found = verdict.findings.iter().filter(|finding| finding.id.as_str() == ID);
        let subjects: Vec<&str> = found.map(|finding| finding.subject.as_str()).collect();
        assert_eq!(subjects, expected, "{accepted:?}");
        assert_eq!(verdict.unmatched.is_empty(), accepted != Some("c"), "{accepted:?}");
    }
    let mended = judge_audit(&on_two_machines(1), &AuditOptions::default(), now());
    assert_eq!(severity(&mended, ID), None);
}

#[test]
fn what_is_accepted_and_not_found_is_said_where_it_was_looked_for() {
    for (id, subject, expected) in [
        ("audit.overcommit", None, true),
        ("audit.overcommit", Some("a:1"), true),
        ("audit.overcommit", Some("a:7"), true),
        // Its rules are unknown on a:1, and there is no a:7.
        ("audit.no_password", None, false),
        ("audit.no_password", Some("a:1"), false),
        ("audit.no_password", Some("a:7"), true),
    ] {
        let verdict = judge_audit(&on_two_machines(1), &accepting(id, subject), now());
        assert_eq!(!verdict.unmatched.is_empty(), expected, "{id} {subject:?}");
    }
    let verdict = judge_audit(&AuditFacts::unseen(), &accepting("audit.no_password", Some("a:7")), now());
    assert!(verdict.unmatched.is_empty(), "nothing was looked at");
}

#[test]
fn an_acceptance_says_why() {
    let read = |reason: &str| {
        let text = format!(r#"{{"id": "audit.tls_off", "reason": "{reason}", "until": "2027-01-31"}}"#);
        serde_json::from_str::<Acceptance>(&text)
    };
    assert!(read("the network is encrypted").is_ok());
    for reason in ["", " "] {
        assert!(read(reason).unwrap_err().to_string().contains("the reason is empty"));
    }
}

#[test]
fn nodes_that_could_not_be_looked_for_make_it_unknown_and_those_beside_do_not() {
    let mut facts = on_two_machines(1);
    let before = judge_audit(&facts, &AuditOptions::default(), now());
    facts.beside = vec![Skipped::new("replica a:3", "its primary was named alone")];
    let beside = judge_audit(&facts, &AuditOptions::default(), now());
    assert_eq!((beside.checks.len(), beside.skipped.len()), (before.checks.len(), before.skipped.len() + 1));
    facts.skipped = vec![Skipped::new("the other nodes of the cluster", "NOPERM")];
    let verdict = judge_audit(&facts, &AuditOptions::default(), now());
    assert_eq!(verdict.skipped.len(), before.skipped.len() + 2);
    assert_eq!(state(&verdict, "audit.cache_unreachable"), Some(CheckState::Unknown));
}

#[test]
fn what_is_unknown_for_one_reason_is_one_group() {
    let mut silent = AuditedNode::unseen(NodeAddress::new("a:1"), NodeKind::Data);
    let refused = || Failure::new(FailureKind::Unreachable, "connection refused");
    silent.facts = Observed::Failed(refused());
    silent.settings = Observed::Failed(refused());
    silent.users = Observed::Failed(refused());
    let verdict = judged(silent, now());
    let groups = verdict.unknown();
    assert_eq!(groups.len(), 1, "{groups:#?}");
    assert_eq!((groups[0].subject, groups[0].reason), ("a:1", "it does not answer: connection refused"));
    let summary = verdict.summary();
    let rules = groups[0].ids.len();
    let expected = format!("{rules} unknown, 1 looked at; unknown: {rules} rules of a:1: it does not answer");
    assert!(summary.contains(&expected), "{summary}");
}

#[test]
fn nodes_that_differ_are_named_with_what_they_have() {
    let of = |address: &str, limit: &str| {
        let mut node = node(
            "# Server\nredis_version:7.2.4\n",
            &[("maxmemory", limit), ("maxmemory-policy", "allkeys-lru"), ("tls-port", "0")],
            MachineTuning::new(None, None, None),
        );
        node.node = NodeAddress::new(address);
        node.password_is_set = Observed::Known(true);
        node
    };
    let mut facts = AuditFacts::unseen();
    facts.nodes =
        Observed::Known(vec![of("a:1", "115343360"), of("b:2", "125829120"), of("c:3", "125829120")]);
    let verdict = judge_audit(&facts, &AuditOptions::default(), now());
    let found = verdict.findings.iter().find(|finding| finding.id.as_str() == "audit.nodes_differ").unwrap();
    let expected = "differ: maxmemory: 110.0 MiB on a:1; 120.0 MiB on b:2, c:3. After";
    assert!(found.message.contains(expected), "{}", found.message);
}

#[test]
fn what_a_version_has_is_unknown_where_it_depends_on_a_setting_that_was_not_seen() {
    const ID: &str = "audit.advisories";
    let server = |mode: &str| {
        format!(
            "# Server\nredis_version:7.2.4\nserver_name:valkey\nvalkey_version:9.1.2\ncluster_enabled:{mode}\n"
        )
    };
    let machine = || MachineTuning::new(None, None, None);
    for (mode, settings, expected) in [
        ("0", [("maxmemory-clients", "0")].as_slice(), CheckState::Ok),
        ("0", &[("maxmemory-clients", "0%")], CheckState::Ok),
        ("0", &[("maxmemory-clients", "5%")], CheckState::Warning),
        ("1", &[("maxmemory-clients", "0")], CheckState::Warning),
    ] {
        let verdict = judged(node(&server(mode), settings, machine()), now());
        assert_eq!(state(&verdict, ID), Some(expected), "{mode} {settings:?}");
    }
    let mut blocked = node(&server("0"), &[], machine());
    blocked.settings = Observed::skipped("NOPERM");
    assert_eq!(state(&judged(blocked, now()), ID), Some(CheckState::Unknown));
    let mut of_cluster = node(&server("1"), &[], machine());
    of_cluster.settings = Observed::skipped("NOPERM");
    assert_eq!(state(&judged(of_cluster, now()), ID), Some(CheckState::Warning), "one is found all the same");
}

#[test]
fn protected_mode_counts_where_it_holds() {
    use CheckState::{Critical, Ok, Warning};
    const SHUT: &str = "yes";
    let [old, new] = ["# Server\nredis_version:6.2.14\n", "# Server\nredis_version:7.0.15\n"];
    for (info, bind, mode, open, password, tls) in [
        (new, "* -::*", SHUT, Ok, Some(Warning), None),
        (new, "10.0.0.1", SHUT, Ok, Some(Warning), None),
        (new, "* -::*", "no", Critical, None, Some(Warning)),
        (new, "10.0.0.1", "no", Ok, Some(Warning), Some(Warning)),
        // Before 7.0 it does not hold where an address is bound.
        (old, "", SHUT, Ok, Some(Warning), None),
        (old, "0.0.0.0", SHUT, Critical, None, Some(Warning)),
        (old, "10.0.0.1", SHUT, Ok, Some(Warning), Some(Warning)),
        (old, "127.0.0.1", SHUT, Ok, Some(Warning), None),
    ] {
        let settings = [("bind", bind), ("protected-mode", mode), ("port", "6379"), ("tls-port", "0")];
        let mut node = node(info, &settings, MachineTuning::new(None, None, None));
        node.password_is_set = Observed::Known(false);
        let verdict = judged(node, now());
        let of = |id| state(&verdict, id);
        let states = (of("audit.open_to_all"), of("audit.no_password"), of("audit.tls_off"));
        assert_eq!(states, (Some(open), password, tls), "{info} {bind} {mode}");
    }
}
