//! How small a backup is.

use std::{fs, io::Write};

use chrono::Utc;
use flate2::{Compression, write::GzEncoder};
use larder_backup::{
    BackupOptions, FolderOptions, Repository, create_backup, plan_folder, restore_to_folder,
};
use larder_cache_client::{ConnectOptions, open};
use larder_test_support::{TestServer, server_programs, write_query_cache};

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_no_larger_than_gzip_makes_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    write_query_cache(&folder.path().join("dump.rdb"), 20_000).unwrap();
    let server = TestServer::builder(&server_programs().remove(0)).data(folder.path()).start().unwrap();
    let client = open(&server.url().parse().unwrap(), &ConnectOptions::default()).await.unwrap();
    let repository = Repository::in_memory();
    let made =
        create_backup(&client, &repository, &BackupOptions::default(), Utc::now()).await.unwrap().manifest;
    assert_eq!(made.counts.as_ref().unwrap().keys, 20_000);
    let stored = made.shards[0].artifact.bytes;

    let (to, options) = (tempfile::tempdir().unwrap(), FolderOptions::default());
    let plan = plan_folder(&made, to.path(), &options, Utc::now());
    restore_to_folder(&repository, &made, &plan, &options).await.unwrap();
    let rdb = fs::read(to.path().join("dump.rdb")).unwrap();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::new(1));
    gzip.write_all(&rdb).unwrap();
    let gzipped = gzip.finish().unwrap().len() as u64;
    assert!(stored <= gzipped, "of {} bytes, the backup stores {stored}, and gzip -1 {gzipped}", rdb.len());
}
