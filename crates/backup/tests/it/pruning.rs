//! Removing by rule.

use std::sync::Arc;

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use larder_backup::{
    BackupId, KeepPolicy, PrunePlan, Repository, Verification, VerificationLevel, plan_prune, prune,
};

use crate::{
    breaking::Breaking,
    fixture::{back_up, moment, noise},
};

fn now() -> DateTime<Utc> {
    moment("2026-11-24T12:00:00Z")
}

/// Backups of the last days, the newest first; every third one in the guide's layout.
async fn days(repository: &Repository, days: u16) -> Vec<BackupId> {
    let mut ids = Vec::new();
    for day in 0..days {
        let at = now() - TimeDelta::days(day.into());
        let id = if day % 3 == 2 { BackupId::of_guide(at) } else { BackupId::new(at, day) };
        back_up(repository, &id, &noise(100, 1)).await;
        ids.push(id);
    }
    ids
}

async fn planned(repository: &Repository, policy: &KeepPolicy) -> PrunePlan {
    let listing = repository.list().await.unwrap();
    plan_prune(&listing.backups, policy, now(), FixedOffset::east_opt(0).unwrap())
}

#[tokio::test]
async fn what_a_plan_removes_is_gone_and_the_rest_is_whole() {
    let repository = Repository::in_memory();
    let ids = days(&repository, 10).await;
    let plan = planned(&repository, &KeepPolicy::days(3)).await;
    let outcome = prune(&repository, &plan).await;
    assert_eq!(outcome.removed, ids[4..].iter().rev().cloned().collect::<Vec<_>>());
    assert_eq!(outcome.freed_bytes, 600);
    assert!(outcome.failed.is_empty() && outcome.spared.is_empty(), "{outcome:?}");
    let listing = repository.list().await.unwrap();
    assert_eq!((listing.backups.len(), listing.unfinished.len()), (4, 0));
    assert_eq!(planned(&repository, &KeepPolicy::days(3)).await.removals().count(), 0);
}

#[tokio::test]
async fn what_has_a_reason_to_stay_by_now_is_spared() {
    let repository = Repository::in_memory();
    let ids = days(&repository, 4).await;
    let mut policy = KeepPolicy::default();
    policy.last = Some(1);
    let plan = planned(&repository, &policy).await;
    assert_eq!(plan.removals().count(), 3);
    // Between plan and removal, one turns out to be the only one that verifies, and another one is gone.
    let proof = Verification::passed(VerificationLevel::Load, now());
    repository.write_verification(&ids[1], &proof).await.unwrap();
    repository.remove(&ids[3]).await.unwrap();
    let outcome = prune(&repository, &plan).await;
    assert_eq!(outcome.removed, [ids[2].clone()]);
    let spared: Vec<(&BackupId, &str)> = outcome.spared.iter().map(|(id, why)| (id, why.as_str())).collect();
    assert_eq!(spared, [(&ids[3], "it is not listed any more"), (&ids[1], "newest that verified")]);
}

#[tokio::test]
async fn killed_at_any_moment_it_leaves_nothing_listed_that_is_not_whole() {
    // Two objects a backup.
    for removals in 0..13 {
        let store = Breaking::after(removals);
        let repository = Repository::from_store(Arc::new(store.clone()), "prefix");
        days(&repository, 7).await;
        let plan = planned(&repository, &KeepPolicy::days(0)).await;
        let outcome = prune(&repository, &plan).await;
        assert_eq!(outcome.failed.is_empty(), removals >= 12, "{removals}: {outcome:?}");
        let listing = repository.list().await.unwrap();
        assert!(listing.backups.iter().all(|backup| backup.problems.is_empty()), "{removals}: {listing:?}");
        assert!(listing.damaged.is_empty() && listing.unfinished.len() <= 1, "{removals}: {listing:?}");
        // The next run goes on, and clears away what is left.
        store.allow(100);
        prune(&repository, &planned(&repository, &KeepPolicy::days(0)).await).await;
        repository.remove_leftovers(Utc::now() + TimeDelta::days(2)).await.unwrap();
        let listing = repository.list().await.unwrap();
        assert_eq!((listing.backups.len(), listing.unfinished.len()), (1, 0), "{removals}");
    }
}
