//! A primary with its replicas, as Sentinels tell of them.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future;
use larder_metrics_model::{NodeAddress, NodeKind, Role, Skipped};
use redis::{Cmd, FromRedisValue, Value, cmd};
use tokio::time::timeout;

use super::{
    answer::read,
    failure::Request,
    link::{Effect, Link},
    pool::NodeLinks,
    server::RedisServer,
    sweep::{Shard, Shards},
};
use crate::{
    Error, Nodes, Result, Server, Topology,
    url::{Endpoint, HostPort},
};

/// The Sentinels that know a cache by a name.
#[derive(Debug)]
pub(crate) struct Sentinels {
    service: String,
    hosts: Vec<HostPort>,
    watchers: Box<dyn NodeLinks>,
    data: Box<dyn NodeLinks>,
    /// Links for what finds the primary anew by itself.
    once: Box<dyn NodeLinks>,
    patience: Duration,
}

/// What a Sentinel says of a server.
type Description = BTreeMap<String, String>;

impl Sentinels {
    pub(crate) fn new(
        service: String,
        hosts: Vec<HostPort>,
        watchers: Box<dyn NodeLinks>,
        data: Box<dyn NodeLinks>,
        once: Box<dyn NodeLinks>,
        patience: Duration,
    ) -> Self {
        Self { service, hosts, watchers, data, once, patience }
    }

    /// Waits for an answer no longer than leaves time to judge the nodes one by one.
    async fn patiently<T>(&self, answer: impl Future<Output = Result<T>>) -> Result<T> {
        let node = NodeAddress::new(format!("the Sentinels of `{}`", self.service));
        let timed_out = Request { node: &node, command: "SENTINEL", timeout: self.patience }.timed_out();
        timeout(self.patience, answer).await.unwrap_or(Err(timed_out))
    }

    fn server(&self, host: &HostPort) -> Arc<dyn Server> {
        Arc::new(RedisServer::new(self.watchers.link(host), NodeKind::Sentinel))
    }

    /// When no Sentinel tells where the data is, each is judged, so that each says for itself what is wrong with it.
    fn alone(&self, error: &Error) -> Topology {
        let skipped = Skipped::new("the primary and its replicas", error.with_causes());
        Topology::new(self.hosts.iter().map(|host| self.server(host)).collect(), vec![skipped])
    }

    fn command(&self, subcommand: &str) -> Cmd {
        let mut command = cmd("SENTINEL");
        command.arg(subcommand).arg(&self.service);
        command
    }

    /// Asks all Sentinels at once and takes the first answer, so that one that is down costs no time.
    async fn ask<T: FromRedisValue>(&self, subcommand: &str) -> Result<T> {
        let name = format!("SENTINEL {subcommand}");
        let ask = |host: &HostPort| {
            let (link, name) = (self.watchers.link(host), &name);
            let command = self.command(subcommand);
            Box::pin(async move {
                let answer = link.run(command, Effect::Read).await.map_err(|error| self.explained(error))?;
                if answer == Value::Nil {
                    return Err(self.unknown_service(link.node()));
                }
                read::<T>(answer, Request { node: link.node(), command: name, timeout: Duration::ZERO })
            })
        };
        future::select_ok(self.hosts.iter().map(ask)).await.map(|(answer, _)| answer)
    }

    fn unknown_service(&self, node: &NodeAddress) -> Error {
        Error::UnknownService { node: node.clone(), service: self.service.clone() }
    }

    /// Sentinels answer `-ERR No such master with that name` to all but one question.
    fn explained(&self, error: Error) -> Error {
        match &error {
            Error::Server { node, source, .. } if source.to_string().contains("No such master") => {
                self.unknown_service(node)
            }
            _ => error,
        }
    }

    async fn primary(&self) -> Result<HostPort> {
        let (host, port): (String, u16) = self.ask("GET-MASTER-ADDR-BY-NAME").await?;
        Ok(HostPort { host, port })
    }

    /// REPLICAS since Redis 5.0, SLAVES before.
    async fn replicas(&self) -> Result<Vec<HostPort>> {
        let described: Result<Vec<Description>> = self.ask("REPLICAS").await;
        let described = match described {
            Err(Error::UnknownCommand { .. } | Error::Server { .. }) => self.ask("SLAVES").await?,
            other => other?,
        };
        Ok(described.iter().filter_map(address).collect())
    }

    /// The Sentinels of the URL, and those that they know of.
    async fn all_sentinels(&self) -> Result<Vec<HostPort>> {
        let described: Vec<Description> = self.ask("SENTINELS").await?;
        let named: HashSet<String> = future::join_all(self.hosts.iter().map(|host| self.id(host)))
            .await
            .into_iter()
            .flatten()
            .collect();
        let is_new = |other: &&Description| {
            other.get("runid").is_none_or(|id| !named.contains(id))
                && address(other).is_none_or(|address| !self.hosts.contains(&address))
        };
        let others = described.iter().filter(is_new).filter_map(address);
        Ok(self.hosts.iter().cloned().chain(others).collect())
    }

