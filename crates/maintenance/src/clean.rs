//! The five tasks of a clean-up, each failing alone.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::{DateTime, FixedOffset};
use larder_cache_client::{CacheClient, MemoryCache};
use larder_keyspace::{
    AuditEntry, AuditLog, CleanOptions, CleanPlan, CleanTask, Error, LimitExceeded, PlanLine, Policy,
    Reclaim, ReclaimOutcome, ReclaimPlan, TaskOutcome, apply_clean, plan_clean, plan_reclaim, reclaim,
};
use larder_metrics_store::{MetricsStore, RetentionOutcome};
use serde::Serialize;

use crate::wording::with_causes;

/// What a clean-up works on.
#[derive(Clone, Debug)]
pub struct Cleaner {
    client: CacheClient,
    policy: Policy,
    options: CleanOptions,
    history: Option<Arc<dyn MetricsStore>>,
    first_tier: Option<MemoryCache>,
    audit: Option<AuditLog>,
}

/// What a clean-up would do, and where it was done, what became of it.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct CleanReport {
    /// The cache.
    pub cache: String,
    /// Where the policy came from.
    pub policy: String,
    /// When it began, ISO 8601.
    pub at: String,
    /// Whether it was done, and not only planned.
    pub applied: bool,
    /// Keys that were looked at.
    pub seen_keys: u64,
    /// Keys that would be changed.
    pub planned_keys: u64,
    /// Keys that were changed.
    pub changed_keys: u64,
    /// Task by task.
    pub tasks: Vec<TaskReport>,
    /// What is done about fragmentation, server by server.
    pub memory: Vec<ReclaimPlan>,
    /// What became of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reclaimed: Vec<ReclaimOutcome>,
    /// What of the metrics history is past its retention.
    pub history: Option<HistoryPlan>,
    /// Entries of the first tier whose time was up, and that were removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_tier_expired: Option<u64>,
    /// The limits of the policy that the plan goes past.
    pub limits_exceeded: Vec<LimitExceeded>,
    /// What was not seen, and why.
    pub not_seen: Vec<String>,
    /// Why nothing was done to keys although it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Whether it was ended before the last key.
    pub stopped: bool,
    /// The file that gives everything back.
    pub undo_file: Option<PathBuf>,
    /// Keys in it.
    pub kept_keys: u64,
    #[serde(skip)]
    plan: Option<CleanPlan>,
}

/// One task.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TaskReport {
    /// Which task.
    pub task: CleanTask,
    /// Keys, or of the history snapshots and files, that it would change.
    pub keys: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Line by line.
    pub lines: Vec<PlanLine>,
    /// What could not be looked at, and why.
    pub skipped: Vec<String>,
    /// What went wrong.
    pub problems: Vec<String>,
    /// What was done.
    pub outcome: Option<TaskOutcome>,
}

/// What is past its retention.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HistoryPlan {
    /// Snapshots.
    pub snapshots: u64,
    /// Samples, hours and days of series.
    pub samples: u64,
    /// Hours.
    pub hours: u64,
    /// Days.
    pub days: u64,
    /// Snapshots of families.
    pub keyspaces: u64,
    /// Files.
    pub files: Vec<PathBuf>,
}

impl From<&RetentionOutcome> for HistoryPlan {
    fn from(outcome: &RetentionOutcome) -> Self {
        Self {
            snapshots: outcome.snapshots_removed,
            samples: outcome.samples_removed,
            hours: outcome.hours_removed,
            days: outcome.days_removed,
            keyspaces: outcome.keyspaces_removed,
            files: outcome.files_removed.iter().chain(&outcome.remains_removed).cloned().collect(),
        }
    }
}

impl HistoryPlan {
    fn things(&self) -> u64 {
        self.snapshots + self.samples + self.hours + self.days + self.keyspaces + self.files.len() as u64
    }
}

impl TaskReport {
    fn new(task: CleanTask) -> Self {
        Self {
            task,
            keys: 0,
            bytes: 0,
            lines: Vec::new(),
            skipped: Vec::new(),
            problems: Vec::new(),
            outcome: None,
        }
    }
}

impl Cleaner {
    /// Makes a clean-up of the keys of a cache.
    #[must_use]
    pub fn new(client: CacheClient, policy: Policy, options: CleanOptions) -> Self {
        Self { client, policy, options, history: None, first_tier: None, audit: None }
    }

    /// Removes from this history what is past its retention, too.
    #[must_use]
    pub fn with_history(mut self, history: Arc<dyn MetricsStore>) -> Self {
        self.history = Some(history);
        self
    }

