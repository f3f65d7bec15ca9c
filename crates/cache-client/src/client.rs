//! From a URL, or a connection that is there, to the roles of a cache.

use std::{sync::Arc, time::Duration};

use larder_metrics_model::{NodeAddress, NodeKind};
use redis::{aio::ConnectionLike, cluster_async::ClusterConnection};
use secrecy::SecretString;

use crate::{
    Cache, CacheUrl, Capability, ConnectOptions, DumpOptions, DumpShard, Error, Keys, MemoryCache,
    MemoryOptions, Nodes, Result, StatsSource, TrafficOptions, TrafficSample,
    memory::{MemoryNode, load, memory_dump, sample},
    redis::{
        BySlot, ClusterLink, ClusterNodes, Dialer, LazyCluster, Link, LinkPool, OneShard, OwnedLink,
        RedisCache, RedisDumps, RedisKeys, RedisServer, RedisTraffic, Retrying, RoutedLinks, Seeds,
        SentinelLink, SentinelNodes, Sentinels, ServerStats, Shards, SingleNode, Sweeper, WireDialer,
    },
    url::{Endpoint, HostPort, Target},
};

/// A cache, in each of its roles.
#[derive(Clone, Debug)]
pub struct CacheClient {
    name: String,
    cache: Arc<dyn Cache>,
    keys: Arc<dyn Keys>,
    nodes: Arc<dyn Nodes>,
    stats: Arc<dyn StatsSource>,
    dumps: Dumps,
    /// An embedded cache has none.
    traffic: Option<Arc<RedisTraffic>>,
}

/// Where images are taken.
#[derive(Clone, Debug)]
enum Dumps {
    Redis(Arc<RedisDumps>),
    Memory(MemoryCache),
}

/// Reaches the cache that a URL names.
///
/// Nothing is sent yet: connections are made when they are first needed, and anew after they broke. Only
/// `memory:sample` and `memory:FILE` do their work here.
///
/// # Errors
/// [`Error::File`](crate::Error::File) where a certificate or a dump cannot be read, and
/// [`Error::Dump`](crate::Error::Dump) where a dump is not sound.
pub async fn open(url: &CacheUrl, options: &ConnectOptions) -> Result<CacheClient> {
    match &url.target {
        Target::Memory => {
            Ok(CacheClient::from_memory(MemoryCache::new(MemoryOptions::default().with_name(url.name()))))
        }
        Target::Sample => Ok(CacheClient::from_memory(sample().await?)),
        Target::Dump { path } => {
            let options = MemoryOptions::default().with_name(url.name());
            Ok(CacheClient::from_memory(load(path, url.database, options).await?))
        }
        Target::Server { endpoint, tls } => server(url, endpoint, *tls, options),
        Target::Sentinel { sentinels, service, tls } => sentinel(url, sentinels, service, *tls, options),
        Target::Cluster { seeds, tls } => cluster(url, seeds, *tls, options),
    }
}

fn credentials<'a>(
    url: &'a CacheUrl,
    options: &'a ConnectOptions,
) -> (Option<&'a str>, Option<&'a SecretString>) {
    let username = url.username.as_deref().or(options.username.as_deref());
    (username, url.password.as_ref().or(options.password.as_ref()))
}

fn server(url: &CacheUrl, endpoint: &Endpoint, tls: bool, options: &ConnectOptions) -> Result<CacheClient> {
    let dialer = Dialer::new(credentials(url, options), url.database, tls, options)?;
    let link = |dialer: &Dialer| -> Arc<dyn Link> {
        Arc::new(Retrying::new(Arc::new(dialer.link(endpoint.clone())), options))
    };
    let nodes = Arc::new(SingleNode(RedisServer::new(link(&dialer), NodeKind::Data)));
    let to_keys = link(&dialer.without_touching());
    let sweeper = Sweeper {
        shards: Arc::new(OneShard { link: Arc::clone(&to_keys), endpoint: Some(endpoint.clone()) }),
        link: to_keys,
        dialer: Some(WireDialer::new(dialer.clone())),
        failover_patience: options.failover_patience,
    };
    Ok(CacheClient::of_redis(url.name(), link(&dialer), RedisKeys::new(sweeper), nodes))
}

