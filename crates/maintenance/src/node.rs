//! What one node answers.

use std::sync::Arc;

use futures_util::future;
use larder_cache_client::{CacheClient, Error, Server};
use larder_metrics_model::{
    ClusterState, Failure, Info, NodeAddress, NodeKind, NodeObservation, NodeSnapshot, Observed, ServerFacts,
    Skipped,
};

use crate::deadline::{Deadline, observed};

/// What one node answered, with its INFO as it is.
#[derive(Clone, Debug)]
pub(crate) struct NodeAnswers {
    pub(crate) server: Arc<dyn Server>,
    pub(crate) ping_ms: Observed<f64>,
    pub(crate) info: Observed<Info>,
    pub(crate) cluster: Observed<ClusterState>,
}

/// What all nodes answered, and what could not be found out while they were looked for.
#[derive(Clone, Debug)]
pub(crate) struct CacheAnswers {
    pub(crate) nodes: Observed<Vec<NodeAnswers>>,
    pub(crate) skipped: Vec<Skipped>,
}

/// Finds the nodes and asks all of them at once.
pub(crate) async fn ask_all(client: &CacheClient, deadline: Deadline) -> CacheAnswers {
    let name = NodeAddress::new(client.name());
    match deadline.wait(&name, client.nodes().discover()).await {
        Ok(topology) => {
            let answers = future::join_all(topology.nodes.iter().map(|server| ask(server, deadline))).await;
            CacheAnswers { nodes: Observed::Known(answers), skipped: topology.skipped }
        }
        Err(error) => {
            let failure = Failure::new(error.failure_kind(), error.with_causes());
            CacheAnswers { nodes: Observed::Failed(failure), skipped: Vec::new() }
        }
    }
}

/// Asks one node. After a PING that found no server nothing else is asked: it would fail in the same way, later.
async fn ask(server: &Arc<dyn Server>, deadline: Deadline) -> NodeAnswers {
    let node = server.node();
    let ping = deadline.wait(node, server.ping()).await;
    let info = match &ping {
        Err(error) if !may_still_answer(error) => Err(error.clone()),
        _ => deadline.wait(node, server.info()).await,
    };
    let cluster = match info.as_ref().map(ServerFacts::from) {
        Ok(facts) if facts.cluster_enabled == Some(true) && server.kind() == NodeKind::Data => {
            observed(deadline.wait(node, server.cluster()).await)
        }
        Ok(_) => Observed::skipped("the node is in no cluster"),
        Err(_) => Observed::skipped("whether the node is in a cluster is not known"),
    };
    NodeAnswers {
        server: Arc::clone(server),
        ping_ms: observed(ping.map(|time| time.as_secs_f64() * 1e3)),
        info: observed(info),
        cluster,
    }
}

/// A server that blocks PING, or is loading, still gives INFO.
fn may_still_answer(error: &Error) -> bool {
    error.is_blocked()
        || matches!(error, Error::Loading { .. } | Error::Server { .. } | Error::ClusterDown { .. })
}

impl NodeAnswers {
    /// Returns why the node said nothing, or not everything, with its name.
    pub(crate) fn why_unknown(&self) -> Option<String> {
        let reason = self.info.why_unknown().or(self.ping_ms.why_unknown())?;
        Some(format!("{}: {reason}", self.server.node()))
    }

    pub(crate) fn observation(&self) -> NodeObservation {
        let mut observation = NodeObservation::unseen(self.server.node().clone(), self.server.kind());
        observation.ping_ms = self.ping_ms.clone();
        observation.facts = self.info.clone().map(|info| ServerFacts::from(&info));
        observation.cluster = self.cluster.clone();
        observation
    }

    pub(crate) fn snapshot(&self) -> NodeSnapshot {
        let mut snapshot = NodeSnapshot::new(self.server.node().clone(), self.server.kind());
        snapshot.ping_ms = self.ping_ms.known().copied();
        snapshot.info = self.info.known().cloned().unwrap_or_default();
        snapshot.error = self.info.why_unknown().map(ToOwned::to_owned);
        snapshot
    }
}
