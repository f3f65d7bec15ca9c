//! A cluster.

use anyhow::{Context as _, Result};
use larder_metrics_model::ClusterState;

use crate::{ServerProgram, TestServer, poll::until};

const SHARDS: usize = 3;
const SLOTS: usize = 16_384;

/// A cluster, of three shards where nothing else is said.
#[derive(Debug)]
pub struct TestCluster {
    /// The servers: those that began as primaries, then the replicas in the order of their primaries.
    pub servers: Vec<TestServer>,
    shards: usize,
}

impl TestCluster {
    /// Starts three shards with so many replicas each, and waits until every node says that all is well.
    pub fn start(program: &ServerProgram, replicas_per_shard: usize) -> Result<Self> {
        Self::start_with(program, SHARDS, replicas_per_shard, &[])
    }

    /// Starts three shards with no replicas, whose servers have these lines in their configuration.
    pub fn configured(program: &ServerProgram, lines: &[&str]) -> Result<Self> {
        Self::start_with(program, SHARDS, 0, lines)
    }

    /// Starts so many shards with no replicas, and waits until every node says that all is well.
    pub fn of_shards(program: &ServerProgram, shards: usize) -> Result<Self> {
        Self::start_with(program, shards, 0, &[])
    }

    fn start_with(
        program: &ServerProgram,
        shards: usize,
        replicas_per_shard: usize,
        lines: &[&str],
    ) -> Result<Self> {
        let count = shards * (1 + replicas_per_shard);
        let servers = (0..count).map(|_| node(program, lines)).collect::<Result<Vec<_>>>()?;
        let cluster = Self { servers, shards };
        cluster.join()?;
        cluster.wait_until_ok()?;
        for (index, replica) in cluster.servers.iter().enumerate().skip(shards) {
            let primary: String = cluster.servers[index % shards].run(&["CLUSTER", "MYID"])?;
            replica.run::<()>(&["CLUSTER", "REPLICATE", &primary])?;
        }
        for replica in &cluster.servers[shards..] {
            replica.wait_for_link()?;
        }
        cluster.wait_until_ok()?;
        cluster.wait_until_replicas_are_known(count - shards)?;
        Ok(cluster)
    }

    /// Returns its URL, with the servers that began as primaries.
    #[must_use]
    pub fn url(&self) -> String {
        let seeds: Vec<String> =
            self.servers[..self.shards].iter().map(|server| server.node().to_string()).collect();
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
            if index < self.shards {
                let (begin, end) = (index * SLOTS / self.shards, (index + 1) * SLOTS / self.shards - 1);
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

fn node(program: &ServerProgram, lines: &[&str]) -> Result<TestServer> {
    let builder = TestServer::builder(program).config("cluster-node-timeout 3000");
    let mut builder = builder.config("enable-debug-command yes");
    for line in lines {
        builder = builder.config(*line);
    }
    builder.cluster = true;
    builder.start()
}
