//! Judging a listing.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytesize::ByteSize;
use chrono::{DateTime, TimeDelta, Utc};

use super::report::{BackupCheck, CheckLine, CheckState, PerformanceDatum};
use larder_metrics_model::Skipped;

use crate::{Kind, ListedBackup, Listing, VerificationLevel, create::NONE_BY_DEFAULT, retention::span};

const HOUR: Duration = Duration::from_hours(1);
/// Backups that the newest is compared with in size.
const COMPARED: usize = 10;
/// Fewer say nothing about what is usual.
const COMPARED_AT_LEAST: usize = 3;
/// Clocks differ a little.
const FUTURE: TimeDelta = TimeDelta::minutes(5);
/// What nothing was written to for longer is not being written any more.
const IN_THE_MAKING: TimeDelta = TimeDelta::days(1);

/// From when on an age is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "two bounds, and there will be no third")]
pub struct Limits {
    /// A warning.
    pub warn: Duration,
    /// Critical.
    pub crit: Duration,
}

/// From when on something is bad.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CheckThresholds {
    /// The age of the newest backup; 26 and 50 hours.
    pub age: Limits,
    /// The age of the last verification that decoded or loaded a backup and found nothing wrong; 8 and 15 days.
    pub verification: Limits,
    /// The age of the last drill, where drills are held; 35 and 70 days.
    pub drill: Limits,
    /// Whether drills are to be held. Where one was ever held, its age is looked at in any case.
    pub expects_drills: bool,
    /// The part of the usual size below which the newest backup is too small; a half.
    pub least_size_ratio: f64,
    /// The multiple of the usual size above which it is too large; 3.
    pub most_size_ratio: f64,
}

impl Default for CheckThresholds {
    fn default() -> Self {
        let limits = |warn: u32, crit: u32| Limits { warn: HOUR * warn, crit: HOUR * crit };
        Self {
            age: limits(26, 50),
            verification: limits(8 * 24, 15 * 24),
            drill: limits(35 * 24, 70 * 24),
            expects_drills: false,
            least_size_ratio: 0.5,
            most_size_ratio: 3.0,
        }
    }
}

/// Judges what is in a repository: each cache by itself, so that the old backups of one do not hide behind the new ones of
/// another; the worst decides. Where there are several, the name of the cache is in the lines and in the labels of the numbers.
/// Safety backups are not looked at: they are no backups to rely on.
#[must_use]
pub fn check_backups(listing: &Listing, thresholds: &CheckThresholds, now: DateTime<Utc>) -> BackupCheck {
    let caches = by_cache(listing, None);
    let mut judge = Judge { thresholds, now, of: None, lines: Vec::new(), data: Vec::new() };
    if caches.is_empty() {
        judge.backups(&[], "there is no backup");
    }
    for (cache, backups) in &caches {
        judge.of = (caches.len() > 1).then(|| (*cache).to_owned());
        judge.backups(backups, "there is no backup");
    }
    judge.of = None;
    let newest: Vec<_> = caches.values().filter_map(|backups| backups.first().copied()).collect();
    judge.end(listing, &newest)
}

/// Judges the backups of one cache of a repository, by its name. What is damaged or unfinished does not tell whose it is, and is
/// judged with them.
#[must_use]
pub fn check_backups_of(
    cache: &str,
    listing: &Listing,
    thresholds: &CheckThresholds,
    now: DateTime<Utc>,
) -> BackupCheck {
    let caches = by_cache(listing, Some(cache));
    let mut judge = Judge { thresholds, now, of: None, lines: Vec::new(), data: Vec::new() };
    let backups = caches.get(cache).map(Vec::as_slice).unwrap_or_default();
    let others: Vec<&str> = caches.keys().copied().collect();
    let none = match &others[..] {
        [] => "there is no backup".to_owned(),
        others => format!("there is no backup of {cache}; what is there is of {}", others.join(", ")),
    };
    judge.backups(backups, &none);
    let newest: Vec<_> = backups.first().copied().into_iter().collect();
    judge.end(listing, &newest)
}

