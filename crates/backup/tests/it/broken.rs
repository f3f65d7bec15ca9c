//! Whole backups whose store or whose stream breaks in the middle.

use std::{env, fs, process::Command};

use chrono::Utc;
use larder_backup::{BackupOptions, Error, FileSet, Repository, VerifyOptions, create_backup, verify_backup};
use larder_cache_client::{CacheClient, ConnectOptions, open};
use larder_test_support::{S3Fault, TestS3, TestServer, server_programs};
use tempfile::tempdir;

use crate::fixture::{in_bucket, in_folder};

/// A server whose image takes more than two parts of an upload.
async fn large() -> (TestServer, CacheClient) {
    let server = TestServer::start(&server_programs().remove(0)).unwrap();
    let mut pipeline = redis::pipe();
    for number in 0..24 {
        pipeline.set(format!("noise:{number}"), random(1 << 20, number)).ignore();
    }
    pipeline.query::<()>(&mut server.admin().unwrap()).unwrap();
    let client = open(&server.url().parse().unwrap(), &ConnectOptions::default()).await.unwrap();
    (server, client)
}

/// Bytes that no compression shortens (xorshift64*, Vigna, 2016).
fn random(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let word = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes()
    };
    std::iter::repeat_with(word).take(bytes / 8).flatten().collect()
}

fn options() -> BackupOptions {
    let mut options = BackupOptions::default();
    let mut files = FileSet::default();
    files.made = vec![("a.conf".to_owned(), b"x=1".to_vec())];
    options.configuration = files;
    options
}

async fn nothing_is_listed(repository: &Repository) {
    let listing = repository.list().await.unwrap();
    assert!(listing.backups.is_empty() && listing.damaged.is_empty(), "{listing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_fails_in_the_middle() {
    let (_server, client) = large().await;
    // At the first part and at a later one, at the end of the upload, at what comes after the shard, and at the manifest.
    for (requests, after) in [("partNumber=", 0), ("partNumber=", 1), ("config.tar", 0), ("manifest.json", 0)]
    {
        let s3 = TestS3::start().await.unwrap();
        let repository = in_bucket(&s3);
        s3.break_requests(requests, after, S3Fault::Status500);
        let error = create_backup(&client, &repository, &options(), Utc::now()).await.unwrap_err();
        let words = error.with_causes();
        assert!(matches!(error, Error::Storage { .. }), "{requests}: {words}");
        assert!(words.contains("backups/"), "{requests}: it names what could not be written: {words}");
        s3.heal();
        nothing_is_listed(&repository).await;
        let made = create_backup(&client, &repository, &options(), Utc::now()).await.unwrap();
        let options = VerifyOptions::default();
        let verified = verify_backup(&repository, &made.manifest, &options, Utc::now()).await;
        assert!(verified.unwrap().ok);
        assert_eq!(repository.list().await.unwrap().backups.len(), 1);
    }
}

#[test]
fn a_disk_that_is_full_in_the_middle() {
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 18000; exec \"$0\" \"$@\""])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "broken::where_files_are_short", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{complaints}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a limit of file sizes; a_disk_that_is_full_in_the_middle runs it with one"]
async fn where_files_are_short() {
    let (_server, client) = large().await;
    let folder = tempdir().unwrap();
    let repository = in_folder(folder.path());
    let error = create_backup(&client, &repository, &options(), Utc::now()).await.unwrap_err();
    let words = error.with_causes();
    assert!(matches!(error, Error::Storage { .. }) && words.contains("shard-0.rdb.zst"), "{words}");
    nothing_is_listed(&repository).await;
    for entry in fs::read_dir(folder.path().join("backups")).unwrap() {
        assert_eq!(fs::read_dir(entry.unwrap().path()).unwrap().count(), 0, "nothing is left");
    }
}
