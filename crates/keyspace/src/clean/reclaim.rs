//! Memory that is lost to fragmentation.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use larder_cache_client::{CacheClient, Server};
use larder_metrics_model::{Info, Role};
use serde::Serialize;

use crate::Result;

/// What is done about a server's fragmentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reclaim {
    /// Nothing: there is little of it.
    Nothing,
    /// The allocator gives back pages that hold nothing (MEMORY PURGE).
    Purge,
    /// The server moves values together by itself already (`activedefrag yes`).
    Defragments,
    /// The server moves values together for a while (`activedefrag yes`, then `no` again); one that was built without it
    /// gets [`Reclaim::Purge`] instead.
    Defragment,
    /// Neither can be done; a restart of a replica and a failover to it would.
    AdviseRestart,
    /// It could not be found out.
    Unknown,
}

/// What one server would gain.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReclaimPlan {
    /// The server.
    pub node: String,
    /// What is done.
    pub action: Reclaim,
    /// Resident memory over what the allocator gave out (`mem_fragmentation_ratio`).
    pub fragmentation_ratio: Option<f64>,
    /// Bytes of it (`mem_fragmentation_bytes`).
    pub fragmentation_bytes: Option<i64>,
    /// Bytes that the allocator holds and that hold nothing (`allocator_rss_bytes` and `allocator_frag_bytes`).
    pub reclaimable_bytes: Option<i64>,
    /// Why.
    pub reason: String,
}

/// What became of one server.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReclaimOutcome {
    /// The server.
    pub node: String,
    /// Resident memory before and after.
    pub rss_before_bytes: Option<u64>,
    /// Resident memory after it.
    pub rss_after_bytes: Option<u64>,
    /// What went wrong.
    pub failure: Option<String>,
}

/// From this ratio on fragmentation is worth a word (`active-defrag-threshold-lower` is 10 % by default; MEMORY DOCTOR speaks
/// up at 1.4, Redis 7.0 `src/object.c`).
const HIGH_RATIO: f64 = 1.4;
/// Less than this is not worth a word, whatever the ratio (`active-defrag-ignore-bytes` is 100 MB by default).
const LEAST_BYTES: i64 = 100 << 20;

/// Looks at the primaries, and says what would be done.
///
/// # Errors
/// [`Error::Cache`](crate::Error::Cache) where no server can be found.
pub async fn plan_reclaim(client: &CacheClient) -> Result<Vec<ReclaimPlan>> {
    let mut plans = Vec::new();
    for server in primaries(client).await? {
        let node = server.node().to_string();
        let plan = match server.info().await {
            Ok(info) => match judge(node.clone(), &info, None) {
                // What is configured is asked for where it matters: the right to ask shows passwords, too.
                plan if matches!(plan.action, Reclaim::Nothing | Reclaim::Unknown) => plan,
                _ => {
                    let active = server.config("activedefrag").await;
                    let active = active.ok().and_then(|it| it.get("activedefrag").map(|on| on == "yes"));
                    judge(node, &info, active)
                }
            },
            Err(error) => ReclaimPlan {
                node,
                action: Reclaim::Unknown,
                fragmentation_ratio: None,
                fragmentation_bytes: None,
                reclaimable_bytes: None,
                reason: error.with_causes(),
            },
        };
        plans.push(plan);
    }
    Ok(plans)
}

/// Does what was planned. Defragmentation is switched off again when it has nothing left to do, or after a minute.
///
/// # Errors
/// As [`plan_reclaim`]; what a server refuses is in its outcome.
pub async fn reclaim(client: &CacheClient, plans: &[ReclaimPlan]) -> Result<Vec<ReclaimOutcome>> {
    let mut outcomes = Vec::new();
    for server in primaries(client).await? {
        let node = server.node().to_string();
        let Some(plan) = plans.iter().find(|plan| plan.node == node) else { continue };
        let rss = async || server.info().await.ok().and_then(|info| info.number("used_memory_rss"));
        let rss_before_bytes = rss().await;
        let done = match plan.action {
            Reclaim::Purge => server.purge_memory().await,
            Reclaim::Defragment => defragment(server.as_ref()).await,
            _ => continue,
        };
        let failure = done.err().map(|error| error.with_causes());
        outcomes.push(ReclaimOutcome { node, rss_before_bytes, rss_after_bytes: rss().await, failure });
    }
    Ok(outcomes)
}

