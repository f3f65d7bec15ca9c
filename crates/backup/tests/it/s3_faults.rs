//! A service that fails in the middle.

use std::fs;

use larder_backup::{Error, Repository};
use larder_test_support::{S3Fault, TestS3, until_async};

use crate::fixture::{back_up, id, in_bucket, manifest, noise, options, shard, store};

/// Files of uploads that were begun and neither completed nor aborted.
fn unfinished_uploads(server: &TestS3) -> Vec<String> {
    let names = fs::read_dir(server.folder()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name != TestS3::BUCKET).collect()
}

async fn nothing_is_there(repository: &Repository) {
    let listing = repository.list().await.unwrap();
    assert!(listing.backups.is_empty() && listing.unfinished.is_empty(), "{listing:?}");
    assert!(listing.damaged.is_empty() && listing.foreign == 0, "{listing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_breaks_leaves_nothing() {
    for fault in [S3Fault::Status500, S3Fault::Cut] {
        let server = TestS3::start().await.unwrap();
        let repository = in_bucket(&server);
        let id = id("20261124_165256-0001");
        server.break_requests("partNumber=", 1, fault);
        let error = store(&repository, &id, &noise(25 << 20, 1)).await.unwrap_err();
        assert!(matches!(error, Error::Storage { .. }), "{error}");
        assert!(!format!("{error:?}").contains(TestS3::SECRET_ACCESS_KEY));
        let aborted = server.requests().into_iter().find(|request| request.starts_with("DELETE "));
        assert!(aborted.is_some_and(|request| request.contains("uploadId=")), "{:#?}", server.requests());
        assert_eq!(unfinished_uploads(&server), Vec::<String>::new());
        server.heal();
        nothing_is_there(&repository).await;
        back_up(&repository, &id, &noise(1000, 1)).await;
        assert_eq!(repository.list().await.unwrap().backups.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_failure_is_tried_again() {
    let server = TestS3::start().await.unwrap();
    let repository = in_bucket(&server);
    // The end of the upload fails while this is set, and no longer.
    server.break_requests("partNumber=2", 0, S3Fault::Cut);
    let heal = async {
        let is_seen =
            async || Ok(server.requests().iter().any(|one| one.contains("partNumber=2")).then_some(()));
        until_async("part 2 was sent", is_seen).await.unwrap();
        server.heal();
    };
    let data = noise(20 << 20, 1);
    let id = id("20261124_165256-0001");
    let (stored, ()) = tokio::join!(store(&repository, &id, &data), heal);
    assert_eq!(stored.unwrap().bytes, 20 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_writer_is_dropped_is_aborted() {
    let server = TestS3::start().await.unwrap();
    let repository = in_bucket(&server);
    let id = id("20261124_165256-0001");
    let mut writer = repository.writer(&id, shard(&id)).await.unwrap();
    writer.write(noise(20 << 20, 1)).await.unwrap();
    drop(writer);
    let is_gone = async || {
        let is_asked = server.requests().iter().any(|request| request.contains("DELETE "));
        Ok((is_asked && unfinished_uploads(&server).is_empty()).then_some(()))
    };
    until_async("the upload is aborted", is_gone).await.unwrap();
    nothing_is_there(&repository).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_is_not_written_makes_no_backup() {
    let server = TestS3::start().await.unwrap();
    let repository = in_bucket(&server);
    let id = id("20261124_165256-0001");
    let artifact = store(&repository, &id, &noise(1000, 1)).await.unwrap();
    server.break_requests("manifest.json", 0, S3Fault::Status500);
    assert!(repository.commit(&manifest(&id, &artifact)).await.is_err());
    server.heal();
    let listing = repository.list().await.unwrap();
    assert_eq!((listing.backups.len(), listing.unfinished.len()), (0, 1));
    repository.commit(&manifest(&id, &artifact)).await.unwrap();
    assert_eq!(repository.list().await.unwrap().backups.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_an_error_without_the_key() {
    let server = TestS3::start().await.unwrap();
    let wrong = options(&server).with_setting("aws_secret_access_key", "not-the-key-at-all");
    let repository = Repository::open(&"s3://bucket".parse().unwrap(), &wrong).unwrap();
    let error = repository.list().await.unwrap_err();
    assert!(matches!(error, Error::Storage { .. }), "{error}");
    assert!(!format!("{error:?}").contains("not-the-key-at-all"));
}
