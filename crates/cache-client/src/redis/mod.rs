//! Redis and Valkey.

mod answer;
mod cache;
mod cluster;
mod cluster_map;
mod diagnosis;
mod direct;
mod failure;
mod fields;
mod keys;
mod link;
mod pool;
mod probe;
mod sentinel;
mod server;
mod server_stats;

pub(crate) use cache::RedisCache;
pub(crate) use cluster::{ClusterLink, ClusterNodes, LazyCluster, RoutedLinks, Seeds};
pub(crate) use direct::Dialer;
pub(crate) use keys::{OneShard, RedisKeys};
pub(crate) use link::{Link, OwnedLink, Retrying};
pub(crate) use pool::LinkPool;
pub(crate) use sentinel::{SentinelLink, SentinelNodes, Sentinels};
pub(crate) use server::{RedisServer, SingleNode};
pub(crate) use server_stats::ServerStats;
