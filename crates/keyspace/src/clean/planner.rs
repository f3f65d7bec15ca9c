//! From a sweep and a policy to a plan.

use std::{collections::BTreeMap, io, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt;
use larder_cache_client::{
    CacheClient, FieldChoice, KeyBatch, KeyFields, KeyRecord, PacedSteps, ScanOptions, Ttl, ValueStamp,
};
use larder_metrics_model::NodeAddress;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    candidate::{Candidate, Intent, Spill},
    check::{judge, orphan_name},
    limits,
    marks::Marks,
    options::{CleanOptions, CleanTask},
    plan::{Action, CleanPlan, Held, LineName, PlanLine, Reason, TaskPlan},
    recent::Recent,
    recheck::FRESH,
    tally::Tally,
    values,
};
use crate::{
    Error, Facts, Family, FamilyId, Policy, Result, Violations,
    clock::{ServerClock, now_ms},
    steps::step_of,
};

/// Looks at every key once and plans what the policy asks for. Nothing is changed.
///
/// Memory does not grow with the number of keys: those that something is to be done about are kept in a file without a
/// name.
///
/// # Errors
/// [`Error::Cache`] where nothing at all could be seen, [`Error::File`] where planned keys cannot be kept or marks cannot be
/// read. A shard that was not seen to its end is named in the plan.
pub async fn plan_clean(client: &CacheClient, policy: &Policy, options: &CleanOptions) -> Result<CleanPlan> {
    let mut planner = Planner::new(client, policy, options)?;
    planner.probe().await?;
    planner.clock = ServerClock::of(client).await.ok();
    if options.tasks.iter().any(|task| task.is_of_keys()) {
        planner.sweep().await?;
    }
    Ok(planner.finish())
}

/// What must be known of a key before it is removed or altered, beside what its judgement needs.
const BEFORE_ACTING: KeyFields = KeyFields::IDLE.union(KeyFields::BYTES);
/// A key that nobody has.
const NO_KEY: &[u8] = b"larder:probe:no-such-key";
const VALUES_AT_ONCE_BYTES: u64 = 8 << 20;
const LARGEST_DECODED_BYTES: u64 = 1 << 20;

struct Planner<'a> {
    client: &'a CacheClient,
    policy: &'a Policy,
    options: &'a CleanOptions,
    /// Fields that this user may not see.
    blocked: KeyFields,
    tally: Tally,
    spill: Spill,
    marks: Option<Marks>,
    random: ChaCha8Rng,
    skipped: BTreeMap<CleanTask, Vec<String>>,
    not_seen: Vec<String>,
    stopped: bool,
    clock: Option<ServerClock>,
    recent: Recent,
    /// Whether it was said that idle times are not known.
    idle_is_unknown: bool,
}

/// A key that something is to be done about, before all is known of it.
struct Suspect {
    record: KeyRecord,
    line: LineName,
    intent: Intent,
}

impl<'a> Planner<'a> {
    fn new(client: &'a CacheClient, policy: &'a Policy, options: &'a CleanOptions) -> Result<Self> {
        let marks = options.marks.as_ref().map(|path| Marks::open(path, client.name())).transpose()?;
        let seed = options.seed.unwrap_or_else(rand::random);
        Ok(Self {
            client,
            policy,
            options,
            blocked: KeyFields::empty(),
            tally: Tally::new(options.examples),
            spill: Spill::new().map_err(unkept)?,
            marks,
            random: ChaCha8Rng::seed_from_u64(seed),
            skipped: BTreeMap::new(),
            not_seen: Vec::new(),
            stopped: false,
            clock: None,
            recent: Recent::default(),
            idle_is_unknown: false,
        })
    }

    /// Finds out what this user may not see, on a key that nobody has.
    async fn probe(&mut self) -> Result<()> {
        for (field, name) in [
            (KeyFields::TTL, "PTTL"),
            (KeyFields::TYPE, "TYPE"),
            (KeyFields::BYTES, "MEMORY USAGE"),
            (KeyFields::IDLE, "OBJECT IDLETIME"),
        ] {
            if !self.wanted().contains(field) {
                continue;
            }
            let answer = self.client.keys().look(&[Bytes::from_static(NO_KEY)], field).await.pop();
            match answer {
                Some(Err(error)) if error.is_blocked() => {
                    self.blocked |= field;
                    let words = format!("{name} is blocked: {}", error.with_causes());
                    for task in self.options.tasks.iter().filter(|task| task.is_of_keys()) {
                        self.skipped.entry(*task).or_default().push(words.clone());
                    }
                }
                Some(Err(error)) => return Err(error.into()),
                _ => {}
            }
        }
        if self.options.does(CleanTask::Orphans) && self.policy.orphans().is_none() {
            let words = "the policy has no [orphans], so keys of no family are left alone";
            self.skipped.entry(CleanTask::Orphans).or_default().push(words.to_owned());
        }
        Ok(())
    }

