//! Planning what to remove.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::{DateTime, Datelike, FixedOffset, TimeDelta, Timelike, Utc};
use serde::Serialize;

use super::policy::{KeepPolicy, span};
use crate::{BackupId, Kind, ListedBackup, repository::newness};

/// A restore that turns out wrong is noticed in this time.
const SAFETY_STAYS: Duration = Duration::from_hours(7 * 24);

/// What stays and what goes, each with its reasons.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PrunePlan {
    /// One a backup, the newest first.
    pub decisions: Vec<PruneDecision>,
    /// The policy that was planned by.
    pub policy: KeepPolicy,
    /// The moment that was planned for.
    pub now: DateTime<Utc>,
    /// The time zone whose days were counted.
    #[serde(skip)]
    pub offset: FixedOffset,
}

/// What becomes of one backup.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PruneDecision {
    /// Which.
    pub id: BackupId,
    /// Why it was made.
    pub kind: Kind,
    /// When it was begun.
    pub began_at: DateTime<Utc>,
    /// Its bytes in the repository.
    pub bytes: u64,
    /// What becomes of it.
    pub fate: PruneFate,
    /// Why.
    pub reasons: Vec<String>,
}

/// What becomes of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PruneFate {
    /// It stays.
    Keep,
    /// It goes.
    Remove,
}

impl PrunePlan {
    /// Returns what goes, the oldest first.
    pub fn removals(&self) -> impl Iterator<Item = &PruneDecision> {
        self.decisions.iter().rev().filter(|decision| decision.fate == PruneFate::Remove)
    }

    /// Returns the bytes of what goes.
    #[must_use]
    pub fn freed_bytes(&self) -> u64 {
        self.removals().map(|decision| decision.bytes).sum()
    }

    /// Returns what becomes of a backup.
    #[must_use]
    pub fn decision(&self, id: &BackupId) -> Option<&PruneDecision> {
        self.decisions.iter().find(|decision| decision.id == *id)
    }
}

/// Plans what to remove. Days, weeks, months and years are those of `offset`, and count where there is a backup in them.
///
/// The backups of each cache are counted for themselves, and so are safety backups. One that is known to be bad (an object
/// is missing, or its last verification failed) is kept by no rule: it goes when there is a newer one that verified, and
/// stays until then. Whatever the policy says, these stay: the newest of each cache, the newest that verified (decoded or
/// loaded), and safety backups for 7 days. A dump without a manifest counts as not verified, whatever was found of it; where
/// it is the newest, the newest with a manifest stays as well. Backups whose manifest cannot be trusted, or not be read, are
/// not looked at, and stay.
#[must_use]
pub fn plan_prune(
    backups: &[ListedBackup],
    policy: &KeepPolicy,
    now: DateTime<Utc>,
    offset: FixedOffset,
) -> PrunePlan {
    let mut sorted: Vec<&ListedBackup> = backups.iter().collect();
    sorted.sort_by_key(|backup| Reverse(newness(&backup.manifest)));
    let mut reasons: BTreeMap<BackupId, Vec<String>> = BTreeMap::new();
    for (group, members) in groups(&sorted) {
        let group = Group { key: group, members, policy, now, offset };
        group.keep(&mut |backup, reason| {
            reasons.entry(backup.manifest.id.clone()).or_default().push(reason);
        });
    }
    keep_the_last(&sorted, &mut reasons);
    let decisions = sorted.iter().map(|backup| decide(backup, reasons.remove(&backup.manifest.id), policy));
    PrunePlan { decisions: decisions.collect(), policy: policy.clone(), now, offset }
}

fn decide(backup: &ListedBackup, kept_by: Option<Vec<String>>, policy: &KeepPolicy) -> PruneDecision {
    let manifest = &backup.manifest;
    let (fate, reasons) = match kept_by {
        Some(reasons) => (PruneFate::Keep, reasons),
        None if backup.is_bad() => {
            (PruneFate::Remove, vec!["it is bad, and a newer one verified".to_owned()])
        }
        None => (PruneFate::Remove, vec![format!("no rule keeps it ({policy})")]),
    };
    PruneDecision {
        id: manifest.id.clone(),
        kind: manifest.kind.clone(),
        began_at: manifest.began_at,
        bytes: manifest.stored_bytes(),
        fate,
        reasons,
    }
}

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum GroupKey<'a> {
    Safety,
    Guide,
    Cache(&'a str),
}

fn groups<'a>(sorted: &[&'a ListedBackup]) -> BTreeMap<GroupKey<'a>, Vec<&'a ListedBackup>> {
    let mut groups: BTreeMap<GroupKey<'a>, Vec<&'a ListedBackup>> = BTreeMap::new();
    for backup in sorted {
        let key = match backup.manifest.kind {
            Kind::Safety { .. } => GroupKey::Safety,
            Kind::Guide => GroupKey::Guide,
            Kind::Regular => GroupKey::Cache(&backup.manifest.cache),
        };
        groups.entry(key).or_default().push(backup);
    }
    groups
}

struct Group<'a> {
    key: GroupKey<'a>,
    /// The newest first.
    members: Vec<&'a ListedBackup>,
    policy: &'a KeepPolicy,
    now: DateTime<Utc>,
    offset: FixedOffset,
}

