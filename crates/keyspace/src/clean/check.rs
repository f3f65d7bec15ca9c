//! What breaks a policy, of keys from anywhere.

use larder_cache_client::{FieldChoice, KeyBatch, KeyFields, KeyRecord, KeyType, Ttl};

use super::{
    options::CleanTask,
    plan::{Action, LineName, PlanLine, Reason},
    planner::{key_fields, lies_within, plan_line},
    tally::Tally,
};
use crate::{Facts, FamilyId, KeyFacts, Policy, Violations, Wanted, family_of};

/// Judges keys by a policy, and counts what breaks it. Nothing is done about it, so a file can be judged like a cache.
#[derive(Debug)]
pub struct PolicyCheck {
    policy: Policy,
    tally: Tally,
}

const REASONS: [(Violations, CleanTask, Reason); 5] = [
    (Violations::MISSING_TTL, CleanTask::Ttl, Reason::MissingTtl),
    (Violations::ORPHAN, CleanTask::Orphans, Reason::Orphan),
    (Violations::TTL_BEYOND_LONGEST, CleanTask::Integrity, Reason::TtlBeyondLongest),
    (Violations::OVER_SIZE_LIMIT, CleanTask::Integrity, Reason::OverSizeLimit),
    (Violations::WRONG_TYPE, CleanTask::Integrity, Reason::WrongType),
];

impl PolicyCheck {
    /// Begins to judge by a policy; so many keys of each line are named.
    #[must_use]
    pub fn new(policy: Policy, examples: usize) -> Self {
        Self { policy, tally: Tally::new(examples) }
    }

    /// Returns what must be known of keys: of each family what its rules need, and of keys of none what tells orphans.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        let policy = self.policy.clone();
        let of_none = key_fields(policy.needs(None) | Facts::BYTES);
        let choice = FieldChoice::new(move |key| match policy.matcher().family(key) {
            Some(id) => key_fields(policy.needs(Some(id))),
            None if lies_within(&policy, key) => of_none,
            None => KeyFields::empty(),
        });
        Wanted::new(KeyFields::empty()).with_choice(choice)
    }

    /// Judges the keys of a batch.
    pub fn add(&mut self, batch: &KeyBatch) {
        let shard = self.tally.shard(batch.shard.as_str(), batch.round);
        self.tally.see(shard, batch.records.len());
        for record in &batch.records {
            let family = self.policy.matcher().family(&record.key);
            let violations = judge(&self.policy, family, record);
            for (_, task, reason) in REASONS.iter().filter(|(violation, ..)| violations.contains(*violation))
            {
                let family = self.name_of(family, record);
                let name = LineName { task: *task, family, reason: *reason, action: Action::Report };
                let line = self.tally.line(&name);
                self.tally.add(shard, line, &record.key, record.memory_bytes.unwrap_or(0));
            }
        }
    }

    fn name_of(&self, family: Option<FamilyId>, record: &KeyRecord) -> String {
        match family.and_then(|id| self.policy.family(id)) {
            Some(family) => family.name.clone(),
            None => orphan_name(&record.key),
        }
    }

    /// Returns how many keys were judged.
    #[must_use]
    pub fn seen_keys(&self) -> u64 {
        self.tally.seen()
    }

    /// Returns what breaks the policy, line by line.
    #[must_use]
    pub fn lines(&self) -> Vec<PlanLine> {
        let totals = self.tally.totals();
        totals.iter().map(|(name, count)| plan_line(&self.policy, name, count)).collect()
    }
}

/// Judges what is known of a key.
pub(super) fn judge(policy: &Policy, family: Option<FamilyId>, record: &KeyRecord) -> Violations {
    let mut facts = KeyFacts::new(&record.key);
    facts.ttl = record.ttl.map(|ttl| match ttl {
        Ttl::None => None,
        Ttl::In(left) => Some(left),
    });
    facts.kind = record.kind.as_ref().map(KeyType::as_str);
    facts.bytes = record.memory_bytes;
    facts.idle = record.idle;
    policy.judge(family, &facts)
}

/// By what orphans are told apart: what their names begin with.
pub(super) fn orphan_name(key: &[u8]) -> String {
    let prefix = family_of(key);
    if prefix.is_empty() { "(none)".to_owned() } else { crate::KeyName::new(prefix).to_string() }
}
