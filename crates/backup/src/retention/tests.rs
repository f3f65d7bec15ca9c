use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use proptest::{collection::vec, option, prelude::*};

use super::{KeepPolicy, PruneFate, PrunePlan, plan_prune};
use crate::{
    Kind, ListedBackup, VerificationLevel,
    samples::{backup, safety, verified},
};

fn now() -> DateTime<Utc> {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn hours_ago(hours: i64) -> DateTime<Utc> {
    now() - TimeDelta::hours(hours)
}

fn plan(backups: &[ListedBackup], policy: &KeepPolicy) -> PrunePlan {
    plan_prune(backups, policy, now(), FixedOffset::east_opt(0).unwrap())
}

/// Hours before now, and the reasons why it stays; nothing where it goes.
fn kept(plan: &PrunePlan) -> Vec<(i64, String)> {
    let kept = plan.decisions.iter().filter(|decision| decision.fate == PruneFate::Keep);
    kept.map(|one| ((now() - one.began_at).num_hours(), one.reasons.join(", "))).collect()
}

fn said(hours: i64, reasons: &str) -> (i64, String) {
    (hours, reasons.to_owned())
}

#[test]
fn the_newest_of_each_period_stays() {
    // Noon, 6 o'clock and midnight of today, then of yesterday, and so on.
    let backups: Vec<_> = (0..40).map(|step| backup(hours_ago(step * 6), 0)).collect();
    let policy = KeepPolicy { last: Some(2), daily: Some(3), ..KeepPolicy::default() };
    let plan = plan(&backups, &policy);
    let expected = [
        said(0, "last 1 of 2, daily 1 of 3, newest"),
        said(6, "last 2 of 2"),
        said(18, "daily 2 of 3"),
        said(42, "daily 3 of 3"),
    ];
    assert_eq!(kept(&plan), expected);
    assert_eq!(plan.removals().count(), 36);
    assert_eq!(plan.freed_bytes(), 36_000);
    let oldest = plan.removals().next().unwrap();
    assert_eq!(oldest.reasons, ["no rule keeps it (last 2, daily 3)"]);
}

#[test]
fn days_are_those_of_the_time_zone() {
    // 23:30 and 00:30 in Berlin.
    let backups =
        ["2026-11-23T22:30:00Z", "2026-11-23T23:30:00Z"].map(|at: &str| backup(at.parse().unwrap(), 0));
    let policy = KeepPolicy { daily: Some(5), ..KeepPolicy::default() };
    let in_zone =
        |hours: i32| plan_prune(&backups, &policy, now(), FixedOffset::east_opt(hours * 3600).unwrap());
    assert_eq!(in_zone(0).removals().count(), 1);
    assert_eq!(in_zone(1).removals().count(), 0);
}

#[test]
fn weeks_are_iso_weeks_and_gaps_do_not_count() {
    // The last day of 2026 and the first of 2027 are in one week (53 of 2026).
    let days =
        ["2027-01-01T00:00:00Z", "2026-12-31T00:00:00Z", "2026-12-27T00:00:00Z", "2026-06-01T00:00:00Z"];
    let backups = days.map(|at: &str| backup(at.parse().unwrap(), 0));
    let policy = KeepPolicy { weekly: Some(3), ..KeepPolicy::default() };
    let plan = plan(&backups, &policy);
    let gone: Vec<_> = plan.removals().map(|one| one.began_at).collect();
    assert_eq!(gone, [backups[1].manifest.began_at]);
}

#[test]
fn without_a_rule_everything_stays_and_says_so() {
    let plan = plan(&[backup(hours_ago(100_000), 0), backup(hours_ago(1), 0)], &KeepPolicy::default());
    assert_eq!(plan.removals().count(), 0);
    assert!(plan.decisions[1].reasons[0].contains("no rule"), "{:?}", plan.decisions[1].reasons);
    assert!(plan_prune(&[], &KeepPolicy::days(1), now(), plan.offset).decisions.is_empty());
}

#[test]
fn age_counts_from_the_newest_so_that_old_ones_stay_while_none_are_made() {
    let stopped: Vec<_> = (0..3).map(|day| backup(hours_ago(24 * (100 + day)), 0)).collect();
    let plan = plan(&stopped, &KeepPolicy::days(1));
    let expected = [said(2400, "within 1 day, newest"), said(2424, "within 1 day")];
    assert_eq!(kept(&plan), expected);
}

#[test]
fn the_newest_that_verified_stays_and_what_is_bad_takes_no_place() {
    let backups = [
        verified(backup(hours_ago(1), 0), VerificationLevel::Load, false),
        verified(backup(hours_ago(2), 0), VerificationLevel::Checksum, true),
        verified(backup(hours_ago(3), 0), VerificationLevel::Load, true),
        verified(backup(hours_ago(4), 0), VerificationLevel::Structure, false),
        verified(backup(hours_ago(5), 0), VerificationLevel::Load, true),
    ];
    let policy = KeepPolicy { last: Some(1), ..KeepPolicy::default() };
    let plan = plan(&backups, &policy);
    let expected = [
        said(1, "it is bad, and no newer one has verified, newest"),
        said(2, "last 1 of 1"),
        said(3, "newest that verified"),
    ];
    assert_eq!(kept(&plan), expected);
    let bad = plan.decision(&backups[3].manifest.id).unwrap();
    assert_eq!(bad.reasons, ["it is bad, and a newer one verified"]);
}

#[test]
fn safety_backups_are_counted_for_themselves_and_stay_a_week() {
    let backups = [
        safety(backup(hours_ago(1), 0)),
        safety(backup(hours_ago(2), 0)),
        backup(hours_ago(24), 0),
        safety(backup(hours_ago(24 * 8), 0)),
    ];
    let policy = KeepPolicy { last: Some(1), ..KeepPolicy::default() };
    let week = "a way back from a restore, for 7 days";
    let expected = [
        said(1, &format!("last 1 of 1, {week}")),
        said(2, week),
        said(24, "last 1 of 1, the only one there is"),
    ];
    assert_eq!(kept(&plan(&backups, &policy)), expected);
}

#[test]
fn caches_are_counted_for_themselves() {
    let mut other = backup(hours_ago(500), 0);
    other.manifest.cache = "redis://10.0.0.2:6379".to_owned();
    let mut guides = backup(hours_ago(900), 0);
    guides.manifest.kind = Kind::Guide;
    let mut older = guides.clone();
    older.manifest.began_at = hours_ago(1000);
    older.manifest.id = crate::BackupId::of_guide(hours_ago(1000));
    let backups = [backup(hours_ago(1), 0), backup(hours_ago(2), 0), other, guides, older];
    let policy = KeepPolicy { last: Some(1), ..KeepPolicy::default() };
    let hours: Vec<i64> = kept(&plan(&backups, &policy)).into_iter().map(|(hours, _)| hours).collect();
    assert_eq!(hours, [1, 500, 900]);
}

fn any_backup() -> impl Strategy<Value = ListedBackup> {
    let level = prop::sample::select(vec![
        VerificationLevel::Checksum,
        VerificationLevel::Structure,
        VerificationLevel::Load,
        VerificationLevel::Drill,
    ]);
    let verification = option::of((level, any::<bool>()));
    (-50_i64..20_000, any::<u16>(), verification, 0..4_u8, 0..3_u8).prop_map(
        |(hours, mark, verification, kind, cache)| {
            let mut backup = backup(hours_ago(hours), mark);
            backup.manifest.cache = format!("redis://10.0.0.{cache}");
            if let Some((level, ok)) = verification {
                backup = verified(backup, level, ok);
            }
            match kind {
                0 => safety(backup),
                1 => {
                    backup.manifest.kind = Kind::Guide;
                    backup
                }
                _ => backup,
            }
        },
    )
}

fn any_policy() -> impl Strategy<Value = KeepPolicy> {
    let count = || option::weighted(0.4, 0_u32..8);
    let counts = (count(), count(), count(), count(), count(), count());
    (counts, option::weighted(0.3, 0_u32..200)).prop_map(
        |((last, hourly, daily, weekly, monthly, yearly), days)| {
            let within = days.and_then(|days| KeepPolicy::days(days).within);
            KeepPolicy { last, hourly, daily, weekly, monthly, yearly, within }
        },
    )
}

fn after(backups: &[ListedBackup], plan: &PrunePlan) -> Vec<ListedBackup> {
    let stays = |backup: &&ListedBackup| {
        plan.decision(&backup.manifest.id).is_some_and(|decision| decision.fate == PruneFate::Keep)
    };
    backups.iter().filter(stays).cloned().collect()
}

proptest! {
    #[test]
    fn planning_again_removes_nothing(backups in vec(any_backup(), 0..60), policy in any_policy(), zone in -12..=14) {
        let offset = FixedOffset::east_opt(zone * 3600).unwrap();
        let first = plan_prune(&backups, &policy, now(), offset);
        let left = after(&backups, &first);
        let again = plan_prune(&left, &policy, now(), offset);
        prop_assert_eq!(again.removals().count(), 0);
    }

    #[test]
    fn every_decision_has_a_reason_and_something_good_stays(
        backups in vec(any_backup(), 1..60),
        policy in any_policy(),
    ) {
        let plan = plan(&backups, &policy);
        prop_assert!(plan.decisions.iter().all(|decision| !decision.reasons.is_empty()));
        prop_assert_eq!(plan.decisions.len(), backups.len());
        let left = after(&backups, &plan);
        prop_assert!(!left.is_empty());
        let is_regular = |backup: &&ListedBackup| !backup.manifest.is_safety();
        let newest = backups.iter().filter(is_regular).map(|backup| backup.manifest.began_at).max();
        let newest_left = left.iter().filter(is_regular).map(|backup| backup.manifest.began_at).max();
        prop_assert_eq!(newest, newest_left);
        let proven = |backups: &[ListedBackup]| {
            let proven = backups.iter().filter(is_regular).filter(|backup| backup.is_proven());
            proven.map(|backup| backup.manifest.began_at).max()
        };
        prop_assert_eq!(proven(&backups), proven(&left));
    }

    #[test]
    fn a_rule_keeps_no_more_than_it_says(backups in vec(any_backup(), 0..60), last in 0_u32..5, daily in 0_u32..5) {
        let policy = KeepPolicy { last: Some(last), daily: Some(daily), ..KeepPolicy::default() };
        let plan = plan(&backups, &policy);
        let is_in_group = |one: &&super::PruneDecision| one.kind == Kind::Guide;
        for (rule, count) in [("last ", last), ("daily ", daily)] {
            let kept = plan.decisions.iter().filter(is_in_group);
            let kept = kept.filter(|one| one.reasons.iter().any(|reason| reason.starts_with(rule))).count();
            prop_assert!(kept <= count as usize);
        }
    }

    #[test]
    fn one_backup_more_of_a_period_changes_no_other_cache(backups in vec(any_backup(), 0..40), policy in any_policy()) {
        let plan_before = plan(&backups, &policy);
        let mut more = backups.clone();
        let mut stranger = backup(hours_ago(3), 0xabcd);
        stranger.manifest.cache = "redis://elsewhere".to_owned();
        more.push(stranger);
        let plan_after = plan(&more, &policy);
        for decision in &plan_before.decisions {
            let is_of_a_cache = decision.kind == Kind::Regular;
            let later = plan_after.decision(&decision.id).unwrap();
            prop_assert!(!is_of_a_cache || later.fate == decision.fate, "{:?} {:?}", decision, later);
        }
    }
}
