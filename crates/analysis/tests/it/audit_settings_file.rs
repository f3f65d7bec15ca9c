//! What a configuration file says, judged by product and version.

use larder_analysis::{AuditVerdict, CheckState, MachineTuning, SettingsFile};
use larder_metrics_model::{Failure, FailureKind, Observed};

use crate::audit::{judged, node, now, state};

const DEPRECATED: &str = "audit.deprecated_settings";
const IGNORED: &str = "audit.ignored_settings";
const REDIS_4: &str = "redis_version:4.0.14\n";
const REDIS_7: &str = "redis_version:7.0.15\n";
const REDIS_8: &str = "redis_version:8.0.2\n";
const VALKEY_8: &str = "redis_version:7.2.4\nserver_name:valkey\nvalkey_version:8.1.1\n";

fn seen(server: &str, file: Observed<SettingsFile>) -> AuditVerdict {
    let mut node = node(&format!("# Server\n{server}"), &[], MachineTuning::new(None, None, None));
    node.settings_file = file;
    judged(node, now())
}

fn file(text: &str) -> SettingsFile {
    let mut file = SettingsFile::new("/etc/redis.conf");
    file.take_in("/etc/redis.conf", text);
    file
}

/// Tells whether there is such a finding; `None` where that is unknown.
fn found(verdict: &AuditVerdict, id: &str) -> Option<bool> {
    let is_known = state(verdict, id) != Some(CheckState::Unknown);
    is_known.then(|| verdict.findings.iter().any(|finding| finding.id.as_str() == id))
}

#[test]
fn what_a_line_does_depends_on_product_version_and_value() {
    const YES: Option<bool> = Some(true);
    const NO: Option<bool> = Some(false);
    for (server, text, deprecated, ignored) in [
        (REDIS_7, "", NO, NO),
        (REDIS_7, "# slaveof 10.0.0.1 6379\nport 6379\n", NO, NO),
        (REDIS_7, "SlaveOf 10.0.0.1 6379", YES, NO),
        (REDIS_4, "slaveof 10.0.0.1 6379", NO, NO),
        (VALKEY_8, "slaveof 10.0.0.1 6379", YES, NO),
        (REDIS_8, "slowlog-max-len 128", NO, NO),
        (VALKEY_8, "slowlog-max-len 128", YES, NO),
        (REDIS_7, "io-threads-do-reads no", NO, NO),
        (REDIS_8, "io-threads-do-reads no", NO, YES),
        (REDIS_8, "io-threads-do-reads yes", YES, NO),
        (REDIS_8, "dynamic-hz no", NO, NO),
        (VALKEY_8, "dynamic-hz no", NO, YES),
        (VALKEY_8, "dynamic-hz yes\ndynamic-hz no", YES, YES),
        (VALKEY_8, "masterauth x\nmasteruser y", NO, NO),
        (REDIS_7, "gopher-enabled no", NO, YES),
        (REDIS_4, "gopher-enabled no", NO, NO),
        ("redis_version:x\n", "port 1", None, None),
        (
            "server_name:dragonfly\nredis_version:7.4.0\ndragonfly_version:df-1.2.3\n",
            "slaveof a 1",
            None,
            None,
        ),
    ] {
        let verdict = seen(server, Observed::Known(file(text)));
        assert_eq!(
            (found(&verdict, DEPRECATED), found(&verdict, IGNORED)),
            (deprecated, ignored),
            "{server} {text}"
        );
    }
}

#[test]
fn a_file_with_many_old_lines_is_one_finding_that_can_be_read() {
    let text = "rename-command A a\nrename-command B b\nrename-command C c\nrename-command D d\nrename-command E e\n\
                slaveof h 1\nslave-priority 1\nlua-time-limit 5\nlist-max-ziplist-value 4\nhash-max-zipmap-value 64";
    let verdict = seen(REDIS_7, Observed::Known(file(text)));
    let of = |id: &str| verdict.findings.iter().find(|finding| finding.id.as_str() == id).unwrap();
    insta::assert_snapshot!(format!("{}\n{}", of(DEPRECATED).message, of(IGNORED).message));
    let all = format!("{:?}", of(DEPRECATED).evidence);
    for line in 1..=5 {
        assert!(all.contains(&format!("/etc/redis.conf:{line}")), "{all}");
    }
}

#[test]
fn what_was_not_read_is_unknown_and_never_ok() {
    let mut half = file("port 1");
    half.unread.push("/etc/x.conf: this user may not read it".to_owned());
    let verdict = seen(REDIS_7, Observed::Known(half.clone()));
    assert_eq!(state(&verdict, DEPRECATED), Some(CheckState::Unknown));
    half.take_in("/etc/redis.conf", "slaveof h 1");
    let verdict = seen(REDIS_7, Observed::Known(half));
    assert_eq!(found(&verdict, DEPRECATED), Some(true));
    let said = verdict
        .findings
        .iter()
        .any(|finding| finding.message.contains("Not all of it was read: /etc/x.conf"));
    assert!(said, "{verdict:#?}");

    let failed = Failure::new(FailureKind::Other, "its configuration file /etc/redis.conf: it is not there");
    let verdict = seen(REDIS_7, Observed::Failed(failed));
    let unknown = verdict.unknown();
    let group = unknown.iter().find(|group| group.reason.contains("it is not there")).unwrap();
    assert_eq!(group.ids, [IGNORED, DEPRECATED]);

    let verdict = seen(REDIS_7, Observed::skipped("the server is not on this machine"));
    assert_eq!((state(&verdict, DEPRECATED), state(&verdict, IGNORED)), (None, None));
    let skipped: Vec<String> = verdict.skipped.iter().map(ToString::to_string).collect();
    assert!(skipped.iter().any(|one| one.contains("configuration file of a:1")), "{skipped:?}");
}
