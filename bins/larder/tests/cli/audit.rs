//! `larder audit`: each misconfiguration on real servers, seen and mended.

mod settings_file;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use chrono::Datelike;
use larder_analysis::DANGEROUS_COMMANDS;
use larder_test_support::{
    Certificates, ServerProgram, TestServer, TestServerBuilder, free_port, on_every_server, until,
};
use serde_json::Value;

use crate::larder::{Larder, check};

/// These depend on the version under test, on the day, and on the machine that the tests run on.
const OF_ELSEWHERE: [&str; 6] = [
    "audit.advisories",
    "audit.advisories_old",
    "audit.end_of_life",
    "audit.huge_pages",
    "audit.overcommit",
    "audit.open_files_short",
];

/// Name, the value that is wrong, and the one that mends it.
type Settings = &'static [(&'static str, &'static str, &'static str)];

/// A cache that has nothing to be found, but that it is without TLS on loopback.
fn well_kept(program: &ServerProgram) -> TestServerBuilder {
    TestServer::builder(program)
        .user("user default off")
        .config("protected-mode yes")
        .config("maxmemory 64mb")
        .config("maxmemory-policy allkeys-lru")
        .config("latency-monitor-threshold 100")
        .user("user auditor on >secret +ping +info +config|get +acl|list +acl|dryrun")
}

fn larder(server: &TestServer) -> Larder {
    Larder::of(&server.url()).with("LARDER_USERNAME", "auditor").with("LARDER_PASSWORD", "secret")
}

fn audited(larder: &Larder) -> Result<Value> {
    let run = larder.run(&["--output", "json", "audit"])?;
    let verdict = run.json()?;
    let expected = match verdict["status"].as_str() {
        Some("ok") => 0,
        Some("warning") => 1,
        Some("critical") => 2,
        _ => 3,
    };
    ensure!(run.code == expected, "{run:#?}");
    Ok(verdict)
}

fn ids(verdict: &Value) -> Vec<String> {
    let findings = verdict["findings"].as_array().into_iter().flatten();
    let mut ids: Vec<String> =
        findings.filter_map(|finding| finding["id"].as_str()).map(ToOwned::to_owned).collect();
    ids.retain(|id| !OF_ELSEWHERE.contains(&id.as_str()));
    ids.sort();
    ids
}

