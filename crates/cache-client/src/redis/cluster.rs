//! A cluster.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::{StreamExt, future, stream};
use larder_metrics_model::{NodeAddress, NodeKind, Role, Skipped};
use redis::{
    Cmd, ErrorKind, Pipeline, RedisError, RedisResult, ServerErrorKind, Value,
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    cluster_routing::{RoutingInfo, SingleNodeRoutingInfo},
    cmd,
};
use tokio::{sync::OnceCell, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{
    answer::read,
    cluster_map::{ClusterMember, members},
    direct::Dialer,
    failure::{Request, command_name},
    link::{Effect, Link},
    pool::NodeLinks,
    server::RedisServer,
    sweep::{Shard, Shards},
};
use crate::{
    Error, Nodes, Result, Server, Topology,
    url::{Endpoint, HostPort},
};

/// How many commands of one batch are on their way at once; the client library sorts them by node.
const IN_FLIGHT: usize = 128;

/// A connection into a cluster: one that a service owns, or one of our own that is made when it is needed.
pub(crate) struct LazyCluster {
    connection: OnceCell<ClusterConnection>,
    client: Option<ClusterClient>,
    node: NodeAddress,
    connect_timeout: Duration,
    response_timeout: Duration,
}

impl fmt::Debug for LazyCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyCluster").field("node", &self.node).finish_non_exhaustive()
    }
}

impl LazyCluster {
    pub(crate) fn of_seeds(seeds: &[HostPort], dialer: &Dialer) -> Result<Self> {
        let addresses: Vec<String> = seeds.iter().map(|seed| seed.address().to_string()).collect();
        let node = NodeAddress::new(format!("cluster {}", addresses.join(",")));
        let options = &dialer.options;
        let request = Request { node: &node, command: "CLUSTER SLOTS", timeout: options.connect_timeout };
        let mut builder = ClusterClient::builder(seeds.iter().map(|seed| dialer.connection_addr(seed)))
            // What is sent again, and when, is decided by our own link, which tells reads from writes.
            .retries(0)
            .connection_timeout(options.connect_timeout)
            .response_timeout(options.response_timeout)
            // Chosen on each connection to a node, whenever one is made.
            .database_id(dialer.login.db());
        if let Some(password) = dialer.login.password() {
            builder = builder.password(password);
        }
        if let Some(username) = dialer.login.username() {
            builder = builder.username(username);
        }
        if let Some(certificates) = &dialer.certificates {
            builder = builder.tls(redis::TlsMode::Secure).certs(certificates.clone());
        }
        let client = builder.build().map_err(|error| request.failed(error))?;
        Ok(Self {
            connection: OnceCell::new(),
            client: Some(client),
            connect_timeout: options.connect_timeout,
            response_timeout: options.response_timeout,
            node,
        })
    }

    pub(crate) fn owned(connection: ClusterConnection, response_timeout: Duration) -> Self {
        Self {
            connection: OnceCell::new_with(Some(connection)),
            client: None,
            node: NodeAddress::new("cluster"),
            connect_timeout: response_timeout,
            response_timeout,
        }
    }

    async fn connection(&self) -> Result<ClusterConnection> {
        let request = Request { node: &self.node, command: "CLUSTER SLOTS", timeout: self.connect_timeout };
        let connect = async {
            let Some(client) = &self.client else {
                return Err(request.unexpected("there is no connection"));
            };
            // The library asks the seeds one after another, each with the connection timeout.
            match timeout(self.connect_timeout * 2, client.get_async_connection()).await {
                Ok(connection) => connection.map_err(|error| request.failed(error)),
                Err(_) => Err(request.timed_out()),
            }
        };
        self.connection.get_or_try_init(|| connect).await.cloned()
    }

    /// A redirected or retried command takes several answers.
    fn timeout(&self) -> Duration {
        self.response_timeout * 3
    }

    async fn route(&self, command: Cmd, routing: RoutingInfo, node: &NodeAddress) -> Result<Value> {
        let name = command_name(&command);
        let request = Request { node, command: &name, timeout: self.timeout() };
        let mut connection = self.connection().await?;
        match timeout(self.timeout(), connection.route_command(command, routing)).await {
            // A routed command hands the server's error out as a value.
            Ok(Ok(Value::ServerError(error))) => Err(request.failed(error.into())),
            Ok(answer) => answer.map_err(|error| request.failed(error)),
            Err(_) => Err(request.timed_out()),
        }
    }
}

