//! What lies around a node: discovery, cluster, Sentinels, machine, application, containers.

use larder_analysis::{CheckState, Severity, Status};
use larder_metrics_model::{
    ApplicationObservation, CacheStats, Container, Disk, FailureKind, HealthFacts, HttpAnswer, LoadAverage,
    NodeAddress, NodeKind, NodeObservation, Observed, Skipped as NotSeen,
};

use crate::health::facts::{cache, failed, found, judge, machine, node, sentinel, state, with_view};

use CheckState::{Critical, Ok, Skipped, Unknown, Warning};

#[test]
fn nothing_seen_is_unknown_and_every_reason_is_listed() {
    let verdict = judge(&HealthFacts::unseen());
    assert_eq!((verdict.status, verdict.status.exit_code()), (Status::Unknown, 3));
    assert_eq!(verdict.skipped.len(), 4);
    assert!(verdict.checks.iter().all(|check| check.state == Skipped));
    let unseen = NodeObservation::unseen(NodeAddress::new("a:1"), NodeKind::Data);
    assert_eq!(judge(&cache(vec![unseen.clone()])).status, Status::Unknown);

    let mut empty = node("a:1", "");
    empty.ping_ms = Observed::skipped("NOPERM");
    assert_eq!(judge(&cache(vec![empty])).status, Status::Unknown, "an empty INFO is nothing to judge");
    assert_eq!(judge(&cache(vec![unseen, node("b:1", "")])).status, Status::Ok, "one node is enough");
}

#[test]
fn what_the_gatherer_skipped_is_passed_on() {
    let mut facts = cache(vec![node("a:1", "")]);
    facts.skipped.push(NotSeen::new("Sentinel s:1", "it is not asked"));
    assert_eq!(judge(&facts).skipped.last(), facts.skipped.last());
}

#[test]
fn nodes_that_are_not_found() {
    let mut facts = HealthFacts::unseen();
    facts.nodes = Observed::Known(Vec::new());
    assert_eq!(found(&judge(&facts)), [("cache.no_nodes", Severity::Critical)]);
    facts.nodes = failed(FailureKind::Tls);
    let verdict = judge(&facts);
    assert_eq!(found(&verdict), [("cache.unreachable", Severity::Critical)]);
    assert!(verdict.findings[0].recommendation.contains("certificate"));
}

#[test]
fn one_node_down_and_the_others_are_still_judged() {
    let mut down = NodeObservation::unseen(NodeAddress::new("a:1"), NodeKind::Data);
    down.ping_ms = failed(FailureKind::Timeout);
    let verdict = judge(&cache(vec![down, node("b:1", "role:master\n")]));
    assert_eq!(verdict.findings[0].subject, "a:1");
    assert!(verdict.checks.iter().any(|check| check.subject == "b:1" && check.id == "node.role"));
}

const FINE: &str = "cluster_state:ok\ncluster_slots_assigned:16384\ncluster_slots_pfail:0\ncluster_slots_fail:0\n\
                    cluster_known_nodes:6\ncluster_size:3\n";

#[test]
fn a_cluster_by_the_views_of_its_nodes() {
    let other = |from: &str, to: &str| FINE.replace(from, to);
    for (view, check, expected, finding) in [
        (FINE.to_owned(), "cluster.state", Ok, None),
        (other("state:ok", "state:fail"), "cluster.state", Critical, Some("cluster.down")),
        (
            other("assigned:16384", "assigned:16383"),
            "cluster.slots",
            Critical,
            Some("cluster.slots_uncovered"),
        ),
        (
            other("slots_fail:0", "slots_fail:1"),
            "cluster.slots_failed",
            Critical,
            Some("cluster.slots_failed"),
        ),
        (other("pfail:0", "pfail:1"), "cluster.slots_suspected", Warning, Some("cluster.slots_suspected")),
        (other("nodes:6", "nodes:5"), "cluster.views", Warning, Some("cluster.views_differ")),
        (other("size:3", "size:4"), "cluster.views", Warning, Some("cluster.views_differ")),
        ("cluster_state:ok\n".to_owned(), "cluster.views", Ok, None),
    ] {
        let nodes = vec![with_view(node("a:1", ""), FINE), with_view(node("b:1", ""), &view)];
        let verdict = judge(&cache(nodes));
        assert_eq!(state(&verdict, check), expected, "{view}");
        assert_eq!(found(&verdict).first().map(|(id, _)| *id), finding, "{view}");
    }
    let alone = judge(&cache(vec![with_view(node("a:1", ""), "cluster_state:ok\n")]));
    assert_eq!(state(&alone, "cluster.slots"), Skipped);
    assert!(alone.checks.iter().all(|check| check.id != "cluster.views"));
}

