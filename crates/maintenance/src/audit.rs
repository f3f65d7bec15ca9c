//! Gathering what an audit is made from.

mod process;
mod settings_file;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, FixedOffset, Utc};
use futures_util::future;
use larder_analysis::{
    AclUser, AuditFacts, AuditOptions, AuditVerdict, AuditedNode, DANGEROUS_COMMANDS, judge_audit,
};
use larder_cache_client::{CacheClient, CacheUrl, Error, Server, certificate_end};
use larder_metrics_model::{Failure, NodeAddress, NodeKind, Observed, ReplicaFacts, ServerFacts, Skipped};

use crate::{
    Job, JobOutcome, JobReport,
    deadline::{Deadline, observed},
};

/// Looks at every node, and judges as of `now`.
///
/// Changes nothing, and ends within the timeout; what could not be seen is unknown in the verdict.
pub async fn check_audit(
    client: &CacheClient,
    options: &AuditOptions,
    timeout: Duration,
    now: DateTime<Utc>,
) -> AuditVerdict {
    judge_audit(&gather_audit(client, timeout).await, options, now)
}

/// Gathers what [`check_audit`] judges.
pub async fn gather_audit(client: &CacheClient, timeout: Duration) -> AuditFacts {
    let deadline = Deadline::after(timeout);
    // A service's own connection has a name that is no URL.
    let uses_tls = client.name().parse::<CacheUrl>().is_ok_and(|url| url.uses_tls());
    let handshake = Handshake { uses_tls, patience: timeout };
    let mut facts = AuditFacts::unseen();
    let name = NodeAddress::new(client.name());
    match deadline.wait(&name, client.nodes().discover()).await {
        Ok(topology) => {
            let data = topology.nodes.iter().filter(|server| server.kind() == NodeKind::Data);
            let nodes = future::join_all(data.map(|server| look_at(server, deadline, handshake))).await;
            if topology.nodes.len() == 1 && topology.skipped.is_empty() {
                let scheme = client.name().split_once("://").map_or("redis", |(scheme, _)| scheme);
                facts.beside = nodes.iter().flat_map(|node| replicas(node, scheme)).collect();
            }
            facts.skipped = topology.skipped;
            facts.nodes = Observed::Known(nodes);
        }
        Err(error) => {
            facts.nodes = Observed::Failed(Failure::new(error.failure_kind(), error.with_causes()));
        }
    }
    facts
}

/// Returns the replicas of a server that was named by itself.
///
/// They are not asked: whoever may connect as a replica chooses the address that INFO then shows, and would be sent the password.
fn replicas(node: &AuditedNode, scheme: &str) -> Vec<Skipped> {
    let scheme = if scheme == "unix" { "redis" } else { scheme };
    let Observed::Known(facts) = &node.facts else { return Vec::new() };
    let skipped = |replica: &ReplicaFacts| {
        let address = &replica.address;
        let reason = format!(
            "the URL names its primary alone; audit {scheme}://{address} too, or both by the redis-sentinel:// URL of the service"
        );
        Skipped::new(format!("replica {address}"), reason)
    };
    facts.replication.replicas.iter().map(skipped).collect()
}

/// How certificates are looked at.
#[derive(Clone, Copy)]
struct Handshake {
    /// Whether the nodes' own ports are those with TLS.
    uses_tls: bool,
    patience: Duration,
}

async fn look_at(server: &Arc<dyn Server>, deadline: Deadline, handshake: Handshake) -> AuditedNode {
    let node = server.node();
    let mut audited = AuditedNode::unseen(node.clone(), server.kind());
    let (info, settings, users, password, may_run) = tokio::join!(
        deadline.wait(node, server.info()),
        deadline.wait(node, settings(server.as_ref())),
        deadline.wait(node, server.user_rules()),
        deadline.wait(node, server.password_is_set()),
        deadline.wait(node, default_may_run(server.as_ref())),
    );
    let process = process::find(node, info.as_ref().ok()).await;
    audited.machine = match process {
        Ok(process) => process::tuning(process).await,
        Err(why) => Observed::skipped(why),
    };
    audited.settings_file = match (process, &info) {
        (Ok(process), Ok(info)) => {
            deadline.look("the configuration file", settings_file::read(process, info)).await
        }
        (Err(why), Ok(info)) => settings_file::out_of_sight(info, why),
        (_, Err(error)) => Observed::skipped(error.with_causes()),
    };
    audited.certificate_ends = certificate(node, settings.as_ref(), deadline, handshake).await;
    audited.facts = observed(info.map(|info| ServerFacts::from(&info)));
    audited.settings = observed(settings);
    audited.users =
        observed(users).map(|lines| lines.iter().filter_map(|line| AclUser::parse(line)).collect());
    audited.password_is_set = observed(password);
    audited.default_may_run = observed(may_run);
    audited
}

/// A server that gives no setting at all has its settings blocked in some other way.
async fn settings(server: &dyn Server) -> Result<BTreeMap<String, String>, Error> {
    server.config("*").await
}

async fn default_may_run(server: &dyn Server) -> Result<Vec<&'static str>, Error> {
    let mut open = Vec::new();
    for command in DANGEROUS_COMMANDS {
        if server.user_may_run("default", command.words).await? {
            open.push(command.name());
        }
    }
    Ok(open)
}

/// Looks at the certificate of the port that the cache is reached on, or else of the one that the settings name.
async fn certificate(
    node: &NodeAddress,
    settings: Result<&BTreeMap<String, String>, &Error>,
    deadline: Deadline,
    handshake: Handshake,
) -> Observed<DateTime<Utc>> {
    let named = |settings: &BTreeMap<String, String>| {
        settings.get("tls-port").and_then(|port| port.parse::<u16>().ok()).filter(|port| *port != 0)
    };
    let port = match settings {
        _ if handshake.uses_tls => None,
        Ok(settings) => match named(settings) {
            Some(port) => Some(port),
            None => return Observed::skipped("it has no port with TLS"),
        },
        Err(error) => return Observed::Failed(Failure::new(error.failure_kind(), error.with_causes())),
    };
    let ends = deadline.wait(node, certificate_end(node, port, handshake.patience)).await;
    observed(ends.map(DateTime::<Utc>::from))
}

/// Audits the cache.
///
/// A verdict is what this job is for, so it is done whatever the verdict says.
#[derive(Clone, Debug)]
pub struct AuditJob {
    client: CacheClient,
    options: AuditOptions,
    timeout: Duration,
}

impl AuditJob {
    /// Makes the job.
    #[must_use]
    pub fn new(client: CacheClient, options: AuditOptions, timeout: Duration) -> Self {
        Self { client, options, timeout }
    }
}

#[async_trait]
impl Job for AuditJob {
    fn name(&self) -> &'static str {
        "audit"
    }

    async fn run(&self, at: DateTime<FixedOffset>) -> JobOutcome {
        let begun = std::time::Instant::now();
        let verdict = check_audit(&self.client, &self.options, self.timeout, at.to_utc()).await;
        let summary = verdict.summary();
        JobOutcome::done(self.name(), summary, begun.elapsed(), JobReport::Audit(Box::new(verdict)))
    }
}
