//! Clean-up on real servers: what is planned, what is left alone, what comes back.

mod left_alone;
mod million;
mod two_phases;

use std::{collections::BTreeSet, time::Duration};

use anyhow::Result;
use larder_cache_client::{CacheClient, CacheUrl, ConnectOptions, open};
use larder_keyspace::{Action, CleanOptions, CleanPlan, CleanTask, Policy, plan_clean};
use larder_test_support::TestServer;

pub(crate) async fn reach(url: &str) -> Result<CacheClient> {
    Ok(open(&url.parse::<CacheUrl>()?, &ConnectOptions::default()).await?)
}

pub(crate) fn options() -> CleanOptions {
    CleanOptions::default().with_tasks([CleanTask::Ttl, CleanTask::Orphans, CleanTask::Integrity])
}

pub(crate) async fn plan(client: &CacheClient, policy: &Policy) -> Result<CleanPlan> {
    Ok(plan_clean(client, policy, &options()).await?)
}

/// The keys that a plan names, by what is done with them.
pub(crate) fn planned(plan: &mut CleanPlan, action: Action) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    plan.each_key(|key| {
        if key.action == action {
            names.insert(key.key.to_string());
        }
        Ok(())
    })?;
    Ok(names)
}

/// The server's own digest of everything that it holds. It takes seconds, in which the server answers nothing else.
pub(crate) fn digest(servers: &[TestServer]) -> Result<Vec<String>> {
    let digest = |server: &TestServer| {
        let connection = server.admin()?;
        connection.set_read_timeout(Some(Duration::from_mins(2)))?;
        let mut connection = connection;
        Ok(redis::cmd("DEBUG").arg("DIGEST").query(&mut connection)?)
    };
    servers.iter().map(digest).collect()
}