#[test]
fn a_view_that_is_missing() {
    let single = judge(&cache(vec![node("a:1", "cluster_enabled:1\n")]));
    assert_eq!(found(&single), [("cluster.single_node_judged", Severity::Info)]);
    assert!(single.findings[0].recommendation.contains("redis-cluster://"));

    let standalone = judge(&cache(vec![node("a:1", "cluster_enabled:0\n")]));
    assert!(standalone.checks.iter().all(|check| !check.id.starts_with("cluster.")));

    let blocked = judge(&cache(vec![node("a:1", "cluster_enabled:1\n"), node("b:1", "cluster_enabled:1\n")]));
    assert_eq!((blocked.status, state(&blocked, "cluster.state")), (Status::Ok, Skipped));

    let mut silent = node("a:1", "cluster_enabled:1\n");
    silent.cluster = failed(FailureKind::Timeout);
    assert_eq!(state(&judge(&cache(vec![silent])), "cluster.state"), Unknown);
}

#[test]
fn a_sentinel_and_its_primaries() {
    let watching = |status: &str, sentinels: &str| {
        format!("# Sentinel\nmaster0:name=cache,status={status},address=p:1,slaves=1{sentinels}\n")
    };
    for (text, check, expected, finding) in [
        (watching("ok", ",sentinels=3"), "sentinel.primary", Ok, None),
        (watching("sdown", ",sentinels=3"), "sentinel.primary", Warning, Some("sentinel.primary_suspected")),
        (watching("odown", ",sentinels=3"), "sentinel.primary", Critical, Some("sentinel.primary_down")),
        (watching("odd", ",sentinels=3"), "sentinel.primary", Unknown, None),
        (watching("ok", ",sentinels=2"), "sentinel.quorum", Ok, Some("sentinel.too_few")),
        (watching("ok", ""), "sentinel.quorum", Skipped, None),
        (String::new(), "sentinel.primary", Warning, Some("sentinel.no_primary")),
    ] {
        let verdict = judge(&cache(vec![sentinel("s:1", &text), node("a:1", "")]));
        assert_eq!(state(&verdict, check), expected, "{text}");
        assert_eq!(found(&verdict).first().map(|(id, _)| *id), finding, "{text}");
    }
    let alone = judge(&cache(vec![sentinel("s:1", &watching("ok", ",sentinels=3"))]));
    assert_eq!(alone.status, Status::Unknown, "a Sentinel holds no keys");
}

#[test]
fn the_machine() {
    let disk = |total_bytes, available_bytes| Disk { mount: "/".to_owned(), total_bytes, available_bytes };
    for (available, memory, space) in [
        (10, Ok, Warning),
        (9, Warning, Warning),
        (3, Warning, Critical),
        (2, Critical, Critical),
        (15, Ok, Ok),
    ] {
        let mut facts = cache(vec![node("a:1", "")]);
        let mut seen = machine();
        (seen.memory_total_bytes, seen.memory_available_bytes) = (100, available);
        seen.disks = vec![disk(100, available)];
        facts.machine = Observed::Known(seen);
        let verdict = judge(&facts);
        assert_eq!(state(&verdict, "machine.memory"), memory, "{available}");
        assert_eq!(state(&verdict, "machine.disk"), space, "{available}");
        assert_eq!(state(&verdict, "machine.load"), Skipped);
    }
    let mut odd = machine();
    odd.disks = vec![disk(0, 0), disk(1, 2)];
    let mut facts = cache(vec![node("a:1", "")]);
    facts.machine = Observed::Known(odd);
    assert!(
        judge(&facts)
            .checks
            .iter()
            .filter(|check| check.id.starts_with("machine."))
            .all(|check| check.state == Skipped)
    );
    facts.machine = failed(FailureKind::Other);
    assert_eq!((judge(&facts).status, state(&judge(&facts), "machine")), (Status::Ok, Unknown));
}

