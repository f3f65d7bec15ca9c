//! The copies of the data: dumps, append-only file, replicas.

use larder_analysis::{CheckState, Status};

use crate::health::facts::{judge_info, table};

use CheckState::{Critical, Ok, Skipped, Warning};

#[test]
fn persistence() {
    let aof = "aof_enabled:1 aof_last_write_status";
    let rewrite = "aof_enabled:1 aof_last_bgrewrite_status";
    table(
        "node.save",
        &[
            ("", Skipped, ""),
            ("rdb_last_bgsave_status:ok", Ok, ""),
            ("rdb_last_bgsave_status:err", Critical, "node.save_failed"),
            ("rdb_last_bgsave_status:err role:master", Critical, "node.save_failed"),
            ("rdb_last_bgsave_status:err role:slave", Warning, "node.save_failed"),
        ],
    );
    table(
        "node.aof_write",
        &[
            ("", Skipped, ""),
            ("aof_enabled:1", Skipped, ""),
            (&format!("{aof}:ok"), Ok, ""),
            (&format!("{aof}:err"), Critical, "node.aof_write_failed"),
        ],
    );
    table(
        "node.aof_rewrite",
        &[
            ("", Skipped, ""),
            (&format!("{rewrite}:ok"), Ok, ""),
            (&format!("{rewrite}:err"), Warning, "node.aof_rewrite_failed"),
        ],
    );
    let off = judge_info("aof_enabled:0\naof_last_write_status:err\n");
    assert!(off.checks.iter().all(|check| check.id != "node.aof_write"));
    assert_eq!(off.status, Status::Ok);
}

#[test]
fn the_link_of_a_replica() {
    table(
        "node.link",
        &[
            ("role:slave", Skipped, ""),
            ("role:slave master_link_status:up", Ok, ""),
            ("role:slave master_link_status:up master_last_io_seconds_ago:10", Ok, ""),
            ("role:slave master_link_status:up master_last_io_seconds_ago:11", Warning, "node.link_silent"),
            ("role:slave master_link_status:up master_last_io_seconds_ago:31", Critical, "node.link_silent"),
            (
                "role:slave master_link_status:down master_link_down_since_seconds:0",
                Warning,
                "node.link_down",
            ),
            (
                "role:slave master_link_status:down master_link_down_since_seconds:30",
                Warning,
                "node.link_down",
            ),
            (
                "role:slave master_link_status:down master_link_down_since_seconds:31",
                Critical,
                "node.link_down",
            ),
            (
                "role:slave master_link_status:down master_link_down_since_seconds:-1",
                Critical,
                "node.link_down",
            ),
            (
                "role:slave master_link_status:down master_link_down_since_seconds:-1 uptime_in_seconds:5",
                Warning,
                "node.link_down",
            ),
            (
                "role:slave master_link_status:down master_link_down_since_seconds:-1 uptime_in_seconds:9999",
                Critical,
                "node.link_down",
            ),
            ("role:slave master_link_status:down master_sync_in_progress:1", Warning, "node.syncing"),
        ],
    );
    assert!(judge_info("role:master\n").checks.iter().all(|check| check.id != "node.link"));
}

#[test]
fn replicas_as_their_primary_sees_them() {
    let replica = |state: &str, rest: &str| {
        format!("role:master master_repl_offset:2148 slave0:ip=r,port=1,state={state}{rest}")
    };
    table(
        "node.replica",
        &[
            (&replica("online", ""), Skipped, ""),
            (&replica("online", ",offset=100,lag=0"), Ok, ""),
            (&replica("online", ",lag=10"), Ok, ""),
            (&replica("online", ",lag=11"), Warning, "node.replica_lag"),
            (&replica("online", ",lag=31"), Critical, "node.replica_lag"),
            (&replica("send_bulk", ",lag=0"), Warning, "node.replica_not_online"),
        ],
    );
    let verdict = judge_info(&replica("online", ",offset=100,lag=31").replace(' ', "\n"));
    assert_eq!(
        verdict.findings[0].message,
        "The replica r:1 lags: it last confirmed 31 s ago, 2.0 KiB behind."
    );
}
