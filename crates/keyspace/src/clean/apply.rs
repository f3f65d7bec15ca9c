//! Doing what was planned, key by key looked at again, and kept first.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use larder_cache_client::{
    CacheClient, DumpedValue, GuardedAction, GuardedChange, KeyChange, PacedSteps, ValueStamp,
};
use larder_metrics_model::NodeAddress;

use super::{
    candidate::{Candidate, Intent},
    marks::Marks,
    options::{CleanOptions, CleanTask},
    outcome::CleanOutcome,
    plan::{CleanPlan, LineName},
    recheck::{LeftAlone, still_holds},
};
use crate::{
    Error, Result,
    clock::{ServerClock, now_ms},
    error::with_cause,
    steps::step_of,
    undo::{Act, UndoHeader, UndoWriter},
};

/// Does what a plan says. Every key is looked at again, and written to the undo file, which is on the disk before anything
/// is done to it; then it is changed in one step with a last comparison, so that what someone else writes meanwhile is never
/// lost. Killed at any moment, no key is gone that the undo file does not hold.
///
/// A task that fails ends alone; what it did by then is in the outcome. Where the undo file cannot be written, nothing more
/// is changed.
///
/// # Errors
/// [`Error::OverLimits`] where the plan goes past the limits of the policy and [`CleanOptions::over_limits`] does not allow it,
/// [`Error::Unfinished`] for a plan that was stopped, [`Error::OnlyPlan`] for one that was made with
/// [`CleanOptions::only_plan`], [`Error::Cache`] where the user may not change keys in one step (EVAL),
/// [`Error::UndoUnwritable`] where the undo file cannot be made. Nothing was changed then.
pub async fn apply_clean(
    client: &CacheClient,
    plan: &mut CleanPlan,
    options: &CleanOptions,
    undo_file: &Path,
) -> Result<CleanOutcome> {
    if plan.only_plan {
        return Err(Error::OnlyPlan);
    }
    if plan.stopped {
        return Err(Error::Unfinished);
    }
    if !options.over_limits && !plan.limits_exceeded.is_empty() {
        let limits = plan.limits_exceeded.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        return Err(Error::OverLimits { limits });
    }
    if plan.keys() > 0 {
        may_change(client).await?;
    }
    // Everything that can fail before there is a file comes before.
    let mut batches = Batches::new(plan)?;
    let marks = options.marks.as_ref().map(|path| Marks::open(path, client.name())).transpose()?;
    let clock = match plan.held.clock {
        Some(clock) => clock,
        None => ServerClock::of(client).await?,
    };
    let header = UndoHeader::new(plan.cache.clone(), plan.policy.clone(), now_ms());
    let undo = UndoWriter::create(undo_file, header)?;
    let mut applier = Applier {
        client,
        options,
        lines: plan.held.lines.clone(),
        path: undo.path().to_path_buf(),
        undo: Some(undo),
        marks,
        outcome: CleanOutcome::default(),
        broken: false,
        clock,
    };
    while !applier.broken && !applier.outcome.stopped {
        match batches.next() {
            Ok(Some(batch)) => applier.batch(batch).await,
            Ok(None) => break,
            Err(error) => {
                let words = with_cause(&error);
                applier.unreached(&words);
                break;
            }
        }
    }
    Ok(applier.finish())
}

/// A change of a key that nobody has shows whether changes are allowed.
async fn may_change(client: &CacheClient) -> Result<()> {
    let change = GuardedChange {
        key: Bytes::from_static(b"larder:probe:no-such-key"),
        value: ValueStamp { bytes: 0, checksum: 0 },
        expires_at_ms: None,
        action: GuardedAction::Persist,
    };
    match client.keys().change(&[change]).await.pop() {
        Some(Err(error)) => Err(error.into()),
        _ => Ok(()),
    }
}

/// So many keys, and so many bytes, are kept with one wait for the disk.
const BATCH_KEYS: usize = 1_000;
const BATCH_BYTES: u64 = 8 << 20;

/// Candidates, in batches that are bounded in keys and bytes.
struct Batches {
    candidates: Box<dyn Iterator<Item = std::io::Result<Candidate>> + Send>,
    waiting: Option<Candidate>,
}

impl Batches {
    fn new(plan: &mut CleanPlan) -> Result<Self> {
        let candidates = plan.held.candidates().map_err(unreadable)?;
        Ok(Self { candidates: Box::new(candidates), waiting: None })
    }

