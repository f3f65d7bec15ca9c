//! What the servers say now: their policy, and which commands were slow.

use std::{sync::Arc, time::Duration};

use chrono::DateTime;
use futures_util::future;
use larder_analysis::{NodeHistory, OptimizeFacts, SlowCommand};
use larder_cache_client::{CacheClient, Error, Server};
use larder_metrics_model::{Failure, NodeAddress, NodeKind, Observed, ServerFacts, Skipped, SlowLogEntry};

use crate::deadline::{Deadline, observed};

/// As much of the slow log is asked for; servers keep 128 entries where nothing else is set (`slowlog-max-len`).
const SLOW_LOG_ENTRIES: usize = 512;

/// What one server says.
struct Answers {
    node: NodeAddress,
    policy: Observed<String>,
    slow_log: Observed<Vec<SlowLogEntry>>,
}

/// Adds what the servers say to the facts, and returns what went wrong.
pub(super) async fn look(
    facts: &mut OptimizeFacts,
    live: &Observed<CacheClient>,
    timeout: Duration,
) -> Vec<String> {
    let answers = match live {
        Observed::Known(client) => ask_all(client, timeout, &mut facts.skipped).await,
        Observed::Skipped(reason) => Observed::Skipped(reason.clone()),
        Observed::Failed(failure) => Observed::Failed(failure.clone()),
    };
    match answers {
        Observed::Known(answers) => add(facts, answers),
        Observed::Skipped(reason) => {
            unasked(facts, &Observed::Skipped(reason));
            Vec::new()
        }
        Observed::Failed(failure) => {
            let problem = format!("the live servers cannot be asked: {}", failure.reason);
            unasked(facts, &Observed::Failed(failure));
            vec![problem]
        }
    }
}

async fn ask_all(
    client: &CacheClient,
    timeout: Duration,
    skipped: &mut Vec<Skipped>,
) -> Observed<Vec<Answers>> {
    let deadline = Deadline::after(timeout);
    let name = NodeAddress::new(client.name());
    match deadline.wait(&name, client.nodes().discover()).await {
        Ok(topology) => {
            skipped.extend(topology.skipped);
            let data = topology.nodes.iter().filter(|server| server.kind() == NodeKind::Data);
            Observed::Known(future::join_all(data.map(|server| ask(server, deadline))).await)
        }
        Err(error) => Observed::Failed(Failure::new(error.failure_kind(), error.with_causes())),
    }
}

async fn ask(server: &Arc<dyn Server>, deadline: Deadline) -> Answers {
    let node = server.node();
    let (policy, slow_log) = tokio::join!(
        deadline.wait(node, policy(server.as_ref())),
        deadline.wait(node, server.slow_log(SLOW_LOG_ENTRIES)),
    );
    Answers { node: node.clone(), policy: observed(policy), slow_log: observed(slow_log) }
}

/// INFO has the policy since Redis 2.8.13; where it is not told there, the settings may be open.
async fn policy(server: &dyn Server) -> Result<String, Error> {
    let told = ServerFacts::from(&server.info().await?).memory.policy;
    if let Some(policy) = told {
        return Ok(policy);
    }
    let settings = server.config("maxmemory-policy").await?;
    settings.get("maxmemory-policy").cloned().ok_or_else(|| Error::Unsupported {
        node: server.node().clone(),
        capability: larder_cache_client::Capability::Config,
        reason: "it tells no maxmemory-policy".to_owned(),
    })
}

fn add(facts: &mut OptimizeFacts, answers: Vec<Answers>) -> Vec<String> {
    let mut problems = Vec::new();
    for node in &mut facts.nodes {
        node.slow_log = Observed::skipped("it is none of the cache's nodes now");
    }
    for Answers { node, policy, slow_log } in answers {
        if let Observed::Failed(failure) = &slow_log {
            problems.push(format!("{node} cannot be asked: {}", failure.reason));
        }
        let from = facts.from;
        let history = of_node(&mut facts.nodes, &node);
        history.slow_log = slow_log.map(|entries| entries.into_iter().filter_map(slow_command).collect());
        if let Observed::Known(entries) = &mut history.slow_log {
            entries.retain(|entry: &SlowCommand| entry.at >= from);
        }
        match policy {
            Observed::Known(policy) => history.policy = Some(policy),
            unknown if history.policy.is_none() => {
                let reason = unknown.why_unknown().unwrap_or_default();
                facts.skipped.push(Skipped::new(format!("maxmemory-policy of {node}"), reason));
            }
            _ => {}
        }
    }
    facts.nodes.sort_by(|one, other| one.node.cmp(&other.node));
    problems
}

/// A node that is not in the history has a slow log all the same.
pub(super) fn of_node<'a>(nodes: &'a mut Vec<NodeHistory>, node: &NodeAddress) -> &'a mut NodeHistory {
    let place = nodes.iter().position(|known| known.node == *node).unwrap_or(nodes.len());
    if place == nodes.len() {
        nodes.push(NodeHistory::unseen(node.clone()));
    }
    &mut nodes[place]
}

fn unasked(facts: &mut OptimizeFacts, why: &Observed<Vec<SlowCommand>>) {
    for node in &mut facts.nodes {
        node.slow_log = why.clone();
    }
    if facts.nodes.is_empty() {
        facts.skipped.push(Skipped::new("the live servers", why.why_unknown().unwrap_or_default()));
    }
}

fn slow_command(entry: SlowLogEntry) -> Option<SlowCommand> {
    let at = DateTime::from_timestamp(i64::try_from(entry.at_unix_seconds).ok()?, 0)?;
    Some(SlowCommand::new(at, entry.command, entry.arguments, entry.duration))
}
