//! One node: a table of edges for every check.

use larder_analysis::{CheckState, Severity, Status};
use larder_metrics_model::{FailureKind, NodeAddress, NodeKind, NodeObservation, Observed};

use crate::health::facts::{cache, check, failed, found, judge, judge_info, node, state, table};

use CheckState::{Critical, Ok, Skipped, Unknown, Warning};

#[test]
fn an_answer_to_ping() {
    for (ping, expected) in [
        (Observed::Known(0.0), Ok),
        (Observed::Known(25.0), Ok),
        (Observed::Known(25.1), Warning),
        (Observed::Known(50.0), Warning),
        (Observed::Known(50.1), Critical),
        (Observed::Known(f64::NAN), Unknown),
        (Observed::Known(f64::INFINITY), Unknown),
        (Observed::Known(-1.0), Unknown),
        (Observed::skipped("NOPERM"), Skipped),
    ] {
        let mut node = NodeObservation::unseen(NodeAddress::new("a:1"), NodeKind::Data);
        node.ping_ms = ping.clone();
        assert_eq!(state(&judge(&cache(vec![node])), "node.ping"), expected, "{ping:?}");
    }
}

#[test]
fn each_kind_of_silence_has_its_own_finding_and_advice() {
    let kinds = [
        (FailureKind::Unreachable, "node.unreachable"),
        (FailureKind::Timeout, "node.timeout"),
        (FailureKind::Authentication, "node.authentication"),
        (FailureKind::Tls, "node.tls"),
        (FailureKind::Loading, "node.loading"),
        (FailureKind::TooManyClients, "node.too_many_clients"),
        (FailureKind::Other, "node.failed"),
    ];
    let mut advice = std::collections::BTreeSet::new();
    for (kind, id) in kinds {
        let mut node = NodeObservation::unseen(NodeAddress::new("a:1"), NodeKind::Data);
        (node.ping_ms, node.facts) = (failed(kind), failed(kind));
        let verdict = judge(&cache(vec![node]));
        assert_eq!(verdict.status, Status::Critical);
        assert_eq!(found(&verdict), [(id, Severity::Critical)]);
        assert_eq!(state(&verdict, "node.info"), Unknown);
        assert!(
            verdict.findings[0].message.ends_with(": it is said why."),
            "{}",
            verdict.findings[0].message
        );
        advice.insert(verdict.findings[0].recommendation.clone());
    }
    assert_eq!(advice.len(), kinds.len());
}

#[test]
fn info_that_does_not_come() {
    let mut half = node("a:1", "");
    half.facts = failed(FailureKind::Timeout);
    assert_eq!(found(&judge(&cache(vec![half.clone()]))), [("node.info_failed", Severity::Warning)]);
    half.ping_ms = Observed::skipped("NOPERM");
    assert_eq!(found(&judge(&cache(vec![half]))), [("node.timeout", Severity::Critical)]);
}

#[test]
fn loading_is_said_once() {
    let mut loading = node("a:1", "loading:1\n");
    loading.ping_ms = failed(FailureKind::Loading);
    assert_eq!(found(&judge(&cache(vec![loading]))), [("node.loading", Severity::Critical)]);
    table(
        "node.loading",
        &[("loading:1", Critical, "node.loading"), ("loading:0", Ok, ""), ("", Skipped, "")],
    );
}

#[test]
fn memory() {
    let id = "node.memory_high";
    table(
        "node.memory",
        &[
            ("", Skipped, ""),
            ("used_memory:1", Skipped, ""),
            ("maxmemory:1", Skipped, ""),
            ("used_memory:85 maxmemory:100", Ok, ""),
            ("used_memory:86 maxmemory:100", Warning, id),
            ("used_memory:95 maxmemory:100", Warning, id),
            ("used_memory:96 maxmemory:100", Critical, id),
            ("used_memory:85 maxmemory:100 maxmemory_policy:noeviction", Ok, ""),
            ("used_memory:86 maxmemory:100 maxmemory_policy:noeviction", Critical, id),
            ("used_memory:120 maxmemory:100 maxmemory_policy:allkeys-lru", Warning, id),
            ("used_memory:120 maxmemory:100 maxmemory_policy:noeviction role:slave", Warning, id),
            (
                "used_memory:86 maxmemory:100 maxmemory_policy:volatile-lru #Keyspace db0:keys=5,expires=0",
                Critical,
                id,
            ),
            ("used_memory:86 maxmemory:100 maxmemory_policy:volatile-ttl", Warning, id),
            ("used_memory:0 maxmemory:0", Ok, "node.no_memory_limit"),
            ("used_memory:90 maxmemory:0 total_system_memory:100", Ok, "node.no_memory_limit"),
            ("used_memory:91 maxmemory:0 total_system_memory:100", Warning, "node.no_memory_limit"),
            ("used_memory:98 maxmemory:0 total_system_memory:100", Critical, "node.no_memory_limit"),
            ("used_memory:98 maxmemory:0 total_system_memory:0", Ok, "node.no_memory_limit"),
        ],
    );
    let expiring =
        "used_memory:86\nmaxmemory:100\nmaxmemory_policy:volatile-lru\n# Keyspace\ndb0:keys=5,expires=1\n";
    assert_eq!(state(&judge_info(expiring), "node.memory"), Warning);
}