const LONGEST_DEFRAGMENTATION: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Defragments until there is nothing left to do, and purges where the build has no defragmentation.
async fn defragment(server: &dyn Server) -> larder_cache_client::Result<()> {
    if let Err(error) = server.defragment(true).await {
        tracing::debug!(node = %server.node(), reason = error.with_causes(), "no active defragmentation");
        return server.purge_memory().await;
    }
    let begun = Instant::now();
    while begun.elapsed() < LONGEST_DEFRAGMENTATION {
        tokio::time::sleep(LOOK_EVERY).await;
        let running = server.info().await.ok().and_then(|info| info.number::<u64>("active_defrag_running"));
        if running.is_none_or(|running| running == 0) {
            break;
        }
    }
    server.defragment(false).await?;
    server.purge_memory().await
}

async fn primaries(client: &CacheClient) -> Result<Vec<Arc<dyn Server>>> {
    let topology = client.nodes().discover().await?;
    let is_primary = |server: &Arc<dyn Server>| {
        server.kind() == larder_metrics_model::NodeKind::Data && server.known_role() != Some(Role::Replica)
    };
    Ok(topology.nodes.into_iter().filter(is_primary).collect())
}

/// Judges what INFO says. `active` tells whether the server defragments by itself; `None` where that is not known.
fn judge(node: String, info: &Info, active: Option<bool>) -> ReclaimPlan {
    let ratio: Option<f64> = info.number("mem_fragmentation_ratio");
    let bytes: Option<i64> = info.number("mem_fragmentation_bytes");
    let part = |field: &str| info.number::<i64>(field);
    let reclaimable = part("allocator_rss_bytes").map(|rss| rss + part("allocator_frag_bytes").unwrap_or(0));
    let allocator = info.field("mem_allocator").unwrap_or_default();
    let (action, reason) = match (ratio, bytes) {
        (None, _) | (_, None) => (Reclaim::Unknown, "the server does not tell its fragmentation".to_owned()),
        (Some(ratio), Some(bytes)) if ratio < HIGH_RATIO || bytes < LEAST_BYTES => {
            (Reclaim::Nothing, format!("a ratio of {ratio:.2} over {bytes} bytes is no loss worth a word"))
        }
        (Some(ratio), Some(bytes)) => high(ratio, bytes, allocator, active, info),
    };
    ReclaimPlan {
        node,
        action,
        fragmentation_ratio: ratio,
        fragmentation_bytes: bytes,
        reclaimable_bytes: reclaimable,
        reason,
    }
}

fn high(ratio: f64, bytes: i64, allocator: &str, active: Option<bool>, info: &Info) -> (Reclaim, String) {
    let lost = format!("a ratio of {ratio:.2} loses {bytes} bytes");
    let running = info.number::<u64>("active_defrag_running").is_some_and(|running| running > 0);
    if running || active == Some(true) {
        return (Reclaim::Defragments, format!("{lost}; the server moves values together by itself"));
    }
    if !allocator.starts_with("jemalloc") {
        let words =
            format!("{lost}, and {allocator} cannot give it back: restart a replica and fail over to it");
        return (Reclaim::AdviseRestart, words);
    }
    match active {
        Some(_) => {
            (Reclaim::Defragment, format!("{lost}; values can be moved together, or empty pages given back"))
        }
        None => (Reclaim::Purge, format!("{lost}; the allocator can give empty pages back")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(ratio: &str, bytes: &str, allocator: &str, active: Option<bool>) -> Reclaim {
        let text = format!(
            "# Memory\r\nmem_fragmentation_ratio:{ratio}\r\nmem_fragmentation_bytes:{bytes}\r\nmem_allocator:{allocator}\r\n"
        );
        judge("n".to_owned(), &Info::parse(&text), active).action
    }

    #[test]
    fn what_is_done_follows_from_what_the_server_says() {
        const MUCH: &str = "1000000000";
        for (ratio, bytes, allocator, active, expected) in [
            ("1.05", MUCH, "jemalloc-5.3.0", Some(false), Reclaim::Nothing),
            ("3.00", "5000000", "jemalloc-5.3.0", Some(false), Reclaim::Nothing),
            ("1.39", MUCH, "jemalloc-5.3.0", None, Reclaim::Nothing),
            ("1.40", MUCH, "jemalloc-5.3.0", Some(false), Reclaim::Defragment),
            ("2.00", MUCH, "jemalloc-5.3.0", None, Reclaim::Purge),
            ("2.00", MUCH, "jemalloc-5.3.0", Some(true), Reclaim::Defragments),
            ("2.00", MUCH, "libc", Some(false), Reclaim::AdviseRestart),
            ("2.00", MUCH, "libc", None, Reclaim::AdviseRestart),
            ("", "", "libc", None, Reclaim::Unknown),
        ] {
            assert_eq!(
                plan(ratio, bytes, allocator, active),
                expected,
                "{ratio} {bytes} {allocator} {active:?}"
            );
        }
    }
}