/// The backups of each cache, the newest first. Those of the guide name a machine and no cache: where all are of one machine and
/// there is one cache only, they are taken for those of it; otherwise those of each machine are judged for themselves.
fn by_cache<'a>(listing: &'a Listing, named: Option<&'a str>) -> BTreeMap<&'a str, Vec<&'a ListedBackup>> {
    let regular = || listing.backups.iter().filter(|backup| !backup.manifest.is_safety());
    let is_guides = |backup: &ListedBackup| backup.manifest.kind == Kind::Guide;
    let own = regular().filter(|backup| !is_guides(backup)).map(|backup| backup.manifest.cache.as_str());
    let all: BTreeSet<&str> = own.chain(named).collect();
    let machines: BTreeSet<&str> =
        regular().filter(|backup| is_guides(backup)).map(|backup| backup.manifest.cache.as_str()).collect();
    let only = all.first().filter(|_| all.len() == 1 && machines.len() < 2);
    let mut caches: BTreeMap<&str, Vec<&ListedBackup>> = BTreeMap::new();
    for backup in regular() {
        let own = backup.manifest.cache.as_str();
        let cache = if is_guides(backup) { only.copied().unwrap_or(own) } else { own };
        caches.entry(cache).or_default().push(backup);
    }
    caches
}

struct Judge<'a> {
    thresholds: &'a CheckThresholds,
    now: DateTime<Utc>,
    /// The cache that is judged, where there are several.
    of: Option<String>,
    lines: Vec<CheckLine>,
    data: Vec<PerformanceDatum>,
}

