//! A rehearsal of recovery: the whole of it, against servers of our own, timed.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{
    BackupId, Manifest, Repository, Result, Verification, VerificationLevel, VerifyOptions,
    reading::{self, note_damage},
    verify::{Loaded, load_shard},
};

/// What a drill has shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DrillReport {
    /// Which backup was brought back.
    pub id: BackupId,
    /// The cache that it is of.
    pub cache: String,
    /// When the drill was begun.
    pub at: DateTime<Utc>,
    /// Whether every key came back as it was.
    pub ok: bool,
    /// What is wrong.
    pub problems: Vec<String>,
    /// The server that it was brought back to.
    pub server: Option<String>,
    /// How long it takes from the decision to a server that answers with the data: that of the shard that takes longest, since
    /// shards are recovered side by side.
    pub recovery_ms: u64,
    /// The part of it for fetching, opening and checking.
    pub fetch_ms: u64,
    /// The part of it for starting and loading.
    pub load_ms: u64,
    /// How long all of it took, comparing included, one shard after the other.
    pub took_ms: u64,
    /// How old the data was: what would have been lost.
    pub data_age_s: Option<u64>,
    /// Keys that came back.
    pub keys: Option<u64>,
    /// Bytes that were fetched.
    pub stored_bytes: u64,
    /// Shards.
    pub shards: usize,
}

/// Rehearses the recovery from a backup; the result is noted beside its manifest.
///
/// # Errors
/// It could not be rehearsed: the repository cannot be read, the backup cannot be opened, there is no fitting server. A
/// recovery that fails is a result.
pub async fn drill(
    repository: &Repository,
    manifest: &Manifest,
    options: &VerifyOptions,
    at: DateTime<Utc>,
) -> Result<DrillReport> {
    let begun = Instant::now();
    let taken_at =
        manifest.shards.iter().filter_map(|shard| shard.taken_at).min().unwrap_or(manifest.began_at);
    let mut report = DrillReport {
        id: manifest.id.clone(),
        cache: manifest.cache.clone(),
        at,
        ok: false,
        problems: Vec::new(),
        server: None,
        recovery_ms: 0,
        fetch_ms: 0,
        load_ms: 0,
        took_ms: 0,
        data_age_s: u64::try_from((at - taken_at).num_seconds()).ok(),
        keys: manifest.counts.as_ref().map(|counts| counts.keys),
        stored_bytes: manifest.stored_bytes(),
        shards: manifest.shards.len(),
    };
    options.progress.begin(manifest.stored_bytes(), manifest.shards.len());
    for (number, shard) in manifest.shards.iter().enumerate() {
        options.progress.begin_shard(number, None);
        let loaded = load_shard(repository, &manifest.id, shard, options).await;
        // What is not there cannot be brought back, and that is what a drill is to show.
        if let Some(loaded) = note_damage(loaded, &mut report.problems)? {
            report.add(loaded);
        }
    }
    for archive in &manifest.archives {
        let reading = options.reading();
        let read = reading::read_archive(repository, &manifest.id, &archive.artifact, None, &reading).await;
        if let Some(read) = note_damage(read, &mut report.problems)? {
            report.problems.extend(read.problems);
        }
    }
    report.ok = report.problems.is_empty();
    report.took_ms = milliseconds(begun.elapsed());
    let mut verification = Verification::passed(VerificationLevel::Drill, at);
    verification.ok = report.ok;
    verification.problems.clone_from(&report.problems);
    verification.server.clone_from(&report.server);
    verification.took_ms = report.recovery_ms;
    repository.write_verification(&manifest.id, &verification).await?;
    Ok(report)
}

impl DrillReport {
    fn add(&mut self, loaded: Loaded) {
        let (fetch, load) = (milliseconds(loaded.fetch_time), milliseconds(loaded.load_time));
        if fetch + load >= self.recovery_ms {
            (self.recovery_ms, self.fetch_ms, self.load_ms) = (fetch + load, fetch, load);
        }
        self.problems.extend(loaded.problems);
        self.server = loaded.program.or(self.server.take());
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