    fn next(&mut self) -> Result<Option<Vec<Candidate>>> {
        let mut batch: Vec<Candidate> = self.waiting.take().into_iter().collect();
        let mut bytes: u64 = batch.iter().map(|candidate| candidate.bytes).sum();
        while batch.len() < BATCH_KEYS {
            let Some(candidate) = self.candidates.next() else { break };
            let candidate = candidate.map_err(unreadable)?;
            bytes += candidate.bytes;
            if bytes > BATCH_BYTES && !batch.is_empty() {
                self.waiting = Some(candidate);
                break;
            }
            batch.push(candidate);
        }
        Ok((!batch.is_empty()).then_some(batch))
    }
}

fn unreadable(source: std::io::Error) -> Error {
    Error::File { what: "list of planned keys", path: std::env::temp_dir(), source }
}

struct Applier<'a> {
    client: &'a CacheClient,
    options: &'a CleanOptions,
    lines: Vec<LineName>,
    /// Away while the disk is waited for.
    undo: Option<UndoWriter>,
    path: PathBuf,
    marks: Option<Marks>,
    outcome: CleanOutcome,
    /// The undo file cannot be written any more.
    broken: bool,
    clock: ServerClock,
}

/// A key that was kept, and what is done to it.
struct Kept {
    task: CleanTask,
    /// Its number in the undo file.
    number: u64,
    change: GuardedChange,
}

