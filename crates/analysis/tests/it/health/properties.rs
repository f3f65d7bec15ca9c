//! What holds for any facts.

use std::collections::BTreeSet;

use larder_analysis::{HealthVerdict, Status, health_finding_ids};
use larder_metrics_model::{
    ApplicationObservation, ClusterState, Container, Disk, FailureKind, HealthFacts, HttpAnswer, NodeKind,
    Observed,
};
use proptest::prelude::*;

use crate::health::facts::{cache, failed, judge, machine, node};

/// Fields that are judged, so that arbitrary text reaches the judgements and not only the parser.
const FIELDS: &[&str] = &[
    "used_memory",
    "maxmemory",
    "used_memory_rss",
    "mem_fragmentation_ratio",
    "total_system_memory",
    "maxmemory_policy",
    "connected_clients",
    "maxclients",
    "blocked_clients",
    "rejected_connections",
    "uptime_in_seconds",
    "loading",
    "role",
    "keyspace_hits",
    "keyspace_misses",
    "total_error_replies",
    "total_commands_processed",
    "rdb_last_bgsave_status",
    "rdb_changes_since_last_save",
    "aof_enabled",
    "aof_last_write_status",
    "aof_last_bgrewrite_status",
    "master_host",
    "master_port",
    "master_link_status",
    "master_last_io_seconds_ago",
    "master_link_down_since_seconds",
    "master_repl_offset",
    "slave0",
    "slave1",
    "cluster_enabled",
    "cluster_state",
    "cluster_slots_assigned",
    "cluster_slots_fail",
    "cluster_slots_pfail",
    "errorstat_ERR",
    "instantaneous_ops_per_sec",
];

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<u64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
        (0_u64..3).prop_map(|number| number.to_string()),
        prop::sample::select(vec![
            "ok",
            "err",
            "up",
            "down",
            "master",
            "slave",
            "noeviction",
            "volatile-lru",
            "nan",
            "-1"
        ])
        .prop_map(ToOwned::to_owned),
        any::<(u64, u64)>()
            .prop_map(|(offset, lag)| format!("ip=r,port=1,state=online,offset={offset},lag={lag}")),
        ".{0,12}",
    ]
}

fn info() -> impl Strategy<Value = String> {
    let field =
        (prop::sample::select(FIELDS), value()).prop_map(|(field, value)| format!("{field}:{value}\n"));
    let section = prop::sample::select(vec![
        "# Keyspace\ndb0:keys=3,expires=0\n",
        "# Sentinel\nmaster0:name=m,status=odd\n",
        "",
    ]);
    (prop::collection::vec(field, 0..30), section, ".{0,40}")
        .prop_map(|(fields, section, rest)| fields.concat() + section + &rest)
}

fn labels_are_unique(verdict: &HealthVerdict) -> bool {
    let labels: BTreeSet<&str> = verdict.performance_data.iter().map(|datum| datum.label.as_str()).collect();
    labels.len() == verdict.performance_data.len()
}

fn rank(status: Status) -> u8 {
    match status {
        Status::Ok => 0,
        Status::Warning => 1,
        Status::Unknown => 2,
        Status::Critical => 3,
    }
}

/// Numbers from which facts are made, with more to be better only where the name says so.
#[derive(Clone, Debug)]
struct Numbers {
    ping_ms: f64,
    used: u64,
    policy: usize,
    clients: u64,
    rejected: u64,
    hits: u64,
    errors: u64,
    lag: u64,
    link_down: u64,
    disk_free: u64,
    slots: u64,
    http: u16,
    flags: [bool; 6],
}

const POLICIES: [&str; 2] = ["allkeys-lru", "noeviction"];

fn numbers() -> impl Strategy<Value = Numbers> {
    let small = || 0_u64..120;
    let levels = (0.0..80.0, small(), 0_usize..2, small(), 0_u64..2, 0_u64..=2_000, 0_u64..200);
    let rest = (
        small(),
        small(),
        0_u64..=100,
        16_380_u64..=16_384,
        prop::sample::select(vec![200_u16, 500]),
        any::<[bool; 6]>(),
    );
    (levels, rest).prop_map(
        |(
            (ping_ms, used, policy, clients, rejected, hits, errors),
            (lag, link_down, disk_free, slots, http, flags),
        )| {
            Numbers {
                ping_ms,
                used,
                policy,
                clients,
                rejected,
                hits,
                errors,
                lag,
                link_down,
                disk_free,
                slots,
                http,
                flags,
            }
        },
    )
}