#[test]
fn the_load() {
    for (five, cpus, expected) in [
        (0.0, 2, Ok),
        (3.0, 2, Ok),
        (3.1, 2, Warning),
        (6.0, 2, Warning),
        (6.1, 2, Critical),
        (9.0, 0, Skipped),
        (f64::NAN, 2, Unknown),
        (-1.0, 2, Unknown),
    ] {
        let mut seen = machine();
        (seen.cpus, seen.load) = (cpus, Some(LoadAverage { one: 99.0, five, fifteen: 0.0 }));
        let mut facts = cache(Vec::new());
        facts.machine = Observed::Known(seen);
        assert_eq!(state(&judge(&facts), "machine.load"), expected, "{five} on {cpus}");
    }
}

fn application(health: Observed<HttpAnswer>, stats: Observed<CacheStats>) -> HealthFacts {
    let mut facts = cache(vec![node("a:1", "")]);
    facts.application = Observed::Known(ApplicationObservation::new("http://app".to_owned(), health, stats));
    facts
}

#[test]
fn the_application() {
    let http = |status| Observed::Known(HttpAnswer { status, elapsed_ms: 3.0 });
    for (health, expected, finding) in [
        (http(200), Ok, None),
        (http(204), Critical, Some("application.unhealthy")),
        (http(503), Critical, Some("application.unhealthy")),
        (failed(FailureKind::Timeout), Critical, Some("application.timeout")),
        (failed(FailureKind::Unreachable), Critical, Some("application.failed")),
        (Observed::skipped("it is not configured"), Skipped, None),
    ] {
        let verdict = judge(&application(health, Observed::skipped("not asked")));
        assert_eq!(state(&verdict, "application.health"), expected);
        assert_eq!(found(&verdict).first().map(|(id, _)| *id), finding);
    }
    let mut facts = cache(vec![node("a:1", "")]);
    facts.application = failed(FailureKind::Timeout);
    assert_eq!(found(&judge(&facts)), [("application.timeout", Severity::Critical)]);
}

#[test]
fn the_hit_rate_of_the_application() {
    let stats = |rate: Option<f64>, lookups: Option<u64>| {
        let mut stats = CacheStats::default();
        (stats.hit_rate, stats.total_operations) = (rate, lookups);
        Observed::Known(stats)
    };
    for (stats, expected) in [
        (stats(None, None), Skipped),
        (stats(Some(0.7), Some(1_000)), Ok),
        (stats(Some(0.69), Some(1_000)), Warning),
        (stats(Some(0.69), Some(999)), Skipped),
        (stats(Some(0.0), Some(0)), Skipped),
        (stats(Some(0.69), None), Warning),
        (stats(Some(70.0), Some(1_000)), Unknown),
        (stats(Some(f64::NAN), Some(1_000)), Unknown),
        (failed(FailureKind::Other), Unknown),
        (Observed::skipped("it is not configured"), Skipped),
    ] {
        let verdict = judge(&application(Observed::skipped("not asked"), stats.clone()));
        assert_eq!(state(&verdict, "application.hit_rate"), expected, "{stats:?}");
    }
}

#[test]
fn containers() {
    for (name, status, expected, finding) in [
        ("running", "Up 3 days", Ok, None),
        ("running", "Up 3 days (healthy)", Ok, None),
        ("running", "Up 3 days (unhealthy)", Critical, Some("container.unhealthy")),
        ("restarting", "Restarting (1) 2 seconds ago", Warning, Some("container.restarting")),
        ("exited", "Exited (0) 2 hours ago", Warning, Some("container.not_running")),
        ("exited", "Exited (137) 2 hours ago", Critical, Some("container.not_running")),
        ("created", "Created", Warning, Some("container.not_running")),
        ("paused", "Up 3 days (Paused)", Critical, Some("container.not_running")),
        ("dead", "", Critical, Some("container.not_running")),
        ("", "", Critical, Some("container.not_running")),
    ] {
        let container = Container {
            name: "redis".to_owned(),
            image: "redis:8".to_owned(),
            state: name.to_owned(),
            status: status.to_owned(),
        };
        let mut facts = cache(vec![node("a:1", "")]);
        facts.containers = Observed::Known(vec![container]);
        let verdict = judge(&facts);
        assert_eq!(state(&verdict, "container.state"), expected, "{name} {status}");
        assert_eq!(found(&verdict).first().map(|(id, _)| *id), finding, "{name} {status}");
    }
    let mut facts = cache(vec![node("a:1", "")]);
    facts.containers = Observed::Known(Vec::new());
    assert_eq!(found(&judge(&facts)), [("container.none_found", Severity::Info)]);
    facts.containers = failed(FailureKind::Other);
    assert_eq!(state(&judge(&facts), "container.state"), Unknown);
}