impl Applier<'_> {
    async fn batch(&mut self, batch: Vec<Candidate>) {
        if self.stopped() {
            return;
        }
        let (marked, batch): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|candidate| candidate.action == Intent::Mark);
        self.mark(&marked);
        let small = |candidate: &Candidate| candidate.bytes <= self.options.max_value_bytes;
        let (batch, big): (Vec<_>, Vec<_>) = batch.into_iter().partition(small);
        for candidate in &big {
            self.leave(candidate, LeftAlone::TooBig);
        }
        let keys: Vec<Bytes> = batch.iter().map(|candidate| Bytes::copy_from_slice(&candidate.key)).collect();
        let node = NodeAddress::new(self.client.name());
        let dump = |keys| self.client.keys().dump(keys);
        let found = PacedSteps::new(&self.options.pace, &node)
            .until(&self.options.stop)
            .take(&keys, step_of(4), dump)
            .await;
        if self.stopped() {
            return;
        }
        let mut kept = Vec::with_capacity(batch.len());
        for ((candidate, key), found) in batch.iter().zip(keys).zip(found) {
            match found {
                Ok(Some(value)) => match self.keep(candidate, key, &value) {
                    Ok(key) => kept.extend(key),
                    // Nothing is done to keys that are not on the disk, this one and those before it.
                    Err(error) => {
                        let words = with_cause(&error);
                        self.fail(candidate, words.clone());
                        return self.give_up(&kept, &words);
                    }
                },
                Ok(None) => self.leave(candidate, LeftAlone::Gone),
                Err(error) => self.fail(candidate, error.with_causes()),
            }
        }
        if kept.is_empty() {
            return;
        }
        match self.sync().await {
            Ok(()) => self.change(&node, kept).await,
            Err(error) => {
                let words = with_cause(&error);
                self.give_up(&kept, &words);
            }
        }
    }

    /// Looks whether it is to end here.
    fn stopped(&mut self) -> bool {
        self.outcome.stopped |= self.options.stop.is_cancelled();
        self.outcome.stopped
    }

    /// Waits for the disk where that keeps nobody waiting.
    async fn sync(&mut self) -> Result<()> {
        let Some(mut undo) = self.undo.take() else { return Ok(()) };
        let (undo, done) = tokio::task::spawn_blocking(move || {
            let done = undo.sync();
            (undo, done)
        })
        .await
        .map_err(|broken| Error::UndoUnwritable {
            path: self.path.clone(),
            source: std::io::Error::other(broken),
        })?;
        self.undo = Some(undo);
        done
    }

    /// Looks whether the reason still holds, and writes the key down.
    fn keep(&mut self, candidate: &Candidate, key: Bytes, value: &DumpedValue) -> Result<Option<Kept>> {
        let now = self.clock.now_ms();
        if let Err(reason) = still_holds(candidate, value, now) {
            self.leave(candidate, reason);
            return Ok(None);
        }
        let (act, action) = match candidate.action {
            Intent::SetTtl(milliseconds) => {
                let at = now.saturating_add(i64::try_from(milliseconds).unwrap_or(i64::MAX));
                (Act::Expires(at), GuardedAction::ExpireAt(at))
            }
            Intent::Remove | Intent::Mark => (Act::Removed, GuardedAction::Unlink),
        };
        let (Some(stamp), Some(undo)) = (ValueStamp::of(&value.payload), &mut self.undo) else {
            self.leave(candidate, LeftAlone::Unkept);
            return Ok(None);
        };
        // Where the server does not tell the moment, it is about now and what is left.
        let mut value = value.clone();
        if let (None, larder_cache_client::Ttl::In(left)) = (value.expires_at_ms, value.ttl) {
            value.expires_at_ms =
                Some(now.saturating_add(i64::try_from(left.as_millis()).unwrap_or(i64::MAX)));
        }
        let number = match undo.keep(&key, candidate.database, &value, act) {
            Ok(number) => number,
            Err(error @ Error::Unkept { .. }) => {
                tracing::debug!(%error, "left alone");
                self.leave(candidate, LeftAlone::Unkept);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let change = GuardedChange { key, value: stamp, expires_at_ms: value.expires_at_ms, action };
        Ok(Some(Kept { task: self.task_of(candidate.line), number, change }))
    }

    async fn change(&mut self, node: &NodeAddress, kept: Vec<Kept>) {
        let changes: Vec<GuardedChange> = kept.iter().map(|kept| kept.change.clone()).collect();
        let change = |changes| self.client.keys().change(changes);
        let answers = PacedSteps::new(&self.options.pace, node)
            .until(&self.options.stop)
            .take(&changes, step_of(4), change)
            .await;
        let stopped_at = kept.get(answers.len()..).unwrap_or_default();
        for (kept, answer) in kept.iter().zip(answers) {
            let left = match answer {
                Ok(KeyChange::Done) => {
                    self.outcome.task(kept.task).done += 1;
                    if let (Some(marks), GuardedAction::Unlink) = (&mut self.marks, kept.change.action) {
                        marks.forget(&kept.change.key);
                    }
                    continue;
                }
                Ok(KeyChange::Missing) => LeftAlone::Gone,
                Ok(_) => LeftAlone::Rewritten,
                // Whether it was done is not known, so the undo file goes on holding it.
                Err(error) => {
                    self.outcome.task(kept.task).fail(1, error.with_causes());
                    continue;
                }
            };
            self.outcome.task(kept.task).leave(left.as_str());
            self.write_left(kept);
        }
        for kept in stopped_at {
            self.outcome.stopped = true;
            self.write_left(kept);
        }
    }

    /// Takes what was kept of a key back, because nothing was done to it.
    fn write_left(&mut self, kept: &Kept) {
        if !self.broken
            && let Some(undo) = &mut self.undo
            && let Err(error) = undo.left_alone(kept.number)
        {
            self.broken = true;
            self.outcome.task(kept.task).fail(0, with_cause(&error));
        }
    }

    /// Nothing is done to keys that may not be on the disk.
    fn give_up(&mut self, kept: &[Kept], words: &str) {
        self.broken = true;
        for kept in kept {
            self.outcome.task(kept.task).fail(1, words.to_owned());
        }
    }

    /// The rest of the plan cannot be read.
    fn unreached(&mut self, words: &str) {
        for line in &self.lines {
            self.outcome.task(line.task).fail(0, words.to_owned());
        }
    }

    fn mark(&mut self, candidates: &[Candidate]) {
        let now = now_ms();
        for candidate in candidates {
            match &mut self.marks {
                Some(marks) => {
                    marks.mark(&candidate.key, now);
                    let task = self.task_of(candidate.line);
                    self.outcome.task(task).marked += 1;
                }
                None => self.fail(candidate, "there is no file of marks to keep the mark in".to_owned()),
            }
        }
    }

    fn task_of(&self, line: u32) -> CleanTask {
        self.lines.get(line as usize).map_or(CleanTask::Integrity, |line| line.task)
    }

    fn leave(&mut self, candidate: &Candidate, reason: LeftAlone) {
        let task = self.task_of(candidate.line);
        self.outcome.task(task).leave(reason.as_str());
    }

    fn fail(&mut self, candidate: &Candidate, words: String) {
        let task = self.task_of(candidate.line);
        self.outcome.task(task).fail(1, words);
    }

    fn finish(mut self) -> CleanOutcome {
        for line in &self.lines {
            self.outcome.task(line.task);
        }
        if let Some(marks) = &self.marks
            && let Err(error) = marks.save()
        {
            self.outcome.task(CleanTask::Orphans).fail(0, with_cause(&error));
        }
        let Some(undo) = self.undo.take() else {
            self.outcome.undo_file = Some(self.path);
            return self.outcome;
        };
        // What is in it up to the last wait for the disk gives back everything that was done.
        let ended = if self.broken { undo.cut_off() } else { undo.finish() };
        (self.outcome.undo_file, self.outcome.kept_keys) = (ended.path, ended.keys);
        if let Some(error) = ended.error {
            let task = self.outcome.tasks.keys().next().copied().unwrap_or(CleanTask::Integrity);
            self.outcome.task(task).fail(0, with_cause(&error));
        }
        self.outcome
    }
}