    /// Every field that may be asked for.
    fn wanted(&self) -> KeyFields {
        let families = self.policy.families().map(|(id, _)| self.fields_of(Some(id)));
        families.fold(self.fields_of(None) | BEFORE_ACTING, KeyFields::union)
    }

    /// What is fetched of the keys of a family, or of an orphan.
    fn fields_of(&self, family: Option<FamilyId>) -> KeyFields {
        let mut fields = KeyFields::empty();
        let Some(id) = family else {
            return if self.options.does(CleanTask::Orphans) && self.policy.orphans().is_some() {
                KeyFields::TTL | BEFORE_ACTING
            } else {
                fields
            };
        };
        if self.options.does(CleanTask::Integrity) {
            fields |= key_fields(self.policy.needs(Some(id)));
        }
        let requires_ttl = self.policy.family(id).is_some_and(|family| family.ttl.required);
        if requires_ttl && self.options.does(CleanTask::Ttl) {
            fields |= KeyFields::TTL;
        }
        fields
    }

    fn scan_options(&self) -> ScanOptions {
        let of_family: Vec<KeyFields> =
            self.policy.families().map(|(id, _)| self.fields_of(Some(id)) - self.blocked).collect();
        let of_orphans = self.fields_of(None) - self.blocked;
        let (matcher, policy) = (self.policy.matcher().clone(), self.policy.clone());
        let mut options = ScanOptions::default();
        options.batch_keys = self.options.batch_keys;
        options.pace = self.options.pace.clone();
        options.read_from = self.options.read_from;
        options.choice = Some(FieldChoice::new(move |key| match matcher.family(key) {
            Some(id) => of_family.get(id.index()).copied().unwrap_or_default(),
            None if lies_within(&policy, key) => of_orphans,
            None => KeyFields::empty(),
        }));
        options
    }

    async fn sweep(&mut self) -> Result<()> {
        let mut batches = self.client.keys().scan(self.scan_options());
        let mut seen_any = false;
        while let Some(batch) = batches.next().await {
            if self.options.stop.is_cancelled() {
                self.stopped = true;
                break;
            }
            match batch {
                Ok(batch) => {
                    seen_any = true;
                    self.take(batch).await?;
                }
                Err(error) if !seen_any && error.is_blocked() => return Err(error.into()),
                Err(error) => self.not_seen.push(error.with_causes()),
            }
        }
        self.stopped |= self.options.stop.is_cancelled();
        match self.not_seen.first() {
            // Where nothing was seen there is no plan, but one error to tell of.
            Some(words) if !seen_any => Err(Error::NothingSeen { reason: words.clone() }),
            _ => Ok(()),
        }
    }

    async fn take(&mut self, batch: KeyBatch) -> Result<()> {
        let shard = self.tally.shard(batch.shard.as_str(), batch.round);
        self.tally.see(shard, batch.records.len());
        let mut suspects = Vec::new();
        let mut decoded = Vec::new();
        for record in batch.records {
            let family = self.policy.matcher().family(&record.key);
            let violations = judge(self.policy, family, &record);
            if let Some(id) = family.filter(|id| self.is_to_be_decoded(*id, &record)) {
                decoded.push((id, record.key.clone()));
            }
            self.note_unknown_idle(family, &record);
            if violations.is_empty() {
                continue;
            }
            self.report(shard, family, violations, &record);
            suspects.extend(self.suspect(family, violations, record));
        }
        self.decode(shard, &batch.node, decoded).await?;
        self.complete(shard, batch.round, &batch.node, suspects).await
    }

    /// Where servers evict by frequency they do not know how long a key was not used, and rules that ask for it find nothing.
    fn note_unknown_idle(&mut self, family: Option<FamilyId>, record: &KeyRecord) {
        let asks = |rule: &crate::OrphanRule| rule.min_idle.is_some() || rule.grace.is_some();
        let is_asked = family.is_none() && self.policy.orphans().is_some_and(asks);
        let is_orphan = is_asked && lies_within(self.policy, &record.key);
        if self.idle_is_unknown
            || !is_orphan
            || record.idle.is_some()
            || !self.options.does(CleanTask::Orphans)
        {
            return;
        }
        self.idle_is_unknown = true;
        let words = "min_idle and grace of [orphans] need idle times, which a server that evicts by frequency does not know";
        self.skipped.entry(CleanTask::Orphans).or_default().push(words.to_owned());
    }

