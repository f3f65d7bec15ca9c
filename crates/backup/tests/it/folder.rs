//! What a folder has to do besides.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use chrono::{TimeDelta, Utc};
use larder_backup::{Error, LeftoverKind};
use tempfile::tempdir;

use crate::fixture::{back_up, id, in_folder, noise, shard};

fn rights(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn no_one_else_may_read() {
    let folder = tempdir().unwrap();
    let root = folder.path().join("made/here");
    let repository = in_folder(&root);
    let id = id("20261124_165256-0001");
    let mut writer = repository.writer(&id, shard(&id)).await.unwrap();
    writer.write(noise(9 << 20, 1)).await.unwrap();
    let of_backup = root.join("backups").join(id.as_str());
    let temporary = fs::read_dir(&of_backup).unwrap().next().unwrap().unwrap().path();
    assert_eq!(rights(&temporary), 0o600, "from the beginning: {}", temporary.display());
    let artifact = writer.finish().await.unwrap();
    repository.commit(&crate::fixture::manifest(&id, &artifact)).await.unwrap();
    assert!(!temporary.exists());
    for folder in [&root, &root.join("backups"), &of_backup] {
        assert_eq!(rights(folder), 0o700, "{}", folder.display());
    }
    for file in [root.join(&artifact.path), of_backup.join("manifest.json")] {
        assert_eq!(rights(&file), 0o600, "{}", file.display());
    }
    repository.remove(&id).await.unwrap();
    assert!(!of_backup.exists(), "an empty folder goes with its backup");
}

#[tokio::test]
async fn files_without_a_name_are_no_objects_and_are_found() {
    let folder = tempdir().unwrap();
    let repository = in_folder(folder.path());
    let id = id("20261124_165256-0001");
    back_up(&repository, &id, &noise(10, 1)).await;
    let of_backup = folder.path().join("backups").join(id.as_str());
    let left = of_backup.join(".larder-00000000deadbeef.part");
    fs::write(&left, [1, 2, 3]).unwrap();
    let listing = repository.list().await.unwrap();
    assert_eq!((listing.backups.len(), listing.foreign), (1, 0));
    assert!(repository.leftovers(Utc::now()).await.unwrap().is_empty(), "it may be in the making");
    let later = Utc::now() + TimeDelta::hours(25);
    let found = repository.leftovers(later).await.unwrap();
    assert!(matches!(&found[..], [one] if one.bytes == 3 && matches!(one.kind, LeftoverKind::Temporary(_))));
    assert_eq!(repository.remove_leftovers(later).await.unwrap().removed.len(), 1);
    assert!(!left.exists());
    assert_eq!(repository.list().await.unwrap().backups.len(), 1);
}

#[tokio::test]
async fn a_writer_that_is_dropped_leaves_no_file() {
    let folder = tempdir().unwrap();
    let repository = in_folder(folder.path());
    let id = id("20261124_165256-0001");
    let mut writer = repository.writer(&id, shard(&id)).await.unwrap();
    writer.write(noise(9 << 20, 1)).await.unwrap();
    let of_backup = folder.path().join("backups").join(id.as_str());
    let files = || fs::read_dir(&of_backup).unwrap().count();
    assert_eq!(files(), 1);
    drop(writer);
    larder_test_support::until_async("the file is gone", async || Ok((files() == 0).then_some(())))
        .await
        .unwrap();
}

#[tokio::test]
async fn symbolic_links_lead_nowhere() {
    let folder = tempdir().unwrap();
    let outside = tempdir().unwrap();
    let repository = in_folder(folder.path());
    back_up(&repository, &id("20261124_165256-0001"), &noise(10, 1)).await;
    let precious = outside.path().join("shard-0.rdb.zst");
    fs::write(&precious, b"precious").unwrap();
    let hostile = id("20261125_000000-0001");
    symlink(outside.path(), folder.path().join("backups").join(hostile.as_str())).unwrap();
    // A link to the folder itself would go round for ever.
    symlink(folder.path(), folder.path().join("backups/round")).unwrap();
    let listing = repository.list().await.unwrap();
    assert_eq!((listing.backups.len(), listing.unfinished.len()), (1, 0));
    assert!(matches!(repository.remove(&hostile).await, Err(Error::NoBackup { .. })));
    let later = Utc::now() + TimeDelta::days(9999);
    assert!(repository.remove_leftovers(later).await.unwrap().removed.is_empty());
    let mut writer = repository.writer(&hostile, shard(&hostile).encrypted(true)).await.unwrap();
    writer.write(noise(10, 1)).await.unwrap();
    let error = writer.finish().await.unwrap_err();
    assert!(matches!(error, Error::Storage { .. }), "{error}");
    let left: Vec<_> = fs::read_dir(outside.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, [precious]);
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_an_error() {
    let folder = tempdir().unwrap();
    let repository = in_folder(&folder.path().join("not-mounted"));
    let error = repository.list().await.unwrap_err();
    assert!(matches!(error, Error::Storage { .. }), "{error}");
    assert!(!folder.path().join("not-mounted").exists(), "looking makes nothing");
}
