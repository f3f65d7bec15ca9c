//! Rules about settings that lose data, hide trouble or waste memory.

use larder_metrics_model::Role;

use super::{
    AuditedNode,
    rule::{Judged, found_if},
};
use crate::wording::{bytes, percent, share};

type Outcome = Result<Judged, String>;

/// Fewer keys say nothing about how the cache is used.
const KEYS_MIN: u64 = 100;
/// Below this share of keys with a TTL a `volatile-*` policy finds too little to evict.
const SHARE_WITH_TTL_MIN: f64 = 0.5;

/// Returns the limit of memory; INFO tells it where CONFIG is blocked.
fn limit(node: &AuditedNode) -> Result<u64, String> {
    let told = node.info().ok().and_then(|info| info.memory.max_bytes);
    match (told, node.number::<u64>(&["maxmemory"])) {
        (Some(limit), _) | (None, Ok(Some(limit))) => Ok(limit),
        (None, Ok(None)) => Err("the server does not give maxmemory".to_owned()),
        (None, Err(why)) => Err(why),
    }
}

fn policy(node: &AuditedNode) -> Result<&str, String> {
    let told = node.info().ok().and_then(|info| info.memory.policy.as_deref());
    match told {
        Some(policy) => Ok(policy),
        None => node
            .setting(&["maxmemory-policy"])?
            .ok_or_else(|| "the server does not give maxmemory-policy".to_owned()),
    }
}

pub(super) fn no_memory_limit(node: &AuditedNode) -> Outcome {
    let limit = limit(node)?;
    Ok(found_if(
        limit == 0,
        "maxmemory is 0: the cache grows until the machine has no memory left.",
        bytes(limit),
    ))
}

pub(super) fn nothing_evicted(node: &AuditedNode) -> Outcome {
    let policy = policy(node)?;
    if limit(node)? == 0 {
        return Ok(Judged::NotHere);
    }
    Ok(found_if(
        policy == "noeviction",
        "maxmemory-policy is noeviction: at maxmemory every write fails.",
        policy,
    ))
}

pub(super) fn policy_needs_ttl(node: &AuditedNode) -> Outcome {
    let policy = policy(node)?;
    if limit(node)? == 0 || !policy.starts_with("volatile-") {
        return Ok(Judged::NotHere);
    }
    let info = node.info()?;
    let Some(with_ttl) = share(info.keys_with_ttl(), info.keys()).filter(|_| info.keys() >= KEYS_MIN) else {
        return Ok(Judged::Fine(format!("{policy}, and too few keys to tell")));
    };
    let found = format!(
        "maxmemory-policy is {policy}, and only {} of {} keys have a TTL: the others are never evicted.",
        percent(with_ttl),
        info.keys()
    );
    Ok(found_if(with_ttl < SHARE_WITH_TTL_MIN, found, format!("{policy}, {} with a TTL", percent(with_ttl))))
}

fn saves(node: &AuditedNode) -> Result<bool, String> {
    Ok(node.setting(&["save"])?.is_some_and(|save| !save.trim().is_empty()))
}

fn appends(node: &AuditedNode) -> Result<bool, String> {
    match node.info().ok().and_then(|info| info.persistence.aof_enabled) {
        Some(on) => Ok(on),
        None => node.is_set("appendonly", "yes"),
    }
}

pub(super) fn persisted_twice(node: &AuditedNode) -> Outcome {
    let both = saves(node)? && appends(node)?;
    Ok(found_if(
        both,
        "The data is written twice: appendonly is on, and there are save points.",
        "not written twice",
    ))
}

pub(super) fn primary_not_persisted(node: &AuditedNode) -> Outcome {
    let replication = &node.info()?.replication;
    if replication.role != Some(Role::Primary) || replication.replicas.is_empty() {
        return Ok(Judged::NotHere);
    }
    let nothing_kept = !saves(node)? && !appends(node)?;
    Ok(found_if(
        nothing_kept,
        "A primary with replicas persists nothing: if it is restarted by itself it comes back empty, and its replicas become empty with it.",
        "it persists",
    ))
}

pub(super) fn writes_unreplicated(node: &AuditedNode) -> Outcome {
    let replication = &node.info()?.replication;
    if replication.role != Some(Role::Primary) || replication.replicas.is_empty() {
        return Ok(Judged::NotHere);
    }
    // What is not kept on disk either is not missed.
    if !saves(node)? && !appends(node)? {
        return Ok(Judged::NotHere);
    }
    let Some(needed) = node.number::<u64>(&["min-replicas-to-write", "min-slaves-to-write"])? else {
        return Ok(Judged::NotHere);
    };
    Ok(found_if(
        needed == 0,
        "The primary persists its data, and takes writes while no replica has them (min-replicas-to-write 0).",
        format!("{needed} replicas"),
    ))
}

pub(super) fn replica_refuses_reads(node: &AuditedNode) -> Outcome {
    if node.info()?.replication.role != Some(Role::Replica) {
        return Ok(Judged::NotHere);
    }
    let refuses = node.setting(&["replica-serve-stale-data", "slave-serve-stale-data"])? == Some("no");
    Ok(found_if(
        refuses,
        "The replica refuses reads while the link to its primary is down (replica-serve-stale-data no).",
        "it answers",
    ))
}

