//! Proving that a backup is what it was when it was made, and that a server takes it.

mod load;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

pub(crate) use self::load::{Loaded, load_shard};
use crate::{
    Effort, Keyring, Manifest, Progress, Repository, Result, ServerPrograms, Verification, VerificationLevel,
    reading::{self, Reading},
};

/// How a backup is verified.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VerifyOptions {
    /// How deep.
    pub level: VerificationLevel,
    /// What opens it, where it is encrypted.
    pub keyring: Keyring,
    /// In which of them it may be loaded.
    pub programs: ServerPrograms,
    /// Where a server may have its folder, which takes as much as the data; `None` for the folder for temporary files.
    pub scratch_folder: Option<PathBuf>,
    /// How long a server may take to load it.
    pub load_patience: Duration,
    /// How it stands to other work on this machine.
    pub effort: Effort,
    /// How far it is.
    pub progress: Progress,
    /// Ends it; nothing is noted then.
    pub stop: CancellationToken,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            level: VerificationLevel::Structure,
            keyring: Keyring::default(),
            programs: ServerPrograms::default(),
            scratch_folder: None,
            load_patience: Duration::from_hours(1),
            effort: Effort::default(),
            progress: Progress::default(),
            stop: CancellationToken::new(),
        }
    }
}

impl VerifyOptions {
    /// Verifies as deep as that.
    #[must_use]
    pub fn at(level: VerificationLevel) -> Self {
        Self { level, ..Self::default() }
    }

    pub(crate) fn reading(&self) -> Reading {
        Reading {
            keyring: self.keyring.clone(),
            effort: self.effort,
            progress: self.progress.clone(),
            stop: self.stop.clone(),
        }
    }
}

/// Verifies a backup, and notes the result beside its manifest.
///
/// Each level does what the one before does: *checksum* reads every object and compares size and SHA-256; *structure* opens
/// it, reads every element of every key, and compares counts and digest; *load* starts a server of a fitting version with it,
/// and compares what that server then writes.
///
/// # Errors
/// It could not be found out: the repository cannot be read, the backup cannot be opened, there is no fitting server. What is
/// wrong with the backup is in the result.
pub async fn verify_backup(
    repository: &Repository,
    manifest: &Manifest,
    options: &VerifyOptions,
    at: DateTime<Utc>,
) -> Result<Verification> {
    let begun = Instant::now();
    let mut verification = Verification::passed(options.level, at);
    options.progress.begin(manifest.stored_bytes(), manifest.shards.len());
    for artifact in manifest.archives.iter().map(|archive| &archive.artifact) {
        let reading = options.reading();
        let problems = match options.level {
            VerificationLevel::Checksum => {
                reading::check_sum(repository, &manifest.id, artifact, &reading).await
            }
            _ => reading::read_archive(repository, &manifest.id, artifact, None, &reading)
                .await
                .map(|read| read.problems),
        };
        verification.note(problems)?;
    }
    for number in 0..manifest.shards.len() {
        options.progress.begin_shard(number, None);
        verify_shard(repository, manifest, number, options, &mut verification).await?;
    }
    verification.ok = verification.problems.is_empty();
    verification.took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    repository.write_verification(&manifest.id, &verification).await?;
    Ok(verification)
}

async fn verify_shard(
    repository: &Repository,
    manifest: &Manifest,
    number: usize,
    options: &VerifyOptions,
    verification: &mut Verification,
) -> Result<()> {
    let shard = &manifest.shards[number];
    match options.level {
        VerificationLevel::Checksum => verification
            .note(reading::check_sum(repository, &manifest.id, &shard.artifact, &options.reading()).await),
        VerificationLevel::Structure => {
            let read = reading::read_image(repository, &manifest.id, shard, None, &options.reading()).await;
            verification.note(read.map(|read| read.problems))
        }
        VerificationLevel::Load | VerificationLevel::Drill => {
            let loaded = load_shard(repository, &manifest.id, shard, options).await;
            if let Some(loaded) = reading::note_damage(loaded, &mut verification.problems)? {
                verification.server = loaded.program;
                verification.problems.extend(loaded.problems);
            }
            Ok(())
        }
    }
}

impl Verification {
    fn note(&mut self, problems: Result<Vec<String>>) -> Result<()> {
        let problems = reading::note_damage(problems, &mut self.problems)?;
        self.problems.extend(problems.into_iter().flatten());
        Ok(())
    }
}