/// A link that leads each command to the node of its key.
#[derive(Debug)]
pub(crate) struct ClusterLink(pub(crate) Arc<LazyCluster>);

#[async_trait]
impl Link for ClusterLink {
    fn node(&self) -> &NodeAddress {
        &self.0.node
    }

    async fn run(&self, command: Cmd, _effect: Effect) -> Result<Value> {
        let cluster = &self.0;
        let name = command_name(&command);
        let request = Request { node: &cluster.node, command: &name, timeout: cluster.timeout() };
        let mut connection = cluster.connection().await?;
        let answer = async {
            match command.query_async::<Value>(&mut connection).await {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::Ask) => {
                    asking(&mut connection.clone(), &command, error).await
                }
                answer => answer,
            }
        };
        match timeout(cluster.timeout(), answer).await {
            Ok(answer) => answer.map_err(|error| request.failed(error)),
            Err(_) => Err(request.timed_out()),
        }
    }

    async fn run_all(&self, commands: Vec<Cmd>, effect: Effect) -> Vec<Result<Value>> {
        stream::iter(commands).map(|command| self.run(command, effect)).buffered(IN_FLIGHT).collect().await
    }
}

/// Sends a command to the node that a slot is moving to (`ASK`): ASKING and the command in one packet, so that nothing
/// comes between the two.
async fn asking(connection: &mut ClusterConnection, command: &Cmd, error: RedisError) -> RedisResult<Value> {
    let target = error.redirect_node().and_then(|(address, _slot)| {
        let (host, port) = address.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(SingleNodeRoutingInfo::ByAddress { host, port: port.parse().ok()? })
    });
    let Some(target) = target else { return Err(error) };
    let mut pipeline = Pipeline::with_capacity(2);
    pipeline.add_command(cmd("ASKING")).add_command(command.clone());
    let answers = connection.route_pipeline(pipeline, 0, 2, target).await?;
    answers.into_iter().next_back().unwrap_or(Value::Nil).extract_error()
}

/// A link to one node through a connection into the cluster.
#[derive(Clone, Debug)]
struct RoutedLink {
    cluster: Arc<LazyCluster>,
    node: NodeAddress,
    host: HostPort,
}

impl RoutedLink {
    async fn route(&self, command: Cmd) -> Result<Value> {
        let HostPort { host, port } = self.host.clone();
        let routing = RoutingInfo::SingleNode(SingleNodeRoutingInfo::ByAddress { host, port });
        self.cluster.route(command, routing, &self.node).await
    }

    /// Does work in a task of its own. A scan that nobody polls would otherwise keep its places in the queue of the
    /// shared connection, and everyone behind it would wait for a reader that waits for them.
    async fn apart<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T> {
        let task = AbortOnDropHandle::new(tokio::spawn(work));
        task.await.map_err(|error| {
            let request = Request { node: &self.node, command: "a routed command", timeout: Duration::ZERO };
            request.unexpected(error.to_string())
        })
    }
}

#[async_trait]
impl Link for RoutedLink {
    fn node(&self) -> &NodeAddress {
        &self.node
    }

    async fn run(&self, command: Cmd, _effect: Effect) -> Result<Value> {
        let link = self.clone();
        self.apart(async move { link.route(command).await }).await?
    }

    async fn run_all(&self, commands: Vec<Cmd>, _effect: Effect) -> Vec<Result<Value>> {
        let (link, count) = (self.clone(), commands.len());
        let routed = async move {
            stream::iter(commands)
                .map(|command| link.route(command))
                .buffered(IN_FLIGHT)
                .collect::<Vec<_>>()
                .await
        };
        match self.apart(routed).await {
            Ok(answers) => answers,
            Err(error) => (0..count).map(|_| Err(error.clone())).collect(),
        }
    }
}

/// Links to nodes through a connection that the embedding service owns.
#[derive(Debug)]
pub(crate) struct RoutedLinks(pub(crate) Arc<LazyCluster>);

