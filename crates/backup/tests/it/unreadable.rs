//! Objects that a store shows and does not give.

use std::sync::Arc;

use chrono::{FixedOffset, Utc};
use larder_backup::{
    BackupOptions, CheckState, CheckThresholds, Error, KeepPolicy, LiveRestore, LiveRestoreOptions,
    LiveSource, LiveTarget, ReadingOptions, Repository, Verification, VerificationLevel, Wanted,
    check_backups, create_backup, plan_prune, prune,
};
use larder_cache_client::{ConnectOptions, open};
use larder_test_support::{TestServer, seed, server_programs};

use crate::{
    breaking::Breaking,
    fixture::{back_up, id, moment, noise},
};

fn breaking() -> (Breaking, Repository) {
    let store = Breaking::after(usize::MAX);
    let repository = Repository::from_store(Arc::new(store.clone()), "");
    (store, repository)
}

#[tokio::test]
async fn a_manifest_that_cannot_be_read_hides_no_other_and_is_left_alone() {
    let (store, repository) = breaking();
    let ids =
        ["20261121_120000-0001", "20261122_120000-0002", "20261123_120000-0003", "20261124_120000-0004"]
            .map(id);
    for id in &ids {
        back_up(&repository, id, &noise(100, 1)).await;
    }
    let proof = Verification::passed(VerificationLevel::Load, moment("2026-11-22T13:00:00Z"));
    repository.write_verification(&ids[1], &proof).await.unwrap();
    let newest_proof = Verification::passed(VerificationLevel::Load, moment("2026-11-24T13:00:00Z"));
    repository.write_verification(&ids[3], &newest_proof).await.unwrap();
    let (now, none) = (moment("2026-11-24T14:00:00Z"), FixedOffset::east_opt(0).unwrap());
    let mut last = KeepPolicy::default();
    last.last = Some(1);

    for refused in ["20261124_120000-0004/manifest", "20261124_120000-0004/verification"] {
        store.refuse(Some(refused));
        let listing = repository.list().await.unwrap();
        assert_eq!(listing.backups.len(), 3, "{listing:?}");
        let [unread] = &listing.damaged[..] else { panic!("{listing:?}") };
        assert_eq!(unread.id, ids[3]);
        assert!(unread.reason.contains(Breaking::REFUSES), "{}", unread.reason);
        let checked = check_backups(&listing, &CheckThresholds::default(), now);
        assert_eq!(checked.state, CheckState::Critical, "{checked:?}");
        assert!(checked.summary().contains(Breaking::REFUSES), "{}", checked.summary());
        assert_eq!(repository.find(&Wanted::Latest).await.unwrap().id, ids[2]);

        // It is neither planned for nor touched; of the others, the newest and the newest that verified stay.
        let plan = plan_prune(&listing.backups, &last, now, none);
        let removed: Vec<_> = plan.removals().map(|decision| decision.id.clone()).collect();
        assert_eq!(removed, [ids[0].clone()]);
        assert!(repository.leftovers(Utc::now() + chrono::TimeDelta::days(9)).await.unwrap().is_empty());
    }
    store.refuse(Some("20261124_120000-0004/manifest"));
    let plan = plan_prune(&repository.list().await.unwrap().backups, &last, now, none);
    let outcome = prune(&repository, &plan).await;
    assert_eq!((outcome.removed, outcome.failed.len()), (vec![ids[0].clone()], 0));
    store.refuse(None);
    let listing = repository.list().await.unwrap();
    assert_eq!((listing.backups.len(), listing.damaged.len()), (3, 0));
    assert_eq!(listing.backups[0].manifest.id, ids[3]);
    assert!(listing.backups[0].is_proven());
}

#[tokio::test]
async fn where_none_can_be_read_it_is_not_said_that_there_is_none() {
    let (store, repository) = breaking();
    let id = id("20261124_120000-0001");
    back_up(&repository, &id, &noise(100, 1)).await;
    store.refuse(Some("manifest"));
    let error = repository.find(&Wanted::Latest).await.unwrap_err();
    let words = error.to_string();
    assert!(matches!(error, Error::NoBackup { .. }), "{words}");
    assert!(
        words.contains("that can be read: of 20261124_120000-0001") && words.contains(Breaking::REFUSES),
        "{words}"
    );
    let named = repository.find(&Wanted::Id(id)).await.unwrap_err().with_causes();
    assert!(named.contains(Breaking::REFUSES), "{named}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_says_why_an_image_cannot_be_read() {
    let server = TestServer::start(&server_programs().remove(0)).unwrap();
    seed(&mut server.admin().unwrap(), 100).unwrap();
    let client = open(&server.url().parse().unwrap(), &ConnectOptions::default()).await.unwrap();
    let (store, repository) = breaking();
    let made = create_backup(&client, &repository, &BackupOptions::default(), Utc::now()).await.unwrap();
    store.refuse(Some("shard-0"));
    let source = LiveSource::of_backup(&repository, &made.manifest, &ReadingOptions::default());
    let target = LiveTarget::new(move |_| {
        let client = client.clone();
        async move { Ok(client) }
    });
    let planned = LiveRestore::new(source, target, LiveRestoreOptions::default()).plan().await;
    let words = planned.unwrap_err().with_causes();
    assert!(words.contains(Breaking::REFUSES) && words.contains("shard-0.rdb.zst"), "{words}");
}
