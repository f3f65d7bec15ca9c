//! What every store has to do.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use larder_backup::{
    Error, Repository, RepositoryUrl, StorageOptions, Verification, VerificationLevel, Wanted,
};
use larder_test_support::TestS3;
use object_store::{ObjectStore, ObjectStoreExt, memory::InMemory};
use sha2::{Digest, Sha256};
use tempfile::tempdir;

use crate::fixture::{back_up, id, in_bucket, in_folder, manifest, moment, noise, options, read, store};

#[tokio::test]
async fn in_memory() {
    all_of_it(&Repository::in_memory()).await;
    let url: RepositoryUrl = "memory:stores".parse().unwrap();
    let open = || Repository::open(&url, &StorageOptions::default()).unwrap();
    all_of_it(&open()).await;
    // The name leads to the same store again.
    back_up(&open(), &id("20261124_165256-0001"), &noise(10, 1)).await;
    assert_eq!(open().list().await.unwrap().backups.len(), 1);
}

#[tokio::test]
async fn in_a_folder() {
    let folder = tempdir().unwrap();
    all_of_it(&in_folder(&folder.path().join("not/yet/there"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_bucket() {
    let server = TestS3::start().await.unwrap();
    all_of_it(&in_bucket(&server)).await;
    // Seventeen MiB go in parts of eight.
    let parts = server.requests().iter().filter(|request| request.contains("partNumber=3")).count();
    assert_eq!(parts, 1, "{:#?}", server.requests());
    let shown = format!("{:?} {:?}", options(&server), in_bucket(&server));
    assert!(!shown.contains(TestS3::SECRET_ACCESS_KEY), "{shown}");
}

async fn all_of_it(repository: &Repository) {
    sizes(repository).await;
    one_name_one_backup(repository).await;
    finding(repository).await;
    verifications(repository).await;
    what_is_not_whole(repository).await;
    for backup in repository.list().await.unwrap().backups {
        repository.remove(&backup.manifest.id).await.unwrap();
    }
    let left = repository.list().await.unwrap();
    assert!(left.backups.is_empty() && left.unfinished.is_empty() && left.damaged.is_empty(), "{left:?}");
}

async fn sizes(repository: &Repository) {
    for (size, mark) in [(0, 0), (1, 1), (8 << 20, 2), ((17 << 20) + 3, 3)] {
        let id = id(&format!("20261124_165256-000{mark}"));
        let data = noise(size, mark);
        let written = back_up(repository, &id, &data).await;
        let artifact = &written.shards[0].artifact;
        assert_eq!(artifact.bytes, size as u64);
        assert_eq!(artifact.sha256.as_deref(), Some(hex(&data).as_str()));
        assert!(read(repository, &id, artifact).await == data, "{size} bytes come back");
        assert_eq!(repository.manifest(&id).await.unwrap(), written);
    }
    let listing = repository.list().await.unwrap();
    let marks: Vec<&str> = listing.backups.iter().map(|backup| &backup.manifest.id.as_str()[16..]).collect();
    assert_eq!(marks, ["0003", "0002", "0001", "0000"], "the newest first");
    assert!(listing.backups.iter().all(|backup| backup.problems.is_empty()));
}

fn hex(data: &[u8]) -> String {
    Sha256::digest(data).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

async fn one_name_one_backup(repository: &Repository) {
    let id = id("20261125_000000-aaaa");
    let data = noise(100, 1);
    // Two at once, of which the manifest of one counts.
    let artifact = store(repository, &id, &data).await.unwrap();
    assert!(matches!(store(repository, &id, &data).await, Err(Error::Refused { .. })));
    let first = manifest(&id, &artifact);
    let mut second = first.clone();
    second.apart_ms = 1;
    let (one, other) = tokio::join!(repository.commit(&first), repository.commit(&second));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    let refusal = one.and(other).unwrap_err();
    assert!(matches!(refusal, Error::Refused { .. }), "{refusal}");
    // The same once more is what a request is that was sent twice.
    let stored = repository.manifest(&id).await.unwrap();
    repository.commit(&stored).await.unwrap();
    repository.remove(&id).await.unwrap();
    assert!(matches!(repository.remove(&id).await, Err(Error::NoBackup { .. })));
    assert!(matches!(repository.manifest(&id).await, Err(Error::NoBackup { .. })));
}

async fn finding(repository: &Repository) {
    let older = id("20261120_120000-0001");
    back_up(repository, &older, &noise(10, 1)).await;
    let newer = id("20261126_120000-0001");
    let mut manifest = manifest(&newer, &store(repository, &newer, &noise(10, 1)).await.unwrap());
    manifest.kind =
        serde_json::from_value(serde_json::json!({"safety": {"before_restore_of": older}})).unwrap();
    repository.commit(&manifest).await.unwrap();
    let find = async |text: &str| {
        let wanted = Wanted::parse(text, &Utc).unwrap();
        repository
            .find(&wanted)
            .await
            .map(|manifest| manifest.id.to_string())
            .map_err(|error| error.to_string())
    };
    assert_eq!(
        find("latest").await.unwrap(),
        "20261124_165256-0003",
        "safety backups are meant by name only"
    );
    assert_eq!(find(newer.as_str()).await.unwrap(), newer.as_str());
    assert_eq!(find("2026-11-20").await.unwrap(), older.as_str());
    assert_eq!(find("2026-11-20 12:00").await.unwrap(), older.as_str());
    assert!(find("2026-11-20 11:59").await.unwrap_err().contains("2026-11-20 11:59"));
}

async fn verifications(repository: &Repository) {
    let id = id("20261124_165256-0003");
    let at = moment("2026-11-25T00:00:00Z");
    let deep = Verification::passed(VerificationLevel::Load, at);
    let shallow = Verification::failed(VerificationLevel::Checksum, at, vec!["a byte".to_owned()]);
    let again = Verification::passed(VerificationLevel::Checksum, at + TimeDelta::hours(1));
    for verification in [&deep, &shallow, &again] {
        repository.write_verification(&id, verification).await.unwrap();
    }
    assert_eq!(repository.verifications(&id).await.unwrap(), [again, deep]);
    let listing = repository.list().await.unwrap();
    let backup = listing.backups.iter().find(|backup| backup.manifest.id == id).unwrap();
    assert!(backup.is_proven());
    assert_eq!(backup.last_verification().unwrap().level, VerificationLevel::Checksum);
}

async fn what_is_not_whole(repository: &Repository) {
    let unfinished = id("20261127_000000-0001");
    let artifact = store(repository, &unfinished, &noise(100, 1)).await.unwrap();
    // Dropped and aborted ones leave nothing.
    for is_dropped in [true, false] {
        let id = id("20261127_000000-0002");
        let mut writer = repository.writer(&id, crate::fixture::shard(&id)).await.unwrap();
        writer.write(noise(9 << 20, 1)).await.unwrap();
        if is_dropped { drop(writer) } else { writer.abort().await }
    }
    let listing = repository.list().await.unwrap();
    assert_eq!(listing.unfinished.len(), 1, "{:?}", listing.unfinished);
    let found = &listing.unfinished[0];
    assert_eq!((&found.id, found.objects, found.bytes), (&unfinished, 1, 100));
    // A manifest is not written for what is not there as it says.
    let mut longer = manifest(&unfinished, &artifact);
    longer.shards[0].artifact.bytes += 1;
    assert!(matches!(repository.commit(&longer).await, Err(Error::Damaged { .. })));
    let mut strange = manifest(&unfinished, &artifact);
    strange.shards[0].artifact.path = String::from("backups/20261124_165256-0003/shard-0.rdb.zst");
    assert!(matches!(repository.commit(&strange).await, Err(Error::Damaged { .. })));
    // Left behind is what nothing was written to for a day.
    assert!(repository.leftovers(found.newest_write).await.unwrap().is_empty());
    let later = found.newest_write + TimeDelta::hours(25);
    assert_eq!(repository.leftovers(later).await.unwrap().len(), 1);
    assert_eq!(repository.remove_leftovers(later).await.unwrap().removed.len(), 1);
    assert!(repository.list().await.unwrap().unfinished.is_empty());
}

#[tokio::test]
async fn what_belongs_to_no_backup_is_counted_and_left() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let repository = Repository::from_store(Arc::clone(&store), "a/b");
    let id = id("20261124_165256-0001");
    let written = back_up(&repository, &id, &noise(10, 1)).await;
    let put = async |path: &str| {
        store.put(&path.into(), Bytes::from_static(b"x").into()).await.unwrap();
    };
    for foreign in ["a/b/notes.txt", "a/b/backups/notes.txt", &format!("a/b/backups/{id}/notes.txt")] {
        put(foreign).await;
    }
    put("a/elsewhere").await;
    put("a/b/other/deep").await;
    let listing = repository.list().await.unwrap();
    assert_eq!((listing.backups.len(), listing.foreign), (1, 3));
    assert!(listing.unfinished.is_empty() && listing.damaged.is_empty());
    // An object that is missing, or was cut, is said.
    store.delete(&format!("a/b/{}", written.shards[0].artifact.path).into()).await.unwrap();
    let problems = repository.list().await.unwrap().backups.remove(0).problems;
    assert!(problems[0].ends_with("is not there"), "{problems:?}");
    assert!(matches!(repository.reader(&id, &written.shards[0].artifact).await, Err(Error::Damaged { .. })));
    put(&format!("a/b/{}", written.shards[0].artifact.path)).await;
    let problems = repository.list().await.unwrap().backups.remove(0).problems;
    assert!(problems[0].ends_with("has 1 bytes, and had 10"), "{problems:?}");
    repository.remove(&id).await.unwrap();
    assert_eq!(repository.list().await.unwrap().foreign, 3);
}
