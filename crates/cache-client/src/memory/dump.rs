//! Images of an embedded cache.

use std::sync::Arc;

use async_trait::async_trait;
use larder_metrics_model::NodeAddress;
use larder_rdb::{Server as RdbServer, ServerLine};

use super::{moment, server::MemoryNode, store::MemoryCache};
use crate::{
    Dump, DumpFacts, DumpMethod, DumpOptions, DumpShard, DumpSource, Error, KeyFields, Keys, Pace, Result,
    ScanOptions, Server,
    dump::{About, Clock, Databases, FetchByKeys, KeyImage, OpenDatabase, Target},
};

/// The one shard that an embedded cache is.
pub(crate) fn memory_dump(cache: &MemoryCache, options: &DumpOptions) -> Vec<DumpShard> {
    let server = MemoryNode::new(cache.clone());
    let node = server.node().clone();
    let source = MemorySource { cache: cache.clone(), node: node.clone(), pace: Arc::clone(&options.pace) };
    vec![DumpShard { node, slots: Vec::new(), server: Arc::new(server), sources: vec![Arc::new(source)] }]
}

/// Takes an image of an embedded cache key by key. The file is for the oldest server that takes every value.
#[derive(Debug)]
struct MemorySource {
    cache: MemoryCache,
    node: NodeAddress,
    pace: Arc<dyn Pace>,
}

#[async_trait]
impl DumpSource for MemorySource {
    fn method(&self) -> DumpMethod {
        DumpMethod::Keys
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    async fn open(&self) -> Result<Dump> {
        let began_ms = moment::now_ms();
        let facts = DumpFacts::new(DumpMethod::Keys, self.node.clone(), began_ms);
        let cache = self.cache.clone();
        let target = tokio::task::spawn_blocking(move || target(&cache)).await.map_err(|broken| {
            Error::Unexpected {
                node: self.node.clone(),
                command: "DUMP".to_owned(),
                detail: broken.to_string(),
            }
        })?;
        let about = About {
            version: None,
            created_s: began_ms / 1000,
            functions: Vec::new(),
            target: Target::Known(target),
        };
        let clock = Clock::of_this_machine();
        let database =
            Box::new(OneDatabase { cache: Some(self.cache.clone()), pace: Arc::clone(&self.pace) });
        let image = KeyImage::new(self.node.clone(), Arc::clone(&self.pace), clock, about, database);
        Ok(Dump { facts, bytes: image.into_stream() })
    }
}

/// The newest of the servers that the values need. Where some need Redis and others Valkey, no file has them all, and the
/// first that is in the way is named.
fn target(cache: &MemoryCache) -> RdbServer {
    let mut target = RdbServer::redis(7, 0);
    for key in cache.keys_after(None) {
        let Some((stored, _)) = cache.peek(&key) else { continue };
        let Some(format) = stored.value.format() else { continue };
        let needed = RdbServer::writing(format);
        let rank = |server: RdbServer| (server.line() == ServerLine::Valkey, server.version());
        if rank(needed) > rank(target) {
            target = needed;
        }
    }
    target
}

/// An embedded cache has one.
struct OneDatabase {
    cache: Option<MemoryCache>,
    pace: Arc<dyn Pace>,
}

#[async_trait]
impl Databases for OneDatabase {
    async fn next(&mut self) -> Result<Option<OpenDatabase>> {
        let Some(cache) = self.cache.take() else { return Ok(None) };
        let mut scan = ScanOptions::with_fields(KeyFields::BYTES | KeyFields::IDLE);
        scan.pace = Arc::clone(&self.pace);
        let batches = cache.scan(scan);
        Ok(Some(OpenDatabase { number: 0, batches, fetch: Box::new(FetchByKeys(Arc::new(cache))) }))
    }
}
