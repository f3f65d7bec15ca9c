//! What every server must do.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use larder_cache_client::{Availability, Capabilities, Capability, Nodes, Server};

const SECRETS: [&str; 6] = [
    "requirepass",
    "masterauth",
    "primaryauth",
    "tls-key-file-pass",
    "tls-client-key-file-pass",
    "sentinel-pass",
];

/// Checks an implementation of [`Nodes`], and each node that it finds.
pub async fn nodes(nodes: &dyn Nodes) -> Result<()> {
    let found = nodes.discover().await?;
    ensure!(!found.nodes.is_empty(), "no node was found; skipped: {:?}", found.skipped);
    let addresses: Vec<_> = found.nodes.iter().map(|node| node.node().clone()).collect();
    ensure!(addresses.is_sorted(), "the nodes are not in the order of their addresses: {addresses:?}");
    let again = nodes.discover().await?;
    let addresses_again: Vec<_> = again.nodes.iter().map(|node| node.node().clone()).collect();
    ensure!(addresses == addresses_again, "{addresses:?} became {addresses_again:?}");
    for node in &found.nodes {
        server(node.as_ref()).await.with_context(|| format!("node {}", node.node()))?;
    }
    Ok(())
}

/// Checks an implementation of [`Server`].
pub async fn server(server: &dyn Server) -> Result<()> {
    let name = server.node().as_str();
    ensure!(!name.is_empty() && !name.contains('@'), "its name is `{name}`");
    let known = server.capabilities().await.context("capabilities")?;
    let changes = number_of(server, "rdb_changes_since_last_save").await?;
    let missing: Vec<Capability> = Capability::ALL
        .into_iter()
        .filter(|capability| !known.iter().any(|(asked, _)| asked == *capability))
        .collect();
    ensure!(missing.is_empty(), "it was not found out whether there is {missing:?}");
    if known.has(Capability::Config) {
        settings(server).await.context("config")?;
    }
    rights(server, &known).await.context("users and rights")?;
    if known.has(Capability::SlowLog) {
        ensure!(server.slow_log(0).await?.is_empty(), "slow_log(0) has entries");
        ensure!(server.slow_log(1).await?.len() <= 1, "slow_log(1) has more than one");
    }
    answers_agree(server, &known).await.context("capabilities and answers")?;
    let changes_after = number_of(server, "rdb_changes_since_last_save").await?;
    ensure!(changes == changes_after, "{changes:?} changes became {changes_after:?}: something was changed");
    Ok(())
}

async fn answers_agree(server: &dyn Server, known: &Capabilities) -> Result<()> {
    for (capability, availability) in known.iter() {
        let answer = ask(server, capability).await;
        match (availability, answer) {
            (_, None) | (Availability::Unknown(_), _) | (Availability::Available, Some(Ok(()))) => {}
            (Availability::Available, Some(Err(error))) => {
                anyhow::bail!("{capability} is called available: {}", error.with_causes())
            }
            (Availability::Blocked(reason), Some(Ok(()))) => {
                anyhow::bail!("{capability} is called blocked ({reason}) and works")
            }
            (Availability::Blocked(reason), Some(Err(error))) => {
                ensure!(!reason.is_empty(), "{capability} is blocked for no reason");
                ensure!(error.is_blocked(), "{capability} is blocked, and is_blocked is not: {error:?}");
            }
        }
    }
    Ok(())
}

async fn number_of(server: &dyn Server, field: &str) -> Result<Option<u64>> {
    match server.info().await {
        Ok(info) => Ok(info.number(field)),
        Err(error) if error.is_blocked() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Asks for what a capability is about; `None` where the trait has no question for it.
async fn ask(server: &dyn Server, capability: Capability) -> Option<larder_cache_client::Result<()>> {
    Some(match capability {
        Capability::Ping => server.ping().await.map(|trip| assert!(trip < Duration::from_mins(1))),
        Capability::Info => server.info().await.map(|info| assert!(!info.is_empty(), "an empty INFO")),
        Capability::Config => server.config("*").await.map(drop),
        Capability::Clients => server.clients().await.map(drop),
        Capability::SlowLog => server.slow_log(8).await.map(drop),
        Capability::Latency => server.latency().await.map(drop),
        Capability::MemoryStatistics => {
            server.memory().await.map(|report| assert!(!report.figures.is_empty()))
        }
        Capability::Cluster => server.cluster().await.map(drop),
        _ => return None,
    })
}

/// What is asked about users: an answer that holds no secret and is the same when it is asked again, or a reason why there is none.
async fn rights(server: &dyn Server, known: &Capabilities) -> Result<()> {
    match server.password_is_set().await {
        Ok(is_set) => {
            ensure!(known.has(Capability::Config), "it has no settings, and knows of a password");
            ensure!(is_set == server.password_is_set().await?, "whether a password is set has changed");
        }
        Err(error) => ensure!(error.is_blocked(), "no password, and not blocked: {error:?}"),
    }
    match server.user_rules().await {
        Ok(lines) => {
            ensure!(lines.iter().any(|line| line.starts_with("user default ")), "no default user: {lines:?}");
            for line in &lines {
                ensure!(line.starts_with("user "), "it is no user: {line}");
                let secret = line.split_whitespace().find(|word| word.starts_with(['#', '>', '<', '!']));
                ensure!(secret.is_none(), "the password {secret:?} is in `{line}`");
            }
        }
        Err(error) => ensure!(error.is_blocked(), "no users, and not blocked: {error:?}"),
    }
    match server.user_may_run("default", &["FLUSHALL"]).await {
        Ok(may) => {
            // It was asked about, not run: `server` compares the changes before and after.
            ensure!(may == server.user_may_run("default", &["FLUSHALL"]).await?, "the right has changed");
            let nothing = server.user_may_run("default", &["NO-SUCH-COMMAND"]).await?;
            ensure!(!nothing, "a command that there is not may be run");
            let unknown = server.user_may_run("no-such-user", &["PING"]).await;
            ensure!(unknown.is_err(), "there is no such user, and it may do {unknown:?}");
        }
        Err(error) => ensure!(error.is_blocked(), "no rights, and not blocked: {error:?}"),
    }
    Ok(())
}

async fn settings(server: &dyn Server) -> Result<()> {
    let all = server.config("*").await?;
    let secret = SECRETS.into_iter().find(|name| all.contains_key(*name));
    ensure!(secret.is_none(), "the secret {secret:?} is among the settings");
    let some = server.config("maxmem*").await?;
    ensure!(
        some.keys().all(|name| name.starts_with("maxmem")),
        "the pattern was not obeyed: {:?}",
        some.keys()
    );
    let expected = all.iter().filter(|(name, _)| name.starts_with("maxmem")).count();
    ensure!(some.len() == expected, "{} settings instead of {expected}", some.len());
    ensure!(server.config("no-such-setting").await?.is_empty(), "a setting that there is not");
    Ok(())
}
