//! A cluster of three shards.

use anyhow::{Context as _, Result};
use larder_metrics_model::ClusterState;

use crate::{ServerProgram, TestServer, poll::until};

const SHARDS: usize = 3;
const SLOTS: usize = 16_384;

/// A cluster of three shards.
#[derive(Debug)]
pub struct TestCluster {
    /// The servers: three that began as primaries, then the replicas in the order of their primaries.
    pub servers: Vec<TestServer>,
}

impl TestCluster {
    /// Starts three shards with so many replicas each, and waits until every node says that all is well.
    pub fn start(program: &ServerProgram, replicas_per_shard: usize) -> Result<Self> {
        let count = SHARDS * (1 + replicas_per_shard);
        let servers = (0..count).map(|_| node(program)).collect::<Result<Vec<_>>>()?;
        let cluster = Self { servers };
        cluster.join()?;
        cluster.wait_until_ok()?;
        for (index, replica) in cluster.servers.iter().enumerate().skip(SHARDS) {
            let primary: String = cluster.servers[index % SHARDS].run(&["CLUSTER", "MYID"])?;
            replica.run::<()>(&["CLUSTER", "REPLICATE", &primary])?;
        }
        for replica in &cluster.servers[SHARDS..] {
            replica.wait_for_link()?;
        }
        cluster.wait_until_ok()?;
        cluster.wait_until_replicas_are_known(count - SHARDS)?;
        Ok(cluster)
    }

    /// Returns its URL, with the three first servers.
    #[must_use]
    pub fn url(&self) -> String {
        let seeds: Vec<String> =
            self.servers[..SHARDS].iter().map(|server| server.node().to_string()).collect();
        format!("redis-cluster://{}", seeds.join(","))
    }

    /// Waits until every node that runs says that all slots are served.
    pub fn wait_until_ok(&self) -> Result<()> {
        for server in &self.servers {
            until("cluster_state:ok", || {
                let state = ClusterState::parse(&server.run::<String>(&["CLUSTER", "INFO"])?);
                let known = state.known_nodes == Some(self.servers.len() as u64);
                Ok((state.ok && known && state.slots_ok == Some(ClusterState::SLOTS)).then_some(()))
            })?;
        }
        Ok(())
    }

    fn join(&self) -> Result<()> {
        let first = self.servers.first().context("a cluster has servers")?;
        for (index, server) in self.servers.iter().enumerate() {
            server.run::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()])?;
            if index < SHARDS {
                let (begin, end) = (index * SLOTS / SHARDS, (index + 1) * SLOTS / SHARDS - 1);
                server.run::<()>(&["CLUSTER", "ADDSLOTSRANGE", &begin.to_string(), &end.to_string()])?;
            }
            if index > 0 {
                let (port, bus) = (server.port().to_string(), server.bus_port.to_string());
                first.run::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus])?;
            }
        }
        Ok(())
    }

    fn wait_until_replicas_are_known(&self, replicas: usize) -> Result<()> {
        for server in &self.servers {
            until("every node to know the replicas", || {
                let nodes: String = server.run(&["CLUSTER", "NODES"])?;
                let known = nodes.lines().filter(|line| line.contains("slave")).count();
                Ok((known == replicas).then_some(()))
            })?;
        }
        Ok(())
    }
}

fn node(program: &ServerProgram) -> Result<TestServer> {
    let builder = TestServer::builder(program).config("cluster-node-timeout 3000");
    let mut builder = builder.config("enable-debug-command yes");
    builder.cluster = true;
    builder.start()
}