impl Numbers {
    fn facts(&self) -> HealthFacts {
        let [save_err, loading, unreachable, replica_offline, cluster_fail, exited] = self.flags;
        let status = |bad: bool| if bad { "err" } else { "ok" };
        let primary = format!(
            "role:master\nused_memory:{}\nmaxmemory:100\nmaxmemory_policy:{}\nconnected_clients:{}\nmaxclients:100\n\
             uptime_in_seconds:5000\nrejected_connections:{}\nkeyspace_hits:{}\nkeyspace_misses:{}\n\
             total_error_replies:{}\ntotal_commands_processed:1000\nloading:{}\nrdb_last_bgsave_status:{}\n\
             slave0:ip=r,port=1,state={},lag={}\n",
            self.used,
            POLICIES[self.policy],
            self.clients,
            self.rejected,
            self.hits,
            2_000 - self.hits,
            self.errors,
            u8::from(loading),
            status(save_err),
            if replica_offline { "wait_bgsave" } else { "online" },
            self.lag,
        );
        let mut first = node("a:1", &primary);
        first.ping_ms =
            if unreachable { failed(FailureKind::Timeout) } else { Observed::Known(self.ping_ms) };
        let state = if cluster_fail { "fail" } else { "ok" };
        let view = format!("cluster_state:{state}\ncluster_slots_assigned:{}\n", self.slots);
        first.cluster = Observed::Known(ClusterState::parse(&view));
        let replica = format!(
            "role:slave\nmaster_link_status:down\nmaster_link_down_since_seconds:{}\n",
            self.link_down
        );
        let mut facts =
            cache(if self.link_down == 0 { vec![first] } else { vec![first, node("r:1", &replica)] });
        let mut seen = machine();
        seen.disks = vec![Disk { mount: "/".to_owned(), total_bytes: 100, available_bytes: self.disk_free }];
        facts.machine = Observed::Known(seen);
        facts.containers = Observed::Known(vec![Container {
            name: "c".to_owned(),
            image: String::new(),
            state: if exited { "exited" } else { "running" }.to_owned(),
            status: String::new(),
        }]);
        let answer = Observed::Known(HttpAnswer { status: self.http, elapsed_ms: 1.0 });
        facts.application = Observed::Known(ApplicationObservation::new(
            "http://a".to_owned(),
            answer,
            Observed::skipped("no"),
        ));
        facts
    }

    /// Makes one fact worse by a step.
    fn worsen(&mut self, which: usize, step: u64) {
        match which {
            0 => self.ping_ms *= 1.0 + f64::from(u32::try_from(step).unwrap_or(u32::MAX)),
            1 => self.used += step,
            2 => self.policy = 1,
            3 => self.clients += step,
            4 => self.rejected += step,
            5 => self.hits = self.hits.saturating_sub(step * 10),
            6 => self.errors += step,
            7 => self.lag += step,
            8 => self.link_down += step,
            9 => self.disk_free = self.disk_free.saturating_sub(step),
            10 => self.slots -= step,
            11 => self.http = 500,
            flag => self.flags[flag - 12] = true,
        }
    }
}

proptest! {
    #[test]
    fn any_info_is_judged(text in info(), other in info(), sentinel in any::<bool>(), ping in any::<f64>()) {
        let mut first = node("a:1", &text);
        first.ping_ms = Observed::Known(ping);
        first.cluster = Observed::Known(ClusterState::parse(&other));
        let mut second = node("a:1", &other);
        second.kind = if sentinel { NodeKind::Sentinel } else { NodeKind::Data };
        let verdict = judge(&cache(vec![first, second]));
        prop_assert!(labels_are_unique(&verdict));
        prop_assert!(verdict.findings.is_sorted_by(|worse, better| worse.severity >= better.severity));
        for finding in &verdict.findings {
            prop_assert!(health_finding_ids().contains(&finding.id));
            prop_assert!(finding.message.ends_with('.') && !finding.message.contains('\n'), "{}", finding.message);
            prop_assert!(!finding.evidence.is_empty() && !finding.subject.is_empty());
        }
        prop_assert!(verdict.performance_data.iter().all(|datum| datum.value.is_finite()));
        prop_assert!(serde_json::to_string(&verdict).is_ok());
    }

    #[test]
    fn a_worse_fact_never_improves_the_status(numbers in numbers(), which in 0_usize..18, step in 1_u64..100) {
        let mut worse = numbers.clone();
        worse.worsen(which, step);
        let (before, after) = (judge(&numbers.facts()), judge(&worse.facts()));
        prop_assert!(rank(after.status) >= rank(before.status), "{} became {}", before.status, after.status);
    }
}

/// The property above would hold for a judge that sees nothing: each fact, made bad alone, is seen.
#[test]
fn each_worsened_fact_alone_is_seen() {
    let fine = Numbers {
        ping_ms: 1.0,
        used: 0,
        policy: 0,
        clients: 0,
        rejected: 0,
        hits: 2_000,
        errors: 0,
        lag: 0,
        link_down: 0,
        disk_free: 100,
        slots: 16_384,
        http: 200,
        flags: [false; 6],
    };
    assert_eq!(judge(&fine.facts()).status, Status::Ok);
    for which in (0..18).filter(|which| *which != 2) {
        let mut worse = fine.clone();
        worse.worsen(which, 99);
        assert_ne!(judge(&worse.facts()).status, Status::Ok, "fact {which}");
    }
}
