//! Images of the shards of Redis or Valkey.

mod fetch;
mod keys;
mod replication;
mod save;
mod saved_file;
mod transfer;

use std::sync::Arc;

use larder_metrics_model::{NodeAddress, NodeKind, Role};

use self::{keys::KeysSource, replication::ReplicationSource, save::SaveSource};
use super::{
    link::Link,
    server::RedisServer,
    sweep::{Shard, Sweeper, no_replica},
    wire::WireDialer,
};
use crate::{DumpOptions, DumpShard, DumpSource, Error, ReadFrom, Result, url::Endpoint};

/// Finds the shards of one cache, and the ways to images of them.
#[derive(Clone, Debug)]
pub(crate) struct RedisDumps {
    sweeper: Sweeper,
    /// The database that a connection of the embedding service is in.
    database: u64,
}

/// The node that images are taken from, and how it is reached.
#[derive(Debug)]
struct Origin {
    node: NodeAddress,
    /// Commands go over it.
    link: Arc<dyn Link>,
    /// How connections of our own are made to it; none where all that there is belongs to the embedding service.
    own: Option<(WireDialer, Endpoint)>,
    /// The part of the keyspace that it holds.
    shard: Shard,
    read_from: ReadFrom,
}

impl RedisDumps {
    pub(crate) fn new(sweeper: Sweeper) -> Self {
        Self { sweeper, database: 0 }
    }

    /// For a connection that the embedding service owns and that is in this database.
    pub(crate) fn over_database(mut self, database: u64) -> Self {
        self.database = database;
        self
    }

    pub(crate) async fn shards(&self, options: &DumpOptions) -> Result<Vec<DumpShard>> {
        let mut shards = self.sweeper.shards.shards().await?;
        shards.sort_by_key(|shard| shard.slots.first().copied());
        if let (Some(path), Some(first), true) = (&options.rdb_file, shards.first(), shards.len() > 1) {
            let reason = format!("it is one file, and the cache has {} shards", shards.len());
            return Err(Error::SavedFile { node: first.primary.clone(), path: path.clone(), reason });
        }
        let mut found = Vec::with_capacity(shards.len());
        for shard in shards {
            found.push(self.dump_shard(self.origin(shard, options).await?, options));
        }
        Ok(found)
    }

    async fn origin(&self, shard: Shard, options: &DumpOptions) -> Result<Origin> {
        let read_from = options.read_from;
        let (Some(dialer), Some(endpoint)) = (&self.sweeper.dialer, &shard.endpoint) else {
            if read_from == ReadFrom::Replica {
                return Err(no_replica(&shard.primary));
            }
            let link = Arc::clone(&shard.link);
            return Ok(Origin { node: shard.primary.clone(), link, own: None, shard, read_from });
        };
        let endpoint = match read_from {
            ReadFrom::Primary => endpoint.clone(),
            ReadFrom::Replica => shard.replica().await?,
        };
        let mut shard = shard;
        // All that is asked of a replica is asked of this one.
        if let (ReadFrom::Replica, Endpoint::Tcp(host)) = (read_from, &endpoint) {
            shard.replicas = vec![host.clone()];
        }
        // An image has every database, whichever the URL names.
        let dialer = dialer.in_database(0);
        let link = dialer.link(&endpoint);
        Ok(Origin { node: endpoint.address(), link, own: Some((dialer, endpoint)), shard, read_from })
    }

    fn dump_shard(&self, origin: Origin, options: &DumpOptions) -> DumpShard {
        let origin = Arc::new(origin);
        let mut sources: Vec<Arc<dyn DumpSource>> = Vec::with_capacity(3);
        sources.extend(ReplicationSource::new(&origin, options).map(|source| Arc::new(source) as _));
        sources.push(Arc::new(SaveSource::new(&origin, options)));
        sources.push(Arc::new(KeysSource::new(&origin, &self.sweeper, self.database, options)));
        DumpShard {
            node: origin.node.clone(),
            slots: origin.shard.slots.clone(),
            server: Arc::new(origin.server()),
            sources,
        }
    }
}

impl Origin {
    fn server(&self) -> RedisServer {
        let server = RedisServer::new(Arc::clone(&self.link), NodeKind::Data);
        match self.read_from {
            ReadFrom::Replica => server.with_role(Role::Replica),
            // A server that is named alone may be a replica all the same.
            ReadFrom::Primary if self.shard.slots.is_empty() => server,
            ReadFrom::Primary => server.with_role(Role::Primary),
        }
    }
}