#[tokio::test]
async fn each_setting_is_found_and_mended() {
    const CASES: [(&str, Settings); 9] = [
        ("audit.no_memory_limit", &[("maxmemory", "0", "64mb")]),
        ("audit.nothing_evicted", &[("maxmemory-policy", "noeviction", "allkeys-lru")]),
        ("audit.latency_monitor_off", &[("latency-monitor-threshold", "0", "100")]),
        ("audit.slow_log_off", &[("slowlog-log-slower-than", "-1", "10000")]),
        ("audit.dead_clients_kept", &[("tcp-keepalive", "0", "300")]),
        ("audit.buffers_unlimited", &[("client-output-buffer-limit", "pubsub 0 0 0", "pubsub 32mb 8mb 60")]),
        ("audit.persisted_twice", &[("save", "3600 1", ""), ("appendonly", "yes", "no")]),
        (
            "audit.failed_saves_ignored",
            &[("save", "3600 1", ""), ("stop-writes-on-bgsave-error", "no", "yes")],
        ),
        ("audit.bind_all", &[("bind", "* -::*", "127.0.0.1")]),
    ];
    on_every_server(async |program| {
        let server = well_kept(program).start()?;
        let larder = larder(&server);
        let nothing = audited(&larder)?;
        ensure!(ids(&nothing).is_empty(), "{nothing:#}");
        for (id, settings) in CASES {
            for (name, bad, _) in settings {
                server.run::<()>(&["CONFIG", "SET", name, bad])?;
            }
            let found = ids(&audited(&larder)?);
            // Whoever listens everywhere without TLS has two faults.
            let expected = if id == "audit.bind_all" { vec![id, "audit.tls_off"] } else { vec![id] };
            ensure!(found == expected, "{id}: {found:?}");
            for (name, _, good) in settings {
                server.run::<()>(&["CONFIG", "SET", name, good])?;
            }
            ensure!(ids(&audited(&larder)?).is_empty(), "{id} is still there");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn each_user_and_each_line_of_the_file_is_found() {
    const USERS: [(&str, &[&str], &[&str]); 3] = [
        ("audit.users_without_password", &["app", "on", "nopass", "~app:*", "+get"], &["app", "resetpass"]),
        ("audit.users_broad", &["app", "on", ">x", "~*", "+@all"], &["app", "-@all"]),
        ("audit.default_user_unrestricted", &["default", "on", ">x", "~*", "+@all"], &["default", "off"]),
    ];
    on_every_server(async |program| {
        let server = well_kept(program).start()?;
        let larder = larder(&server);
        for (id, bad, good) in USERS {
            server.run::<()>(&[&["ACL", "SETUSER"], bad].concat())?;
            let found = ids(&audited(&larder)?);
            ensure!(found == [id], "{id}: {found:?}");
            server.run::<()>(&[&["ACL", "SETUSER"], good].concat())?;
            ensure!(ids(&audited(&larder)?).is_empty(), "{id} is still there");
        }
        for (id, line) in [
            ("audit.debug_command", "enable-debug-command yes"),
            ("audit.module_command", "enable-module-command yes"),
            ("audit.protected_settings", "enable-protected-configs yes"),
            ("audit.checksum_off", "rdbchecksum no"),
        ] {
            let server = well_kept(program).config(line).start()?;
            let found = ids(&audited(&self::larder(&server))?);
            ensure!(found == [id], "{id}: {found:?}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_server_as_debian_sets_it_up_is_worth_warnings_and_nothing_critical() {
    on_every_server(async |program| {
        let server = TestServer::builder(program)
            .config("bind 127.0.0.1 ::1")
            .config("protected-mode yes")
            .config("save 3600 1 300 100 60 10000")
            .start()?;
        let larder = Larder::of(&server.url());
        let verdict = audited(&larder)?;
        ensure!(verdict["status"] == "warning", "{verdict:#}");
        insta::assert_snapshot!("as_debian_sets_it_up", as_read(&verdict, server.node().as_str()));
        larder.ends(1, &["audit"])?.says("risk:")?;
        larder.ends(1, &["--output", "nagios", "audit"])?.says("LARDER AUDIT WARNING - 0 critical")?;

        server.run::<()>(&["CONFIG", "SET", "protected-mode", "no"])?;
        server.run::<()>(&["CONFIG", "SET", "bind", "*"])?;
        let verdict = audited(&larder)?;
        ensure!(verdict["status"] == "critical", "{verdict:#}");
        ensure!(ids(&verdict).contains(&"audit.open_to_all".to_owned()), "{verdict:#}");
        Ok(())
    })
    .await;
}

/// What an operator reads of the findings that are of the settings alone.
fn as_read(verdict: &Value, node: &str) -> String {
    let findings = verdict["findings"].as_array().into_iter().flatten();
    let of_settings = findings.filter(|finding| !OF_ELSEWHERE.iter().any(|id| finding["id"] == *id));
    let text =
        |finding: &Value, field: &str| finding[field].as_str().unwrap_or_default().replace(node, "NODE");
    let lines = of_settings.map(|finding| {
        let [severity, id, subject, message, recommendation, risk] =
            ["severity", "id", "subject", "message", "recommendation", "risk"]
                .map(|field| text(finding, field));
        format!("{severity} {id} {subject}\n  {message}\n  do: {recommendation}\n  risk: {risk}\n")
    });
    lines.collect()
}

#[tokio::test]
async fn keys_that_cannot_be_evicted_are_found() {
    on_every_server(async |program| {
        let server = well_kept(program).start()?;
        let larder = larder(&server);
        for number in 0..200 {
            server.run::<()>(&["SET", &format!("k:{number}"), "v"])?;
        }
        ensure!(ids(&audited(&larder)?).is_empty());
        server.run::<()>(&["CONFIG", "SET", "maxmemory-policy", "volatile-lru"])?;
        let verdict = audited(&larder)?;
        ensure!(ids(&verdict) == ["audit.policy_needs_ttl"], "{verdict:#}");
        for number in 0..150 {
            server.run::<()>(&["EXPIRE", &format!("k:{number}"), "3600"])?;
        }
        ensure!(ids(&audited(&larder)?).is_empty(), "three of four have a TTL");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_primary_and_its_replica_are_looked_at_as_such() {
    on_every_server(async |program| {
        let copier = "user copier on >secret +psync +replconf +ping";
        let primary = well_kept(program).user(copier).start()?;
        let replica = well_kept(program)
            .config(format!("replicaof 127.0.0.1 {}", primary.port()))
            .config("masteruser copier")
            .config("masterauth secret")
            .start()?;
        until("the replica's link", || {
            Ok(replica.info("master_link_status")?.filter(|status| status == "up"))
        })?;
        until("the primary's replica", || {
            Ok(primary.info("connected_slaves")?.filter(|count| count == "1"))
        })?;
        let (of_primary, of_replica) = (larder(&primary), larder(&replica));
        ensure!(ids(&audited(&of_replica)?).is_empty());
        for (setting, bad, good, id) in [
            ("replica-read-only", "no", "yes", "audit.replica_writable"),
            ("replica-serve-stale-data", "no", "yes", "audit.replica_refuses_reads"),
        ] {
            replica.run::<()>(&["CONFIG", "SET", setting, bad])?;
            let verdict = audited(&of_replica)?;
            ensure!(ids(&verdict) == [id], "{verdict:#}");
            replica.run::<()>(&["CONFIG", "SET", setting, good])?;
            ensure!(ids(&audited(&of_replica)?).is_empty(), "{id} is still there");
        }
        let verdict = audited(&of_primary)?;
        ensure!(ids(&verdict) == ["audit.primary_not_persisted"], "{verdict:#}");
        let left_out = format!("replica {}", replica.node());
        ensure!(verdict["skipped"][0]["what"] == left_out.as_str(), "{verdict:#}");
        of_primary.run(&["audit"])?.says(&format!("audit {} too", replica.url()))?;
        of_primary.run(&["--output", "nagios", "audit"])?.says(&left_out)?;
        primary.run::<()>(&["CONFIG", "SET", "save", "3600 1"])?;
        let verdict = audited(&of_primary)?;
        ensure!(ids(&verdict) == ["audit.writes_unreplicated"], "{verdict:#}");
        primary.run::<()>(&["CONFIG", "SET", "min-replicas-to-write", "1"])?;
        ensure!(ids(&audited(&of_primary)?).is_empty(), "both are mended");
        Ok(())
    })
    .await;
}

/// Over TLS, as a client that has a certificate.
fn over_tls(server: &TestServer, certificates: &Certificates) -> Larder {
    let mut larder = larder(server);
    for (name, file) in [
        ("LARDER_TLS_CA", &certificates.ca_file),
        ("LARDER_TLS_CERT", &certificates.client_cert_file),
        ("LARDER_TLS_KEY", &certificates.client_key_file),
    ] {
        larder = larder.with(name, &file.to_string_lossy());
    }
    larder
}

#[tokio::test]
async fn each_setting_of_tls_is_found_and_mended() {
    on_every_server(async |program| {
        let server = well_kept(program).tls_with_client_certificates().start()?;
        let larder = over_tls(&server, server.certificates().context("it has some")?);
        let nothing = audited(&larder)?;
        ensure!(ids(&nothing).is_empty(), "{nothing:#}");
        ensure!(
            check(&nothing, "audit.certificate_ends", server.node().as_str()).as_deref() == Some("ok"),
            "{nothing:#}"
        );
        let port = free_port()?.to_string();
        for (id, name, bad, good) in [
            ("audit.plain_port_open", "port", port.as_str(), "0"),
            ("audit.tls_clients_unverified", "tls-auth-clients", "no", "yes"),
            ("audit.tls_clients_unverified", "tls-auth-clients", "optional", "yes"),
            ("audit.tls_old_protocols", "tls-protocols", "TLSv1.1 TLSv1.2 TLSv1.3", "TLSv1.2 TLSv1.3"),
        ] {
            server.run::<()>(&["CONFIG", "SET", name, bad])?;
            let verdict = audited(&larder)?;
            ensure!(ids(&verdict) == [id], "{verdict:#}");
            server.run::<()>(&["CONFIG", "SET", name, good])?;
            ensure!(ids(&audited(&larder)?).is_empty(), "{id} is still there");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_ends_is_found_and_mended() {
    on_every_server(async |program| {
        let server = well_kept(program).tls_with_client_certificates().start()?;
        let node = server.node();
        for (days, state, status) in [
            (20, "warning", "warning"),
            (4, "critical", "critical"),
            (-3, "critical", "critical"),
            (90, "ok", ""),
        ] {
            let day = chrono::Utc::now().date_naive() + chrono::TimeDelta::days(days);
            let folder = tempfile::tempdir()?;
            let until = (day.year(), u8::try_from(day.month())?, u8::try_from(day.day())?);
            let made = Certificates::make_until(folder.path(), until)?;
            let path = |file: &Path| file.to_string_lossy().into_owned();
            server.run::<()>(&[
                "CONFIG",
                "SET",
                "tls-ca-cert-file",
                &path(&made.ca_file),
                "tls-cert-file",
                &path(&made.server_cert_file),
                "tls-key-file",
                &path(&made.server_key_file),
            ])?;
            let verdict = audited(&over_tls(&server, &made))?;
            let seen = check(&verdict, "audit.certificate_ends", node.as_str());
            ensure!(seen.as_deref() == Some(state), "{days}: {verdict:#}");
            ensure!(status.is_empty() || verdict["status"] == status, "{days}: {verdict:#}");
            let is_found = ids(&verdict).contains(&"audit.certificate_ends".to_owned());
            ensure!(is_found == (state != "ok"), "{days}: {verdict:#}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_is_blocked_is_unknown_and_never_ok() {
    on_every_server(async |program| {
        let server = well_kept(program).user("user blind on >secret +ping +info").start()?;
        let larder =
            Larder::of(&server.url()).with("LARDER_USERNAME", "blind").with("LARDER_PASSWORD", "secret");
        let verdict = audited(&larder)?;
        ensure!(verdict["status"] != "ok", "{verdict:#}");
        let reason = |id: &str| {
            let checks = verdict["checks"].as_array().into_iter().flatten();
            let unknown = |check: &&Value| check["id"] == id && check["state"] == "unknown";
            checks.into_iter().find(unknown).and_then(|check| check["reason"].as_str()).map(ToOwned::to_owned)
        };
        for (id, what) in
            [("audit.bind_all", "CONFIG"), ("audit.users_broad", "ACL"), ("audit.no_password", "ACL")]
        {
            ensure!(reason(id).is_some_and(|why| why.contains(what)), "{id}: {verdict:#}");
        }
        let renamed = TestServer::builder(program).config("rename-command CONFIG \"\"").start()?;
        let verdict = audited(&Larder::of(&renamed.url()))?;
        ensure!(
            verdict["status"] != "ok" && ids(&verdict).contains(&"audit.no_password".to_owned()),
            "{verdict:#}"
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_command_that_was_renamed_away_is_not_open() {
    on_every_server(async |program| {
        let server = TestServer::builder(program)
            .config("rename-command FLUSHALL \"\"")
            .config("rename-command DEBUG hidden")
            .start()?;
        let verdict = audited(&Larder::of(&server.url()))?;
        let found = verdict["findings"].as_array().into_iter().flatten();
        let open = found.into_iter().find(|finding| finding["id"] == "audit.dangerous_commands");
        let message = open.and_then(|open| open["message"].as_str()).context("the others are open")?;
        ensure!(message.contains("KEYS, FLUSHDB, CONFIG, SHUTDOWN, EVAL"), "{message}");
        Ok(())
    })
    .await;
}

/// Does what the advice says, word by word.
fn follow(server: &TestServer, recommendation: &str) -> Result<()> {
    let advised = recommendation.find("ACL SETUSER").context("it advises rights")?;
    let words: Vec<&str> =
        recommendation[advised..].split_whitespace().take_while(|word| !word.starts_with('(')).collect();
    server.run(&words)
}

#[tokio::test]
async fn the_advised_rights_leave_no_dangerous_command_open() {
    const ID: &str = "audit.dangerous_commands";
    on_every_server(async |program| {
        let auditor = "user auditor on >secret +ping +info +config|get +acl|list +acl|dryrun";
        let server = TestServer::builder(program).user(auditor).start()?;
        let larder = larder(&server);
        let verdict = audited(&larder)?;
        let found = finding(&verdict, ID).context("everything is open")?;
        let message = found["message"].as_str().unwrap_or_default();
        for open in ["KEYS", "SHUTDOWN", "EVAL", "EVAL_RO", "EVALSHA", "FCALL", "FUNCTION", "SCRIPT"] {
            ensure!(message.contains(&format!(" {open}")), "{open}: {message}");
        }
        ensure!(
            !message.contains("DEBUG") && !message.contains("MODULE"),
            "a setting forbids them: {message}"
        );

        server.run::<()>(&["ACL", "SETUSER", "default", "-@dangerous", "-eval"])?;
        let verdict = audited(&larder)?;
        let left = finding(&verdict, ID).context("scripts still run")?;
        ensure!(left["message"].as_str().is_some_and(|text| text.contains("EVALSHA")), "{left:#}");

        follow(&server, found["recommendation"].as_str().unwrap_or_default())?;
        let verdict = audited(&larder)?;
        ensure!(finding(&verdict, ID).is_none(), "{verdict:#}");
        let state = check(&verdict, ID, server.node().as_str());
        ensure!(state.as_deref() == Some("ok"), "{verdict:#}");
        let mut anyone = redis::Client::open(server.url())?.get_connection()?;
        for command in DANGEROUS_COMMANDS {
            let (name, arguments) = command.words.split_first().context("it has a name")?;
            let answer: redis::RedisResult<redis::Value> = redis::cmd(name).arg(arguments).query(&mut anyone);
            let refused = answer.as_ref().is_err_and(|error| {
                error.code() == Some("NOPERM")
                    || (command.guard.is_some() && error.to_string().contains("command not allowed"))
            });
            ensure!(refused, "{name}: {answer:?}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn whether_debug_is_open_is_not_claimed_where_the_settings_are_blocked() {
    on_every_server(async |program| {
        let blind = "user blind on >secret +ping +info +acl|list +acl|dryrun";
        let server = TestServer::builder(program).user(blind).start()?;
        let larder =
            Larder::of(&server.url()).with("LARDER_USERNAME", "blind").with("LARDER_PASSWORD", "secret");
        let verdict = audited(&larder)?;
        let found = finding(&verdict, "audit.dangerous_commands").context("the others are open")?;
        let message = found["message"].as_str().unwrap_or_default();
        ensure!(
            message.contains("Whether a setting forbids DEBUG and MODULE could not be seen"),
            "{message}"
        );

        let local = TestServer::builder(program)
            .user("user default on nopass ~* +debug")
            .user("user auditor on >secret +ping +info +config|get +acl|list +acl|dryrun")
            .config("enable-debug-command local")
            .start()?;
        let verdict = audited(&self::larder(&local))?;
        let found = finding(&verdict, "audit.dangerous_commands").context("it is open")?;
        let message = found["message"].as_str().unwrap_or_default();
        ensure!(message.contains("may run DEBUG (from its own machine)."), "{message}");
        Ok(())
    })
    .await;
}

fn finding<'a>(verdict: &'a Value, id: &str) -> Option<&'a Value> {
    verdict["findings"].as_array()?.iter().find(|finding| finding["id"] == id)
}

#[tokio::test]
async fn what_is_accepted_does_not_count_until_its_day() {
    on_every_server(async |program| {
        let server = well_kept(program).config("rdbchecksum no").start()?;
        let larder = larder(&server);
        let accept = |until: &str, id: &str| {
            larder.configure(&format!(
                "[[audit.accept]]\nid = \"{id}\"\nsubject = \"{}\"\nreason = \"it is only a cache\"\nuntil = \"{until}\"\n",
                server.node()
            ));
        };
        accept("9999-12-31", "audit.checksum_off");
        let verdict = audited(&larder)?;
        ensure!(ids(&verdict).is_empty() && verdict["accepted"][0]["reason"] == "it is only a cache", "{verdict:#}");
        accept("2001-01-01", "audit.checksum_off");
        let verdict = audited(&larder)?;
        ensure!(ids(&verdict) == ["audit.checksum_off"], "{verdict:#}");
        larder.run(&["audit"])?.says("accepted no longer")?;
        accept("9999-12-31", "audit.tls_off");
        let verdict = audited(&larder)?;
        ensure!(verdict["unmatched"][0]["id"] == "audit.tls_off", "{verdict:#}");
        let unmatched = larder.run(&["audit"])?;
        unmatched.says("accepted, and not found")?;
        unmatched.says("audit.tls_off of 127.0.0.1")?;
        larder.run(&["--output", "nagios", "audit"])?.says("accepted, and not found: audit.tls_off of")?;
        larder.configure("[[audit.accept]]\nid = \"audit.checksum_off\"\nreason = \" \"\nuntil = \"9999-12-31\"\n");
        let refused = larder.ends(3, &["audit"])?;
        refused.says("the reason is empty")?;
        refused.says("larder.toml:3:")?;
        larder.ends(2, &["config", "check"])?.says("the reason is empty")?;
        accept("9999-12-31", "audit.checksum_of");
        larder.ends(3, &["audit"])?.says("is `audit.checksum_off` meant?")?;
        larder.ends(2, &["config", "check"])?.says("is `audit.checksum_off` meant?")
    })
    .await;
}

#[tokio::test]
async fn nodes_that_differ_are_found() {
    on_every_server(async |program| {
        let cluster = larder_test_support::TestCluster::start(program, 0)?;
        let larder = Larder::of(&cluster.url());
        ensure!(!ids(&audited(&larder)?).contains(&"audit.nodes_differ".to_owned()), "they are alike");
        cluster.servers[0].run::<()>(&["CONFIG", "SET", "maxmemory", "77mb"])?;
        let verdict = audited(&larder)?;
        ensure!(ids(&verdict).contains(&"audit.nodes_differ".to_owned()), "{verdict:#}");
        let [first, second, third] = [0, 1, 2].map(|place| cluster.servers[place].node());
        let mut others = [second.as_str(), third.as_str()];
        others.sort_unstable();
        let said = format!("maxmemory: 77.0 MiB on {first}; no limit on {}.", others.join(", "));
        larder.run(&["audit"])?.says(&said)
    })
    .await;
}

#[tokio::test]
async fn what_does_not_answer_is_one_line_with_its_cause() {
    let node = format!("127.0.0.1:{}", free_port().expect("a port is free"));
    let larder = Larder::of(&format!("redis://{node}"));
    let run = larder.ends(3, &["audit"]).expect("it is unknown");
    let first = run.stdout.lines().next().unwrap_or_default();
    assert!(first.contains("unknown, 1 looked at; unknown: "), "{first}");
    assert!(first.contains(&format!(" rules of {node}: it does not answer: ")), "{first}");
    let about = run.stdout.lines().skip(1).filter(|line| line.contains(&node));
    assert_eq!(about.count(), 1, "{}", run.stdout);
    let run = larder.ends(3, &["--output", "nagios", "audit"]).expect("it is unknown");
    let first = run.stdout.lines().next().unwrap_or_default();
    assert!(first.starts_with("LARDER AUDIT UNKNOWN") && first.contains("it does not answer"), "{first}");
    assert_eq!(run.stdout.lines().count(), 2, "{}", run.stdout);
}

#[tokio::test]
async fn what_few_rights_hide_is_said_once_for_each_reason() {
    on_every_server(async |program| {
        let server = well_kept(program).user("user blind on >secret +ping +info").start()?;
        let larder =
            Larder::of(&server.url()).with("LARDER_USERNAME", "blind").with("LARDER_PASSWORD", "secret");
        let run = larder.run(&["audit"])?;
        let grouped = format!("rules of {}: CONFIG is not to be had", server.node());
        let (first, rest) = run.stdout.split_once('\n').context("there is more than a line")?;
        ensure!(first.contains(&grouped), "{first}");
        ensure!(rest.matches("CONFIG GET").count() == 1, "{}", run.stdout);
        ensure!(first.len() < 1_000, "{first}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn nodes_of_a_cluster_that_could_not_be_looked_for_are_unknown() {
    on_every_server(async |program| {
        let cluster = larder_test_support::TestCluster::start(program, 0)?;
        for server in &cluster.servers {
            server.run::<()>(&[
                "ACL",
                "SETUSER",
                "auditor",
                "on",
                ">secret",
                "+ping",
                "+info",
                "+config|get",
                "+acl|list",
                "+acl|dryrun",
            ])?;
        }
        let larder =
            Larder::of(&cluster.url()).with("LARDER_USERNAME", "auditor").with("LARDER_PASSWORD", "secret");
        let verdict = audited(&larder)?;
        let others = "the other nodes of the cluster";
        ensure!(verdict["skipped"][0]["what"] == others, "{verdict:#}");
        let state = check(&verdict, "audit.cache_unreachable", others);
        ensure!(state.as_deref() == Some("unknown"), "{verdict:#}");
        larder.run(&["audit"])?.says(&format!("audit.cache_unreachable of {others}: "))
    })
    .await;
}

#[test]
fn the_help_says_which_commands_have_the_form_of_monitoring_plugins() {
    let run = Larder::new().ends(0, &["audit", "--help"]).expect("it has help");
    let words: Vec<&str> = run.stdout.split_whitespace().collect();
    assert!(words.join(" ").contains("(`health`, `audit`, `backup check`)"), "{}", run.stdout);
}