    /// Removes from this first tier what is past its time, too.
    #[must_use]
    pub fn with_first_tier(mut self, first_tier: MemoryCache) -> Self {
        self.first_tier = Some(first_tier);
        self
    }

    /// Writes down what is done.
    #[must_use]
    pub fn with_audit(mut self, audit: AuditLog) -> Self {
        self.audit = Some(audit);
        self
    }

    /// Plans only, from now on.
    #[must_use]
    pub(crate) fn that_only_plans(mut self) -> Self {
        self.options.only_plan = true;
        self
    }

    /// Plans every task; nothing is changed.
    pub async fn plan(&self, at: DateTime<FixedOffset>) -> CleanReport {
        let mut report = CleanReport {
            cache: self.client.name().to_owned(),
            policy: self.policy.origin().to_owned(),
            at: at.to_rfc3339(),
            applied: false,
            seen_keys: 0,
            planned_keys: 0,
            changed_keys: 0,
            tasks: self.options.tasks.iter().map(|task| TaskReport::new(*task)).collect(),
            memory: Vec::new(),
            reclaimed: Vec::new(),
            history: None,
            first_tier_expired: None,
            limits_exceeded: Vec::new(),
            not_seen: Vec::new(),
            refused: None,
            stopped: false,
            undo_file: None,
            kept_keys: 0,
            plan: None,
        };
        self.plan_keys(&mut report).await;
        self.plan_memory(&mut report).await;
        self.plan_history(&mut report, at).await;
        report
    }

    async fn plan_keys(&self, report: &mut CleanReport) {
        if !self.options.tasks.iter().any(|task| task.is_of_keys()) {
            return;
        }
        match plan_clean(&self.client, &self.policy, &self.options).await {
            Ok(plan) => report.take(plan),
            Err(error) => {
                let words = with_causes(&error);
                for task in report.tasks.iter_mut().filter(|task| task.task.is_of_keys()) {
                    task.problems.push(words.clone());
                }
            }
        }
    }

    async fn plan_memory(&self, report: &mut CleanReport) {
        let Some(task) = report.task_mut(CleanTask::Memory) else { return };
        match plan_reclaim(&self.client).await {
            Ok(plans) => {
                for plan in plans.iter().filter(|plan| plan.action == Reclaim::Unknown) {
                    task.skipped.push(format!("{}: {}", plan.node, plan.reason));
                }
                report.memory = plans;
            }
            Err(error) => task.problems.push(with_causes(&error)),
        }
    }

    async fn plan_history(&self, report: &mut CleanReport, at: DateTime<FixedOffset>) {
        let Some(task) = report.task_mut(CleanTask::History) else { return };
        let Some(history) = &self.history else {
            task.skipped.push("there is no metrics history".to_owned());
            return;
        };
        match history.plan_retention(at.to_utc()).await {
            Ok(outcome) => {
                let plan = HistoryPlan::from(&outcome);
                task.problems.extend(outcome.failed.iter().map(|error| with_causes(error)));
                task.keys = plan.things();
                report.history = Some(plan);
            }
            Err(error) => task.problems.push(with_causes(&error)),
        }
    }

    /// Does what was planned; `undo_file` must not be there yet.
    pub async fn apply(&self, report: &mut CleanReport, undo_file: &Path, at: DateTime<FixedOffset>) {
        report.applied = true;
        report.first_tier_expired = self.first_tier.as_ref().map(MemoryCache::clean_expired);
        self.apply_keys(report, undo_file).await;
        // Who asked for an end does not want more to be begun.
        if self.options.stop.is_cancelled() {
            report.stopped = true;
        } else {
            self.apply_memory(report).await;
            self.apply_history(report, at).await;
        }
        if let Some(audit) = &self.audit
            && let Err(error) = audit.add(&report.audit_entries())
            && let Some(task) = report.tasks.first_mut()
        {
            task.problems.push(with_causes(&error));
        }
    }

    async fn apply_keys(&self, report: &mut CleanReport, undo_file: &Path) {
        let Some(plan) = report.plan.as_mut().filter(|plan| !plan.is_empty()) else { return };
        match apply_clean(&self.client, plan, &self.options, undo_file).await {
            Ok(outcome) => {
                report.changed_keys = outcome.done();
                report.stopped |= outcome.stopped;
                report.kept_keys = outcome.kept_keys;
                report.undo_file.clone_from(&outcome.undo_file);
                for (task, outcome) in outcome.tasks {
                    if let Some(task) = report.task_mut(task) {
                        task.problems.extend(outcome.failures.iter().cloned());
                        task.outcome = Some(outcome);
                    }
                }
            }
            // That it was stopped is in the report.
            Err(Error::Unfinished) => {}
            Err(error @ Error::OverLimits { .. }) => report.refused = Some(error.to_string()),
            Err(error) => {
                let words = with_causes(&error);
                report.refused = Some(words);
            }
        }
    }

