//! A service that cleans its own cache.
//!
//! It knows best what it keeps there, so the policy is part of it. It brings its own connection:
//!
//! ```sh
//! cargo run -p larder-example-clean -- redis://127.0.0.1:6379 undo
//! ```
//!
//! What is removed or altered is in the undo file first; `larder undo FILE --any-cache --apply` gives it back.

use std::{fs, io::Write, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use chrono::Local;
use larder_cache_client::{
    CacheClient, CacheExt, Error, Governor, MemoryCache, MemoryOptions, TieredCache, TieredOptions,
};
use larder_keyspace::{AuditLog, CleanOptions, CleanTask, Policy};
use larder_maintenance::{CleanReport, Cleaner, undo_name};

/// Answers live for ten minutes, less up to a tenth, so that they do not all end at once. What else begins with `orders:`
/// is left over from an older version of the service; stock is never touched, and keys of other services are none of ours.
const POLICY: &str = r#"
[[family]]
name = "answers"
prefix = "orders:answer:"
ttl = { required = true, default = "10m", jitter = "10%" }

[[family]]
name = "stock"
prefix = "orders:stock:"
protected = true

[orphans]
within = ["orders:"]

[limits]
max_keys = 10000
"#;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| "redis://127.0.0.1:6379".to_owned());
    let folder = arguments.next().unwrap_or_else(|| "undo".to_owned());
    let folder = Path::new(&folder);

    // The service has its connection already; Larder uses it and makes none of its own.
    let connection = redis::Client::open(url)?.get_multiplexed_async_connection().await.context("Redis")?;
    let client = CacheClient::from_connection(connection, "orders", Duration::from_secs(2));
    let first_tier = MemoryCache::new(MemoryOptions::default().with_max_bytes(64 << 20));
    let mut tiers = TieredOptions::default();
    tiers.first_tier_ttl = Duration::from_millis(100);
    let cache = TieredCache::new(first_tier.clone(), Arc::clone(client.cache()), tiers);
    serve(&cache, &client).await?;

    let policy = Policy::parse(POLICY, "the policy of orders")?;
    let mut options =
        CleanOptions::default().with_tasks([CleanTask::Ttl, CleanTask::Orphans, CleanTask::Integrity]);
    // As slow as it takes for the service's own users not to feel it.
    options.pace = Arc::new(Governor::default());
    fs::create_dir_all(folder).with_context(|| format!("the folder {}", folder.display()))?;
    let cleaner = Cleaner::new(client, policy, options)
        .with_first_tier(first_tier)
        .with_audit(AuditLog::new(folder.join("audit.jsonl")));

    let at = Local::now().fixed_offset();
    let mut report = cleaner.plan(at).await;
    print_plan(&report)?;
    cleaner.apply(&mut report, &folder.join(undo_name(at)), at).await;
    print_outcome(&report)
}

/// Answers questions, as services do, and forgets now and then to say how long an answer is good for.
async fn serve(cache: &TieredCache, client: &CacheClient) -> Result<(), Error> {
    for request in 0..100_u32 {
        let key = format!("orders:answer:{request}");
        let ttl = (request % 5 != 0).then_some(Duration::from_mins(5));
        let answer = || async { Ok::<_, Error>(Bytes::from(format!("the answer to {request}"))) };
        cache.get_or_set_with(key.as_bytes(), ttl, answer).await?;
    }
    // What an older version has left behind, what must stay, and what belongs to someone else.
    for (prefix, keys) in [("orders:v1:answer:", 30), ("orders:stock:", 10), ("users:", 10)] {
        for number in 0..keys {
            let key = format!("{prefix}{number}");
            client.cache().set(key.as_bytes(), Bytes::from_static(b"a value"), None).await?;
        }
    }
    // The time of the first tier is up long before it is cleaned.
    tokio::time::sleep(Duration::from_secs(3)).await;
    Ok(())
}

fn print_plan(report: &CleanReport) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{} keys were looked at", report.seen_keys)?;
    for task in &report.tasks {
        for line in &task.lines {
            writeln!(out, "{} keys of {}: {}: {}", line.keys, line.family, line.reason, line.action)?;
        }
        ensure!(task.problems.is_empty(), "{}: {}", task.task.as_str(), task.problems.join("; "));
    }
    Ok(())
}

fn print_outcome(report: &CleanReport) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if let Some(words) = &report.refused {
        bail!("nothing was changed: {words}");
    }
    writeln!(out, "{}", report.summary())?;
    writeln!(
        out,
        "{} entries of the first tier were past their time",
        report.first_tier_expired.unwrap_or(0)
    )?;
    if let Some(undo_file) = &report.undo_file {
        writeln!(out, "{} keys are kept in {}", report.kept_keys, undo_file.display())?;
    }
    ensure!(report.is_whole(), "done in part: {:?}", report.tasks);
    Ok(())
}
