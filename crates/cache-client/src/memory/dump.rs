//! Images of an embedded cache.

use std::sync::Arc;

use super::{server::MemoryNode, store::MemoryCache};
use crate::{DumpOptions, DumpShard, Server};

/// The one shard that an embedded cache is.
pub(crate) fn memory_dump(cache: &MemoryCache, _options: &DumpOptions) -> Vec<DumpShard> {
    let server = MemoryNode::new(cache.clone());
    let node = server.node().clone();
    vec![DumpShard { node, slots: Vec::new(), server: Arc::new(server), sources: Vec::new() }]
}