fn sentinel(
    url: &CacheUrl,
    hosts: &[HostPort],
    service: &str,
    tls: bool,
    options: &ConnectOptions,
) -> Result<CacheClient> {
    let login = (options.sentinel_username.as_deref(), options.sentinel_password.as_ref());
    let to_sentinels = Dialer::new(login, 0, tls, options)?;
    let to_data = Dialer::new(credentials(url, options), url.database, tls, options)?;
    // What leads to the primary is sent again by the link that asks the Sentinels anew in between, not by its own.
    let watching = |to_data: &Dialer| {
        Arc::new(Sentinels::new(
            service.to_owned(),
            hosts.to_vec(),
            Box::new(LinkPool::new(to_sentinels.clone())),
            Box::new(LinkPool::new(to_data.clone())),
            Box::new(LinkPool::new(to_data.without_retries())),
            options.response_timeout / 2,
        ))
    };
    let to_primary = |sentinels: &Arc<Sentinels>| -> Arc<dyn Link> {
        Arc::new(Retrying::new(Arc::new(SentinelLink::new(Arc::clone(sentinels))), options))
    };
    let (sentinels, of_keys) = (watching(&to_data), watching(&to_data.without_touching()));
    let sweeper = Sweeper {
        link: to_primary(&of_keys),
        shards: Arc::new(SentinelNodes(of_keys)),
        dialer: Some(WireDialer::new(to_data)),
        failover_patience: options.failover_patience,
    };
    let link = to_primary(&sentinels);
    let nodes = Arc::new(SentinelNodes(sentinels));
    Ok(CacheClient::of_redis(url.name(), link, RedisKeys::new(sweeper), nodes))
}

fn cluster(url: &CacheUrl, seeds: &[HostPort], tls: bool, options: &ConnectOptions) -> Result<CacheClient> {
    let dialer = Dialer::new(credentials(url, options), url.database, tls, options)?;
    let connection = Arc::new(LazyCluster::of_seeds(seeds, &dialer)?);
    let link: Arc<dyn Link> = Arc::new(Retrying::new(Arc::new(ClusterLink(connection)), options));
    let nodes = |dialer: Dialer| {
        let links = Box::new(LinkPool::new(dialer));
        Arc::new(ClusterNodes::new(Seeds::Hosts(seeds.to_vec()), links, tls, options.response_timeout / 2))
    };
    let shards: Arc<dyn Shards> = nodes(dialer.without_touching());
    let sweeper = Sweeper {
        link: Arc::new(BySlot::new(Arc::clone(&link), Arc::clone(&shards))),
        shards,
        dialer: Some(WireDialer::new(dialer.clone())),
        failover_patience: options.failover_patience,
    };
    Ok(CacheClient::of_redis(url.name(), link, RedisKeys::new(sweeper), nodes(dialer)))
}

impl CacheClient {
    /// Takes an embedded cache.
    #[must_use]
    pub fn from_memory(cache: MemoryCache) -> Self {
        let cache = Arc::new(cache);
        let nodes = Arc::new(MemoryNode::new(MemoryCache::clone(&cache)));
        Self {
            name: cache.name().to_owned(),
            keys: Arc::clone(&cache) as _,
            stats: Arc::clone(&cache) as _,
            dumps: Dumps::Memory(MemoryCache::clone(&cache)),
            traffic: None,
            cache,
            nodes,
        }
    }

    /// Takes a connection to one server that the embedding service already has, such as
    /// `redis::aio::MultiplexedConnection` or `redis::aio::ConnectionManager`.
    ///
    /// `name` stands for the cache in reports and in the metrics history. Reconnecting is up to the connection; an
    /// answer is waited for no longer than `response_timeout`.
    #[must_use]
    pub fn from_connection<C>(connection: C, name: &str, response_timeout: Duration) -> Self
    where
        C: ConnectionLike + Clone + Send + Sync + 'static,
    {
        let database = u64::try_from(connection.get_db()).unwrap_or(0);
        let owned = OwnedLink::new(connection, NodeAddress::new(name), response_timeout);
        let link: Arc<dyn Link> = Arc::new(owned);
        Self::from_single_link(name.to_owned(), &link, database)
    }

    /// Takes a connection into a cluster that the embedding service already has.
    ///
    /// `name` stands for the cache in reports and in the metrics history. An answer is waited for no longer than three
    /// times `response_timeout`, because a redirected command takes several answers.
    #[must_use]
    pub fn from_cluster_connection(
        connection: ClusterConnection,
        name: &str,
        response_timeout: Duration,
    ) -> Self {
        let connection = Arc::new(LazyCluster::owned(connection, response_timeout));
        let links = RoutedLinks(Arc::clone(&connection));
        let nodes =
            ClusterNodes::new(Seeds::Any(Arc::clone(&connection)), Box::new(links), false, response_timeout);
        Self::from_cluster_parts(name.to_owned(), Arc::new(ClusterLink(connection)), nodes)
    }