impl Judge<'_> {
    /// Judges the backups of one cache, the newest first.
    fn backups(&mut self, backups: &[&ListedBackup], none: &str) {
        self.datum("backups", "", backups.len() as u64, None);
        let Some((newest, older)) = backups.split_first() else {
            return self.say(CheckState::Critical, "age", none);
        };
        self.newest(newest);
        self.size(newest, older);
        self.missing(newest);
        self.verification(backups);
        self.drill(backups);
        self.bad(backups);
    }

    /// Judges what does not tell which cache it is of, with the newest backup of each cache.
    fn end(mut self, listing: &Listing, newest: &[&ListedBackup]) -> BackupCheck {
        self.damaged(listing, newest);
        self.unfinished(listing);
        BackupCheck::new(self.lines, self.data)
    }

    fn say(&mut self, state: CheckState, what: &'static str, text: impl Into<String>) {
        let text = text.into();
        let text = self.of.as_ref().map(|cache| format!("{cache}: {text}")).unwrap_or(text);
        self.lines.push(CheckLine { state, what, text });
    }

    fn datum(&mut self, what: &str, unit: &'static str, value: u64, limits: Option<Limits>) {
        let label = match &self.of {
            Some(cache) => format!("{what} {}", cache.replace(['\'', '=', '|'], "_")),
            None => what.to_owned(),
        };
        let (warn, crit) = limits.map(|limits| (limits.warn.as_secs(), limits.crit.as_secs())).unzip();
        self.data.push(PerformanceDatum { label, value, unit, warn, crit });
    }

    fn newest(&mut self, newest: &ListedBackup) {
        let (id, began_at) = (&newest.manifest.id, newest.manifest.began_at);
        // The guide's backups bear the local time of their machine, which may be ahead of UTC.
        let is_ahead = began_at.signed_duration_since(self.now) > FUTURE;
        if is_ahead && !id.is_guides() {
            let text = format!("the newest, {id}, is from the future: a clock is wrong");
            self.say(CheckState::Unknown, "age", text);
            return;
        }
        self.age("age", "age", began_at, self.thresholds.age, &format!("the newest, {id}, was begun"));
    }

    fn age(&mut self, what: &'static str, label: &str, at: DateTime<Utc>, limits: Limits, of: &str) {
        let age = self.now.signed_duration_since(at).to_std().unwrap_or_default();
        let state = match age {
            age if age > limits.crit => CheckState::Critical,
            age if age > limits.warn => CheckState::Warning,
            _ => CheckState::Ok,
        };
        let bound = match state {
            CheckState::Critical => format!(" (more than {})", span(limits.crit)),
            CheckState::Warning => format!(" (more than {})", span(limits.warn)),
            _ => String::new(),
        };
        self.say(state, what, format!("{of} {} ago{bound}", span(age)));
        self.datum(label, "s", age.as_secs(), Some(limits));
    }

    fn size(&mut self, newest: &ListedBackup, older: &[&ListedBackup]) {
        let bytes = newest.manifest.stored_bytes();
        self.datum("size", "B", bytes, None);
        let mut usual: Vec<u64> =
            older.iter().take(COMPARED).map(|backup| backup.manifest.stored_bytes()).collect();
        if usual.len() < COMPARED_AT_LEAST {
            let text = format!("{}, with {} to compare with", ByteSize::b(bytes), usual.len());
            return self.say(CheckState::Ok, "size", text);
        }
        usual.sort_unstable();
        let median = usual[usual.len() / 2];
        #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
        let ratio = bytes as f64 / median.max(1) as f64;
        let is_usual = ratio >= self.thresholds.least_size_ratio && ratio <= self.thresholds.most_size_ratio;
        let text = format!(
            "{}, {:.0} % of what is usual ({})",
            ByteSize::b(bytes),
            ratio * 100.0,
            ByteSize::b(median)
        );
        self.say(if is_usual { CheckState::Ok } else { CheckState::Warning }, "size", text);
    }

    fn missing(&mut self, newest: &ListedBackup) {
        let is_asked_for = |part: &&Skipped| part.reason != NONE_BY_DEFAULT;
        let missing: Vec<&Skipped> = newest.manifest.missing.iter().filter(is_asked_for).collect();
        if missing.is_empty() {
            return;
        }
        let parts: Vec<String> =
            missing.iter().map(|part| format!("{} ({})", part.what, part.reason)).collect();
        let text = format!("the newest, {}, is without {}", newest.manifest.id, parts.join(", "));
        self.say(CheckState::Warning, "missing", text);
    }

    fn verification(&mut self, regular: &[&ListedBackup]) {
        let proofs = regular.iter().filter(|backup| !backup.is_bad()).filter_map(|backup| {
            let proof = backup.passed(VerificationLevel::Structure)?;
            Some((proof.at, proof.level, &backup.manifest.id))
        });
        let Some((at, level, id)) = proofs.max() else {
            // Where the first backup was made today, none can have been verified long ago.
            let oldest = regular.last().map_or(self.now, |backup| backup.manifest.began_at);
            let of = "none was ever decoded or loaded to prove it, and the oldest was begun";
            return self.age("verification", "verification_age", oldest, self.thresholds.verification, of);
        };
        let of = format!("{id} passed ({level})");
        self.age("verification", "verification_age", at, self.thresholds.verification, &of);
    }

    fn drill(&mut self, regular: &[&ListedBackup]) {
        let held = regular.iter().filter_map(|backup| {
            let drills = backup.verifications.iter().filter(|one| one.level == VerificationLevel::Drill);
            drills.filter(|drill| drill.ok).map(|drill| drill.at).max()
        });
        match held.max() {
            Some(at) => self.age("drill", "drill_age", at, self.thresholds.drill, "one succeeded"),
            None if self.thresholds.expects_drills => {
                self.say(CheckState::Warning, "drill", "none has succeeded yet");
            }
            None => {}
        }
    }

    /// One that is bad is a warning; the newest being bad leaves the older ones only.
    fn bad(&mut self, regular: &[&ListedBackup]) {
        for (place, backup) in regular.iter().enumerate() {
            if let Some(what) = backup.what_is_wrong() {
                let state = if place == 0 { CheckState::Critical } else { CheckState::Warning };
                self.say(state, "damaged", format!("{}: {what}", backup.manifest.id));
            }
        }
    }

    /// One that is newer than the newest of some cache may be the newest of that one.
    fn damaged(&mut self, listing: &Listing, newest: &[&ListedBackup]) {
        let first = newest.iter().map(|newest| newest.manifest.id.began_at()).min();
        for damaged in &listing.damaged {
            let is_newest = first.is_none_or(|first| damaged.id.began_at() > first);
            let state = if is_newest { CheckState::Critical } else { CheckState::Warning };
            self.say(state, "damaged", format!("{}: {}", damaged.id, damaged.reason));
        }
    }

    fn unfinished(&mut self, listing: &Listing) {
        let now = self.now;
        let is_stale = |newest_write| now.signed_duration_since(newest_write) > IN_THE_MAKING;
        let stale: Vec<_> = listing.unfinished.iter().filter(|one| is_stale(one.newest_write)).collect();
        if let Some(newest) = stale.first() {
            let bytes = ByteSize::b(stale.iter().map(|one| one.bytes).sum());
            let text = format!("{} were never finished ({bytes}); the newest is {}", stale.len(), newest.id);
            self.say(CheckState::Warning, "unfinished", text);
        }
    }
}
