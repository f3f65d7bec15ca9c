//! What is wrong is said once, clearly, with the right exit code, and without a secret.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use larder_test_support::{TestServer, on_every_server, until};

use crate::larder::{Larder, Run, findings};

const SECRET: &str = "hunter2-and-more";

/// Both commands: a check that says what it found, and one that could not do its work.
fn both(larder: &Larder, finding: &str, words: &str, node: &str) -> Result<()> {
    let run = larder.ends(2, &["--output", "json", "health"])?;
    run.hides(SECRET)?;
    let verdict = run.json()?;
    ensure!(findings(&verdict, node) == [finding], "{verdict:#}");
    let run = larder.ends(1, &["collect"])?;
    run.hides(SECRET)?;
    ensure!(errors(&run) == 1, "one message: {run:#?}");
    run.says(words)
}

fn errors(run: &Run) -> usize {
    run.stderr.lines().filter(|line| line.starts_with("error: ")).count()
}

#[tokio::test]
async fn a_server_that_is_not_there() {
    on_every_server(async |program| {
        let mut server = TestServer::start(program)?;
        server.kill()?;
        both(&Larder::of(&server.url()), "node.unreachable", "Connection refused", server.node().as_str())
    })
    .await;
}

#[tokio::test]
async fn a_wrong_password_or_none() {
    on_every_server(async |program| {
        let server = TestServer::builder(program).password(SECRET).start()?;
        let node = server.node().to_string();
        let bare = format!("redis://{node}");
        let anonymous = Larder::of(&bare);
        both(&anonymous, "node.authentication", "a password is needed, and none was given", &node)?;
        let wrong = Larder::of(&bare).with("LARDER_PASSWORD", "hunter2-and-more-wrong");
        both(&wrong, "node.authentication", "password is wrong", &node)?;

        let right = Larder::of(&bare).with("LARDER_PASSWORD", SECRET);
        right.ends(0, &["health"])?.hides(SECRET)?;
        let file = Larder::of(&bare);
        file.write("password", &format!("{SECRET}\n"));
        file.ends(0, &["--password-file", "password", "health"])?;
        file.configure("password_command = \"cat password\"\n");
        file.ends(0, &["health"])?;
        let run = file.ends(0, &["config", "show"])?;
        run.hides(SECRET)?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn tls_where_there_is_none_and_none_where_there_is() {
    on_every_server(async |program| {
        let plain = TestServer::start(program)?;
        let node = plain.node().to_string();
        let larder = Larder::of(&format!("rediss://{node}")).with("LARDER_TIMEOUT", "700ms");
        both(&larder, "node.tls", "may be a port without TLS", &node)?;

        let secured = TestServer::builder(program).tls().start()?;
        let node = secured.node().to_string();
        both(&Larder::of(&format!("redis://{node}")), "node.unreachable", &node, &node)?;
        both(&Larder::of(&format!("rediss://{node}")), "node.tls", "UnknownIssuer", &node)?;
        let run = Larder::of(&format!("rediss://{node}")).with("LARDER_TLS_CA", "/no/such.pem");
        run.ends(2, &["collect"])?.says("/no/such.pem")?;
        run.ends(3, &["health"])?.says("/no/such.pem")
    })
    .await;
}

#[tokio::test]
async fn certificates_that_are_something_else() {
    on_every_server(async |program| {
        let server = TestServer::builder(program).tls_with_client_certificates().start()?;
        let files = server.certificates().context("certificates")?;
        let path = |path: &Path| path.display().to_string();
        let with = |ca: &Path, cert: &Path, key: &Path| {
            Larder::of(&server.url())
                .with("LARDER_TLS_CA", &path(ca))
                .with("LARDER_TLS_CERT", &path(cert))
                .with("LARDER_TLS_KEY", &path(key))
        };
        for (larder, words) in [
            (
                with(&files.ca_file, &files.client_key_file, &files.client_cert_file),
                "there is no certificate in it",
            ),
            (
                with(&files.ca_file, &files.client_cert_file, &files.server_key_file),
                "the key of another certificate",
            ),
            (
                with(&files.client_key_file, &files.client_cert_file, &files.client_key_file),
                "there is no certificate",
            ),
        ] {
            for (code, command) in [(3, ["health"].as_slice()), (2, &["collect"]), (2, &["config", "check"])]
            {
                larder.ends(code, command)?.says(words)?;
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_user_that_needs_no_password_is_that_user_and_no_other() {
    on_every_server(async |program| {
        let server = TestServer::builder(program).user("user larder on nopass +ping +info").start()?;
        let url = format!("redis://larder@{}", server.node());
        let verdict = Larder::of(&url).ends(0, &["--output", "json", "health"])?.json()?;
        ensure!(
            findings(&verdict, server.node().as_str()).iter().all(|id| !id.contains("auth")),
            "{verdict:#}"
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_database_that_is_not_there() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let run = Larder::of(&format!("redis://{}/99", server.node())).ends(1, &["collect"])?;
        run.says("has no such database, or the user lacks the right +select")
    })
    .await;
}

#[tokio::test]
async fn a_watch_that_waits_for_a_frozen_server_can_be_ended() {
    on_every_server(async |program| {
        let mut server = TestServer::start(program)?;
        server.pause()?;
        let larder = Larder::of(&server.url()).with("LARDER_TIMEOUT", "60s");
        let mut child = larder.command(&["watch"]).spawn()?;
        // It is in its first look for as long as it is let.
        let process = rustix::process::Pid::from_child(&child);
        until("the end of it", || {
            rustix::process::kill_process(process, rustix::process::Signal::INT)?;
            Ok(child.try_wait()?)
        })?;
        server.resume()
    })
    .await;
}

#[test]
fn a_password_command_that_does_not_end() -> Result<()> {
    let larder = Larder::of("memory:sample").with("LARDER_TIMEOUT", "200ms");
    larder.configure("password_command = \"exec sleep 600\"\n");
    larder.ends(2, &["collect"])?.says("did not end within 200ms")
}

#[test]
fn quiet_is_quiet() -> Result<()> {
    let run = Larder::of("memory:sample").ends(0, &["-q", "collect"])?;
    ensure!(run.stderr.is_empty(), "{run:#?}");
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_loading() {
    on_every_server(async |program| {
        let server = TestServer::builder(program).start_loading()?;
        let larder = Larder::of(&server.url());
        let verdict = larder.ends(2, &["--output", "json", "health"])?.json()?;
        ensure!(
            findings(&verdict, server.node().as_str()).contains(&"node.loading".to_owned()),
            "{verdict:#}"
        );
        larder.run(&["collect"])?.says("loading its data set")
    })
    .await;
}

#[tokio::test]
async fn a_server_with_as_many_clients_as_it_allows() {
    on_every_server(async |program| {
        let server = TestServer::builder(program).config("maxclients 1").start()?;
        let held = server.admin()?;
        let outcome = both(
            &Larder::of(&server.url()),
            "node.too_many_clients",
            "its limit of clients (maxclients) is reached",
            server.node().as_str(),
        );
        drop(held);
        outcome
    })
    .await;
}

#[test]
fn a_wrong_url() -> Result<()> {
    for (url, words) in [
        (format!("htp://u:{SECRET}@h"), "it begins with redis://"),
        (format!("redis://u:{SECRET}@h:port"), "invalid port number"),
        (
            format!("redis-sentinel://u:{SECRET}@h"),
            "the name that the Sentinels know the cache by is missing",
        ),
        ("memory:dump.rdb?tls=true".to_owned(), "there is db=N"),
    ] {
        for (code, command) in [(3, "health"), (2, "collect"), (2, "watch")] {
            let run = Larder::of(&url).ends(code, &[command])?;
            run.hides(SECRET)?;
            run.says(words)?;
            assert_eq!(errors(&run), 1, "{run:#?}");
        }
    }
    Ok(())
}

#[test]
fn a_password_in_an_argument_is_warned_of() -> Result<()> {
    let url = format!("redis://:{SECRET}@127.0.0.1:1");
    let run = Larder::new().ends(2, &["--cache", &url, "health"])?;
    run.says("can be read by everyone who lists processes")?;
    run.hides(SECRET)
}

#[test]
fn a_wrong_command_line() -> Result<()> {
    let larder = Larder::new();
    larder.ends(2, &["colect"])?.says("collect")?;
    larder.ends(2, &["collect", "--bogus"])?.says("--bogus")?;
    larder.ends(3, &["health", "--bogus"])?.says("--bogus")?;
    larder
        .ends(2, &["--output", "nagios", "collect"])?
        .says("only `health`, `audit` and `backup check` have the form nagios")?;
    larder.ends(2, &["--timeout", "0s", "collect"])?.says("longer than nothing")?;
    Ok(())
}

#[tokio::test]
async fn a_service_that_the_sentinels_do_not_know() {
    on_every_server(async |program| {
        let sentinel = larder_test_support::TestSentinel::start(program, 0)?;
        let node = sentinel.sentinels[0].node().to_string();
        let run = Larder::of(&format!("redis-sentinel://{node}/nobody")).ends(1, &["collect"])?;
        run.says("does not know a cache called `nobody`")
    })
    .await;
}
