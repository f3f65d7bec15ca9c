//! Backups as jobs of the cycles: made daily, verified weekly, rehearsed monthly.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use chrono::{DateTime, FixedOffset};
use larder_backup::{
    BackupOptions, DrillReport, KeepPolicy, Repository, VerificationLevel, VerifyOptions, Wanted,
    create_backup, drill, plan_prune, prune, verify_backup,
};
use larder_cache_client::CacheClient;
use larder_metrics_model::{DrillFigures, Snapshot};
use larder_metrics_store::{Appended, MetricsStore};

use crate::{Job, JobOutcome, JobReport, JobStatus, Unready, wording::with_causes};

/// Makes a backup.
#[derive(Clone, Debug)]
pub struct BackupJob {
    client: CacheClient,
    repository: Repository,
    options: BackupOptions,
}

/// Removes backups that are past their time, where it was configured to.
#[derive(Clone, Debug)]
pub struct PruneJob {
    repository: Repository,
    policy: KeepPolicy,
    apply: bool,
}

/// Verifies the newest backup.
#[derive(Clone, Debug)]
pub struct VerifyJob {
    repository: Repository,
    options: VerifyOptions,
    cache: Option<String>,
}

/// Rehearses the recovery from the newest backup.
#[derive(Clone, Debug)]
pub struct DrillJob {
    repository: Repository,
    options: VerifyOptions,
    cache: Option<String>,
    history: Option<Arc<dyn MetricsStore>>,
}

impl BackupJob {
    /// Makes the job.
    #[must_use]
    pub fn new(client: CacheClient, repository: Repository, options: BackupOptions) -> Self {
        Self { client, repository, options }
    }
}

impl PruneJob {
    /// Makes a job that says what is past its time.
    #[must_use]
    pub fn new(repository: Repository, policy: KeepPolicy) -> Self {
        Self { repository, policy, apply: false }
    }

    /// Makes a job that removes it.
    #[must_use]
    pub fn that_applies(repository: Repository, policy: KeepPolicy) -> Self {
        Self { repository, policy, apply: true }
    }
}

impl VerifyJob {
    /// Makes the job.
    #[must_use]
    pub fn new(repository: Repository, options: VerifyOptions) -> Self {
        Self { repository, options, cache: None }
    }

    /// Means the newest backup of this cache, where the repository has those of several.
    #[must_use]
    pub fn of_cache(self, cache: impl Into<String>) -> Self {
        Self { cache: Some(cache.into()), ..self }
    }
}

impl DrillJob {
    /// Makes the job.
    #[must_use]
    pub fn new(repository: Repository, mut options: VerifyOptions) -> Self {
        options.level = VerificationLevel::Drill;
        Self { repository, options, cache: None, history: None }
    }

    /// Means the newest backup of this cache, where the repository has those of several.
    #[must_use]
    pub fn of_cache(self, cache: impl Into<String>) -> Self {
        Self { cache: Some(cache.into()), ..self }
    }

    /// Keeps the result in this history as well.
    #[must_use]
    pub fn with_history(self, history: Arc<dyn MetricsStore>) -> Self {
        Self { history: Some(history), ..self }
    }
}

#[async_trait]
impl Job for BackupJob {
    fn name(&self) -> &'static str {
        "backup"
    }

    async fn run(&self, at: DateTime<FixedOffset>) -> JobOutcome {
        let begun = Instant::now();
        match create_backup(&self.client, &self.repository, &self.options, at.to_utc()).await {
            Ok(made) => {
                let manifest = made.manifest;
                let keys = manifest.counts.as_ref().map_or(0, |counts| counts.keys);
                let summary =
                    format!("{}: {keys} keys, {} bytes stored", manifest.id, manifest.stored_bytes());
                let report = JobReport::Backup(Some(Box::new(manifest)));
                let mut outcome = JobOutcome::done(self.name(), summary, begun.elapsed(), report);
                outcome.notes = made.notes;
                outcome
            }
            Err(error) => failed(self, &error, begun, JobReport::Backup(None)),
        }
    }
}

#[async_trait]
impl Job for PruneJob {
    fn name(&self) -> &'static str {
        "prune"
    }

    async fn run(&self, at: DateTime<FixedOffset>) -> JobOutcome {
        let begun = Instant::now();
        let listing = match self.repository.list().await {
            Ok(listing) => listing,
            Err(error) => return failed(self, &error, begun, JobReport::Prune(None)),
        };
        let plan = plan_prune(&listing.backups, &self.policy, at.to_utc(), *at.offset());
        let all = listing.backups.len();
        let left_alone =
            listing.damaged.iter().map(|one| format!("{} is left alone: {}", one.id, one.reason));
        if !self.apply {
            let summary = format!("{} of {all} backups would be removed", plan.removals().count());
            let mut outcome =
                JobOutcome::done(self.name(), summary, begun.elapsed(), JobReport::Prune(Some(plan)));
            outcome.notes.extend(left_alone);
            return outcome;
        }
        // What was removed may be less than what was planned.
        let pruned = prune(&self.repository, &plan).await;
        let summary = format!("{} of {all} backups were removed", pruned.removed.len());
        let status = if pruned.removed.is_empty() { JobStatus::Failed } else { JobStatus::Partial };
        let mut outcome =
            JobOutcome::done(self.name(), summary, begun.elapsed(), JobReport::Prune(Some(plan)));
        outcome.notes.extend(left_alone);
        outcome.notes.extend(pruned.spared.iter().map(|(id, why)| format!("{id} stays after all: {why}")));
        pruned.failed.iter().fold(outcome, |outcome, (id, error)| {
            outcome.but(status, format!("{id} could not be removed: {}", error.with_causes()))
        })
    }
}