impl<'a> Group<'a> {
    fn keep(&self, keep: &mut impl FnMut(&'a ListedBackup, String)) {
        if self.policy.is_empty() {
            for backup in &self.members {
                keep(backup, "no rule of retention is set, so that everything stays".to_owned());
            }
            return;
        }
        self.keep_by_count(keep);
        self.keep_by_age(keep);
        self.keep_what_is_bad(keep);
        self.keep_the_newest(keep);
    }

    /// Those that the rules choose from.
    fn candidates(&self) -> impl Iterator<Item = &'a ListedBackup> {
        self.members.iter().copied().filter(|backup| !backup.is_bad())
    }

    fn keep_by_count(&self, keep: &mut impl FnMut(&'a ListedBackup, String)) {
        for (name, count, period) in PERIODS {
            let Some(count) = count(self.policy) else { continue };
            let mut seen = BTreeSet::new();
            for (place, backup) in (0_i64..).zip(self.candidates()) {
                if seen.len() >= count as usize {
                    break;
                }
                let began_at = backup.manifest.began_at.with_timezone(&self.offset);
                if seen.insert(period.map_or([place, 0, 0], |period| period(&began_at))) {
                    keep(backup, format!("{name} {} of {count}", seen.len()));
                }
            }
        }
    }

    fn keep_by_age(&self, keep: &mut impl FnMut(&'a ListedBackup, String)) {
        let newest = self.candidates().map(|backup| backup.manifest.began_at).max();
        if let (Some(within), Some(newest)) = (self.policy.within, newest) {
            // A backup from the future does not make the others old.
            let since = before(newest.min(self.now), within);
            for backup in self.candidates().filter(|backup| backup.manifest.began_at >= since) {
                keep(backup, format!("within {}", span(within)));
            }
        }
        if self.key == GroupKey::Safety {
            let since = before(self.now, SAFETY_STAYS);
            for backup in self.members.iter().filter(|backup| backup.manifest.began_at >= since) {
                keep(backup, format!("a way back from a restore, for {}", span(SAFETY_STAYS)));
            }
        }
    }

    fn keep_what_is_bad(&self, keep: &mut impl FnMut(&'a ListedBackup, String)) {
        let proven = self.members.iter().position(|backup| backup.is_proven()).unwrap_or(usize::MAX);
        for (place, backup) in self.members.iter().enumerate() {
            if backup.is_bad() && place < proven {
                keep(backup, "it is bad, and no newer one has verified".to_owned());
            }
        }
    }

    fn keep_the_newest(&self, keep: &mut impl FnMut(&'a ListedBackup, String)) {
        if !matches!(self.key, GroupKey::Cache(_)) {
            return;
        }
        if let Some(proven) = self.members.iter().find(|backup| backup.is_proven()) {
            keep(proven, "newest that verified".to_owned());
        }
        if let Some(newest) = self.members.first() {
            let only = if self.members.len() == 1 { "the only one there is" } else { "newest" };
            keep(newest, only.to_owned());
        }
    }
}

/// Whatever groups there are: the newest of all, the newest of all that verified, and, where the newest is a dump without a
/// manifest, the newest that has one.
fn keep_the_last(sorted: &[&ListedBackup], reasons: &mut BTreeMap<BackupId, Vec<String>>) {
    let regular = || sorted.iter().filter(|backup| !backup.manifest.is_safety());
    let proven = regular().find(|backup| backup.is_proven());
    let newest = regular().next().or(sorted.first());
    let whole = newest
        .filter(|newest| newest.manifest.is_without_manifest())
        .and_then(|_| regular().find(|backup| !backup.manifest.is_without_manifest()));
    for (backup, reason) in
        [(proven, "newest that verified"), (newest, "newest"), (whole, "newest with a manifest")]
    {
        let Some(backup) = backup else { continue };
        let reasons = reasons.entry(backup.manifest.id.clone()).or_default();
        let is_said = reasons.iter().any(|said| said == reason || said == "the only one there is");
        if !is_said {
            reasons.push(reason.to_owned());
        }
    }
}

fn before(moment: DateTime<Utc>, span: Duration) -> DateTime<Utc> {
    let span = TimeDelta::from_std(span).ok();
    span.and_then(|span| moment.checked_sub_signed(span)).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

type Local = DateTime<FixedOffset>;
/// What tells one period from the next.
type Period = fn(&Local) -> [i64; 3];

type Count = fn(&KeepPolicy) -> Option<u32>;

const PERIODS: [(&str, Count, Option<Period>); 6] = [
    ("last", |policy| policy.last, None),
    ("hourly", |policy| policy.hourly, Some(|at| [at.year().into(), at.ordinal().into(), at.hour().into()])),
    ("daily", |policy| policy.daily, Some(|at| [at.year().into(), at.ordinal().into(), 0])),
    (
        "weekly",
        |policy| policy.weekly,
        Some(|at| [at.iso_week().year().into(), at.iso_week().week().into(), 0]),
    ),
    ("monthly", |policy| policy.monthly, Some(|at| [at.year().into(), at.month().into(), 0])),
    ("yearly", |policy| policy.yearly, Some(|at| [at.year().into(), 0, 0])),
];
