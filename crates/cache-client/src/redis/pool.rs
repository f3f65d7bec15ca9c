//! Links to the servers of one cache, by address.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use larder_metrics_model::NodeAddress;

use super::{
    direct::Dialer,
    link::{Link, Retrying},
};
use crate::url::{Endpoint, HostPort};

/// Gives a link to any server of a cache.
pub(crate) trait NodeLinks: fmt::Debug + Send + Sync {
    fn link(&self, host: &HostPort) -> Arc<dyn Link>;
}

/// Connections of our own, kept for the next time a server is asked.
#[derive(Debug)]
pub(crate) struct LinkPool {
    dialer: Dialer,
    links: Mutex<BTreeMap<NodeAddress, Arc<dyn Link>>>,
}

impl LinkPool {
    pub(crate) fn new(dialer: Dialer) -> Self {
        Self { dialer, links: Mutex::default() }
    }
}

impl NodeLinks for LinkPool {
    fn link(&self, host: &HostPort) -> Arc<dyn Link> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let link = links.entry(host.address()).or_insert_with(|| {
            let direct = self.dialer.link(Endpoint::Tcp(host.clone()));
            Arc::new(Retrying::new(Arc::new(direct), &self.dialer.options))
        });
        Arc::clone(link)
    }
}