pub(super) fn replica_writable(node: &AuditedNode) -> Outcome {
    if node.info()?.replication.role != Some(Role::Replica) {
        return Ok(Judged::NotHere);
    }
    let writable = node.is_set("replica-read-only", "no")?;
    Ok(found_if(writable, "The replica takes writes, which its primary never sees.", "read only"))
}

pub(super) fn buffers_unlimited(node: &AuditedNode) -> Outcome {
    let Some(limits) = node.setting(&["client-output-buffer-limit"])? else { return Ok(Judged::NotHere) };
    let words: Vec<&str> = limits.split_whitespace().collect();
    let unlimited: Vec<&str> = words
        .chunks_exact(4)
        .filter(|of_class| of_class[0] != "normal" && of_class[1] == "0" && of_class[2] == "0")
        .map(|of_class| if of_class[0] == "slave" { "replica" } else { of_class[0] })
        .collect();
    let found = format!("The output buffer has no limit for clients of class {}.", unlimited.join(", "));
    Ok(found_if(!unlimited.is_empty(), found, "limited"))
}

pub(super) fn dead_clients_kept(node: &AuditedNode) -> Outcome {
    let (timeout, keepalive) = (node.number::<u64>(&["timeout"])?, node.number::<u64>(&["tcp-keepalive"])?);
    let holds = timeout == Some(0) && keepalive == Some(0);
    Ok(found_if(
        holds,
        "timeout and tcp-keepalive are both 0: connections of clients that are gone stay for ever.",
        "they are found out",
    ))
}

pub(super) fn latency_monitor_off(node: &AuditedNode) -> Outcome {
    let Some(threshold) = node.number::<u64>(&["latency-monitor-threshold"])? else {
        return Ok(Judged::NotHere);
    };
    Ok(found_if(
        threshold == 0,
        "The latency monitor is off (latency-monitor-threshold 0).",
        format!("{threshold} ms"),
    ))
}

pub(super) fn slow_log_off(node: &AuditedNode) -> Outcome {
    let slower = node.number::<i64>(&["slowlog-log-slower-than", "commandlog-execution-slower-than"])?;
    let length = node.number::<i64>(&["slowlog-max-len", "commandlog-slow-execution-max-len"])?;
    if slower.is_none() && length.is_none() {
        return Ok(Judged::NotHere);
    }
    let off = slower.is_some_and(i64::is_negative) || length == Some(0);
    Ok(found_if(
        off,
        "The slow log is off.",
        slower.map_or_else(String::new, |slower| format!("{slower} us")),
    ))
}

pub(super) fn checksum_off(node: &AuditedNode) -> Outcome {
    let off = node.is_set("rdbchecksum", "no")?;
    Ok(found_if(off, "RDB files are written without a checksum (rdbchecksum no).", "yes"))
}

pub(super) fn failed_saves_ignored(node: &AuditedNode) -> Outcome {
    if !saves(node)? {
        return Ok(Judged::NotHere);
    }
    let ignored = node.is_set("stop-writes-on-bgsave-error", "no")?;
    Ok(found_if(ignored, "Writes go on after a save has failed (stop-writes-on-bgsave-error no).", "yes"))
}

pub(super) fn open_files_short(node: &AuditedNode) -> Outcome {
    /// What the server keeps for itself (`CONFIG_MIN_RESERVED_FDS` in server.h of Redis).
    const RESERVED: u64 = 32;
    let Some(tuning) = node.tuning()? else { return Ok(Judged::NotHere) };
    let clients = node.info()?.clients.max.or(node.number(&["maxclients"]).unwrap_or_default());
    let clients = clients.ok_or_else(|| "the server does not give maxclients".to_owned())?;
    let files = tuning.open_files.ok_or_else(|| "its limit of open files was not seen".to_owned())?;
    let holds = clients.saturating_add(RESERVED) > files;
    Ok(found_if(
        holds,
        format!("maxclients is {clients}, and the server may have {files} files open."),
        format!("{clients} clients, {files} files"),
    ))
}

pub(super) fn huge_pages(node: &AuditedNode) -> Outcome {
    let Some(tuning) = node.tuning()? else { return Ok(Judged::NotHere) };
    let pages = tuning.huge_pages.as_deref().ok_or("transparent_hugepage was not seen")?;
    // Since Redis 6.2 the server switches them off for itself.
    let switched_off = node.is_set("disable-thp", "yes")?;
    Ok(found_if(pages == "always" && !switched_off, "Transparent huge pages are on (always).", pages))
}

pub(super) fn overcommit(node: &AuditedNode) -> Outcome {
    let Some(tuning) = node.tuning()? else { return Ok(Judged::NotHere) };
    let mode = tuning.overcommit.ok_or("overcommit_memory was not seen")?;
    let has_replicas = node.info().is_ok_and(|info| !info.replication.replicas.is_empty());
    if !has_replicas && !saves(node)? && !appends(node)? {
        return Ok(Judged::NotHere);
    }
    Ok(found_if(
        mode != 1,
        format!("vm.overcommit_memory is {mode}: a save or a sync may fail though there is memory."),
        mode,
    ))
}