impl NodeLinks for RoutedLinks {
    fn link(&self, host: &HostPort) -> Arc<dyn Link> {
        Arc::new(RoutedLink { cluster: Arc::clone(&self.0), node: host.address(), host: host.clone() })
    }
}

/// Where the map of a cluster is asked for.
#[derive(Debug)]
pub(crate) enum Seeds {
    /// Nodes of the URL.
    Hosts(Vec<HostPort>),
    /// Any node, through a connection that the embedding service owns.
    Any(Arc<LazyCluster>),
}

/// The nodes of a cluster.
#[derive(Debug)]
pub(crate) struct ClusterNodes {
    seeds: Seeds,
    links: Box<dyn NodeLinks>,
    tls: bool,
    patience: Duration,
}

impl ClusterNodes {
    /// `patience` is how long the map is waited for, before the seeds are judged one by one.
    pub(crate) fn new(seeds: Seeds, links: Box<dyn NodeLinks>, tls: bool, patience: Duration) -> Self {
        Self { seeds, links, tls, patience }
    }

    async fn members(&self) -> Result<Vec<ClusterMember>> {
        let mut question = cmd("CLUSTER");
        question.arg("NODES");
        match &self.seeds {
            Seeds::Any(cluster) => {
                let routing = RoutingInfo::SingleNode(SingleNodeRoutingInfo::Random);
                let request =
                    Request { node: &cluster.node, command: "CLUSTER NODES", timeout: Duration::ZERO };
                let map: String = read(cluster.route(question, routing, &cluster.node).await?, request)?;
                Ok(members(&map, "", self.tls))
            }
            Seeds::Hosts(hosts) => {
                // All seeds at once, the first answer counts: one that is down costs no time.
                let ask = |seed: &HostPort| {
                    let (link, question, seed) = (self.links.link(seed), question.clone(), seed.host.clone());
                    Box::pin(async move {
                        let request =
                            Request { node: link.node(), command: "CLUSTER NODES", timeout: Duration::ZERO };
                        let map: String = read(link.run(question, Effect::Read).await?, request)?;
                        Ok::<_, Error>(members(&map, &seed, self.tls))
                    })
                };
                future::select_ok(hosts.iter().map(ask)).await.map(|(members, _)| members)
            }
        }
    }

    fn server(&self, host: &HostPort, role: Option<Role>) -> Arc<dyn Server> {
        let server = RedisServer::new(self.links.link(host), NodeKind::Data);
        Arc::new(match role {
            Some(role) => server.with_role(role),
            None => server,
        })
    }
}

#[async_trait]
impl Nodes for ClusterNodes {
    async fn discover(&self) -> Result<Topology> {
        let node = NodeAddress::new("the seeds of the cluster");
        let timed_out = Request { node: &node, command: "CLUSTER NODES", timeout: self.patience }.timed_out();
        match timeout(self.patience, self.members()).await.unwrap_or(Err(timed_out)) {
            Ok(members) => {
                let nodes = members.iter().map(|member| self.server(&member.host, Some(member.role)));
                Ok(Topology::new(nodes.collect(), Vec::new()))
            }
            Err(error) => match &self.seeds {
                // The seeds are judged one by one, so that each says for itself what is wrong with it.
                Seeds::Hosts(hosts) => {
                    let nodes = hosts.iter().map(|host| self.server(host, None)).collect();
                    Ok(Topology::new(
                        nodes,
                        vec![Skipped::new("the other nodes of the cluster", error.with_causes())],
                    ))
                }
                Seeds::Any(_) => Err(error),
            },
        }
    }
}

#[async_trait]
impl Shards for ClusterNodes {
    async fn shards(&self) -> Result<Vec<Shard>> {
        let members = self.members().await?;
        let replicas = |id: &str| {
            let of = members.iter().filter(|member| member.primary_id.as_deref() == Some(id));
            of.map(|member| member.host.clone()).collect()
        };
        let owners = members.iter().filter(|member| member.role == Role::Primary && !member.slots.is_empty());
        Ok(owners
            .map(|member| Shard {
                primary: member.host.address(),
                endpoint: Some(Endpoint::Tcp(member.host.clone())),
                link: self.links.link(&member.host),
                replicas: replicas(&member.id),
                slots: member.slots.clone(),
            })
            .collect())
    }
}