    /// `SENTINEL MYID` is there since Redis 6.2; without it a Sentinel may be listed by two addresses.
    async fn id(&self, host: &HostPort) -> Option<String> {
        let mut command = cmd("SENTINEL");
        command.arg("MYID");
        let link = self.watchers.link(host);
        // One that is silent must not keep the others from being judged.
        let answer = timeout(self.patience / 2, link.run(command, Effect::Read)).await.ok()?.ok()?;
        String::from_redis_value(answer).ok()
    }
}

fn address(described: &Description) -> Option<HostPort> {
    Some(HostPort { host: described.get("ip")?.clone(), port: described.get("port")?.parse().ok()? })
}

/// A link to whichever server is the primary now.
#[derive(Debug)]
pub(crate) struct SentinelLink {
    sentinels: Arc<Sentinels>,
    node: NodeAddress,
    primary: Mutex<Option<Arc<dyn Link>>>,
}

impl SentinelLink {
    pub(crate) fn new(sentinels: Arc<Sentinels>) -> Self {
        let node = NodeAddress::new(format!("the primary of `{}`", sentinels.service));
        Self { sentinels, node, primary: Mutex::new(None) }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Option<Arc<dyn Link>>> {
        self.primary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn primary(&self) -> Result<Arc<dyn Link>> {
        let known = self.known().clone();
        if let Some(link) = known {
            return Ok(link);
        }
        let primary = self.sentinels.primary().await?;
        tracing::debug!(service = self.sentinels.service, primary = %primary.address(), "the Sentinels name the primary");
        let link = self.sentinels.once.link(&primary);
        *self.known() = Some(Arc::clone(&link));
        Ok(link)
    }

    /// After a failover the old primary is gone, does not answer, or takes no writes; then the Sentinels are asked anew.
    fn forget_after(&self, error: &Error) {
        if matches!(
            error,
            Error::Unreachable { .. }
                | Error::Timeout { .. }
                | Error::ReadOnly { .. }
                | Error::Loading { .. }
        ) {
            *self.known() = None;
        }
    }
}

#[async_trait]
impl Link for SentinelLink {
    fn node(&self) -> &NodeAddress {
        &self.node
    }

    async fn run(&self, command: Cmd, effect: Effect) -> Result<Value> {
        let answer = self.primary().await?.run(command, effect).await;
        answer.inspect_err(|error| self.forget_after(error))
    }

    async fn run_all(&self, commands: Vec<Cmd>, effect: Effect) -> Vec<Result<Value>> {
        let link = match self.primary().await {
            Ok(link) => link,
            Err(error) => return commands.iter().map(|_| Err(error.clone())).collect(),
        };
        let answers = link.run_all(commands, effect).await;
        for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            self.forget_after(error);
        }
        answers
    }
}

/// The primary, its replicas, and the Sentinels themselves.
#[derive(Debug)]
pub(crate) struct SentinelNodes(pub(crate) Arc<Sentinels>);

#[async_trait]
impl Nodes for SentinelNodes {
    async fn discover(&self) -> Result<Topology> {
        let Self(sentinels) = self;
        let primary = match sentinels.patiently(sentinels.primary()).await {
            // The name is wrong: that is no matter of who answers.
            Err(error @ Error::UnknownService { .. }) => return Err(error),
            Err(error) => return Ok(sentinels.alone(&error)),
            Ok(primary) => primary,
        };
        let (replicas, all) = future::join(
            sentinels.patiently(sentinels.replicas()),
            sentinels.patiently(sentinels.all_sentinels()),
        )
        .await;
        let mut skipped = Vec::new();
        let mut or_none = |what: &str, hosts: Result<Vec<HostPort>>, instead: Vec<HostPort>| {
            hosts.unwrap_or_else(|error| {
                skipped.push(Skipped::new(what, error.with_causes()));
                instead
            })
        };
        let replicas = or_none("replicas", replicas, Vec::new());
        let all = or_none("other Sentinels", all, sentinels.hosts.clone());
        let data = |host: &HostPort, role| -> Arc<dyn Server> {
            Arc::new(RedisServer::new(sentinels.data.link(host), NodeKind::Data).with_role(role))
        };
        let mut nodes = vec![data(&primary, Role::Primary)];
        nodes.extend(
            replicas.iter().filter(|replica| **replica != primary).map(|host| data(host, Role::Replica)),
        );
        nodes.extend(all.iter().map(|host| sentinels.server(host)));
        Ok(Topology::new(nodes, skipped))
    }
}

/// The primary that the Sentinels name is the one shard that there is.
#[async_trait]
impl Shards for SentinelNodes {
    async fn shards(&self) -> Result<Vec<Shard>> {
        let Self(sentinels) = self;
        let primary = sentinels.primary().await?;
        // Only whoever asks for a replica needs one.
        let replicas = sentinels.replicas().await.unwrap_or_default();
        Ok(vec![Shard {
            primary: primary.address(),
            link: sentinels.data.link(&primary),
            endpoint: Some(Endpoint::Tcp(primary)),
            replicas,
            slots: Vec::new(),
        }])
    }
}