    /// Counts what nothing is done about.
    fn report(&mut self, shard: u32, family: Option<FamilyId>, violations: Violations, record: &KeyRecord) {
        let Some(family) = family.and_then(|id| self.policy.family(id)) else { return };
        let mut reasons = Vec::new();
        if self.options.does(CleanTask::Integrity) {
            reasons.extend(
                [
                    (Violations::TTL_BEYOND_LONGEST, Reason::TtlBeyondLongest),
                    (Violations::OVER_SIZE_LIMIT, Reason::OverSizeLimit),
                    (Violations::WRONG_TYPE, Reason::WrongType),
                ]
                .into_iter()
                .filter(|(violation, _)| violations.contains(*violation))
                .map(|(_, reason)| (CleanTask::Integrity, reason)),
            );
        }
        if family.protected
            && self.options.does(CleanTask::Ttl)
            && violations.contains(Violations::MISSING_TTL)
        {
            reasons.push((CleanTask::Ttl, Reason::MissingTtl));
        }
        for (task, reason) in reasons {
            let name = LineName { task, family: family.name.clone(), reason, action: Action::Report };
            let line = self.tally.line(&name);
            self.tally.add(shard, line, &record.key, record.memory_bytes.unwrap_or(0));
        }
    }

    fn suspect(
        &mut self,
        family: Option<FamilyId>,
        violations: Violations,
        record: KeyRecord,
    ) -> Option<Suspect> {
        if let Some(id) = family {
            let known = self.policy.family(id)?;
            let asked = self.options.does(CleanTask::Ttl) && violations.contains(Violations::MISSING_TTL);
            if !asked || known.protected {
                return None;
            }
            let ttl = self.policy.ttl_for(id, self.random.random())?;
            let line = LineName {
                task: CleanTask::Ttl,
                family: known.name.clone(),
                reason: Reason::MissingTtl,
                action: Action::SetTtl,
            };
            let milliseconds = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
            return Some(Suspect { record, line, intent: Intent::SetTtl(milliseconds) });
        }
        if !self.options.does(CleanTask::Orphans) || !violations.contains(Violations::ORPHAN) {
            return None;
        }
        let (reason, action, intent) = self.orphan(&record)?;
        let family = orphan_name(&record.key);
        Some(Suspect { record, line: LineName { task: CleanTask::Orphans, family, reason, action }, intent })
    }

    /// Decides what becomes of an orphan: at once where there is no grace time, else when it was marked long enough ago and
    /// has not been used since.
    fn orphan(&self, record: &KeyRecord) -> Option<(Reason, Action, Intent)> {
        let Some(grace) = self.policy.orphans().and_then(|rule| rule.grace) else {
            return Some((Reason::Orphan, Action::Remove, Intent::Remove));
        };
        let mark = Some((Reason::Orphan, Action::Mark, Intent::Mark));
        let Some(marked_at) = self.marks.as_ref().and_then(|marks| marks.marked_at_ms(&record.key)) else {
            return mark;
        };
        let since = Duration::from_millis(u64::try_from(now_ms() - marked_at).unwrap_or(0));
        // Where idle times are not known, nothing shows that the key was not used.
        let unused = record.idle.is_some_and(|idle| idle + Duration::from_secs(2) >= since);
        match (unused, since >= grace) {
            (false, _) => mark,
            (true, true) => Some((Reason::OrphanUnused, Action::Remove, Intent::Remove)),
            (true, false) => None,
        }
    }

    fn is_to_be_decoded(&self, id: FamilyId, record: &KeyRecord) -> bool {
        self.options.does(CleanTask::Integrity)
            && self.policy.family(id).is_some_and(|family| family.values.is_some())
            && record.kind.as_ref().is_none_or(|kind| kind.as_str() == "string")
            && values::is_chosen(&record.key, self.options.values_share)
    }