#[async_trait]
impl Job for VerifyJob {
    fn name(&self) -> &'static str {
        "verify"
    }

    /// A backup that is not sound is what this job is to find, and all the same nothing that may be called done.
    async fn run(&self, at: DateTime<FixedOffset>) -> JobOutcome {
        let begun = Instant::now();
        let verified = async {
            let manifest = self.repository.find_of(&Wanted::Latest, self.cache.as_deref()).await?;
            let verification = verify_backup(&self.repository, &manifest, &self.options, at.to_utc()).await?;
            larder_backup::Result::Ok((manifest.id, verification))
        };
        match verified.await {
            Ok((id, verification)) => {
                let verdict = if verification.ok { "sound" } else { "not sound" };
                let summary = format!("{id} is {verdict} (level {})", verification.level);
                let problems = verification.problems.clone();
                let report = JobReport::Verify(Some(verification));
                let outcome = JobOutcome::done(self.name(), summary, begun.elapsed(), report);
                problems.into_iter().fold(outcome, |outcome, words| outcome.but(JobStatus::Failed, words))
            }
            Err(error) => failed(self, &error, begun, JobReport::Verify(None)),
        }
    }
}

#[async_trait]
impl Job for DrillJob {
    fn name(&self) -> &'static str {
        "drill"
    }

    async fn run(&self, at: DateTime<FixedOffset>) -> JobOutcome {
        let begun = Instant::now();
        let drilled = async {
            let manifest = self.repository.find_of(&Wanted::Latest, self.cache.as_deref()).await?;
            drill(&self.repository, &manifest, &self.options, at.to_utc()).await
        };
        let drilled = match drilled.await {
            Ok(drilled) => drilled,
            Err(error) => return failed(self, &error, begun, JobReport::Drill(None)),
        };
        let verdict = if drilled.ok { "every key came back" } else { "the recovery failed" };
        let summary = format!("{}: {verdict}, in {} ms", drilled.id, drilled.recovery_ms);
        let kept = match &self.history {
            Some(history) => record_drill(history, &drilled).await.map(drop),
            None => Ok(()),
        };
        let problems = drilled.problems.clone();
        let report = JobReport::Drill(Some(drilled));
        let mut outcome = JobOutcome::done(self.name(), summary, begun.elapsed(), report);
        if let Err(error) = kept {
            outcome = outcome.but(JobStatus::Partial, with_causes(&error));
        }
        problems.into_iter().fold(outcome, |outcome, words| outcome.but(JobStatus::Failed, words))
    }
}

/// A job that cannot even be put together, because what it was configured with is wrong: it fails for itself, and the others of
/// its cycle go on.
#[derive(Clone, Debug)]
pub struct UnreadyJob {
    name: &'static str,
    why: String,
}

impl UnreadyJob {
    /// Makes a job of this name that fails for this reason.
    #[must_use]
    pub fn new(name: &'static str, why: impl Into<String>) -> Self {
        Self { name, why: why.into() }
    }
}

#[async_trait]
impl Job for UnreadyJob {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn run(&self, _at: DateTime<FixedOffset>) -> JobOutcome {
        let report = JobReport::Unready(Unready { job: self.name });
        let outcome = JobOutcome::done(self.name, self.why.clone(), Duration::ZERO, report);
        outcome.but(JobStatus::Failed, self.why.clone())
    }
}

fn failed(job: &dyn Job, error: &larder_backup::Error, begun: Instant, report: JobReport) -> JobOutcome {
    let words = with_causes(error);
    JobOutcome::done(job.name(), words.clone(), begun.elapsed(), report).but(JobStatus::Failed, words)
}

/// Keeps what a rehearsal has shown in the metrics history, so that the last proven restore is a number of it
/// (`drill_recovery_seconds`, `drill_data_age_seconds`, `drill_ok_ratio`).
///
/// # Errors
/// As [`MetricsStore::append`].
#[expect(clippy::cast_precision_loss, reason = "seconds")]
pub async fn record_drill(
    history: &Arc<dyn MetricsStore>,
    report: &DrillReport,
) -> larder_metrics_store::Result<Appended> {
    let mut figures = DrillFigures::default();
    figures.backup = report.id.to_string();
    figures.ok = report.ok;
    figures.recovery_seconds = report.recovery_ms as f64 / 1e3;
    figures.data_age_seconds = report.data_age_s.map(|age| age as f64);
    figures.keys = report.keys;
    let mut snapshot = Snapshot::at(report.at.fixed_offset());
    snapshot.cache = Some(report.cache.clone());
    snapshot.drill = Some(figures);
    history.append(&snapshot).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_job_that_could_not_be_put_together_reports_under_its_own_name() {
        let at = DateTime::parse_from_rfc3339("2026-11-24T00:00:00Z").unwrap();
        for (name, expected) in [("optimize", r#"{"optimize":null}"#), ("backup", r#"{"backup":null}"#)] {
            let outcome = UnreadyJob::new(name, "the key file is missing").run(at).await;
            assert_eq!(serde_json::to_string(&outcome.report).unwrap(), expected);
            assert_eq!((outcome.job, outcome.status), (name, JobStatus::Failed));
            assert_eq!(outcome.problems, ["the key file is missing"]);
        }
        let made = serde_json::to_string(&JobReport::Prune(None)).unwrap();
        assert_eq!(made, r#"{"prune":null}"#, "the others keep their form");
    }
}