#[test]
fn no_limit_is_not_judged_as_a_share() {
    let verdict = judge_info("used_memory:5\nmaxmemory:0\n");
    assert_eq!(verdict.status, Status::Ok);
    assert_eq!(found(&verdict), [("node.no_memory_limit", Severity::Info)]);
    assert!(check(&verdict, "node.memory").value.as_ref().unwrap().contains("no limit is set"));
}

#[test]
fn clients() {
    let id = "node.clients_high";
    table(
        "node.clients",
        &[
            ("connected_clients:1", Skipped, ""),
            ("maxclients:10", Skipped, ""),
            ("connected_clients:0 maxclients:100", Ok, ""),
            ("connected_clients:90 maxclients:100", Ok, ""),
            ("connected_clients:91 maxclients:100", Warning, id),
            ("connected_clients:99 maxclients:100", Critical, id),
            ("connected_clients:101 maxclients:100", Critical, id),
            ("connected_clients:1 maxclients:0", Unknown, ""),
        ],
    );
    table("node.blocked_clients", &[("blocked_clients:100000", Ok, ""), ("", Skipped, "")]);
}

#[test]
fn rejected_connections_matter_when_they_are_recent() {
    let id = "node.connections_rejected";
    table(
        "node.rejected_connections",
        &[
            ("", Skipped, ""),
            ("rejected_connections:0 uptime_in_seconds:700", Ok, ""),
            ("rejected_connections:1 uptime_in_seconds:86399", Warning, id),
            ("rejected_connections:1 uptime_in_seconds:86400", Ok, id),
            ("rejected_connections:1", Ok, id),
        ],
    );
    let verdict = judge_info("rejected_connections:3\nuptime_in_seconds:864000\n");
    assert_eq!(
        verdict.findings[0].message,
        "The server has turned away 3 connections since the start 10 days ago."
    );
}

#[test]
fn the_hit_rate_needs_look_ups() {
    table(
        "node.hit_rate",
        &[
            ("", Skipped, ""),
            ("keyspace_hits:0 keyspace_misses:0", Skipped, ""),
            ("keyspace_hits:0 keyspace_misses:999", Skipped, ""),
            ("keyspace_hits:0 keyspace_misses:1000", Warning, "node.hit_rate_low"),
            ("keyspace_hits:699 keyspace_misses:301", Warning, "node.hit_rate_low"),
            ("keyspace_hits:700 keyspace_misses:300", Ok, ""),
            ("keyspace_hits:18446744073709551615 keyspace_misses:1", Ok, ""),
        ],
    );
}

#[test]
fn the_error_rate_needs_commands_and_leaves_redirections_out() {
    let id = "node.error_rate_high";
    table(
        "node.errors",
        &[
            ("", Skipped, ""),
            ("total_commands_processed:1000", Skipped, ""),
            ("total_error_replies:900 total_commands_processed:999", Skipped, ""),
            ("total_error_replies:50 total_commands_processed:1000", Ok, ""),
            ("total_error_replies:51 total_commands_processed:1000", Warning, id),
            ("total_error_replies:5000 total_commands_processed:0", Warning, id),
            ("total_error_replies:900 total_commands_processed:1000 errorstat_MOVED:count=890", Ok, ""),
        ],
    );
    let text = "total_error_replies:90\ntotal_commands_processed:1000\nerrorstat_OOM:count=80\nerrorstat_ERR:count=10\n";
    assert!(judge_info(text).findings[0].message.contains("most of them OOM (80)"));
}

#[test]
fn restarts_and_fragmentation_are_only_worth_knowing() {
    table(
        "node.uptime",
        &[
            ("", Skipped, ""),
            ("uptime_in_seconds:0", Ok, "node.restarted"),
            ("uptime_in_seconds:599", Ok, "node.restarted"),
            ("uptime_in_seconds:600", Ok, ""),
        ],
    );
    let large = "used_memory_rss:209715200 used_memory:104857600 mem_fragmentation_ratio";
    table(
        "node.fragmentation",
        &[
            ("", Skipped, ""),
            ("mem_fragmentation_ratio:nan", Unknown, ""),
            ("mem_fragmentation_ratio:9.0", Ok, ""),
            ("mem_fragmentation_ratio:9.0 used_memory_rss:9000 used_memory:1000", Ok, ""),
            (&format!("{large}:1.5"), Ok, ""),
            (&format!("{large}:2.0"), Ok, "node.fragmented"),
        ],
    );
    assert_eq!(judge_info("uptime_in_seconds:5\n").status, Status::Ok);
}