    async fn decode(&mut self, shard: u32, node: &NodeAddress, chosen: Vec<(FamilyId, Bytes)>) -> Result<()> {
        if chosen.is_empty() || self.blocked.contains(KeyFields::BYTES) {
            return Ok(());
        }
        let keys: Vec<Bytes> = chosen.iter().map(|(_, key)| key.clone()).collect();
        let sizes = self.look(node, &keys, KeyFields::BYTES).await?;
        let small = chosen.into_iter().zip(sizes).filter_map(|((id, key), record)| {
            let bytes = record?.memory_bytes?;
            (bytes <= LARGEST_DECODED_BYTES).then_some((id, key, bytes))
        });
        for (id, key, bytes) in small.collect::<Vec<_>>() {
            let form = self.policy.family(id).and_then(|family| family.values);
            let dumped = self.client.keys().dump(std::slice::from_ref(&key)).await.pop();
            if let Some(Err(error)) = &dumped
                && error.is_blocked()
            {
                let words = format!("values are not decoded: {}", error.with_causes());
                let skipped = self.skipped.entry(CleanTask::Integrity).or_default();
                if !skipped.contains(&words) {
                    skipped.push(words);
                }
                return Ok(());
            }
            let (Some(form), Some(Ok(Some(value)))) = (form, dumped) else { continue };
            if !values::decodes(&value.payload, form) {
                let family = self.policy.family(id).map_or_else(String::new, |family| family.name.clone());
                let name = LineName {
                    task: CleanTask::Integrity,
                    family,
                    reason: Reason::Undecodable,
                    action: Action::Report,
                };
                let line = self.tally.line(&name);
                self.tally.add(shard, line, &key, bytes);
            }
        }
        Ok(())
    }

    /// Looks at what is not known yet of keys that something is to be done about, and keeps them.
    async fn complete(
        &mut self,
        shard: u32,
        round: u32,
        node: &NodeAddress,
        mut suspects: Vec<Suspect>,
    ) -> Result<()> {
        if suspects.is_empty() {
            return Ok(());
        }
        suspects.retain(|suspect| self.recent.is_new(shard, round, &suspect.record.key));
        let is_unknown =
            |suspect: &Suspect| suspect.record.memory_bytes.is_none() || suspect.record.idle.is_none();
        let unknown: Vec<usize> = (0..suspects.len()).filter(|index| is_unknown(&suspects[*index])).collect();
        let keys: Vec<Bytes> = unknown.iter().map(|index| suspects[*index].record.key.clone()).collect();
        let found = self.look(node, &keys, BEFORE_ACTING - self.blocked).await?;
        for (index, record) in unknown.into_iter().zip(found) {
            if let Some(record) = record {
                let known = &mut suspects[index].record;
                known.memory_bytes = known.memory_bytes.or(record.memory_bytes);
                known.idle = known.idle.or(record.idle);
            }
        }
        let stamps = self.stamps(node, &suspects).await?;
        let clock = self.clock.unwrap_or_else(ServerClock::of_this_machine);
        let seen_at_ms = clock.now_ms();
        for (suspect, stamp) in suspects.into_iter().zip(stamps) {
            let line = self.tally.line(&suspect.line);
            let bytes = suspect.record.memory_bytes.unwrap_or(0);
            self.tally.add(shard, line, &suspect.record.key, bytes);
            let candidate = candidate(suspect, stamp, seen_at_ms, (shard, round, line));
            self.spill.add(&candidate).map_err(unkept)?;
        }
        Ok(())
    }

    async fn look(
        &self,
        node: &NodeAddress,
        keys: &[Bytes],
        fields: KeyFields,
    ) -> Result<Vec<Option<KeyRecord>>> {
        let commands = fields.bits().count_ones() as usize;
        let look = |keys| self.client.keys().look(keys, fields);
        let found = PacedSteps::new(&self.options.pace, node).take(keys, step_of(commands), look).await;
        Ok(found.into_iter().collect::<larder_cache_client::Result<_>>()?)
    }

    /// Takes the stamps of values whose idle time cannot show whether they are written or used from here on.
    async fn stamps(&self, node: &NodeAddress, suspects: &[Suspect]) -> Result<Vec<Option<ValueStamp>>> {
        let mut stamps = vec![None; suspects.len()];
        let needs_stamp = |suspect: &Suspect| {
            !self.options.only_plan
                && suspect.intent != Intent::Mark
                && suspect.record.idle.is_none_or(|idle| idle < FRESH)
                && suspect.record.memory_bytes.is_none_or(|bytes| bytes <= self.options.max_value_bytes)
        };
        let mut rest = (0..suspects.len()).filter(|index| needs_stamp(&suspects[*index])).peekable();
        while rest.peek().is_some() {
            let mut bytes = 0;
            let mut indexes = Vec::new();
            while let Some(index) = rest.next_if(|_| bytes < VALUES_AT_ONCE_BYTES) {
                bytes += suspects[index].record.memory_bytes.unwrap_or(VALUES_AT_ONCE_BYTES);
                indexes.push(index);
            }
            let keys: Vec<Bytes> = indexes.iter().map(|index| suspects[*index].record.key.clone()).collect();
            let dump = |keys| self.client.keys().dump(keys);
            let values = PacedSteps::new(&self.options.pace, node).take(&keys, step_of(4), dump).await;
            for (index, value) in indexes.into_iter().zip(values) {
                stamps[index] = value?.and_then(|value| ValueStamp::of(&value.payload));
            }
        }
        Ok(stamps)
    }

