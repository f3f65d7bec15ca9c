//! A realistic mixture, whole.

use std::{collections::BTreeSet, fmt::Write as _};

use larder_metrics_model::{
    ApplicationObservation, CacheStats, Container, Disk, FailureKind, HealthFacts, HttpAnswer, LoadAverage,
    NodeAddress, NodeKind, NodeObservation, Observed, Skipped,
};

use crate::health::facts::{cache, failed, judge, machine, node};

const PRIMARY: &str = "# Server\r\nredis_version:8.0.2\r\nredis_mode:standalone\r\nuptime_in_seconds:864000\r\n\
    # Clients\r\nconnected_clients:412\r\nmaxclients:10000\r\nblocked_clients:2\r\n\
    # Memory\r\nused_memory:966367642\r\nused_memory_rss:1610612736\r\nmaxmemory:1073741824\r\n\
    maxmemory_policy:noeviction\r\nmem_fragmentation_ratio:1.67\r\n\
    # Persistence\r\nloading:0\r\nrdb_last_bgsave_status:ok\r\nrdb_changes_since_last_save:17\r\naof_enabled:0\r\n\
    # Stats\r\ntotal_commands_processed:2000000\r\ninstantaneous_ops_per_sec:212\r\nrejected_connections:3\r\n\
    keyspace_hits:590000\r\nkeyspace_misses:410000\r\nevicted_keys:0\r\nexpired_keys:88000\r\ntotal_error_replies:12\r\n\
    # Replication\r\nrole:master\r\nmaster_repl_offset:500000\r\n\
    slave0:ip=10.0.0.2,port=6379,state=online,offset=499000,lag=1\r\n\
    # Cluster\r\ncluster_enabled:0\r\n# Keyspace\r\ndb0:keys=120000,expires=90000,avg_ttl=3600000\r\n";

const REPLICA: &str = "# Server\r\nuptime_in_seconds:300\r\n# Persistence\r\nloading:0\r\n# Replication\r\nrole:slave\r\n\
    master_host:10.0.0.1\r\nmaster_port:6379\r\nmaster_link_status:up\r\nmaster_last_io_seconds_ago:1\r\n\
    # Cluster\r\ncluster_enabled:0\r\n";

fn mixture() -> HealthFacts {
    let mut down = NodeObservation::unseen(NodeAddress::new("10.0.0.3:6379"), NodeKind::Data);
    (down.ping_ms, down.facts) = (failed(FailureKind::Timeout), failed(FailureKind::Timeout));
    let mut facts = cache(vec![node("10.0.0.1:6379", PRIMARY), node("10.0.0.2:6379", REPLICA), down]);
    let mut seen = machine();
    (seen.memory_total_bytes, seen.memory_available_bytes) = (16 << 30, 6 << 30);
    (seen.cpus, seen.load) = (4, Some(LoadAverage { one: 9.0, five: 2.0, fifteen: 1.0 }));
    seen.disks =
        vec![Disk { mount: "/var/lib".to_owned(), total_bytes: 100 << 30, available_bytes: 9 << 30 }];
    facts.machine = Observed::Known(seen);
    let stats = CacheStats::from_counts([Some(900), Some(300), Some(250), Some(3), Some(0)], None);
    let answer = Observed::Known(HttpAnswer { status: 200, elapsed_ms: 12.0 });
    let url = "http://localhost:8000".to_owned();
    facts.application = Observed::Known(ApplicationObservation::new(url, answer, Observed::Known(stats)));
    facts.containers = Observed::Known(vec![Container {
        name: "redis-cache".to_owned(),
        image: "redis:8".to_owned(),
        state: "restarting".to_owned(),
        status: "Restarting (1) 5 seconds ago".to_owned(),
    }]);
    facts.skipped.push(Skipped::new("SLOWLOG of 10.0.0.1:6379", "NOPERM"));
    facts
}

#[test]
fn a_realistic_mixture() {
    let verdict = judge(&mixture());
    let mut text = verdict.summary() + "\n\nfindings\n";
    for finding in &verdict.findings {
        let _ = writeln!(text, "{finding}\n    {}", finding.recommendation);
    }
    text += "\nchecks\n";
    for check in &verdict.checks {
        let value = check.value.as_deref().or(check.reason.as_deref()).unwrap_or_default();
        let _ = writeln!(text, "{:<9} {} of {}: {value}", check.state, check.id, check.subject);
    }
    text += "\nskipped\n";
    for skipped in &verdict.skipped {
        let _ = writeln!(text, "{skipped}");
    }
    text += "\nperformance data\n";
    for datum in &verdict.performance_data {
        let _ = writeln!(text, "{datum}");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn its_first_finding_as_json() {
    let verdict = judge(&mixture());
    insta::assert_snapshot!(serde_json::to_string_pretty(&verdict.findings[0]).unwrap());
}

#[test]
fn labels_are_unique_even_for_two_nodes_of_one_name() {
    let verdict = judge(&cache(vec![node("a:1", PRIMARY), node("a:1", PRIMARY)]));
    let labels: BTreeSet<&str> = verdict.performance_data.iter().map(|datum| datum.label.as_str()).collect();
    assert_eq!(labels.len(), verdict.performance_data.len());
    assert!(labels.contains("a:1 ping") && labels.contains("a:1 ping 2"));
}