    async fn apply_memory(&self, report: &mut CleanReport) {
        if report.task_mut(CleanTask::Memory).is_none() {
            return;
        }
        match reclaim(&self.client, &report.memory).await {
            Ok(outcomes) => {
                let failed = outcomes.iter().filter_map(|outcome| {
                    outcome.failure.as_ref().map(|words| format!("{}: {words}", outcome.node))
                });
                let failed: Vec<String> = failed.collect();
                if let Some(task) = report.task_mut(CleanTask::Memory) {
                    task.problems.extend(failed);
                }
                report.reclaimed = outcomes;
            }
            Err(error) => {
                if let Some(task) = report.task_mut(CleanTask::Memory) {
                    task.problems.push(with_causes(&error));
                }
            }
        }
    }

    async fn apply_history(&self, report: &mut CleanReport, at: DateTime<FixedOffset>) {
        let (Some(history), Some(task)) = (&self.history, report.task_mut(CleanTask::History)) else {
            return;
        };
        match history.apply_retention(at.to_utc()).await {
            Ok(outcome) => {
                task.problems.extend(outcome.failed.iter().map(|error| with_causes(error)));
                let mut done = TaskOutcome::default();
                done.done = HistoryPlan::from(&outcome).things();
                task.outcome = Some(done);
            }
            Err(error) => task.problems.push(with_causes(&error)),
        }
    }
}

impl CleanReport {
    fn take(&mut self, plan: CleanPlan) {
        self.seen_keys = plan.seen_keys;
        self.planned_keys = plan.keys();
        self.limits_exceeded.clone_from(&plan.limits_exceeded);
        self.not_seen.clone_from(&plan.not_seen);
        self.stopped = plan.stopped;
        for planned in &plan.tasks {
            if let Some(task) = self.task_mut(planned.task) {
                task.keys = planned.keys;
                task.bytes = planned.bytes;
                task.lines.clone_from(&planned.lines);
                task.skipped.clone_from(&planned.skipped);
            }
        }
        self.plan = Some(plan);
    }

    fn task_mut(&mut self, task: CleanTask) -> Option<&mut TaskReport> {
        self.tasks.iter_mut().find(|report| report.task == task)
    }

    /// Returns the plan of the keys, which names each of them; none where no task looks at keys, or none could.
    pub fn key_plan(&mut self) -> Option<&mut CleanPlan> {
        self.plan.as_mut()
    }

    /// Tells whether everything was seen, and done where it was asked for.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.not_seen.is_empty()
            && self.refused.is_none()
            && !self.stopped
            && self.tasks.iter().all(|task| task.problems.is_empty())
    }

    /// Tells whether no task could be planned, or none that was asked for be done.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        let none_could = |task: &TaskReport| {
            task.task.is_of_keys() && task.outcome.as_ref().is_some_and(|outcome| outcome.failed > 0)
        };
        let nothing_done = self.applied
            && self.changed_keys == 0
            && (self.refused.is_some() || self.tasks.iter().any(none_could));
        nothing_done || self.tasks.iter().all(|task| !task.problems.is_empty() && task.outcome.is_none())
    }

    /// Returns what was done and went wrong in one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let of = |task| self.tasks.iter().find(|report| report.task == task).map_or(0, |report| report.keys);
        let (timed, removed) = (of(CleanTask::Ttl), of(CleanTask::Orphans));
        if self.applied {
            return format!("{} of {} planned keys were changed", self.changed_keys, self.planned_keys);
        }
        format!("{} keys seen: {timed} would get a TTL, {removed} would be removed", self.seen_keys)
    }

    fn audit_entries(&self) -> Vec<AuditEntry> {
        let user = std::env::var("USER").ok().filter(|user| !user.is_empty());
        let done = self.tasks.iter().filter_map(|task| Some((task, task.outcome.as_ref()?)));
        done.map(|(task, outcome)| {
            let mut entry = AuditEntry::new(&self.at, &self.cache, "clean", &self.policy);
            entry.task = Some(task.task.as_str().to_owned());
            entry.keys = outcome.done;
            entry.failed = outcome.failed;
            entry.left_alone =
                outcome.left_alone.iter().map(|(reason, keys)| ((*reason).to_owned(), *keys)).collect();
            entry.undo_file = self.undo_file.clone().filter(|_| task.task.is_of_keys());
            entry.user.clone_from(&user);
            entry
        })
        .collect()
    }
}