    fn finish(self) -> CleanPlan {
        let totals = self.tally.totals();
        let tasks = self.options.tasks.iter().filter(|task| task.is_of_keys()).map(|task| {
            let lines: Vec<PlanLine> = totals
                .iter()
                .filter(|(name, _)| name.task == *task)
                .map(|(name, count)| plan_line(self.policy, name, count))
                .collect();
            let changed =
                || lines.iter().filter(|line| matches!(line.action, Action::SetTtl | Action::Remove));
            TaskPlan {
                task: *task,
                keys: changed().map(|line| line.keys).sum(),
                bytes: changed().map(|line| line.bytes).sum(),
                skipped: self.skipped.get(task).cloned().unwrap_or_default(),
                lines,
            }
        });
        let tasks: Vec<TaskPlan> = tasks.collect();
        let planned = totals.iter().filter(|(name, _)| name.changes()).map(|(_, count)| count.keys).sum();
        CleanPlan {
            cache: self.client.name().to_owned(),
            policy: self.policy.origin().to_owned(),
            at_ms: now_ms(),
            seen_keys: self.tally.seen(),
            limits_exceeded: limits::exceeded(planned, self.tally.seen(), self.policy.limits()),
            tasks,
            not_seen: self.not_seen,
            stopped: self.stopped,
            only_plan: self.options.only_plan,
            held: Held {
                clock: self.clock,
                spill: self.spill,
                rounds: self.tally.rounds(),
                lines: self.tally.lines(),
            },
        }
    }
}

pub(super) fn plan_line(policy: &Policy, name: &LineName, count: &super::tally::Count) -> PlanLine {
    let family: Option<&Family> =
        policy.families().map(|(_, family)| family).find(|family| family.name == name.family);
    let family = family.filter(|_| name.task != CleanTask::Orphans);
    PlanLine {
        family: name.family.clone(),
        owner: family.and_then(|family| family.owner.clone()),
        reason: name.reason,
        action: name.action,
        ttl_s: family
            .filter(|_| name.action == Action::SetTtl)
            .and_then(|family| family.ttl.default)
            .map(|ttl| ttl.as_secs()),
        keys: count.keys,
        bytes: count.bytes,
        protected: family.is_some_and(|family| family.protected),
        examples: count.examples.clone(),
    }
}

fn candidate(
    suspect: Suspect,
    stamp: Option<ValueStamp>,
    seen_at_ms: i64,
    (shard, round, line): (u32, u32, u32),
) -> Candidate {
    let record = suspect.record;
    let expires_at_ms = match record.ttl {
        Some(Ttl::In(left)) => {
            Some(seen_at_ms.saturating_add(i64::try_from(left.as_millis()).unwrap_or(i64::MAX)))
        }
        _ => None,
    };
    // Where the server has no CLIENT NO-TOUCH, taking the stamp was a use.
    let idle = if stamp.is_some() { record.idle.map(|_| Duration::ZERO) } else { record.idle };
    Candidate {
        key: record.key.to_vec(),
        action: suspect.intent,
        line,
        shard,
        round,
        database: record.database,
        seen_at_ms,
        idle_s: idle.map(|idle| u32::try_from(idle.as_secs()).unwrap_or(u32::MAX)),
        expires_at_ms,
        bytes: record.memory_bytes.unwrap_or(0),
        stamp,
    }
}

/// Tells whether a key lies where orphans are looked for.
pub(super) fn lies_within(policy: &Policy, key: &[u8]) -> bool {
    policy.orphans().is_some_and(|rule| {
        rule.within.is_empty() || rule.within.iter().any(|prefix| key.starts_with(prefix.as_bytes()))
    })
}

pub(super) fn key_fields(facts: Facts) -> KeyFields {
    [
        (Facts::TTL, KeyFields::TTL),
        (Facts::TYPE, KeyFields::TYPE),
        (Facts::BYTES, KeyFields::BYTES),
        (Facts::IDLE, KeyFields::IDLE),
    ]
    .into_iter()
    .filter(|(fact, _)| facts.contains(*fact))
    .fold(KeyFields::empty(), |fields, (_, field)| fields | field)
}

fn unkept(source: io::Error) -> Error {
    Error::File { what: "list of planned keys", path: std::env::temp_dir(), source }
}
