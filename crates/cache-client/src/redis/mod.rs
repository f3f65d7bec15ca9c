//! Redis and Valkey.

mod answer;
mod by_slot;
mod cache;
mod cluster;
mod cluster_map;
mod diagnosis;
mod direct;
mod dump;
mod failure;
mod fields;
mod functions;
mod guarded;
mod keys;
mod link;
mod persistence;
mod pool;
mod probe;
mod restore;
mod sentinel;
mod server;
mod server_stats;
mod sweep;
mod wire;

pub(crate) use by_slot::BySlot;
pub(crate) use cache::RedisCache;
pub(crate) use cluster::{ClusterLink, ClusterNodes, LazyCluster, RoutedLinks, Seeds};
pub(crate) use direct::Dialer;
pub(crate) use dump::RedisDumps;
pub(crate) use keys::RedisKeys;
pub(crate) use link::{Link, OwnedLink, Retrying};
pub(crate) use pool::LinkPool;
pub(crate) use sentinel::{SentinelLink, SentinelNodes, Sentinels};
pub(crate) use server::{RedisServer, SingleNode};
pub(crate) use server_stats::ServerStats;
pub(crate) use sweep::{OneShard, Shards, Sweeper};
pub(crate) use wire::WireDialer;
