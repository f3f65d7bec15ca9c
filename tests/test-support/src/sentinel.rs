//! A primary with replicas, watched by three Sentinels.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use larder_metrics_model::NodeAddress;

use crate::{ServerProgram, TestServer, poll::until};

const SERVICE: &str = "larder";
const SENTINELS: usize = 3;

/// A primary with replicas, watched by three Sentinels that give it up after a second.
#[derive(Debug)]
pub struct TestSentinel {
    /// The data servers; the first began as the primary.
    pub servers: Vec<TestServer>,
    /// The Sentinels.
    pub sentinels: Vec<TestServer>,
}

impl TestSentinel {
    /// Starts one primary, so many replicas, and three Sentinels, and waits until all know of each other.
    pub fn start(program: &ServerProgram, replicas: usize) -> Result<Self> {
        let primary = TestServer::start(program)?;
        let mut servers = vec![primary];
        for _ in 0..replicas {
            let replica = servers[0].start_replica()?;
            servers.push(replica);
        }
        let port = servers[0].port();
        let sentinels = (0..SENTINELS)
            .map(|_| sentinel(program, port))
            .collect::<Result<Vec<_>>>()
            .context("the Sentinels")?;
        let made = Self { servers, sentinels };
        made.wait_until_known(replicas)?;
        Ok(made)
    }

    /// Returns the name that the Sentinels know the cache by.
    #[must_use]
    pub fn service(&self) -> &'static str {
        SERVICE
    }

    /// Returns its URL, with all Sentinels.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.sentinels.iter().map(|sentinel| sentinel.node().to_string()).collect();
        format!("redis-sentinel://{}/{SERVICE}", hosts.join(","))
    }

    /// Returns which server all running Sentinels call the primary; `None` while they do not agree.
    pub fn primary(&self) -> Result<Option<NodeAddress>> {
        let mut found = None;
        for sentinel in &self.sentinels {
            let (host, port): (String, u16) =
                sentinel.run(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE])?;
            let address = NodeAddress::from_host_port(&host, port);
            if found.get_or_insert_with(|| address.clone()) != &address {
                return Ok(None);
            }
        }
        Ok(found)
    }

    /// Kills the primary and waits until the Sentinels agree on another; returns it.
    pub fn kill_primary(&mut self) -> Result<NodeAddress> {
        let old = until("an agreed primary", || self.primary())?;
        let server =
            self.servers.iter_mut().find(|server| server.node() == old).context("the primary's server")?;
        server.kill()?;
        until("a new primary", || {
            let Some(new) = self.primary()?.filter(|new| *new != old) else { return Ok(None) };
            let server = self.servers.iter().find(|server| server.node() == new).context("its server")?;
            Ok(server.info("role")?.filter(|role| role == "master").map(|_| new))
        })
    }

    fn wait_until_known(&self, replicas: usize) -> Result<()> {
        for sentinel in &self.sentinels {
            until("the Sentinels to know all", || {
                let facts: HashMap<String, String> = sentinel.run(&["SENTINEL", "MASTER", SERVICE])?;
                let is = |name: &str, count: usize| facts.get(name) == Some(&count.to_string());
                let known = is("num-slaves", replicas) && is("num-other-sentinels", SENTINELS - 1);
                Ok((known && facts.get("flags").is_some_and(|flags| flags == "master")).then_some(()))
            })?;
        }
        Ok(())
    }
}

fn sentinel(program: &ServerProgram, primary_port: u16) -> Result<TestServer> {
    let mut builder = TestServer::builder(program)
        .config(format!("sentinel monitor {SERVICE} 127.0.0.1 {primary_port} 2"))
        .config(format!("sentinel down-after-milliseconds {SERVICE} 1000"))
        .config(format!("sentinel failover-timeout {SERVICE} 5000"));
    builder.arguments.push("--sentinel");
    let sentinel = builder.start()?;
    // The usual periods of seconds only make tests slow.
    for (name, period) in [("INFO-PERIOD", "200"), ("PUBLISH-PERIOD", "200"), ("ASK-PERIOD", "200")] {
        sentinel.run::<()>(&["SENTINEL", "DEBUG", name, period])?;
    }
    Ok(sentinel)
}