    fn from_single_link(name: String, link: &Arc<dyn Link>, database: u64) -> Self {
        let nodes = Arc::new(SingleNode(RedisServer::new(Arc::clone(link), NodeKind::Data)));
        let shards = Arc::new(OneShard { link: Arc::clone(link), endpoint: None });
        let keys = RedisKeys::new(Sweeper::over_links(Arc::clone(link), shards));
        let dumps = RedisDumps::new(keys.sweeper().clone()).over_database(database);
        Self { dumps: Dumps::Redis(Arc::new(dumps)), ..Self::of_redis(name, Arc::clone(link), keys, nodes) }
    }

    fn from_cluster_parts(name: String, link: Arc<dyn Link>, nodes: ClusterNodes) -> Self {
        let nodes = Arc::new(nodes);
        let keys = RedisKeys::new(Sweeper::over_links(Arc::clone(&link), Arc::clone(&nodes) as _));
        Self::of_redis(name, link, keys, nodes)
    }

    fn of_redis(name: String, link: Arc<dyn Link>, keys: RedisKeys, nodes: Arc<dyn Nodes>) -> Self {
        let stats = Arc::new(ServerStats::new(Arc::clone(&nodes)));
        let dumps = Dumps::Redis(Arc::new(RedisDumps::new(keys.sweeper().clone())));
        let traffic = Some(Arc::new(RedisTraffic::new(keys.sweeper().clone())));
        Self {
            name,
            cache: Arc::new(RedisCache::new(link)),
            keys: Arc::new(keys),
            nodes,
            stats,
            dumps,
            traffic,
        }
    }

    /// Returns the same cache with values and statistics from elsewhere, such as a tiered cache over this one.
    #[must_use]
    pub fn with_front(mut self, cache: Arc<dyn Cache>, stats: Arc<dyn StatsSource>) -> Self {
        self.cache = cache;
        self.stats = stats;
        self
    }

    /// Returns the same cache with statistics from elsewhere, such as the application's endpoints.
    #[must_use]
    pub fn with_stats(mut self, stats: Arc<dyn StatsSource>) -> Self {
        self.stats = stats;
        self
    }

    /// Returns the cache's name: its URL without credentials, or what the embedding service calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the values.
    #[must_use]
    pub fn cache(&self) -> &Arc<dyn Cache> {
        &self.cache
    }

    /// Returns the keyspace.
    #[must_use]
    pub fn keys(&self) -> &Arc<dyn Keys> {
        &self.keys
    }

    /// Returns the servers.
    #[must_use]
    pub fn nodes(&self) -> &Arc<dyn Nodes> {
        &self.nodes
    }

    /// Finds the shards, in the order of their slots, and the ways in which images of them can be taken.
    ///
    /// Every call looks anew, so that a failover is seen. Nothing is taken yet, and whether the server lets this user take an
    /// image in one of the ways is asked by [`DumpSource::check`](crate::DumpSource::check).
    ///
    /// # Errors
    /// The shards cannot be found, or a replica is asked for and a shard has none.
    pub async fn dump_shards(&self, options: &DumpOptions) -> Result<Vec<DumpShard>> {
        match &self.dumps {
            Dumps::Redis(dumps) => dumps.shards(options).await,
            Dumps::Memory(cache) => Ok(memory_dump(cache, options)),
        }
    }

    /// Looks at what clients ask each primary for, for a short time (MONITOR). Takes as long as the options say.
    ///
    /// What the commands say beside the names of keys is read and forgotten. The servers are told to stop by the end of the connection.
    ///
    /// # Errors
    /// The primaries cannot be found, or the cache is inside this process; of each primary that it cannot be reached, does not let
    /// this user run MONITOR or COMMAND, or is reached by a connection that the embedding service owns.
    pub async fn sample_traffic(
        &self,
        options: &TrafficOptions,
    ) -> Result<Vec<(NodeAddress, Result<TrafficSample>)>> {
        match &self.traffic {
            Some(traffic) => traffic.sample(options).await,
            None => Err(Error::Unsupported {
                node: NodeAddress::new(self.name()),
                capability: Capability::Monitor,
                reason: "the cache is inside this process".to_owned(),
            }),
        }
    }

    /// Returns the statistics.
    #[must_use]
    pub fn stats(&self) -> &Arc<dyn StatsSource> {
        &self.stats
    }
}
